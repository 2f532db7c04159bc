"""Open what people bring: a classifier of any kind, each in one file, its labels, its preprocessing, its layers."""
