"""Fused kernels on a GPU: the numbers of the plain layers, equal bits again, and what they gain."""

import torch
from correct import against_the_cpu
from setting import MODELS, Cases, Setting, configs_of, rows_of, seconds_of, step_of

from snnbench.models.kernels.following import Biased, Elementwise
from snnbench.models.layers.precision import precision
from snnbench.models.layers.stacked import AlphaDropout, Dropout


def cases(setting: Setting) -> Cases:
    """Yield the masks, every network in float64, then the gains; a rehearsal does with some of them."""
    for kind in (Dropout, AlphaDropout):
        yield f"masks of {kind.__name__}", lambda kind=kind: masks(setting, kind)
    for model in MODELS[:: setting.scaled(1, 3)]:
        yield f"float64 {model} rectangular", lambda m=model: against_the_cpu(setting, m, "rectangular", 0.2, fuses=True)
    for model in () if setting.tiny else ("snn", "layernorm", "resnet"):
        yield f"float64 {model} conic", lambda m=model: against_the_cpu(setting, m, "conic", 0.2, fuses=True)
    yield "float64 snn, momentum", lambda: against_the_cpu(setting, "snn", "rectangular", 0.2, momentum=0.9, fuses=True)
    for n_units, n_layers, n_stack in ((8, 2, 2),) if setting.tiny else ((256, 16, 6), (1024, 8, 66)):
        for model in MODELS[:: setting.scaled(1, 6)]:
            shape = model, n_units, n_layers, n_stack
            yield f"gain {model} {n_units} x {n_layers}, {n_stack}", lambda shape=shape: gain(setting, *shape)


def masks(setting: Setting, kind: type) -> dict:
    """Compare masks with those of the plain layer, bit by bit, in a layer as wide as the widest."""
    rates, shape = (0.0, 0.05, 0.5), (3, setting.scaled(128, 5), setting.scaled(1024, 37))
    plain, fused = kind(rates), kind(rates)
    for layer in (plain, fused):
        layer.masks.reset([5, 6, 7])
    x = torch.ones(shape, device=setting.device)
    bias = torch.zeros(3, 1, shape[-1], device=setting.device)
    follow = Biased(lambda: bias, Elementwise(None, fused))
    y, wanted = follow.output(x.clone()), plain(x)
    gradient, _ = follow.of_product(torch.ones_like(x), y, updates=True)
    kept = plain.masks.spread(plain.masks(x)).expand_as(x) > 0
    assert torch.equal(gradient != 0, kept), "a unit is dropped by one and kept by the other"
    apart = float((y - wanted).abs().max())
    assert apart < 1e-5, f"values are {apart} apart"
    return {"apart": apart, "kept": float(kept.float().mean())}


def gain(setting: Setting, model: str, n_units: int, n_layers: int, n_stack: int) -> dict:
    """Return the microseconds of a step by either kind of kernels."""
    configs, rows = configs_of(model, n_stack, n_units, n_layers, 0.05), rows_of(setting.scaled(1000, 100), 16, 3)
    found = {}
    with precision(setting.precision):
        for kernels in ("plain", "fused"):
            step = step_of(setting, configs, rows, kernels=kernels)
            found[f"us, {kernels}"] = 1e6 * seconds_of(step, setting.device, setting.scaled(20, 1), setting.scaled(3, 1))
    return found | {"gain": found["us, plain"] / found["us, fused"]}
