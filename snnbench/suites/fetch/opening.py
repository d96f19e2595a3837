"""The files of a suite: found, downloaded, unpacked and prepared; or put into an offline bundle."""

from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import ValidationError

from snnbench.errors import ConfigError, DataError, UnknownNameError
from snnbench.records import Value
from snnbench.suites.fetch.archive import list_members
from snnbench.suites.fetch.bundle import add_to_bundle
from snnbench.suites.fetch.source import cache_folder, find_archive, locate
from snnbench.suites.folder import is_frozen
from snnbench.suites.registry import SUITES, load_suite


def open_source(
    suite: str,
    source: str | None = None,
    report: Callable[[str], None] = lambda message: None,
    options: Mapping[str, Value] | None = None,
    offline: bool = False,
) -> Path | None:
    """Return the folder with a suite's files, downloaded, unpacked and prepared if need be; None for an embedded suite.

    Args:
        suite: Name of the suite.
        source: A folder, an archive or a URL; None for the suite's official addresses.
        report: Is told what is being done.
        options: How the features are prepared, where the suite leaves a choice.
        offline: Whether the network must not be used.

    Raises:
        UnknownNameError: If there is no such suite or option.
        ConfigError: If an option has a wrong value.
        DataError: If the files cannot be had, or an embedded suite is given a source.
    """
    if suite not in SUITES:
        return _own_folder(suite, source)
    module = load_suite(suite)
    _check_options(suite, options or {})
    if module.URLS:
        folder = locate(suite, module.URLS, source, module.ARCHIVES, module.WANTED, report=report, offline=offline)
        prepare = getattr(module, "prepare", None)
        return folder if prepare is None else prepare(folder, cache_folder() / suite, options or {}, report)
    if source is not None:
        raise DataError(f"The suite {suite} is embedded and has no --source, found '{source}'. Leave it out.")
    return None


def bundle_source(
    suite: str,
    bundle: Path,
    source: str | None = None,
    report: Callable[[str], None] = lambda message: None,
    offline: bool = False,
) -> Path:
    """Put the archive of a suite into an offline bundle, downloaded if need be; return the copy.

    Raises:
        UnknownNameError: If there is no such suite.
        DataError: If the archive cannot be had, the suite is embedded, or the bundle cannot be written.
    """
    module = load_suite(suite)
    if not module.URLS:
        raise DataError(f"The suite {suite} is embedded and needs no bundle. Leave it out.")
    cache = cache_folder()
    archive = find_archive(suite, module.URLS, source, module.ARCHIVES, module.WANTED, cache, report, offline)
    if archive is None:
        raise DataError(f"A bundle is made of archives, found the folder {source}. Name an archive or a URL with --source.")
    list_members(archive, module.WANTED)
    # In the cache a name begins with a digest of the address, which is of no use elsewhere.
    name = next((name for name in module.ARCHIVES if archive.name.endswith(name)), archive.name)
    return add_to_bundle(bundle, suite, archive, name, source or ", ".join(module.URLS))


def _own_folder(suite: str, source: str | None) -> Path:
    """Return the frozen folder of a suite of the user's, which is its source."""
    takes = "--source takes the folder that `snnbench data fetch PATH --to DIR` makes."
    if source is None:
        raise UnknownNameError("suite", suite, SUITES, f"Known: {', '.join(SUITES)}; for a suite of your own {takes}")
    folder = Path(source).expanduser().absolute()
    if not is_frozen(folder):
        raise DataError(f"The files of the suite {suite} must be named, found {source}: {takes}")
    return folder


def _check_options(suite: str, options: Mapping[str, Value]) -> None:
    schema = getattr(load_suite(suite), "Options", None)
    known = schema.model_fields if schema else {}
    for name in options:
        if name not in known:
            raise UnknownNameError(f"key in the config's table [data] for suite {suite}", name, known)
    try:
        if schema:
            schema.model_validate(dict(options))
    except ValidationError as error:
        finding = error.errors()[0]
        raise ConfigError(f"[data] {finding['loc'][0]}: {finding['msg']}, found {finding['input']!r}.") from error
