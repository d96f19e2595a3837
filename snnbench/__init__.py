"""snnbench: the benchmarks of "Self-Normalizing Neural Networks" (NIPS 2017), for anyone to run."""

__version__ = "0.1.0"
