"""The shortcut audit: does the evidence for a class lie on the object, and does the score follow the object?

Figures are made image by image (`measuring`), in batches that any engine may spread (`engine`), and summed up class
by class with bootstrap confidence intervals into verdicts (`verdict`). numpy alone, so that it runs where the
artifact runs.
"""
