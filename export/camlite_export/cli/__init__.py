"""The exporter's commands of the program ``camlite``."""
