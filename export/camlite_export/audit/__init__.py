"""What the audit has on a workstation: its report, COCO's annotations, a Ray cluster."""
