"""Figures as files: one Altair chart, written as SVG, PNG or PDF without a browser.

Whoever draws (the report, the theory) makes an ``altair`` chart; this module alone knows how a chart becomes a file, so all
figures of the product look alike.
"""

from pathlib import Path
from typing import Any

from snnbench.errors import ConfigError

FORMATS = (".svg", ".png", ".pdf")
BLUE, ORANGE, GREEN = "#3f7fd1", "#d2691e", "#2e9e78"
"""Readable on white and on near-black."""
_PIXELS_PER_POINT = 2.0
_MARGIN = {".svg": 24, ".png": 5, ".pdf": 5}
"""Pixels around a chart. A reader's own font in an SVG may be wider than the one that its labels were measured with."""
_FONT = "Arial, 'Liberation Sans', Helvetica, sans-serif"
"""Fonts of equal widths first: the words of an SVG are as long on other machines as they were measured here."""
_BETWEEN_ENTRIES, _BEFORE_TITLES = 32, 10
"""Pixels between the entries of a legend, and between an axis and its title: room for the wide font of a reader who has none of
these."""


def check_format(file: Path) -> str:
    """Return the suffix of a figure's file.

    Raises:
        ConfigError: If it is not one of ``FORMATS``.
    """
    suffix = file.suffix.lower()
    if suffix not in FORMATS:
        raise ConfigError(f"A figure's file must end in {', '.join(FORMATS)}; found '{file.name}'.")
    return suffix


def write_figure(chart: Any, file: Path) -> None:
    """Write an ``altair`` chart; the suffix of the file's name says the format.

    Raises:
        ConfigError: If the suffix is not one of ``FORMATS``, or the file cannot be written.
    """
    suffix = check_format(file)
    try:
        chart = chart.properties(padding=_MARGIN[suffix]).configure(
            font=_FONT, legend={"columnPadding": _BETWEEN_ENTRIES}, axis={"titlePadding": _BEFORE_TITLES}
        )
        chart.save(file, format=suffix[1:], scale_factor=_PIXELS_PER_POINT if suffix == ".png" else 1)
    except OSError as error:
        raise ConfigError(
            f"A figure's file must be one that can be written, but {file} says: {error.strerror}. "
            "Name another, or make its folder."
        ) from error
