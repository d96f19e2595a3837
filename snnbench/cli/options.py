"""The options that all comparing commands share: ``compare``, ``report`` and ``figure``."""

import functools
import inspect
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnbench.cli import completion
from snnbench.cli.output import FLAG
from snnbench.errors import ConfigError

if TYPE_CHECKING:
    from snnbench.report import ComparisonOptions


class Convention(StrEnum):
    """Options that go together; paper: one-sided, not corrected, against the best, worst rank for missing scores."""

    standard = "standard"
    paper = "paper"


class Alternative(StrEnum):
    """What a test looks for; ``greater``: the baseline scores higher."""

    two_sided = "two-sided"
    greater = "greater"


class Correction(StrEnum):
    """How p-values of several comparisons are corrected."""

    holm = "holm"
    hochberg = "hochberg"
    shaffer = "shaffer"
    none = "none"


class ZeroMethod(StrEnum):
    """What a Wilcoxon test does with tasks on which both models score the same."""

    wilcox = "wilcox"
    pratt = "pratt"
    zsplit = "zsplit"


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
    """What becomes of missing scores; worst: the worst rank on their task, impute: the mean score of the other models."""

    worst = "worst"
    drop_task = "drop-task"
    drop_model = "drop-model"
    impute = "impute"


class Bayes(StrEnum):
    """Which Bayesian test says how probable practical equivalence is."""

    signed_rank = "signed-rank"
    hierarchical = "hierarchical"


Sources = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="RESULTS",
        help="Results folders of `snnbench run`, or tables of scores: CSV, TSV, Parquet, - for standard input.",
    ),
]


def build_options(
    published: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Published scores beside them, or alone: reference, snn2017, delgado2014, delgado2014-groups, or a table.",
            autocompletion=completion.published,
        ),
    ] = None,
    other_settings: Annotated[
        bool,
        typer.Option(
            "--other-settings", metavar=FLAG, help="Compare with published runs that were trained with other settings."
        ),
    ] = False,
    index: Annotated[
        str,
        typer.Option(metavar="COLUMN", help="Column of a table of scores that names the tasks. Default: found by its name."),
    ] = "",
    lower_is_better: Annotated[
        bool, typer.Option("--lower-is-better", metavar=FLAG, help="The scores of a table are errors or losses.")
    ] = False,
    convention: Annotated[
        Convention, typer.Option(help="Paper: one-sided, uncorrected, against the best, worst rank for missing scores.")
    ] = Convention.standard,
    suite: Annotated[
        str | None, typer.Option(metavar="NAME", help="Suite, if there are several.", autocompletion=completion.suites)
    ] = None,
    model: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Compare these models only; may be repeated.")] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Compare on these tasks only; may be repeated.", autocompletion=completion.tasks),
    ] = None,
    subset: Annotated[Subset, typer.Option(help="Tasks to compare on; large: at least 1,000 rows.")] = Subset.all,
    min_samples: Annotated[int, typer.Option(metavar="N", help="Leave out tasks with fewer rows.", min=0)] = 0,
    exclude_flagged: Annotated[
        bool, typer.Option("--exclude-flagged", metavar=FLAG, help="Leave out tasks whose data the audit finds at fault.")
    ] = False,
    missing: Annotated[Missing | None, typer.Option(help="What becomes of missing scores. Default: worst.")] = None,
    impute_from: Annotated[
        str, typer.Option(metavar="NAME", help="Model whose scores stand for missing ones, instead of the mean of the others.")
    ] = "",
    metric: Annotated[
        Metric | None, typer.Option(help="Another metric, from the stored outputs; configurations stay as selected.")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIGEST", help="Version of a task's data, or oldest, if several are stored; repeatable. Default: newest."
        ),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="NAME", help="Model that the others are tested against. Default: best.")
    ] = None,
    alternative: Annotated[
        Alternative | None, typer.Option(help="Two-sided (default), or greater: the baseline is better.")
    ] = None,
    correction: Annotated[Correction | None, typer.Option(help="For multiple comparisons. Default: holm.")] = None,
    zero_method: Annotated[ZeroMethod | None, typer.Option(help="Tasks without a difference. Default: wilcox.")] = None,
    alpha: Annotated[float, typer.Option(metavar="P", help="Level below which a p-value is significant.")] = 0.05,
    rope: Annotated[
        float | None,
        typer.Option(
            metavar="D", help="Differences up to here are practically none. Default: 0.01 for shares, 1 for percent.", min=0
        ),
    ] = None,
    bayes: Annotated[
        Bayes, typer.Option(help="Test of practical equivalence: on means of tasks, or hierarchical on all their splits.")
    ] = Bayes.signed_rank,
) -> "ComparisonOptions":
    """Return the options of a comparison; what a convention sets can be set otherwise beside it."""
    from snnbench.results.published import check_published

    check_published(published or ())  # before anything that takes long is imported
    from snnbench.report import CONVENTIONS, ComparisonOptions

    chosen = {
        "missing": missing or (Missing.impute if impute_from else None),
        "baseline": baseline,
        "alternative": alternative,
        "correction": correction,
        "zero_method": zero_method,
    }
    values: dict[str, Any] = dict(CONVENTIONS[convention.value])
    values |= {name: str(value) for name, value in chosen.items() if value is not None}
    if not 0 < alpha < 1:
        raise ConfigError(f"--alpha must lie between 0 and 1, found {alpha:g}; 0.05 is usual.")
    return ComparisonOptions(
        suite=suite,
        published=tuple(dict.fromkeys(published or ())),
        other_settings=other_settings,
        index=index,
        lower_is_better=lower_is_better,
        models=tuple(dict.fromkeys(model or ())),
        tasks=tuple(dict.fromkeys(task or ())),
        subset=subset.value,
        min_samples=min_samples,
        exclude_flagged=exclude_flagged,
        metric=metric.value if metric else "",
        data=tuple(dict.fromkeys(data or ())),
        alpha=alpha,
        rope=rope,
        impute_from=impute_from,
        bayes=bayes.value,
        **values,
    )


def asks(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of ``build_options`` after its own, and hand it the ``options`` that they make.

    Its ``sources`` are checked on the way.
    """
    own = [parameter for name, parameter in inspect.signature(command).parameters.items() if name != "options"]
    shared = list(inspect.signature(build_options).parameters.values())

    @functools.wraps(command)
    def run(**values: Any) -> None:
        asked = build_options(**{parameter.name: values.pop(parameter.name) for parameter in shared})
        command(**(values | {"sources": check_sources(values.get("sources"), asked.published)}), options=asked)

    run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *shared]}
    return run


def check_sources(sources: list[Path] | None, published: tuple[str, ...]) -> list[Path]:
    """Return the results folders and tables of scores, each once.

    Raises:
        ConfigError: If one of them is neither, or there is nothing to compare.
    """
    named = sources or []
    for source in named:
        if str(source) != "-" and not source.exists():
            raise ConfigError(
                f"RESULTS must be folders with results or tables of scores, but {source} does not exist. "
                "Name the --results of a run, or a CSV, TSV or Parquet file."
            )
    if not named and not published:
        raise ConfigError(
            "RESULTS or --published must be given, found neither. Name the --results of a run, or a table of scores."
        )
    if len(named) < 2:
        return named
    return list(dict.fromkeys(source if str(source) == "-" else source.resolve() for source in named))
