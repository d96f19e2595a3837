"""Offline bundles: the archives of suites in one folder, with a manifest that says what each must be.

``bundle/<suite>/<archive>`` and ``bundle/MANIFEST.json`` are made where there is a network and used where there is none, with
``--source bundle``.
"""

import json
import shutil
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from snnbench import __version__
from snnbench.errors import DataError
from snnbench.suites.fetch.archive import sha256_of

MANIFEST = "MANIFEST.json"


def add_to_bundle(bundle: Path, suite: str, archive: Path, name: str, origin: str) -> Path:
    """Copy the archive of a suite into a bundle, verify the copy, and enter it into the manifest.

    Args:
        bundle: The folder; made if need be. Other suites in it stay.
        suite: Name of the suite.
        archive: The file to copy.
        name: What it is called in the bundle.
        origin: Where it comes from, for the reader of the manifest.

    Returns:
        The copy.

    Raises:
        DataError: If the bundle cannot be written, is no bundle, or the copy differs.
    """
    suites = _read_manifest(bundle) if (bundle / MANIFEST).is_file() else {}
    copy = bundle / suite / name
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        digest = sha256_of(archive)
        with TemporaryDirectory(dir=copy.parent, prefix=".copy-") as scratch:
            part = Path(scratch) / name
            shutil.copyfile(archive, part)
            if sha256_of(part) != digest:
                raise DataError(f"The copy of {archive} in {bundle} differs from it. Check the disk and try again.")
            part.replace(copy)
        suites[suite] = {"file": f"{suite}/{name}", "sha256": digest, "size_bytes": copy.stat().st_size, "origin": origin}
        text = json.dumps({"snnbench_version": __version__, "suites": suites}, indent=2) + "\n"
        with TemporaryDirectory(dir=bundle, prefix=".manifest-") as scratch:
            part = Path(scratch) / MANIFEST
            part.write_text(text, encoding="utf-8", newline="\n")
            part.replace(bundle / MANIFEST)
    except OSError as error:
        raise DataError(
            f"A bundle must be a folder that can be written and has room, but {bundle} says: {error.strerror or error}. "
            "Name another one with --to."
        ) from error
    return copy


def find_in_bundle(bundle: Path, suite: str) -> Path | None:
    """Return the archive of a suite in a bundle, verified against the manifest; None for a folder without a manifest.

    Raises:
        DataError: If the manifest or the archive is damaged, or the bundle does not have the suite.
    """
    if not (bundle / MANIFEST).is_file():
        return None
    suites = _read_manifest(bundle)
    if suite not in suites:
        raise DataError(
            f"The bundle {bundle} must hold the suite {suite}, found {', '.join(sorted(suites)) or 'none'}. "
            f"Add it where there is a network: snnbench data fetch {suite} --to {bundle}."
        )
    entry = suites[suite]
    archive = bundle / entry["file"]
    try:
        found = sha256_of(archive)
    except OSError as error:
        raise DataError(f"The bundle must hold {archive}, found: {error.strerror}. Copy the bundle again.") from error
    if found != entry["sha256"]:
        raise DataError(
            f"The SHA-256 of {archive} must be {entry['sha256']} by its manifest, found {found}. Copy the bundle again."
        )
    return archive


def _read_manifest(bundle: Path) -> dict[str, dict[str, Any]]:
    """Return the suites of a bundle; paths that leave it are refused."""
    file = bundle / MANIFEST
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        suites = {str(suite): {**entry} for suite, entry in content["suites"].items()}
        paths = [PurePosixPath(entry["file"]) for entry in suites.values()]
        sound = all(isinstance(entry["sha256"], str) for entry in suites.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{file} must be the manifest of a bundle, but reading it says: {error}. Copy the bundle again."
        ) from error
    if not sound or any(path.is_absolute() or ".." in path.parts for path in paths):
        raise DataError(f"{file} must name files inside the bundle with their SHA-256, found others. Copy the bundle again.")
    return suites
