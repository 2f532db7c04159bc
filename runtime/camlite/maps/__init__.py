"""Maps: evidence, resizing, heatmaps, and what a map says in a few numbers. Pure numpy."""
