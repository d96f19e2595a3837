"""``snnbench figure``: one figure as a file."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnbench.cli.options import Sources, asks
from snnbench.cli.output import errors, say_notes
from snnbench.cli.paper_figures import PAPER_FIGURES

if TYPE_CHECKING:
    from snnbench.report import ComparisonOptions

app = typer.Typer(no_args_is_help=True, help="Figures as SVG, PDF or PNG files.")

Output = Annotated[Path, typer.Option(metavar="FILE", help="File to write; its suffix says the format: .svg, .pdf, .png.")]

OF_SCORES = {
    "cd": "Critical-difference diagram: mean ranks, and bars over models that the Nemenyi test does not tell apart.",
    "cd-wilcoxon": "The same with pairwise Wilcoxon tests and Holm's correction.",
    "pairs": "Every model against every other: mean difference, wins/ties/losses, p.",
    "ranks": "The ranks of every model on all tasks, as boxes.",
    "heatmap": "The rank of every model on every task.",
    "scatter": "One model against another, task by task: the two named with --model, or the best two.",
    "bayes": "How probable it is that the baseline is better, equivalent or worse.",
}
"""Figures of a comparison; ``report.FIGURES`` draws them."""

OF_RUNS = {
    "curves": "Validation scores by epoch of the selected configurations: of every task side by side, or of --task.",
    "hyperparameters": "The hyperparameters that were selected, by model.",
    "cost": "Training seconds against mean score.",
}
"""Figures that need results of one's own; ``report.RUN_FIGURES`` draws them."""


def _of_scores(name: str) -> Callable[..., None]:
    @asks
    def command(options: "ComparisonOptions", output: Output, sources: Sources = None) -> None:
        from snnbench import benchmark
        from snnbench.figure_files import write_figure
        from snnbench.report import FIGURES, Analysis

        comparison = benchmark.compare(sources or [], options)
        say_notes(comparison.notes)
        write_figure(FIGURES[name](Analysis(comparison)), output)
        errors().print(f"Written to {output}", soft_wrap=True)

    return command


def _of_runs(name: str) -> Callable[..., None]:
    @asks
    def command(options: "ComparisonOptions", output: Output, sources: Sources = None) -> None:
        from snnbench import benchmark
        from snnbench.figure_files import write_figure
        from snnbench.report import RUN_FIGURES

        runs = benchmark.examine(sources or [], options)
        say_notes(runs.notes)
        write_figure(RUN_FIGURES[name](runs), output)
        errors().print(f"Written to {output}", soft_wrap=True)

    return command


COMMANDS: dict[str, tuple[str, Callable[..., None]]] = {
    **{name: (words, _of_scores(name)) for name, words in OF_SCORES.items()},
    **{name: (words, _of_runs(name)) for name, words in OF_RUNS.items()},
    **PAPER_FIGURES,
}
"""Every figure with its description and its command; a new one is one entry here."""

for _name, (_words, _command) in COMMANDS.items():
    app.command(_name, help=_words)(_command)
