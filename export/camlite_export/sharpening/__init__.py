"""Finer maps: which guides there are, and which of them is worth having, by measurement."""
