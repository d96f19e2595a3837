"""Progress in a notebook, whose kernel these tests pretend to be."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from snnbench.display.notebook import in_notebook, render_bar
from snnbench.display.progress import Mode, display
from snnbench.execution.stage import Progress


@pytest.fixture
def cell(monkeypatch) -> list[str]:
    """Return what the output of a cell shows, one text for each display."""
    shown: list[str] = []

    def show(content: str, display_id: bool) -> SimpleNamespace:
        assert display_id
        shown.append(content)
        place = len(shown) - 1
        return SimpleNamespace(update=lambda content: shown.__setitem__(place, content))

    ipython, of_display = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())
    of_display.HTML, of_display.display = str, show
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", of_display)
    return shown


def test_a_notebook_is_a_kernel_and_not_a_terminal(cell, monkeypatch):
    assert in_notebook()
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: SimpleNamespace())
    assert not in_notebook()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not in_notebook()


def test_every_stage_has_a_bar_that_moves(cell):
    with display(Mode.auto) as report:
        report(Progress("search", 4, 0, 0, (), 0.0, 4.0, 0.0))
        report(Progress("search", 4, 4, 1, (), 4.0, 0.0, 2.0))
        report(Progress("evaluate", 2, 1, 0, (), 1.0, 1.0, 1.0))
    assert len(cell) == 2
    assert '<progress value="4" max="4"' in cell[0]
    assert "search: 4/4 jobs, 2 s elapsed, 1 failed" in cell[0]
    assert "evaluate: 1/2 jobs, 1 s elapsed, 1 s left" in cell[1]


def test_names_are_no_markup():
    assert "<b>" not in render_bar(1, 2, "training <b>")
