"""What the papers say of signals in freshly initialised networks, measured on standard normal inputs.

Width 512, 32 layers, 256 rows, 4 members, seeds fixed. The mean of a layer and its variance or second moment are taken over its
units and rows; they scatter by about 0.01 for the self-normalizing network, as its width is finite.
"""

import pytest
import torch
from stacks import build, configs
from torch import nn

from snnbench.models.layers.stacked import AlphaDropout, Dropout, ReLU, reset
from snnbench.models.networks.highway import HighwayLayer

WIDTH, DEPTH, N_ROWS, SEEDS = 512, 32, 256, [0, 1, 2, 3]


def signals(model: str, layer: type[nn.Module], dropout_rate: float = 0.0, **options) -> list[torch.Tensor]:
    """Return what comes out of every top-level layer of a type, (n_stack, n_rows, n_units) each."""
    members = configs(model, [0.1] * len(SEEDS), WIDTH, DEPTH, dropout_rate=dropout_rate, **options)
    network = build(model, members, WIDTH)
    reset(network, SEEDS)
    x, found = torch.randn(1, N_ROWS, WIDTH, generator=torch.Generator().manual_seed(0)).expand(4, -1, -1), []
    with torch.no_grad():
        for module in network:
            x = module(x)
            if isinstance(module, layer):
                found.append(x.clone())  # the next layer may overwrite it
    return found


def second_moments(layers: list[torch.Tensor]) -> torch.Tensor:
    """Return (n_layers, n_stack)."""
    return torch.stack([x.square().mean(dim=(1, 2)) for x in layers])


@pytest.mark.parametrize("dropout_rate", [0.0, 0.05, 0.1, 0.5])
def test_snn_keeps_mean_0_and_variance_1_through_32_layers(dropout_rate):
    """Klambauer et al. 2017, section 2: the fixed point attracts, and alpha dropout leaves it where it is."""
    layers = signals("snn", AlphaDropout, dropout_rate)
    assert len(layers) == DEPTH
    means, variances = (torch.stack([moment(x) for x in layers]) for moment in (_means, _variances))
    torch.testing.assert_close(means, torch.zeros_like(means), rtol=0, atol=0.03)
    torch.testing.assert_close(variances, torch.ones_like(variances), rtol=0, atol=0.08)


def _means(x: torch.Tensor) -> torch.Tensor:
    return x.mean(dim=(1, 2))


def _variances(x: torch.Tensor) -> torch.Tensor:
    return x.var(dim=(1, 2))


@pytest.mark.parametrize("model", ["msrainit", "weightnorm"])
def test_weights_of_variance_2_over_n_keep_the_second_moment_of_relu_networks(model):
    """He et al. 2015, section 2.2. Nothing pulls it back to 1: it is a random walk over the layers, but a short one."""
    found = second_moments(signals(model, ReLU))
    assert found.shape == (DEPTH, len(SEEDS))
    assert found.min() > 0.4
    assert found.max() < 4


def test_weights_of_variance_1_over_n_would_let_relu_networks_vanish():
    # ReLU is homogeneous: half the variance in every layer.
    vanishing = second_moments(signals("msrainit", ReLU))[-1] / 2**DEPTH
    assert vanishing.max() < 1e-8


@pytest.mark.parametrize(("model", "tolerance"), [("batchnorm", 0.02), ("layernorm", 0.05)])
def test_normalised_layers_have_second_moment_one_half(model, tolerance):
    """Half of a variable of mean 0 and variance 1 is cut off by ReLU."""
    found = second_moments(signals(model, ReLU))
    torch.testing.assert_close(found, torch.full_like(found, 0.5), rtol=0, atol=tolerance)


def test_highway_layers_never_amplify():
    """With gates near sigmoid(-1), most of the input is carried, and what is mixed in averages out."""
    found = second_moments(signals("highway", HighwayLayer))
    assert found.shape == (DEPTH, len(SEEDS))
    assert (found.diff(dim=0) < 0.01).all()
    assert found.max() < 1


@pytest.mark.parametrize("form", ["rectangular", "diavolo"])
def test_residual_networks_grow_by_about_one_a_block(form):
    """Each block adds a signal of variance 1 (He et al. 2016, with batch normalisation at the end of the residual)."""
    found = second_moments(signals("resnet", ReLU, form=form))
    assert len(found) == 1 + DEPTH // 2
    assert found.diff(dim=0).min() > 0.5
    assert found.diff(dim=0).max() < 1.2


def test_residual_networks_explode_without_normalisation():
    found = second_moments(signals("resnet", ReLU, normalisation="none"))
    assert found[-1].min() > 1e5


@pytest.mark.parametrize("model", ["batchnorm", "layernorm", "msrainit", "weightnorm"])
def test_dropout_leaves_the_scale_of_relu_networks(model):
    dry, wet = (second_moments(signals(model, Dropout, rate))[0] for rate in (0.0, 0.5))
    torch.testing.assert_close(wet, 2 * dry, rtol=0.05, atol=0)  # the same mean, half the units at twice the value
