"""What an explanation costs: `explain` beside the bare interpreter."""
