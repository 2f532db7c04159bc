"""What the measurement of faithfulness has on a workstation: its report, and evidence of randomized weights."""
