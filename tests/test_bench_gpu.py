"""The measurement of a GPU by ``make bench``: that it says so where there is none, and that it needs no other part."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

BENCH = Path(__file__).parent / "bench"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to measure")
def test_without_a_gpu_the_part_says_so_and_needs_no_package_of_the_others(tmp_path):
    code = (
        "import sys, runpy; sys.modules['altair'] = sys.modules['vl_convert'] = sys.modules['ray'] = None;"
        f"sys.argv = ['bench', '--only', 'e', '--output', {str(tmp_path / 'bench.json')!r}];"
        f"runpy.run_path({str(BENCH)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "torch finds no GPU" in done.stdout
    assert (tmp_path / "bench.json").exists()
