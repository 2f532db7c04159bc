"""The Fashion-MNIST classifier that the tests, the README and the first five minutes stand on."""
