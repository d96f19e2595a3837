"""snnbench: the benchmarks of "Self-Normalizing Neural Networks" (NIPS 2017), for anyone to run.

Importing it sets the environment variable ``MKL_CBWR`` if it is not set, see ``snnbench.mkl``: every process that trains must
have it before MKL is first used.
"""

from snnbench.mkl import make_reproducible

__version__ = "0.1.0"

make_reproducible()
