"""Where the files that travel with the package lie: configs, catalogues and published tables."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def resource(*parts: str) -> Path:
    """Return the path of a file under ``configs/``, ``datasets/`` or ``results/published/``.

    A wheel carries these folders inside the package; a checkout has them beside it.
    """
    packaged = _PACKAGE / "resources"
    root = packaged if packaged.is_dir() else _PACKAGE.parent
    return root.joinpath(*parts)
