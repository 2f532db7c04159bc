"""Deciding, on the user's own pictures, what a classifier was trained on: its pixels and its labels."""
