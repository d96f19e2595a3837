"""Microseconds of a step for every network by either kind of kernels, the card's constants, and the hours that follow."""

from dataclasses import asdict

from hours import WAYS, catalogued_material, fit_card, hours, paper_jobs, paper_spec
from setting import MODELS, Cases, Setting, configs_of, rows_of, seconds_of, step_of

from snnbench.models import NETWORKS
from snnbench.models.cost.gpu_cost import Work, member_layers, step_work
from snnbench.models.layers.padding import batch_class, padded_size
from snnbench.models.layers.precision import precision

DROPOUT = {"snn": 0.05, "msrainit": 0.5, "highway": 0.5}
SHAPES = ((256, 4), (256, 32), (1024, 8))
SIZE = (16, 3)
FULL_UNITS = 264 * 256
"""Members times width of a stack that fills a chip of 132 processors twice."""


def cases(setting: Setting) -> Cases:
    """Yield a case a network, shape, stack and kind of kernels; then the card and the hours, from all that were measured."""
    points: list[tuple[Work, float]] = []
    shapes = ((8, 2), (8, 4)) if setting.tiny else SHAPES
    for n_units, n_layers in shapes:
        for n_stack in (2,) if setting.tiny else (6, 24, FULL_UNITS // n_units):
            for model in MODELS:
                for kernels in ("plain", "fused"):
                    shape = kernels, model, n_units, n_layers, n_stack
                    yield f"{kernels} {model} {n_units} x {n_layers}, {n_stack}", lambda s=shape: one(setting, points, *s)
    yield "hours", lambda: extrapolate(setting, points)


def one(setting: Setting, points: list, kernels: str, model: str, n_units: int, n_layers: int, n_stack: int) -> dict:
    """Measure a replayed step."""
    configs = configs_of(model, n_stack, n_units, n_layers, DROPOUT.get(model, 0.0))
    rows = rows_of(setting.scaled(1000, 200), *SIZE)
    with precision(setting.precision):
        step = step_of(setting, configs, rows, kernels=kernels)
        seconds = seconds_of(step, setting.device, setting.scaled(20, 1), setting.scaled(3, 1))
    n_batch = batch_class(len(rows.train.y), 128)
    layers = member_layers(NETWORKS[model], configs[-1], *padded_size(configs[0], *SIZE))
    work = step_work(layers, n_stack, n_batch, kernels == "fused")
    points.append((work, seconds))
    return {"us": 1e6 * seconds, "tflops": work.operations / seconds / 1e12, "gb_per_s": work.n_bytes / seconds / 1e9}


def extrapolate(setting: Setting, points: list) -> dict:
    """Return the card and the hours of the real plan, in all ways; the plan of a rehearsal has fewer tasks."""
    loaded, card = catalogued_material(2 if setting.tiny else None), fit_card(points)
    apart = [abs(work.seconds(card) / seconds - 1) for work, seconds in points]
    found = {}
    for use in WAYS:
        spec = paper_spec(loaded, use)
        found[f"{use.kernels} {use.n_at_once}"] = hours(paper_jobs(spec), spec, card)
    return {
        "hours": found, "sum": {name: sum(of_model.values()) for name, of_model in found.items()},
        "card": asdict(card), "fit, median": sorted(apart)[len(apart) // 2], "fit, worst": max(apart),
    }  # fmt: skip
