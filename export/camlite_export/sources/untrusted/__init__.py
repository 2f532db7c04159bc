"""Files that a stranger made: read, bounded, and made anew of what image classifiers are made of."""
