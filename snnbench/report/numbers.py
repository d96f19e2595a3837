"""Numbers as authors write them."""

import math

MINUS = "−"


def write_pvalue(value: float) -> str:
    """Return a p-value with its sign: ``= 0.056``, ``= 0.0031``, ``< 0.001``."""
    if math.isnan(value):
        return "–"
    if value < 0.001:
        return "< 0.001"
    if value > 0.9995:
        return "= 1"
    return f"= {value:.3f}" if value >= 0.01 else f"= {value:.4f}"


def short_pvalue(value: float) -> str:
    """Return a p-value to two digits, as tables show it: ``0.056``, ``3.3e-05``, ``1``."""
    return "-" if math.isnan(value) else f"{value:.2g}"


def signed(value: float, digits: int) -> str:
    """Return a number with its sign, a real minus if it is negative; zero has none."""
    if math.isnan(value):
        return "–"
    rounded = round(value, digits)
    if rounded == 0:
        return f"{0:.{digits}f}"
    return f"{'+' if rounded > 0 else MINUS}{abs(rounded):.{digits}f}"
