"""The measurement of a GPU, run on the CPU with tiny networks: that it runs through and what it says of the grid."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent / "bench"))

import gpu


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to measure")
def test_without_a_gpu_the_part_says_so():
    assert gpu.measure() == {"skipped": "torch finds no GPU"}


def test_all_ways_are_measured(monkeypatch):
    monkeypatch.setattr(gpu, "N_ROUNDS", 1)
    found = gpu.measure("cpu", shapes=[(16, 2)], n_tasks=1, n_steps=4)
    (row,) = found["rows"]
    assert all(row[f"{way}, us"] > 0 for way in gpu.WAYS)
    assert all(hours > 0 for hours in found["hours"].values())
    assert found["ceiling_tflops"] > 0


def test_the_hours_are_those_of_the_papers_grid():
    # At a microsecond a member-step whatever its size: the optimiser steps of the grid, all duplicates of resnet included.
    hours = gpu._hours([(1e6, 1e-6), (2e6, 1e-6)])
    assert hours * 3600 * 1e6 == pytest.approx(256e6, rel=0.08)
