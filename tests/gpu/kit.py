"""The GPU kit: all that must be seen on a GPU, in stages, each a process of its own with a budget of seconds.

    python tests/gpu/kit.py --stage probe,correct --budget 40,110 --out records.jsonl

Every case is one line of JSON, written and flushed as soon as it is known: its figures, or the error that ended it, or that the
stage's budget was spent before it began. ``--device cpu --tiny`` rehearses every stage without a GPU.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

STAGES = {"probe": 40, "correct": 110, "kernels": 90, "steps": 90, "streams": 60, "ways": 70, "grid": 240}
"""The stages in their order, and the seconds that each is meant to take."""


def main() -> int:
    """Run the stages one after another; return 1 if a case failed or a stage wrote nothing."""
    arguments = _arguments()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    if arguments.only:
        _run_stage(arguments)
        return 0
    names = arguments.stage.split(",")
    budgets = [float(seconds) for seconds in arguments.budget.split(",")] if arguments.budget else [STAGES[n] for n in names]
    import_module("torch")  # its first import on a machine reads gigabytes from the disk, which no stage should pay for
    is_whole = True
    for name, budget in zip(names, budgets, strict=True):
        command = [sys.executable, __file__, "--only", name, "--budget", str(budget), "--out", str(arguments.out)]
        command += ["--device", arguments.device, *["--tiny"] * arguments.tiny]
        command += ["--data", arguments.data] if arguments.data else []
        before = _n_records(arguments.out)
        start = time.monotonic()
        try:
            code = subprocess.run(command, timeout=1.25 * budget + 20).returncode
        except subprocess.TimeoutExpired:
            code = -1
        found = _records(arguments.out)[before:]
        n_failed = sum("error" in record for record in found)
        is_whole &= code == 0 and not n_failed and bool(found)
        _write(arguments.out, {"stage": name, "case": "stage", "code": code, "wall_s": round(time.monotonic() - start, 1)})
        n_skipped = sum("skipped" in record for record in found)
        print(f"{name}: {len(found)} records, {n_failed} failed, {n_skipped} skipped, exit {code}", flush=True)
        for record in found:
            print(json.dumps(record)[:300], flush=True)
    return 0 if is_whole else 1


def _run_stage(arguments: argparse.Namespace) -> None:
    """Run the cases of one stage until its budget is spent."""
    import torch
    from setting import Setting

    from snnbench.training.process import prepare_process

    if arguments.device == "cpu":
        os.environ["TRITON_INTERPRET"] = "1"  # read when kernels are defined
    end = time.monotonic() + float(arguments.budget)
    prepare_process(0, arguments.device == "cuda")
    setting, name = Setting(arguments.device, arguments.tiny, arguments.data), arguments.only
    card = torch.cuda.get_device_name() if arguments.device == "cuda" else "none: rehearsed on a CPU"
    for case, measure in import_module(name).cases(setting):
        record = {"stage": name, "case": case, "card": card}
        start = time.monotonic()
        if start > end:
            record["skipped"] = "the budget was spent"
        else:
            try:
                record |= measure()
            except Exception as error:
                record |= {"error": f"{type(error).__name__}: {error}"[:1000], "traceback": traceback.format_exc()[-2000:]}
            record["seconds"] = round(time.monotonic() - start, 3)
        _write(arguments.out, record)


def _write(file: Path, record: dict) -> None:
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(record) + "\n")
        out.flush()
        os.fsync(out.fileno())


def _records(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def _n_records(file: Path) -> int:
    return len(_records(file))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", default=",".join(STAGES), help=f"stages, of {', '.join(STAGES)} (default: all)")
    parser.add_argument("--budget", default="", help="seconds of each stage (default: as meant)")
    parser.add_argument(
        "--out", type=Path, default=Path("build/gpu.jsonl"), help="where the records go (default build/gpu.jsonl)"
    )
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--tiny", action="store_true", help="networks of a few units, for a rehearsal")
    parser.add_argument("--data", help="the archive of the UCI tasks, for the stage grid (default: the embedded tasks)")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
