"""Open what people bring: a classifier's file, its labels, its preprocessing, its layers."""
