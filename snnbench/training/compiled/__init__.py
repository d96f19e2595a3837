"""Training compiled by numba: whole epochs of one member after another, each in the processor's cache."""
