"""Prove that a model is one that an interpreter may see: what native parsers take for granted."""
