"""Microseconds of a step for every network, and the hours of the paper's grid that follow."""

from hours import catalogued_material, depth_of, fit, hours, paper_jobs, step_work
from setting import MODELS, Cases, Setting, configs_of, rows_of, seconds_of, step_of

from snnbench.execution.plan import MAX_GPU_STACK, MAX_GPU_UNITS
from snnbench.models.layers.padding import batch_class, padded_size
from snnbench.models.layers.precision import precision

DROPOUT = {"snn": 0.05, "msrainit": 0.5, "highway": 0.5}
SHAPES = ((256, 4), (256, 32), (1024, 8))
SIZE = (16, 3)


def cases(setting: Setting) -> Cases:
    """Yield a case a network, shape and stack; then the hours, from all that were measured."""
    points: dict[str, list] = {}
    shapes = ((8, 2), (8, 4), (16, 4)) if setting.tiny else SHAPES
    for n_units, n_layers in shapes:
        full = min(MAX_GPU_STACK, MAX_GPU_UNITS // n_units)
        for n_stack in (3, 6) if setting.tiny else (3, 6, 24, full):
            for model in MODELS:
                shape = model, n_units, n_layers, n_stack
                yield f"{model} {n_units} x {n_layers}, {n_stack}", lambda shape=shape: one(setting, points, *shape)
    yield "hours", lambda: extrapolate(setting, points)


def one(setting: Setting, points: dict[str, list], model: str, n_units: int, n_layers: int, n_stack: int) -> dict:
    """Measure a replayed step."""
    configs = configs_of(model, n_stack, n_units, n_layers, DROPOUT.get(model, 0.0))
    rows = rows_of(setting.scaled(1000, 200), *SIZE)
    with precision(setting.precision):
        seconds = seconds_of(step_of(setting, configs, rows), setting.device, setting.scaled(20, 3))
    n_batch = batch_class(len(rows.train.y), 128)
    operations, values = step_work(configs[0], n_stack, n_batch, padded_size(configs[0], *SIZE))
    points.setdefault(model, []).append((depth_of(configs[0]), operations, values, seconds))
    return {"us": 1e6 * seconds, "tflops": operations / seconds / 1e12, "gb_per_s, a pass": 4 * values / seconds / 1e9}


def extrapolate(setting: Setting, points: dict[str, list]) -> dict:
    """Return the hours of the real plan, network by network; the plan of a rehearsal has fewer tasks."""
    loaded = catalogued_material(4 if setting.tiny else None)
    jobs = paper_jobs(loaded)
    sizes = sorted(len(job.members) for job in jobs)
    fits = {model: fit(found) for model, found in points.items() if len(found) >= 3}
    found = hours(fits, jobs, loaded)
    assert found, "no network was measured at three shapes"
    return {
        "hours": found, "sum": sum(found.values()), "not measured": sorted(set(MODELS) - set(fits)), "n_jobs": len(jobs),
        "median_stack": sizes[len(sizes) // 2], "n_below_8": sum(size < 8 for size in sizes),
        "fits": {model: list(values) for model, values in fits.items()},
    }  # fmt: skip
