"""How the functions of this package are compiled and kept, and how they call the BLAS of scipy."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numba
import numpy as np
from filelock import FileLock
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import get_cython_function_address, intrinsic, overload
from scipy.linalg import cython_blas

from snnbench.suites.fetch.source import cache_folder


def _private_folder() -> Path | None:
    """Return where compiled functions are kept: a folder of these very sources that only the user can write; None without one.

    What lies there is run. It is in numba's own ``$NUMBA_CACHE_DIR`` or in the cache of snnbench.
    """
    sources = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    folder = Path(numba.config.CACHE_DIR or cache_folder() / "compiled") / f"snnbench-{digest}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = folder.stat()
    except OSError:
        return None
    if hasattr(os, "getuid") and (state.st_uid != os.getuid() or state.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        return None
    return folder if os.access(folder, os.W_OK) else None


_FOLDER = _private_folder()


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called, or load it from where an earlier process has left it.

    Products and sums may be contracted, but no sum is reordered: the same code gives the same bits, whatever the addresses.
    """
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(_FOLDER or "")
    try:
        return numba.njit(cache=_FOLDER is not None, fastmath={"contract"}, error_model="numpy", nogil=True)(function)
    finally:
        numba.config.CACHE_DIR = before


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function as a part of those that call it."""
    options = {"fastmath": {"contract"}, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return numba.njit(**options)(function)


@contextmanager
def one_compiles() -> Iterator[None]:
    """Let one process compile while the others wait, to load what it leaves; once it lies there, nobody waits."""
    if _FOLDER is None or any(_FOLDER.rglob("*.nbc")):
        yield
        return
    lock = FileLock(_FOLDER / "lock")
    with suppress(NotImplementedError):  # some file systems have no locks: then all of them compile
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def gemm_address(dtype: np.dtype) -> int:
    """Return the address of the general matrix product of scipy's BLAS, for this process.

    Raises:
        ImportError: If it has another signature than in the scipy versions known.
    """
    name = "sgemm" if dtype == np.float32 else "dgemm"
    signature = repr(cython_blas.__pyx_capi__[name])
    if signature.count(" int *") != 6:
        raise ImportError(f"scipy's {name} must take integers of 32 bits, found {signature}")
    return int(get_cython_function_address("scipy.linalg.cython_blas", name))


@intrinsic
def _gemm(typing_context, address, is_transposed, factors, a, b, c):
    """Set ``c`` to ``alpha * op(a) @ b + beta * c`` with the factors alpha and beta, all contiguous; op transposes if it is to.

    The rows of ours are the columns of ``?gemm``, so it is asked for ``c.T = alpha * b.T @ op(a).T + beta * c.T``.
    """
    signature = types.void(address, is_transposed, factors, a, b, c)

    def generate(context, builder, signature, arguments):
        def at(value):
            return cgutils.alloca_once_value(builder, value)

        def integer(value):
            return at(builder.trunc(value, ir.IntType(32)))

        first, second, target = (
            context.make_array(signature.args[place])(context, builder, arguments[place]) for place in (4, 3, 5)
        )
        (n_inner, n_columns), (_, second_width), (n_rows, _) = (
            cgutils.unpack_tuple(builder, one.shape) for one in (first, second, target)
        )
        alpha, beta = cgutils.unpack_tuple(builder, arguments[2])
        plain, transposed = (ir.Constant(ir.IntType(8), ord(letter)) for letter in "NT")
        values = [
            at(plain), at(builder.select(arguments[1], transposed, plain)),
            integer(n_columns), integer(n_rows), integer(n_inner),
            at(alpha), first.data, integer(n_columns), second.data, integer(second_width),
            at(beta), target.data, integer(n_columns),
        ]  # fmt: skip
        kind = ir.FunctionType(ir.VoidType(), [value.type for value in values])
        builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), values)
        return context.get_dummy_value()

    return signature, generate


@inlined
def set_product(gemm, c, a, b):
    """Set ``c`` to ``a @ b``."""
    _gemm(gemm, False, (c.dtype.type(1), c.dtype.type(0)), a, b, c)


@inlined
def add_product(gemm, c, a, b):
    """Add ``a @ b`` to ``c``."""
    _gemm(gemm, False, (c.dtype.type(1), c.dtype.type(1)), a, b, c)


@inlined
def subtract_transposed_product(gemm, c, a, b):
    """Subtract ``a.T @ b`` from ``c``."""
    _gemm(gemm, True, (c.dtype.type(-1), c.dtype.type(1)), a, b, c)


@intrinsic
def _bits(typing_context, x):
    """Return the bits of a float32 as an int32."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.int32(types.float32), generate


@intrinsic
def _power_of_two(typing_context, bits):
    """Return 2ⁿ as a float32, n being what the low bits of an int32 say."""

    def generate(context, builder, signature, arguments):
        number = ir.IntType(32)
        shifted = builder.shl(arguments[0], ir.Constant(number, 23))
        return builder.bitcast(builder.add(shifted, ir.Constant(number, 127 << 23)), ir.FloatType())

    return types.float32(types.int32), generate


_LOWEST, _LOG2_E, _ROUND = np.float32(-87), np.float32(1.44269504), np.float32(12582912)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_P0, _P1, _P2 = np.float32(1.9875691500e-4), np.float32(1.3981999507e-3), np.float32(8.3334519073e-3)
_P3, _P4, _P5 = np.float32(4.1665795894e-2), np.float32(1.6666665459e-1), np.float32(5.0000001201e-1)
_ONE = np.float32(1)


def split_exp(x):
    """Return p and s with ``exp(x) - 1 = s * p + (s - 1)``, of a float32 not above 0.

    Without a branch or a call, so that loops of it are vectorised. The polynomial is that of Cephes' ``expf`` (S. Moshier,
    netlib), s a power of two; in float64 ``math.expm1`` is called, for tests.
    """
    raise NotImplementedError


@overload(split_exp)
def _split_exp(x):
    if x == types.float32:

        def split(x):
            t = _LOWEST if x < _LOWEST else x
            rounded = t * _LOG2_E + _ROUND
            n = rounded - _ROUND
            r = t - n * _LN2_HIGH - n * _LN2_LOW
            p = ((((_P0 * r + _P1) * r + _P2) * r + _P3) * r + _P4) * r + _P5
            return p * (r * r) + r, _power_of_two(_bits(rounded))
    else:

        def split(x):
            return np.expm1(x), np.float64(1)

    return split
