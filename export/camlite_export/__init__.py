"""camlite on the workstation: from a trained Keras classifier to artifacts that explain themselves.

TensorFlow and its kin are imported inside the functions that need them: `camlite --help` must not wait for them.
"""
