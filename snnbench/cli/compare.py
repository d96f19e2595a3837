"""``snnbench compare``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from snnbench.cli import completion
from snnbench.cli.breakdown import show_breakdown
from snnbench.cli.output import FLAG, errors, results
from snnbench.errors import ConfigError


class Alternative(StrEnum):
    """What a test looks for; ``greater``: the baseline scores higher."""

    two_sided = "two-sided"
    greater = "greater"


class Correction(StrEnum):
    """How p-values of several comparisons are corrected."""

    holm = "holm"
    none = "none"


class Subset(StrEnum):
    """Which tasks are compared; large means at least 1,000 rows."""

    all = "all"
    small = "small"
    large = "large"


class Metric(StrEnum):
    """What the test outputs are scored by; higher is better for all."""

    accuracy = "accuracy"
    balanced_accuracy = "balanced_accuracy"
    macro_f1 = "macro_f1"
    auc = "auc"
    negative_log_loss = "negative_log_loss"
    mean_auc = "mean_auc"


class Missing(StrEnum):
    """What becomes of missing scores; worst: the worst rank on their task."""

    drop_task = "drop-task"
    drop_model = "drop-model"
    worst = "worst"


class By(StrEnum):
    """What scores are broken down by."""

    each_depth = "depth"
    each_split = "split"


class Format(StrEnum):
    """How the table is printed."""

    table = "table"
    json = "json"
    csv = "csv"
    markdown = "markdown"


def compare(
    folders: Annotated[list[Path] | None, typer.Argument(metavar="RESULTS", help="Results folders of `snnbench run`.")] = None,
    published: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Published scores beside them, or alone: snn2017, delgado2014.",
            autocompletion=completion.published,
        ),
    ] = None,
    missing: Annotated[Missing, typer.Option(help="What becomes of missing scores.")] = Missing.drop_task,
    suite: Annotated[
        str | None, typer.Option(metavar="NAME", help="Suite, if there are several.", autocompletion=completion.suites)
    ] = None,
    baseline: Annotated[str, typer.Option(metavar="NAME", help="Model that the others are tested against, or best.")] = "best",
    alternative: Annotated[
        Alternative, typer.Option(help="Two-sided, or greater: the baseline is better.")
    ] = Alternative.two_sided,
    correction: Annotated[Correction, typer.Option(help="Correction for multiple comparisons.")] = Correction.holm,
    subset: Annotated[Subset, typer.Option(help="Tasks to compare on; large: at least 1,000 rows.")] = Subset.all,
    metric: Annotated[
        Metric | None, typer.Option(help="Another metric, from the stored outputs; configurations stay as selected.")
    ] = None,
    by: Annotated[
        By | None, typer.Option(help="Scores by depth or by split instead. Default: by split if there is one task on several.")
    ] = None,
    details: Annotated[bool, typer.Option("--details", metavar=FLAG, help="Add what was selected, and what it took.")] = False,
    format_: Annotated[Format, typer.Option("--format", help="How the table is printed.")] = Format.table,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write to a file instead.")] = None,
) -> None:
    """Rank the models of a run: average rank, mean score, wins, Friedman and Wilcoxon tests.

    The paper's own convention is `--alternative greater --correction none`.
    """
    from snnbench import benchmark
    from snnbench.report import FORMATS, as_text, render_details, render_table

    if details and format_ is not Format.table:
        raise ConfigError(f"--details is part of --format table only, found --format {format_.value}. Leave one of them out.")
    folders, published = folders or [], published or []
    if not folders and not published:
        raise ConfigError("RESULTS or --published must be given, found neither. Name the --results of a run.")
    if details and not folders:
        raise ConfigError("--details needs RESULTS of one's own, found --published alone. Leave one of them out.")
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"RESULTS must be folders with results, but {folder} is none. Name the --results of a run.")
    chosen = metric.value if metric else ""
    tests = {"baseline": baseline, "alternative": alternative.value, "correction": correction.value}
    if not details and show_breakdown(folders, by.value if by else "", suite, chosen, published, tests, format_.value, output):
        return
    ranking = benchmark.compare(
        folders, suite, baseline, alternative.value, correction.value, subset.value, chosen, published, missing.value
    )
    text = FORMATS[format_.value](ranking)
    description = render_details(benchmark.describe(folders, suite, subset.value)) if details else None
    if output is not None:
        try:
            output.write_text(text + (as_text(description) if description else ""), encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--output must be a file that can be written, but {output} says: {error.strerror}.") from error
        errors().print(f"Written to {output}", soft_wrap=True)
    elif format_ is Format.table and results().is_terminal:
        results().print(render_table(ranking))
        if description:
            results().print(description)
    else:
        typer.echo(text + (as_text(description) if description else ""), nl=False)
