"""The shape of the house: imports run downward, modules stay small, nobody hides outside a dict."""

import ast
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from snnbench import stats
from snnbench.metrics import METRICS
from snnbench.report import BREAKDOWNS, CONVENTIONS, FIGURES, FORMATS, RUN_FIGURES

compare = import_module("snnbench.cli.compare")
figure = import_module("snnbench.cli.figure")
options = import_module("snnbench.cli.options")
CHECKOUT = Path(__file__).parents[2]
PACKAGE = CHECKOUT / "snnbench"
MODULES = sorted(PACKAGE.rglob("*.py"))
FORBIDDEN_NAMES = ("utils", "helpers", "common", "base", "manager")
MAX_PARAMETERS = 7
MORE_PARAMETERS = {
    "classifiers/networks.py: __init__",
    "classifiers/search.py: __init__",
    "suites/fetch/source.py: locate",
    "suites/fetch/source.py: find_archive",
}
"""Functions that have more, those of classifiers as scikit-learn asks for; options of the command line are not counted."""


def test_imports_run_downward_only(tmp_path):
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--cache-dir", str(tmp_path), "--config", str(CHECKOUT / "pyproject.toml")]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " kept, 0 broken" in done.stdout


def test_every_module_has_its_floor():
    contracts = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = (contract for contract in contracts if contract["type"] == "layers")
    named = {name.strip() for layer in contract["layers"] for name in layer.split("|")}
    rooms = {path for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert {f"snnbench.{path.stem}" for path in rooms if path.stem != "__init__"} == named


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_is_small_and_says_what_it_is(file):
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= (149 if file == PACKAGE / "benchmark.py" else 400)
    assert ast.get_docstring(ast.parse(text))
    assert file.stem not in FORBIDDEN_NAMES


def test_functions_have_few_parameters():
    """Where more are needed, a record is missing."""
    found = {f"{file.relative_to(PACKAGE).as_posix()}: {name}" for file in MODULES for name in long_functions(file)}
    assert found == MORE_PARAMETERS


def long_functions(file: Path) -> set[str]:
    functions = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)]
    long = [function for function in functions if n_parameters(function) > MAX_PARAMETERS]
    return {function.name for function in long if not is_command(function) and not is_kernel(function)}


def n_parameters(function: ast.FunctionDef) -> int:
    arguments = function.args
    return len([*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs])


def is_command(function: ast.FunctionDef) -> bool:
    """Say whether a function is a command of Typer's: its parameters say what they are on the command line."""
    annotations = [ast.unparse(argument.annotation) for argument in function.args.args if argument.annotation]
    return any("typer.Option(" in annotation or "typer.Argument(" in annotation for annotation in annotations)


def is_kernel(function: ast.FunctionDef) -> bool:
    """Say whether a function is compiled for a GPU by Triton, which takes pointers and numbers and no records."""
    return "triton.jit" in map(ast.unparse, function.decorator_list)


@pytest.mark.parametrize("package", ["execution.engines", "report", "stats"])
def test_no_file_of_a_package_is_left_out(package):
    """A newcomer's file is behind an entry of a dict, or at least used by one that is: every test ranks, ranks.py is none."""
    module = import_module(f"snnbench.{package}")
    dicts = [value for name, value in vars(module).items() if name.isupper() and isinstance(value, dict)]
    assert dicts
    files = [file for file in MODULES if file.parent == PACKAGE.joinpath(*package.split("."))]
    reached = {entry_module(entry) for registry in dicts for entry in registry.values()}.union(*map(imported_modules, files))
    assert {f"snnbench.{package}.{file.stem}" for file in files if file.stem != "__init__"} - reached == set()


def test_only_drawing_needs_the_packages_that_draw():
    """A machine that trains, a GPU node say, may lack them: figures and pages alone load them."""
    code = "import sys; sys.modules['altair'] = sys.modules['vl_convert'] = None; import snnbench.benchmark, snnbench.cli.run"
    subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, check=True)


def test_text_has_one_encoding_and_one_end_of_line_on_every_system():
    nodes = [node for file in MODULES for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    assert not {ast.unparse(call) for call in calls if lacking(call.func.attr, call)}


def lacking(method: str, call: ast.Call) -> set[str]:
    """Return what a call that reads or writes text does not say, where the system would decide."""
    mode = next((word.value for word in call.args[:1] if isinstance(word, ast.Constant)), "")
    is_text = method == "open" and str(mode) in ("r", "w", "a", "x")
    writes = method == "write_text" or (is_text and mode != "r")
    said = {keyword.arg for keyword in call.keywords}
    named = {"encoding"} if method == "write_text" or (method == "read_text" and not call.args) or is_text else set()
    return (named | ({"newline"} if writes else set())) - said


def entry_module(entry: object) -> str:
    if isinstance(entry, str):
        return entry if (PACKAGE.parent / f"{entry.replace('.', '/')}.py").exists() else entry.rpartition(".")[0]
    return str(getattr(entry, "__module__", ""))


def imported_modules(file: Path) -> set[str]:
    """Return what a file imports from: ``from package.module import name``, or ``from package import module``."""
    nodes = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom) and node.module]
    return {name for node in nodes for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))}


def test_the_command_line_offers_what_the_rooms_have():
    offered = {
        options.Metric: METRICS,
        options.Missing: stats.MISSING,
        options.Correction: stats.CORRECTIONS,
        options.ZeroMethod: stats.ZERO_METHODS,
        options.Convention: CONVENTIONS,
    }
    for words, known in offered.items():
        assert {word.value for word in words} == set(known)
    assert set(figure.OF_SCORES) == set(FIGURES)
    assert set(figure.OF_RUNS) == set(RUN_FIGURES)
    assert {by.value for by in compare.By} == set(BREAKDOWNS)
    assert {format_.value for format_ in compare.Format} == set(FORMATS)
