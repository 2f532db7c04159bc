"""Hold artifacts against Keras: the reference, the figures, their gates, the report."""
