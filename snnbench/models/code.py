"""Which code a model's numbers come from: what a key says of it, so that rows of one version never pass for another's.

Ours goes by its registered name, wherever its file lies; ``PROTOCOL_VERSION`` is raised when its numbers change. What is
installed goes by its distribution and version. A user's own files go by their content: the module of the class, every module
that it imports, and those that they import, up to what is installed. Data that a module reads, and a module whose name it makes
up while it runs, are not seen.
"""

import ast
import sys
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from hashlib import sha256
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions, version
from importlib.util import find_spec, resolve_name
from pathlib import Path

from snnbench.config import FULLY_CONNECTED, ModelSettings
from snnbench.models import NETWORKS, implementation
from snnbench.models.import_policy import ALLOWED_PACKAGES, import_paths
from snnbench.models.registry import WITH_ACTIVATION
from snnbench.records import Code, digest

_NOT_FOLLOWED = {*sys.stdlib_module_names, "snnbench"}
_TRAINS = {"numba", "scipy", "torch"}
"""Packages that every network's numbers come from: numba and the BLAS of scipy are the compiled step's."""

_KNOWN = {"sklearn": "scikit-learn"} | {name: name for name in _TRAINS}
"""Distributions of packages that nearly every run needs: looking through all that is installed takes half a second."""
_BUILT_ON = {"pytabkit": "torch"}
"""Packages whose numbers come from another one."""


@cache
def has_numba() -> bool:
    """Say whether numba is installed, without which torch trains all networks; it is not loaded for that."""
    return find_spec("numba") is not None


def code_of(name: str, settings: ModelSettings) -> Code:
    """Return the code behind a model of the config; files are read once a process, as the class itself is.

    Raises:
        UnknownNameError: If the config names neither a network nor an estimator and none is known under this name.
    """
    path = implementation(name, settings)
    registered = {place: ours for ours, place in NETWORKS.items()} | {WITH_ACTIVATION: FULLY_CONNECTED}
    paths = {
        path,
        *(found for _, found in import_paths(name, settings)),
        *(path for path in (settings.activation, settings.init) if path),
    }
    return Code(registered.get(path, path), *_trace(tuple(sorted(paths)), is_network=not settings.estimator))


@cache
def _trace(paths: tuple[str, ...], is_network: bool) -> tuple[str, str]:
    """Return a digest of the user's own files behind some import paths, and the installed packages with their versions."""
    named = {path.partition(".")[0] for path in paths}
    files, packages = _own_modules({path.rpartition(".")[0] for path in paths}, named - {*ALLOWED_PACKAGES, "torch"})
    contents = [[module, _digest_of(file)] for module, file in sorted(files.items())]
    packages |= {_BUILT_ON[package] for package in packages if package in _BUILT_ON} | (_TRAINS if is_network else set())
    used = {found for package in packages for found in _distributions(package)}
    return digest(contents) if contents else "", ", ".join(sorted(f"{name} {_release(name)}" for name in used))


def _digest_of(file: Path) -> str:
    """Return the SHA-256 of a source file, whose lines may end as on Windows: git changes that from checkout to checkout."""
    return sha256(file.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def _own_modules(modules: Iterable[str], named: Collection[str]) -> tuple[dict[str, Path], set[str]]:
    """Return the user's own modules that some modules lead to, with their files, and the installed packages behind them.

    Args:
        modules: Where to begin.
        named: Packages that are the user's own even where they are installed, because a config names them.
    """
    files: dict[str, Path] = {}
    packages: set[str] = set()
    seen: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        package = module.partition(".")[0]
        if module in seen or package in _NOT_FOLLOWED:
            continue
        seen.add(module)
        found = list(_specs(module))
        if found and _is_installed(found[0]):
            packages.add(package)
            if package not in named:
                continue
        for spec in found:
            if spec.name not in files and spec.origin and Path(spec.origin).is_file():
                files[spec.name] = Path(spec.origin)
                waiting.extend(_imports(spec))
    return files, packages


def _specs(module: str) -> Iterator[ModuleSpec]:
    """Yield the packages around a module and the module itself, as far as they are there; none is imported for it."""
    first, *rest = module.split(".")
    try:
        spec = find_spec(first)
    except (ImportError, ValueError):  # a module without a specification, such as a script that is run
        return
    while spec is not None:
        yield spec
        if not rest or spec.submodule_search_locations is None:
            return
        spec = PathFinder.find_spec(f"{spec.name}.{rest.pop(0)}", list(spec.submodule_search_locations))


def _imports(spec: ModuleSpec) -> Iterator[str]:
    """Yield the names of all modules that a file may import, wherever in it: also what are names in a module instead."""
    try:
        tree = ast.parse(Path(spec.origin or "").read_bytes())
    except (SyntaxError, ValueError):  # a compiled module; or one that nobody could import
        return
    around = spec.name if spec.submodule_search_locations is not None else spec.name.rpartition(".")[0]
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom() if node.level == 0 or around:
                module = resolve_name("." * node.level + (node.module or ""), around)
                yield module
                yield from (f"{module}.{alias.name}" for alias in node.names)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield resolve_name(name, around) if around or not name.startswith(".") else name


def _is_installed(spec: ModuleSpec) -> bool:
    """Say whether a package came with a distribution and lies where that was installed.

    What merely lies among the installed ones, or is installed to be edited where it is, is the user's own.
    """
    places = [Path(place).resolve() for place in spec.submodule_search_locations or [spec.origin or ""]]
    for name in _distributions(spec.name):
        try:
            found = distribution(name)
        except PackageNotFoundError:
            return True  # torch or scikit-learn, built by hand
        folder = Path(str(found.locate_file(""))).resolve()
        # A checkout that was built has an egg-info beside it, which lists nothing that was installed.
        is_place = found.read_text("RECORD") is not None or folder.name in ("site-packages", "dist-packages")
        if is_place and any(place.parent == folder for place in places):
            return True
    return False


@cache
def _distributions(package: str) -> tuple[str, ...]:
    """Return the distributions that a package came with."""
    if known := _KNOWN.get(package):
        return (known,)
    return tuple(sorted(set(_all_distributions().get(package, ()))))


_all_distributions = cache(packages_distributions)


def _release(distribution: str) -> str:
    """Return a version. Of torch without the build (``+cpu``): a row's device and ``torch_version`` say which that was."""
    try:
        found = version(distribution)
    except PackageNotFoundError:
        return "not installed"
    return found.partition("+")[0] if distribution == "torch" else found
