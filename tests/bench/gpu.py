"""(e) A GPU: the stages ``steps`` and ``ways`` of the kit in ``tests/gpu``, each a process of its own with a budget."""

import json
import subprocess
import sys
from pathlib import Path

import torch

TITLE = "(e) GPU: microseconds of a step, four ways to train, and hours of the paper's grid by the jobs of its plan"

KIT = Path(__file__).parents[1] / "gpu" / "kit.py"
FIGURES = ("us", "us_a_member", "tflops", "gb_per_s", "skipped", "error")


def measure(device: str = "cuda", out: Path = Path("build/gpu.jsonl"), tiny: bool = False) -> dict:
    """Run the stages and lay out what they wrote; without a GPU, say so."""
    if device == "cuda" and not torch.cuda.is_available():
        return {"skipped": "torch finds no GPU"}
    out.unlink(missing_ok=True)
    command = [sys.executable, str(KIT), "--stage", "steps,ways", "--out", str(out), "--device", device, *["--tiny"] * tiny]
    subprocess.run(command)  # a case that fails is a row of its own
    records = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    rows = [{"case": record["case"]} | {name: record.get(name, "") for name in FIGURES} for record in records]
    (found,) = (record.get("sum", {}) for record in records if record["case"] == "hours")
    return {"rows": [row for row in rows if row["case"] not in ("stage", "hours")], "hours": found}
