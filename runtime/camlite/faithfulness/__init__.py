"""Faithfulness: how well a map points at what moves the score, measured as the literature measures it.

Each measure is pure numpy over a picture, a heatmap and a callable that scores pictures, so that the same code judges
the artifact on the device and the original on the workstation. `measures` lists them; `measuring` takes them of a
picture, beside those of two maps that know nothing: a random one and one of the centre.
"""
