"""Hold artifacts against the original: the reference, the figures, their gates, the report.

`camlite_export.parity` is the function that does so; a room of the same name would hide it.
"""
