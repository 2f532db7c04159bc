"""What `camlite doctor` finds out: which packages work here, which artifacts run, and what to do about the rest.

Nothing here imports numpy before it is known to work.
"""
