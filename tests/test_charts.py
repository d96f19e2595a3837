"""The figures: which models a bar joins, what is drawn, and the files that the command line writes."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from snnbench.errors import SnnbenchError
from snnbench.figure_files import write_figure
from snnbench.report import FIGURES, RUN_FIGURES, Analysis, ComparisonOptions, Runs, rank_models
from snnbench.report.critical import find_cliques
from snnbench.report.ranking import ScoreOrigin
from snnbench.report.run_charts import spread_out
from snnbench.results.published import load_published

RUNS = Runs(
    models=("snn", "svm"),
    curves=pd.DataFrame(
        {"task": ["wine"], "model": ["snn"], "best_epoch": [3], "n_epochs": [4], "valid": [[0.1, 0.5, 0.9, 0.8]]}
    ),
    selected=pd.DataFrame(
        {
            "model": ["snn", "snn", "snn"],
            "task": ["wine", "iris", "wine"],
            "hyperparameter": ["depth (layers or blocks)", "depth (layers or blocks)", "form"],
            "value": [2, 8, "conic"],
        }
    ),
    costs=pd.DataFrame({"model": ["snn", "svm"], "seconds": [3.0, 0.1], "mean_rank": [1.2, 1.8], "mean_score": [0.9, 0.8]}),
    window=2,
)


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return Analysis(rank_models(load_published("snn2017"), origin=ScoreOrigin("uci", "accuracy")))


@given(
    st.integers(1, 9).flatmap(lambda n: arrays(float, n, elements=st.integers(0, 30).map(lambda k: k / 4))).map(np.sort),
    st.integers(1, 40).map(lambda k: k / 8),
)
def test_by_nemenyi_models_share_a_bar_exactly_if_they_do_not_differ(means: np.ndarray, difference: float) -> None:
    differ = np.abs(means[:, np.newaxis] - means) > difference
    cliques = find_cliques(differ)
    for i in range(len(means)):
        for j in range(i + 1, len(means)):
            assert any(start <= i and j <= end for start, end in cliques) == (not differ[i, j])
    assert not any(a != b and a[0] <= b[0] and b[1] <= a[1] for a in cliques for b in cliques)


@given(st.integers(1, 9).flatmap(lambda n: arrays(bool, (n, n))))
def test_a_bar_never_joins_what_differs_and_is_as_long_as_it_can_be(half: np.ndarray) -> None:
    differ = half | half.T
    np.fill_diagonal(differ, False)
    cliques = find_cliques(differ)
    for start, end in cliques:
        assert end > start
        assert not differ[start : end + 1, start : end + 1].any()
        longer = [(start - 1, end), (start, end + 1)]
        assert all(a < 0 or b >= len(differ) or differ[a : b + 1, a : b + 1].any() for a, b in longer)
    joined = {(k, k + 1) for start, end in cliques for k in range(start, end)}
    assert joined == {(k, k + 1) for k in range(len(differ) - 1) if not differ[k, k + 1]}


def test_everything_differs_or_nothing() -> None:
    assert find_cliques(~np.eye(4, dtype=bool)) == []
    assert find_cliques(np.zeros((4, 4), dtype=bool)) == [(0, 3)]


def datasets(name: str, analysis: Analysis) -> list[pd.DataFrame]:
    return [pd.DataFrame(rows) for rows in FIGURES[name](analysis).to_dict()["datasets"].values()]


def test_the_diagram_of_table_a11_is_what_the_text_says(analysis: Analysis) -> None:
    bars = next(table for table in datasets("cd", analysis) if "models" in table)
    assert list(bars["models"]) == [
        "snn, msrainit, layernorm, highway",
        "msrainit, layernorm, highway, resnet, weightnorm, batchnorm",
    ]
    means = analysis.comparison.table["mean_rank"]
    # A bar ends before the next model that it does not join.
    assert means["highway"] < bars["to"][0] < means["resnet"]
    assert means["snn"] < bars["rank"][1] < means["msrainit"]
    lines = [table for table in datasets("cd", analysis) if list(table.columns) == ["rank", "to", "row"]]
    (bracket,) = [line for line in lines if line["row"][0] < 0]
    assert bracket["to"][0] - bracket["rank"][0] == pytest.approx(analysis.comparison.critical_difference)
    wilcoxon = next(table for table in datasets("cd-wilcoxon", analysis) if "models" in table)
    adjusted = pd.DataFrame(analysis.pairwise.adjusted_pvalue, means.index, means.index)
    for names in wilcoxon["models"]:
        clique = names.split(", ")
        assert not (adjusted.loc[clique, clique] < 0.05).any(axis=None)


def test_missing_scores_are_empty_fields_of_the_heat_map(analysis: Analysis) -> None:
    (table,) = datasets("heatmap", analysis)
    assert len(table) == 121 * 7
    assert set(table[table["rank"].isna()]["task"]) == {"trains"}
    assert table["rank"].isna().sum() == 4


def test_the_scatter_starts_with_the_models_that_were_named() -> None:
    scores = load_published("snn2017")[["highway", "resnet", "snn"]]
    named = Analysis(rank_models(scores, options=ComparisonOptions(models=("highway", "resnet", "snn"))))
    chart = FIGURES["scatter"](named).to_dict()
    assert {param["name"]: param["value"] for param in chart["params"]} == {"up": "highway", "across": "resnet"}


@pytest.mark.parametrize("name", ["cd", "cd-wilcoxon", "pairs"])
def test_a_figure_of_too_many_models_is_refused(name: str) -> None:
    many = pd.DataFrame(np.random.default_rng(0).random((3, 41)), columns=[f"m{k}" for k in range(41)])
    with pytest.raises(SnnbenchError, match=r"40 models, found 41; choose some with --model"):
        FIGURES[name](Analysis(rank_models(many)))


def test_the_axis_of_many_models_has_round_ranks() -> None:
    many = pd.DataFrame(np.tile(np.linspace(1, 0, 40), (3, 1)), columns=[f"m{k}" for k in range(40)])
    ticks = next(table for table in datasets("cd", Analysis(rank_models(many))) if "top" in table)
    assert list(ticks["rank"]) == [5, 10, 15, 20, 25, 30, 35, 40]
    axis = FIGURES["ranks"](Analysis(rank_models(many))).to_dict()["layer"][0]["encoding"]["x"]["axis"]
    assert axis["values"] == [1, 5, 10, 15, 20, 25, 30, 35, 40]


def test_what_a_figure_says_of_itself_is_in_lines_of_its_width() -> None:
    two = Analysis(rank_models(load_published("snn2017")[["snn", "resnet"]]))
    lines = FIGURES["pairs"](two).to_dict()["title"]["text"]
    assert max(map(len, lines)) <= 3 * 96 / 7
    assert "p\u00a0<\u00a00.05" in " ".join(lines)


def test_the_legend_of_tiny_differences_has_numbers(tmp_path) -> None:
    scores = pd.DataFrame({"a": [0.5, 0.5001, 0.7], "b": [0.5001, 0.5, 0.7002]})
    write_figure(FIGURES["pairs"](Analysis(rank_models(scores))), tmp_path / "pairs.svg")
    text = (tmp_path / "pairs.svg").read_text()
    assert ">+0<" not in text
    assert re.search(r">\+0\.0000[1-9]", text)


@settings(deadline=None)  # the first call loads scipy
@given(
    st.lists(st.integers(0, 400).map(lambda k: k / 4), min_size=1, max_size=10).map(np.array),
    st.integers(1, 40).map(lambda k: k / 4),
)
def test_places_are_spread_in_their_order_and_no_further_than_needed(places: np.ndarray, gap: float) -> None:
    spread = spread_out(places, gap, 0, 100)
    order = np.argsort(places, kind="stable")
    assert (np.diff(spread[order]) >= gap - 1e-9).all()
    assert spread.min() >= -1e-9
    assert spread.max() <= 100 + 1e-9
    if len(places) < 2 or np.diff(places[order]).min() >= gap:
        assert spread == pytest.approx(places)


def test_places_that_coincide_are_spread_around_their_own() -> None:
    assert list(spread_out(np.array([5.0, 9.0, 5.0, 5.0]), 1, 0, 10)) == [4, 9, 5, 6]
    assert list(spread_out(np.array([10.0, 9.8, 3.0]), 1, 0, 10)) == [10, 9, 3]


@pytest.mark.parametrize("n_models", [2, 10, 40])
def test_the_names_of_costs_do_not_overlap(n_models: int, tmp_path) -> None:
    generator = np.random.default_rng(n_models)
    names = [f"hist_gradient_boosting_{k}" for k in range(n_models)]
    costs = pd.DataFrame({"model": names, "seconds": 10 ** generator.random(n_models), "mean_rank": 1.0})
    costs["mean_score"] = 0.7 + 0.01 * generator.random(n_models)
    write_figure(RUN_FIGURES["cost"](Runs(tuple(names), costs=costs)), tmp_path / "cost.svg")
    text = (tmp_path / "cost.svg").read_text()
    places = {
        name: float(y) for y, name in re.findall(r"translate\([\d.]+,([-\d.]+)\)[^>]*>(hist_gradient_boosting_\d+)<", text)
    }
    assert set(places) == set(names)
    by_score = costs.sort_values("mean_score", ascending=False)["model"].map(places).to_numpy()
    assert np.diff(by_score).min() >= 14.9
    ticks = RUN_FIGURES["cost"](Runs(tuple(names), costs=costs)).to_dict()["layer"][0]["encoding"]
    low, high = ticks["x"]["scale"]["domain"]
    assert sum(low <= tick <= high for tick in ticks["x"]["axis"]["values"]) >= 3
    low, high = ticks["y"]["scale"]["domain"]
    assert high - low >= 0.0199


@pytest.mark.parametrize("name", ["cd", "cd-wilcoxon", "scatter", "bayes"])
def test_a_figure_of_one_model_is_refused(name: str) -> None:
    one = Analysis(rank_models(load_published("snn2017")[["snn"]]))
    with pytest.raises(SnnbenchError, match=r"found one; run or name another"):
        FIGURES[name](one)


@pytest.mark.parametrize("name", RUN_FIGURES)
def test_a_figure_of_runs_that_are_not_there_is_refused(name: str) -> None:
    nothing = Runs(("snn",))
    with pytest.raises(SnnbenchError, match=r"found none"):
        RUN_FIGURES[name](nothing)
    assert RUN_FIGURES[name](RUNS).to_dict()["datasets"]


def test_every_figure_is_valid_and_can_be_written(analysis: Analysis, tmp_path) -> None:
    charts = {name: draw(analysis) for name, draw in FIGURES.items()} | {name: draw(RUNS) for name, draw in RUN_FIGURES.items()}
    for name, chart in charts.items():
        write_figure(chart, tmp_path / f"{name}.svg")
        text = (tmp_path / f"{name}.svg").read_text()
        assert ("snn" in text) or name == "scatter", name
        assert "NaN" not in text, name


def test_the_circles_of_a_rank_are_its_tasks(analysis: Analysis) -> None:
    counts = next(table for table in datasets("ranks", analysis) if "number" in table)
    assert counts.groupby("model")["number"].sum().eq(121).all()
    mean = counts.assign(share=counts["rank"] * counts["number"] / 121).groupby("model")["share"].sum()
    assert mean.to_dict() == pytest.approx(analysis.comparison.table["mean_rank"].to_dict())
    assert FIGURES["ranks"](analysis).to_dict() == FIGURES["ranks"](analysis).to_dict()


def test_one_task_has_no_figures_across_tasks() -> None:
    single = Analysis(rank_models(load_published("snn2017").loc[["iris"]]))
    for name in set(FIGURES) - {"heatmap"}:
        with pytest.raises(SnnbenchError, match=r"at least two tasks, found one"):
            FIGURES[name](single)


def test_a_value_of_a_hyperparameter_is_one_bar_whether_it_is_whole_or_not() -> None:
    selected = pd.DataFrame({"model": "snn", "task": list("abc"), "hyperparameter": "dropout rate", "value": [0, 0.05, 0.0]})
    selected["value"] = selected["value"].astype(object)
    chart = RUN_FIGURES["hyperparameters"](Runs(("snn",), selected=selected)).to_dict()
    (bars,) = chart["datasets"].values()
    assert {bar["value"]: bar["tasks"] for bar in bars} == {"0.0": 2, "0.05": 1}
    assert set(chart["vconcat"][0]["encoding"]["color"]["scale"]["domain"]) == {"0.0", "0.05"}


def test_the_curves_of_several_tasks_are_small_ones_side_by_side() -> None:
    two = RUNS.curves.loc[[0, 0]].assign(task=["wine", "iris"])
    chart = RUN_FIGURES["curves"](Runs(("snn",), curves=two, window=2)).to_dict()
    assert chart["facet"]["field"] == "task"
    assert "params" not in chart
    assert "facet" not in RUN_FIGURES["curves"](RUNS).to_dict()
