"""A comparison as one page of HTML that needs nothing else: no network, no other file.

The template has the words and tables, Altair the charts, vl-convert the library that draws them in the browser. Names come from
users and files: the template escapes them in HTML, ``_as_script`` in the scripts.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from snnbench import __version__, stats
from snnbench.command_line import as_typed
from snnbench.report.analysis import Analysis
from snnbench.report.charts import draw_bayes, draw_ranks, draw_scatter
from snnbench.report.critical import draw_nemenyi, draw_wilcoxon
from snnbench.report.options import BAYESIAN_TESTS, DEFAULT, ComparisonOptions
from snnbench.report.pair_chart import draw_pairs
from snnbench.report.ranking import MANY_MODELS, ModelComparison
from snnbench.report.run_charts import draw_cost, draw_curves, draw_hyperparameters
from snnbench.report.runs import Runs
from snnbench.report.sources import is_table
from snnbench.report.summary import (
    conclude,
    describe_comparison,
    describe_left_out,
    describe_sensitivity,
    describe_test,
    plural,
)
from snnbench.results.published import PUBLISHED
from snnbench.suites import load_suite

MOST_PAIRED = 20
"""Models whose pairs the page shows: a matrix of more is wider than two screens."""
TEMPLATES = Path(__file__).parent / "templates"


def render_page(analysis: Analysis, runs: Runs, sources: Sequence[Path]) -> str:
    """Return the page.

    Args:
        analysis: What was compared.
        runs: What one's own runs tell; parts without data are left out.
        sources: The results folders and tables of scores, for the command that makes the page again.
    """
    import vl_convert

    comparison = analysis.comparison
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"prose": _keep_options_whole, "command": _keep_words_whole, "name": _break_name}
    charts = {name: _as_spec(chart()) for name, chart in _charts(analysis, runs).items()}
    return environment.get_template("report.html").render(
        comparison=comparison,
        analysis=analysis,
        runs=runs,
        title=f"{plural(comparison.n_models, 'model')} on {plural(comparison.n_tasks, 'task')}{_of_what(comparison)}",
        plural=plural,
        conclusion=conclude(comparison),
        description=describe_comparison(comparison),
        sensitivity=describe_sensitivity(comparison),
        notes=describe_test(comparison),
        left_out=describe_left_out(comparison),
        many_models=MANY_MODELS,
        bayesian_test=BAYESIAN_TESTS[comparison.options.bayes],
        pairs=list(_pairs(analysis)) if "pairs" in charts else [],
        heatmap=list(_heatmap(comparison)),
        charts=charts,
        specs=_as_script(charts),
        library=_without_closing_tag(vl_convert.javascript_bundle()),  # type: ignore[call-arg]
        published=[PUBLISHED[name] for name in comparison.options.published if name in PUBLISHED],
        repetitions=[
            as_typed(["snnbench", "rerun", str(folder), "--suite", comparison.suite])
            for folder in sources
            if not is_table(folder)
        ],
        command=_command(sources, comparison.options) if sources or comparison.options.published else "",
        version=__version__,
        today=datetime.now(UTC).date().isoformat(),
    )


def _charts(analysis: Analysis, runs: Runs) -> dict[str, Callable[[], Any]]:
    """Return how each chart of the page is drawn; those that have nothing to show are not there."""
    charts: dict[str, Callable[[], Any]] = {}
    n_models = analysis.comparison.n_models if analysis.comparison.n_tasks > 1 else 1
    if 1 < n_models <= MANY_MODELS:
        charts |= {"cd": lambda: draw_nemenyi(analysis), "cd-wilcoxon": lambda: draw_wilcoxon(analysis)}
    if 1 < n_models <= MOST_PAIRED:
        charts["pairs"] = lambda: draw_pairs(analysis)
    if n_models > 1:
        charts |= {
            "ranks": lambda: draw_ranks(analysis),
            "scatter": lambda: draw_scatter(analysis),
            "bayes": lambda: draw_bayes(analysis),
        }
    if not runs.curves.empty:
        charts["curves"] = lambda: draw_curves(runs)
    if not runs.selected.empty:
        charts["hyperparameters"] = lambda: draw_hyperparameters(runs)
    if not runs.costs.empty:
        charts["cost"] = lambda: draw_cost(runs)
    return charts


def _as_spec(chart: Any) -> dict[str, Any]:
    """Return the Vega-Lite specification of a chart; the page brings colours and fonts of its own."""
    import altair as alt

    with alt.data_transformers.enable("default", consolidate_datasets=True, max_rows=None):
        specification: dict[str, Any] = chart.to_dict(validate=False)
    for name in ("config", "$schema", "title"):  # the caption has the title, in lines as long as the screen is wide
        specification.pop(name, None)
    return specification


def _keep_options_whole(text: str) -> Markup:
    """Return prose with its commands as code, whose options, as --exclude-flagged, are never broken after a hyphen."""
    whole = re.sub(r"--[a-z][a-z-]*", r'<span class="whole">\g<0></span>', str(escape(text)))
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", whole))


def _keep_words_whole(text: str) -> Markup:
    """Return a command whose lines end between words alone."""
    return Markup(" ").join(Markup('<span class="word">{}</span>').format(word) for word in text.split(" "))


def _break_name(name: str) -> Markup:
    """Return a name that may be broken where a narrow screen has no room for it."""
    return Markup("_<wbr>").join(map(escape, name.split("_")))


def _as_script(content: object) -> str:
    """Return JSON that may stand in a script of a page: no name in it can end the script or begin a comment."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _without_closing_tag(script: str) -> str:
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _heatmap(comparison: ModelComparison) -> Any:
    """Yield one row a task: its name, number of rows, flags, and a cell a model with score, rank and shade (1 = best).

    Of tasks of no suite the number of rows is unknown.
    """
    ranks = stats.rank(comparison.scores)
    sizes = load_suite(comparison.suite).catalogue()["n_samples"] if comparison.suite else {}
    for task in comparison.scores.index:
        cells = [
            {
                "model": str(model),
                "score": None if pd.isna(score) else float(score),
                "rank": float(ranks.at[task, model]),
                "shade": round(1 - (float(ranks.at[task, model]) - 1) / max(comparison.n_models - 1, 1), 3),
            }
            for model, score in comparison.scores.loc[task].items()
        ]
        yield {
            "task": str(task),
            "n_samples": int(sizes[task]) if task in sizes else None,
            "flags": comparison.flags.get(str(task), []),
            "cells": cells,
        }


def _pairs(analysis: Analysis) -> Any:
    """Yield every pair of models once: both names, its numbers, and how probable it is that they are equivalent."""
    places = {model: place for place, model in enumerate(analysis.comparison.table.index)}
    for (model, other), row in analysis.pairs.iterrows():
        if places[model] < places[other]:
            yield model, other, row, float(analysis.bayesian_pairs.at[(model, other), "p_equivalent"])


def _of_what(comparison: ModelComparison) -> str:
    name = comparison.suite or ", ".join(comparison.origin.tables)
    return f" of {name}" if name else ""


def _command(sources: Sequence[Path], options: ComparisonOptions) -> str:
    """Return the command that makes the page again."""
    words = ["snnbench", "report", *map(str, sources)]
    names = {"models": "model", "tasks": "task"}
    for field in fields(options):
        value, option = getattr(options, field.name), "--" + names.get(field.name, field.name).replace("_", "-")
        if value == getattr(DEFAULT, field.name):
            continue
        if value is True:
            words.append(option)
        else:
            words += [word for item in (value if isinstance(value, tuple) else (value,)) for word in (option, str(item))]
    return as_typed(words)
