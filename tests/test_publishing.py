"""What is sent to OpenML: driven by its own client against a server on the loopback."""

import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import arff
import numpy as np
import pytest
from openml_files import N_ROWS, balance_arff, balance_files, balance_rows, data_xml, splits_arff
from openml_server import Server, error_xml, serve
from test_own import call

from snnbench.results.store import read_results
from snnbench.suites.openml_files import read_splits

KEY = "0123456789abcdef"
CONFIG = """
[models.tree]
estimator = "sklearn.tree.DecisionTreeClassifier"
grid = { max_depth = [2, 5] }
[models.svm]
estimator = "sklearn.svm.LinearSVC"
grid = { C = [1.0] }
"""
RUN = ("run", "openml/99", "--config", "small.toml", "--yes", "--workers", "1", "--progress", "none", "--repetition", "1..4")
PUBLISH = ("results", "publish", "results", "--openml")
XML = "/api/v1/xml"


def whole_files(address: str) -> dict[str, bytes]:
    """Return the files of balance-scale, every row with a class."""
    files = balance_files(address)
    text = re.sub(r"(?m)^(1,.*),\?$", r"\1,L", balance_arff())
    files["/data/download/11/balance.arff"] = text.encode()
    files[f"{XML}/data/11"] = data_xml(f"{address}/data/download/11/balance.arff", text).encode()
    features = files[f"{XML}/data/features/11"].decode()
    levels = "".join(f"<oml:nominal_value>{label}</oml:nominal_value>" for label in ("L", "B", "R", "never"))
    head, name, tail = features.partition("<oml:name>class</oml:name>")
    files[f"{XML}/data/features/11"] = f"{head}{name}{levels}{tail}".encode()
    return files


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Serve balance-scale, fetch and run it once; yield the server and a folder whose ``results`` are copied by tests."""
    place = tmp_path_factory.mktemp("publish")
    patch = pytest.MonkeyPatch()
    with serve(whole_files) as server:
        patch.setenv("SNNBENCH_OPENML", server.api)
        patch.setenv("HOME", str(place / "home"))
        patch.setenv("SNNBENCH_CACHE", str(place / "cache"))
        patch.setenv("OPENML_APIKEY", KEY)
        patch.delenv("XDG_CONFIG_HOME", raising=False)
        patch.setattr("time.sleep", lambda seconds: None)
        patch.chdir(place)
        Path("small.toml").write_text(CONFIG)
        yield server, place
        patch.undo()


@pytest.fixture
def snnbench(published, monkeypatch, capsys):
    """Return a command in the folder with results; nothing has been published."""
    server, place = published
    server.posted.clear()
    server.flows.clear()
    server.faults.clear()
    server.asked.clear()
    if not (place / "results").exists():
        assert call(monkeypatch, capsys, "data", "fetch", "openml/99")[0] == 0
        code, _, err = call(monkeypatch, capsys, *RUN)
        assert code == 0, err
    (place / "results" / "_openml" / "published.json").unlink(missing_ok=True)

    def command(*words: str) -> tuple[int, str, str]:
        code, out, err = call(monkeypatch, capsys, *words)
        assert KEY not in out + err
        return code, " ".join(out.split()), " ".join(err.split())

    return command


def sent(server: Server, call: str) -> list[dict[str, str]]:
    return [fields for name, fields in server.posted if name == call]


def test_a_search_is_a_flow_and_its_predictions_are_a_run(published, snnbench):
    server, place = published
    code, out, err = snnbench(*PUBLISH)
    assert code == 0, err
    assert "4 runs published, 0 there already." in out
    assert f"tree on balance-scale-t31, seed 0: {server.address}/r/900" in out
    assert len(sent(server, "flow")) == len(server.flows) == 2
    assert len(sent(server, "run")) == 4
    flow = ElementTree.fromstring(next(one["description"] for one in sent(server, "flow") if "tree" in one["description"]))
    assert flow.findtext("{*}name") == "snnbench.search.tree"
    assert [one.findtext("{*}name") for one in flow.iterfind("{*}parameter")] == ["estimator", "max_depth", "seed"]

    (run,) = (one for one in sent(server, "run") if "task_id>32<" in one["description"] and "max_depth" in one["description"])
    described = ElementTree.fromstring(run["description"])
    number = server.flows["snnbench.search.tree", flow.findtext("{*}external_version")]
    assert described.findtext("{*}flow_id") == str(number)
    settings = {one.findtext("{*}name"): one.findtext("{*}value") for one in described.iterfind("{*}parameter_setting")}
    assert settings == {"estimator": '"sklearn.tree.DecisionTreeClassifier"', "max_depth": "[2, 5]", "seed": "0"}
    assert {one.findtext("{*}component") for one in described.iterfind("{*}parameter_setting")} == {str(number)}
    check_predictions(run["predictions"], place, "tree")
    check_trace(run["trace"], place)
    assert KEY not in "".join(path.read_text() for path in place.rglob("*.json"))
    assert not [path for path in server.asked if "api_key" in path]


def check_trace(text: str, place: Path) -> None:
    """Read a trace by OpenML's client, and hold it to the stored searches and evaluations of the tree on task 32."""
    from openml.runs.trace import OpenMLRunTrace  # its import writes to the home folder, which is another one by now

    trace = OpenMLRunTrace.trace_from_arff(arff.loads(text))
    stored = read_results([place / "results"]).query("model == 'tree' and task == 'balance-scale-t32'")
    searches, evaluations = (stored[stored["stage"] == stage].set_index("split") for stage in ("search", "evaluate"))
    assert len(trace.trace_iterations) == len(searches) == 8
    for split in read_splits(splits_arff(2, 2), N_ROWS):
        name = f"repeat-{split.repeat + 1}-fold-{split.fold + 1}"
        tried = [trace.trace_iterations[split.repeat, split.fold, number] for number in (0, 1)]
        assert [one.get_parameters() for one in tried] == [{"max_depth": "2"}, {"max_depth": "5"}]
        scores = {json.loads(row.config)["max_depth"]: row.valid_score for row in searches.loc[name].itertuples()}
        assert [one.evaluation for one in tried] == [scores[2], scores[5]]
        selected = tried[trace.get_selected_iteration(split.fold, split.repeat)].get_parameters()
        assert selected["max_depth"] == str(json.loads(evaluations.at[name, "config"])["max_depth"])


def check_predictions(text: str, place: Path, model: str) -> None:
    """Hold the predictions of task 32 to the official test rows, the true classes, and the stored scores."""
    content = arff.loads(text)
    names = [name for name, _ in content["attributes"]]
    assert names == [
        *("repeat", "fold", "sample", "row_id", "prediction", "correct"),
        *("confidence.L", "confidence.B", "confidence.R", "confidence.never"),
    ]
    rows = content["data"]
    official = read_splits(splits_arff(2, 2), N_ROWS)
    expected = [(split.repeat, split.fold, row) for split in official for row in split.test]
    assert [(row[0], row[1], row[3]) for row in rows] == expected
    true = [row[4] for row in balance_rows()]
    true[1] = "L"
    assert [row[5] for row in rows] == [true[row] for _, _, row in expected]
    for row in rows:
        assert sum(row[6:]) == pytest.approx(1, abs=1e-5)
        assert row[9] == 0
        assert row[6 + "LBR".index(row[4])] == max(row[6:])
    stored = read_results([place / "results"])
    stored = stored[(stored["stage"] == "evaluate") & (stored["model"] == model) & (stored["task"] == "balance-scale-t32")]
    for split in official:
        mine = [row for row in rows if (row[0], row[1]) == (split.repeat, split.fold)]
        score = np.mean([row[4] == row[5] for row in mine])
        name = f"repeat-{split.repeat + 1}-fold-{split.fold + 1}"
        assert score == pytest.approx(stored.set_index("split").at[name, "test_score"])


def test_a_publication_that_broke_goes_on_where_it_broke(published, snnbench):
    server, _ = published
    assert snnbench(*PUBLISH, "--task", "balance-scale-t31", "--model", "svm")[0] == 0
    server.faults[f"{XML}/run"] = [(502, "text/html", b"<html><body>Bad Gateway</body></html>")]
    code, _, err = snnbench(*PUBLISH)
    assert (code, len(sent(server, "run"))) == (2, 1)
    assert "1 of 4 runs are published: OpenML must answer run/, found after one try" in err
    assert "The same command goes on there." in err
    assert len(server.flows) == 2
    code, out, _ = snnbench(*PUBLISH)
    assert (code, len(sent(server, "run"))) == (0, 4)
    assert "3 runs published, 1 there already." in out
    assert len(sent(server, "flow")) == 2
    assert "0 runs published, 4 there already." in snnbench(*PUBLISH)[1]
    assert len(sent(server, "run")) == 4
    Path("results/_openml/published.json").write_text("{")
    code, _, err = snnbench(*PUBLISH)
    assert (code, "must say which runs are published" in err) == (2, True)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ((412, "text/xml", error_xml(103, "Authentication failed")), "OpenML refuses the API key for flow/exists"),
        ((401, "text/xml", error_xml(103, f"no {KEY}")), "OpenML refuses the API key for flow/exists"),
        ((401, "text/plain", b"Unauthorized"), "OpenML must answer flow/exists, found after one try"),
        ((412, "text/xml", error_xml(330, f"Missing {KEY}")), "OpenML answers flow/exists with error 330: "),
        ((502, "text/html", b"<html>"), "OpenML must answer flow/exists, found after one try"),
        ((200, "text/html", b"<html></html>"), "OpenML must answer with a flow_exists, found html"),
    ],
)
def test_what_openml_refuses_is_said(fault, words, published, snnbench):
    server, _ = published
    server.faults[f"{XML}/flow/exists"] = [fault]
    code, _, err = snnbench(*PUBLISH)
    assert (code, words in err) == (2, True), err
    assert not Path("results/_openml/published.json").exists()


def test_a_dry_run_writes_what_would_be_sent(published, snnbench, monkeypatch):
    server, place = published
    monkeypatch.delenv("OPENML_APIKEY")
    code, out, err = snnbench(*PUBLISH, "--dry-run", "sent", "--model", "svm", "--task", "balance-scale-t32")
    assert code == 0, err
    (folder,) = Path("sent").iterdir()
    assert f"Written, not sent: {folder}" in out
    assert sorted(file.name for file in folder.iterdir()) == ["flow.xml", "predictions.arff", "run.xml", "trace.arff"]
    check_predictions((folder / "predictions.arff").read_text(), place, "svm")  # decision values: 1 for the predicted class
    assert not server.posted
    assert not Path("results/_openml/published.json").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (PUBLISH[:3], "--openml must say where to publish"),
        ((*PUBLISH, "--suite", "openml/cc18"), "found openml/99"),
        ((*PUBLISH, "--model", "tre"), "Unknown model 'tre'. Did you mean 'tree'?"),
        ((*PUBLISH, "--task", "iris"), "Unknown task 'iris'."),
        ((*PUBLISH, "--source", "nowhere"), "--source must hold the suite openml/99"),
        ((*PUBLISH, "--api-key-file", "nowhere"), "--api-key-file must be a file with an API key"),
        ((*PUBLISH, "--api-key-file", "small.toml"), "must be letters and digits"),
    ],
)
def test_what_cannot_be_published_is_said(words, message, published, snnbench):
    server, _ = published
    code, _, err = snnbench(*words)
    assert (code, message in err) == (2, True), err
    assert not server.posted


def test_a_key_is_sent_over_https_alone(snnbench, monkeypatch):
    monkeypatch.setenv("SNNBENCH_OPENML", "http://openml.example/api/v1/xml")
    code, _, err = snnbench(*PUBLISH)
    assert (code, "must begin with https:// where a key is sent" in err) == (2, True)


def test_every_split_and_every_row_needs_a_prediction(published, snnbench, monkeypatch, tmp_path):
    server, _ = published
    run = [*RUN[:-1], "2..3", "--results", "part"]
    assert snnbench(*run)[0] == 0
    code, _, err = snnbench("results", "publish", "part", "--openml", "--model", "tree")
    assert code == 2
    assert "all 4 splits of balance-scale-t31, but tree (seed 0) has none for repeat-1-fold-1, repeat-1-fold-4. Run" in err
    assert "all 4 splits of balance-scale-t32, but tree (seed 0) has none for repeat-1-fold-1, repeat-2-fold-2. Run" in err
    server.files |= {path: text for path, text in balance_files(server.address).items() if "splits" not in path}
    monkeypatch.setenv("SNNBENCH_CACHE", str(tmp_path / "cache"))
    try:
        assert snnbench("data", "fetch", "openml/t/31")[0] == 0
        assert snnbench("run", "openml/t/31", *RUN[2:], "--results", "gaps")[0] == 0
        code, _, err = snnbench("results", "publish", "gaps", "--openml")
    finally:
        server.files |= whole_files(server.address)
    assert code == 2
    assert "OpenML wants a prediction for every test row of balance-scale, found 624 rows that were used; others had" in err
    assert not server.posted


def test_a_trace_has_the_configurations_of_its_grid_alone(published, snnbench):
    """A grid that is enlarged takes what is stored; other arguments in the same folder are another search."""
    from openml.runs.trace import OpenMLRunTrace

    server, place = published
    shutil.copytree(place / "results", place / "larger")
    tree = CONFIG.partition("[models.svm]")[0]
    Path("larger.toml").write_text(tree.replace("[2, 5]", "[1, 5, 2]"))
    Path("other.toml").write_text(tree.replace("grid =", 'arguments = { splitter = "random" }\ngrid ='))
    for config in ("larger.toml", "other.toml"):
        words = ["--config", config, "--results", "larger", "--task", "balance-scale-t31"]
        code, _, err = snnbench(*RUN[:2], *RUN[4:], *words)
        assert code == 0, err
    code, out, err = snnbench("results", "publish", "larger", "--openml", "--task", "balance-scale-t31")
    assert (code, "4 runs published" in out) == (0, True), err
    depths = []
    for run in sent(server, "run"):
        trace = OpenMLRunTrace.trace_from_arff(arff.loads(run["trace"]))
        first = [one.get_parameters() for (repeat, fold, _), one in trace.trace_iterations.items() if (repeat, fold) == (0, 0)]
        depths.append([values.get("max_depth", values.get("C")) for values in first])
        assert sum(one.selected for one in trace.trace_iterations.values()) == 4
    assert sorted(depths) == [["1", "5", "2"], ["1.0"], ["2", "5"], ["2", "5"]]


def test_what_was_published_elsewhere_is_published_again(published, snnbench):
    server, _ = published
    words = (*PUBLISH, "--task", "balance-scale-t31", "--model", "svm")
    assert snnbench(*words)[0] == 0
    file = Path("results/_openml/published.json")
    entries = json.loads(file.read_text())
    assert [(entry["server"], entry["model"], entry["task"]) for entry in entries] == [(server.api, "svm", "balance-scale-t31")]
    file.write_text(file.read_text().replace(server.api, "https://elsewhere.example/api/v1/xml"))
    assert "1 run published, 0 there already." in snnbench(*words)[1]
    assert len(json.loads(file.read_text())) == 2
