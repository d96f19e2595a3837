"""Compile every kernel to the machine code of an H100, which needs Triton and no GPU.

    python tests/gpu/compiled.py

prints a line for each: the compiler takes it, and no number of a float32 kernel has become a float64 on the way.
"""

import inspect
import sys
from pathlib import Path

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

sys.path.insert(0, str(Path(__file__).parents[2]))

from snnbench.models.kernels import batch_norm, elements, gates, layer_norm, units, weight_norm

H100 = GPUTarget("cuda", 90, 32)

COLUMN, ROW = {"BLOCK_ROWS": 128, "BLOCK_UNITS": 32}, {"BLOCK_ROWS": 4, "BLOCK_UNITS": 1024}
WEIGHTS = {"BLOCK_IN": 64, "BLOCK_OUT": 32}
RELU, SELU = {"ACTIVATION": elements.RELU}, {"ACTIVATION": elements.SELU}
PLAIN = {"keys": None, "counter": None, "maps": None}

KERNELS = [
    (units.forward, SELU | COLUMN),
    (units.forward, RELU | COLUMN | PLAIN | {"is_unit": None, "residual": None}),
    (units.backward, SELU | COLUMN | {"UPDATE": True, "of_bias": None}),
    (units.backward, RELU | COLUMN | PLAIN | {"UPDATE": False}),
    (batch_norm.forward, RELU | COLUMN | {"DECAY": 0.9, "EPS": 1e-3, "TRAINS": True}),
    (batch_norm.forward, RELU | COLUMN | PLAIN | {"DECAY": 0.9, "EPS": 1e-3, "TRAINS": False, "share": None, "is_unit": None,
                                                  "mean_": None, "reciprocal_": None, "residual": None}),
    (batch_norm.backward, RELU | COLUMN | {"UPDATE": True, "KEEP": True, "of_gain": None, "of_bias": None}),
    (batch_norm.backward, SELU | COLUMN | PLAIN | {"UPDATE": False, "KEEP": False, "share": None}),
    (layer_norm.forward, RELU | ROW | {"EPS": 1e-5}),
    (layer_norm.backward, RELU | ROW),
    (layer_norm.backward, RELU | ROW | PLAIN | {"own_units": None}),
    (layer_norm.add_tiles, {"UPDATE": True, "BLOCK_UNITS": 128, "of_gain": None, "of_bias": None}),
    (weight_norm.forward, WEIGHTS | {"TINY": 1.1754943508222875e-38}),
    (weight_norm.backward, WEIGHTS | {"UPDATE": True, "of_gain": None}),
    (weight_norm.backward, WEIGHTS | {"UPDATE": False, "shrink": None}),
    (gates.forward, COLUMN),
    (gates.backward, COLUMN | {"UPDATE": True, "of_bias": None}),
]  # fmt: skip
"""Kernels, and what their launches fix: numbers, and tensors that are missing."""


def compile_kernel(kernel, fixed: dict) -> str:
    """Return a kernel's assembly; the machine code was made from it."""
    names = list(inspect.signature(kernel.fn).parameters)
    types = {"keys": "*i32", "counter": "*i32"} | {name: "i32" for name in names if name.startswith("n_")}
    signature = {name: "constexpr" if name in fixed else types.get(name, "*fp32") for name in names}
    source = ASTSource(kernel, signature, constexprs={(names.index(name),): value for name, value in fixed.items()})
    found = triton.compile(source, target=H100)
    assert found.asm["cubin"]
    return found.asm["ptx"]


def main() -> None:
    """Compile all kernels."""
    for kernel, fixed in KERNELS:
        code = compile_kernel(kernel, fixed)
        assert ".f64" not in code, f"{kernel.fn.__module__}.{kernel.fn.__name__} computes in float64"
        assert "atom" not in code and "red.global" not in code, "a sum has no fixed order"  # noqa: PT018
        print(f"{kernel.fn.__module__}.{kernel.fn.__name__}: {len(code.splitlines())} lines of PTX")


if __name__ == "__main__":
    main()
