"""``camlite watch``: folders, video files and cameras, explained as they come, for weeks.

One result file an input, written last and whole, is both the answer and the proof that it was given. Nothing else is
remembered, so that a process can be killed at any moment: what has a result is done, what has none is not.
"""
