"""Cut a classifier at its last feature map, and derive what explains its scores from there."""
