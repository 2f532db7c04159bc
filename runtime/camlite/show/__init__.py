"""Answers out: overlays, colours, text on pictures, terminal pictures, tables, JSON."""
