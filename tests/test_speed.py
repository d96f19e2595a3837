"""The measurement behind the estimate: which process makes it."""

from types import SimpleNamespace

import torch

from snnbench.display.plan import estimate_seconds
from snnbench.execution.engines import configure_engine
from snnbench.records import ON_CPU, Compute
from snnbench.training import speed


def test_a_measurement_apart_is_one_of_this_machine():
    apart, here = speed.measure_apart(ON_CPU), speed.measure_speed(ON_CPU)
    assert 0.1 < apart / here < 10


def test_the_process_in_front_never_trains_on_a_gpu(monkeypatch):
    def refuse(*arguments):
        raise AssertionError("measured in the process in front")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(speed, "measure_speed", refuse)
    monkeypatch.setattr(speed, "measure_apart", lambda compute: 2.0 if compute.device == "cuda" else 3.0)
    request = SimpleNamespace(
        compute=Compute("cuda", "tf32", "across-tasks"), engine_spec=configure_engine("local", {"workers": 1})
    )
    assert estimate_seconds(request, SimpleNamespace(seconds=100.0, jobs=[1, 2])) == 200.0
