"""Pixels in: picture files, labelled folders, and preprocessing to the input of the classifier."""
