"""The Python interface: the documented script, labelled results, and what it says of mistakes."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import snnbench as sb
from snnbench import stats
from snnbench.errors import ConfigError, StoreError, UnknownNameError

ROOT = Path(__file__).parents[1]
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "api.md").read_text(), re.S)
TINY = """
[training]
n_epochs = 4
[models.snn.grid]
n_units = 8
n_layers = [1, 2]
form = "rectangular"
learning_rate = 0.1
[models.tree]
estimator = "sklearn.tree.DecisionTreeClassifier"
grid = {max_depth = [1, 3]}
[models.crowd]
estimator = "sklearn.neighbors.KNeighborsClassifier"
grid = {n_neighbors = 1000}
"""
SCORES = pd.DataFrame(
    {"a": [0.9, 0.8, 0.7, 0.95, 0.6], "b": [0.8, 0.7, 0.6, 0.9, np.nan], "c": [0.85, 0.9, 0.5, 0.7, 0.5]},
    index=["iris", "wine", "glass", "zoo", "yeast"],
)


@pytest.mark.slow
def test_the_examples_of_the_documentation_run_as_a_script(tmp_path):
    (tmp_path / "script.py").write_text("\n".join(EXAMPLES))
    done = subprocess.run([sys.executable, "-W", "error", "script.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "grids      snn 12, svm 12 configurations a task" in done.stdout
    assert "78 trainings stored in results." in done.stdout
    assert "2 models on 3 tasks of core, by accuracy." in done.stdout
    assert (tmp_path / "cd.svg").read_text().startswith("<svg")
    assert "2 models on 3 tasks of core" in (tmp_path / "report.html").read_text()


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """Return the results of a small run, planned and run from Python."""
    folder = tmp_path_factory.mktemp("api")
    (folder / "tiny.toml").write_text(TINY)
    plan = sb.plan("core", tasks=["iris", "wine"], config=folder / "tiny.toml", results=folder / "results", workers=1)
    assert plan.n_jobs > 0
    summary = sb.run(plan, progress="none")
    assert (summary.n_trained, summary.n_failed) == (14, 0)
    assert summary.unfinished["status"].tolist() == ["infeasible"] * 2
    assert repr(summary) == f"14 trainings stored in {folder / 'results'}."
    assert repr(sb.run(plan, progress="none")) == "Nothing was left to train."
    return folder / "results"


def test_a_plan_says_what_is_stored(results, capsys):
    plan = sb.plan("core", "snn", tasks="iris", config=results.parent / "tiny.toml", results=results)
    assert plan.n_jobs == 0
    assert plan.missing == {}
    assert capsys.readouterr().out == f"{plan}\n"
    assert "trainings  2 in the search, 2 of them stored already" in repr(plan)


def test_scores_are_those_of_the_command(results):
    rows = sb.load_results(results)
    table = sb.score_table(rows)
    assert table.attrs == {"suite": "core", "metric": "accuracy"}
    assert table.columns.tolist() == ["crowd", "snn", "tree"]
    assert table["crowd"].isna().all()
    words = ["compare", results, "--model", "snn", "--model", "tree", "--baseline", "snn", "--format", "csv"]
    done = subprocess.run([sys.executable, "-m", "snnbench", *words], capture_output=True, text=True, check=True)
    assert sb.compare(table, baseline="snn", models=["snn", "tree"]).to_text("csv") == done.stdout
    of_metric = sb.score_table(rows, metric="macro_f1")
    assert of_metric.attrs["metric"] == "macro_f1"
    assert (of_metric["snn"] != table["snn"]).any()
    with pytest.raises(StoreError, match="nowhere is none"):
        sb.load_results(results / "nowhere")


def test_every_number_has_the_name_of_its_model():
    comparison = sb.compare(SCORES, baseline="a")
    models = ["a", "c", "b"]
    assert comparison.baseline == "a"
    assert comparison.table.index.tolist() == models
    assert comparison.ranks["mean_rank"].to_dict() == pytest.approx({"a": 1.2, "b": 2.6, "c": 2.2})
    assert comparison.task_ranks.loc["yeast"].to_dict() == {"a": 1, "c": 2, "b": 3}
    complete = SCORES[models]
    assert comparison.friedman.pvalue == stats.friedman(complete).pvalue[0]
    assert comparison.friedman.statistic == stats.friedman(complete).statistic[0]
    assert comparison.iman_davenport.pvalue == stats.iman_davenport(complete).pvalue[0]
    expected = stats.wilcoxon(complete, "a")
    np.testing.assert_array_equal(comparison.wilcoxon["statistic"], expected.statistic)
    np.testing.assert_array_equal(comparison.wilcoxon["adjusted_pvalue"], expected.adjusted_pvalue)
    for pairs, test in ((comparison.pairwise, stats.pairwise_wilcoxon), (comparison.nemenyi, stats.nemenyi)):
        assert pairs.index.tolist() == pairs.columns.tolist() == models
        np.testing.assert_array_equal(pairs, test(complete).adjusted_pvalue)
    assert comparison.elo.index.tolist() == comparison.effects.index.tolist() == models
    assert comparison.bayesian.index.tolist() == ["c", "b"]
    assert comparison.conclusion in " ".join(repr(comparison).split())


def test_any_table_has_figures_and_a_page(tmp_path):
    comparison = sb.compare(SCORES.rename(columns={"c": "<b>c</b>"}))
    for name in ("cd", "cd-wilcoxon", "ranks", "heatmap", "scatter", "bayes"):
        assert comparison.plot(name).to_dict()["$schema"]
    page = comparison.to_html(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == page
    assert "<h1>3 models on 5 tasks</h1>" in page
    assert "<b>c</b>" not in page
    assert "snnbench report" not in page
    assert "<b>c</b>" not in comparison._repr_html_()
    for form in ("table", "json", "csv", "markdown", "latex"):
        assert "0.8" in comparison.to_text(form) or "yeast" not in comparison.to_text(form)
    with pytest.raises(UnknownNameError, match=r"Unknown figure of a comparison 'rank'\. Did you mean 'ranks'"):
        comparison.plot("rank")
    with pytest.raises(ConfigError, match="file must be one that can be written"):
        comparison.to_html(tmp_path / "none" / "page.html")


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (SCORES.set_axis([1, 2, 3], axis="columns"), "columns of the table must be names of models, found 1, 2, 3"),
        (
            SCORES.set_axis(["a", "b", "a"], axis="columns"),
            "Every column of the table must stand once, but a stands more often",
        ),
        (pd.concat([SCORES, SCORES[:1]]), "Every task of the table must stand once, but iris stands more often"),
        (SCORES.astype(object).replace(0.95, "?!"), r"must be finite numbers; column a of the table has '\?!' in row \d"),
        (SCORES.set_axis([[1] * 5, SCORES.index]), "must have one level of row and column names"),
        (SCORES.replace(0.95, np.inf), r"must be finite numbers; column a of the table has 'inf' in row \d \(zoo\)"),
        (SCORES[[]], "must have a column of numbers for each model, found none"),
        (SCORES.to_numpy(), "must be a pandas DataFrame, tasks × models, found ndarray"),
    ],
)
def test_a_table_that_is_none_of_scores_is_refused(scores, message):
    with pytest.raises(sb.SnnbenchError, match=message):
        sb.compare(scores)


def test_stored_rows_are_no_table(results):
    with pytest.raises(ConfigError, match=r"found stored rows. Use compare\(score_table\(rows\)\)"):
        sb.compare(sb.load_results(results))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sb.load_task("core", "irsi"), "Unknown task of core 'irsi'"),
        (lambda: sb.load_task("cor", "iris"), "Unknown suite 'cor'. Did you mean 'core'"),
        (lambda: sb.plan("core", "snnn"), "Unknown model of preset quick 'snnn'. Did you mean 'snn'"),
        (lambda: sb.plan("core", preset="quik"), "Unknown preset of core 'quik'"),
        (lambda: sb.plan("core", sed=1), "Unknown option of a run 'sed'. Did you mean 'seed'"),
        (lambda: sb.plan("core", seed=-1), "Seeds must be 0 to"),
        (lambda: sb.plan("core", n_seeds=0), "at least 1 seed, found 0"),
        (lambda: sb.plan("core", workers=0), "workers must be at least 1, found 0"),
        (lambda: sb.plan("core", repetitions=[5]), "repetitions must be 1 to 4, found 5"),
        (lambda: sb.plan("core", device="gpu"), "Unknown device 'gpu'"),
        (lambda: sb.compare(SCORES, baseline="d"), "Unknown model 'd'"),
        (lambda: sb.compare(SCORES, alhpa=0.1), "Unknown option of a comparison 'alhpa'"),
        (lambda: sb.compare(SCORES, alpha=2), "alpha must lie between 0 and 1, found 2"),
        (lambda: sb.compare(SCORES, models=["a", "z"]), "Unknown model 'z'"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(sb.SnnbenchError, match=re.escape(message)):
        call()


def test_names_are_listed_and_loaded_when_they_are_used():
    assert set(sb.__all__) <= set(dir(sb))
    assert all(getattr(sb, name).__name__ == name for name in sb.__all__)
    with pytest.raises(AttributeError, match="module 'snnbench' has no attribute 'comparee'"):
        sb.comparee  # noqa: B018
    stub = (ROOT / "snnbench" / "__init__.pyi").read_text()
    assert sorted(re.findall(r"import (\w+) as \1\n", stub)) == sorted(sb.__all__)


def test_importing_the_package_loads_nothing_heavy():
    heavy = "{'torch', 'pandas', 'sklearn', 'scipy', 'numpy', 'pyarrow', 'altair', 'rich'}"
    code = f"import sys, snnbench; dir(snnbench); print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_help_loads_neither_torch_nor_pandas():
    code = "import sys, snnbench.cli; print(sorted({'torch', 'pandas', 'sklearn', 'scipy', 'altair'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "snnbench", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"snnbench {sb.__version__}\n"
