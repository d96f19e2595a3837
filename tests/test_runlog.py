import json

import pytest

from snnbench.errors import StoreError
from snnbench.results.runlog import log_event, log_warning, open_log


def test_a_run_leaves_one_file_of_events_and_gathers_warnings(tmp_path):
    log_event("before", n=1)  # nobody listens
    with open_log(tmp_path) as log:
        log_event("job stored", task="iris", seconds=1.5)
        for _ in range(3):
            log_warning("svm on iris", "did not\nconverge")
    log_event("after")
    assert log.warnings == {("svm on iris", "did not\nconverge"): 3}
    [file] = (tmp_path / "_logs").iterdir()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["job stored", "warning", "warning", "warning"]
    assert lines[0]["task"] == "iris"
    assert lines[0]["seconds"] == 1.5
    assert lines[0]["time"] < lines[-1]["time"] or lines[0]["time"] == lines[-1]["time"]


def test_the_log_of_nothing_goes(tmp_path):
    for kept in (True, False):
        with open_log(tmp_path / str(kept)) as log:
            log.kept = kept
    assert len(list((tmp_path / "True" / "_logs").iterdir())) == 1
    assert list((tmp_path / "False").iterdir()) == []


def test_how_a_run_ended_is_its_last_line(tmp_path):
    with pytest.raises(KeyboardInterrupt), open_log(tmp_path):
        raise KeyboardInterrupt
    [file] = (tmp_path / "_logs").iterdir()
    assert json.loads(file.read_text())["error"] == "KeyboardInterrupt: "


def test_a_log_that_cannot_be_written_is_an_error_with_the_way_out(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="name another one with --results"), open_log(tmp_path / "file"):
        pass
