"""The setting of MKL, the BLAS of torch on x86, with which a network has the bits alone that it has among others.

Without it MKL may choose another order of summation by the size of a stack and by the alignment of memory; on processors that
are not Intel's it does. The setting costs no time that can be measured, on some processors it saves some. See Intel's Developer
Guide for oneMKL, "Conditional Numerical Reproducibility".
"""

import os

VARIABLE = "MKL_CBWR"
REPRODUCIBLE = "AUTO,STRICT"
"""The fastest kernels of the processor, whose sums depend neither on alignment nor on how many products are asked for."""


def make_reproducible() -> None:
    """Set the environment variable that MKL reads when it is first used; what the user has set stays.

    Processes that are started later inherit it.
    """
    os.environ.setdefault(VARIABLE, REPRODUCIBLE)
