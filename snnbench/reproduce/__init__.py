"""Reproduction as a check: do results say the same as those that were recorded, within what a mode allows?

A mode is a function from the expected and the found scores to what differs. It raises ``SnnbenchError`` if the two cannot be
compared.
"""

from collections.abc import Callable

from snnbench.reproduce.balanced import balanced
from snnbench.reproduce.difference import Difference, only_worse
from snnbench.reproduce.loose import loose
from snnbench.reproduce.scores import Scores, load_expected, read_scores, record
from snnbench.reproduce.strict import strict
from snnbench.reproduce.summary import as_junit, as_markdown

MODES: dict[str, Callable[[Scores, Scores], list[Difference]]] = {"strict": strict, "balanced": balanced, "loose": loose}
"""``strict``: equal bits; ``balanced``: within the spread of seeds; ``loose``: the same significant differences."""

__all__ = ["MODES", "Difference", "Scores", "as_junit", "as_markdown", "load_expected", "only_worse", "read_scores", "record"]
