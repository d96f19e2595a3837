import math

import pytest
import torch
from scipy import stats
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from snnbench.models.layers.stacked import ALPHA, SCALE, SELU, AlphaDropout, Dropout, ReLU, StackedLinear, reset


def network_of(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers)


def test_selu_equals_torch_in_float64():
    x = torch.linspace(-30, 30, 20_001, dtype=torch.float64)
    torch.testing.assert_close(SELU()(x.clone()), nn.functional.selu(x), rtol=0, atol=1e-15 * 30)


def test_selu_in_float32_is_within_the_rounding_that_its_docstring_states():
    x = torch.randn(100_000, generator=torch.Generator().manual_seed(0))
    exact = nn.functional.selu(x.double())
    bound = 2**-24 * SCALE * ALPHA + 2**-23 * exact.abs()
    assert (SELU()(x.clone()).double() - exact).abs().le(bound).all()


def test_selu_constants_have_the_fixed_point_of_mean_0_and_variance_1():
    z = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    y = nn.functional.selu(z)
    mean = torch.trapezoid(y * density, z)
    second_moment = torch.trapezoid(y**2 * density, z)
    assert abs(mean) < 1e-9
    assert abs(second_moment - 1) < 1e-8


@pytest.mark.parametrize("gain", [1, 2])
def test_initial_weights_are_normal_with_variance_gain_over_n(gain):
    layer = StackedLinear(2, 400, 300, gain)
    layer.reset([3, 4])
    scaled = layer.weight.detach() * math.sqrt(400 / gain)
    assert stats.kstest(scaled[0].flatten()[:20_000].numpy(), "norm").pvalue > 0.01
    assert scaled.var().item() == pytest.approx(1, abs=0.01)  # standard error 0.003
    assert not layer.bias.any()
    assert not torch.equal(layer.weight[0], layer.weight[1])


def test_initial_weights_depend_on_the_members_own_seed_alone():
    alone, stack = StackedLinear(1, 7, 5, 1), StackedLinear(3, 7, 5, 1)
    alone.reset([11])
    stack.reset([5, 11, 6])
    assert torch.equal(alone.weight[0], stack.weight[1])


def test_layers_of_one_network_draw_different_weights():
    network = network_of(StackedLinear(1, 6, 6, 1), StackedLinear(1, 6, 6, 1))
    reset(network, [1])
    assert not torch.equal(network[0].weight, network[1].weight)


@pytest.mark.parametrize("layer", [Dropout, AlphaDropout])
def test_dropout_is_the_identity_in_evaluation_and_at_rate_0(layer):
    x = torch.randn(2, 5, 4)
    network = network_of(layer([0.5, 0.0]))
    reset(network, [1, 2])
    assert torch.equal(network.train()(x)[1], x[1])
    assert not torch.equal(network(x)[0], x[0])
    assert torch.equal(network.eval()(x), x)


@pytest.mark.parametrize("rate", [0.05, 0.5])
def test_dropout_drops_at_its_rate_and_keeps_the_mean(rate):
    network = network_of(Dropout([rate]))
    reset(network, [0])
    y = network(torch.ones(1, 1000, 500))
    n, share = y.numel(), (y == 0).float().mean().item()
    assert share == pytest.approx(rate, abs=4 * math.sqrt(rate * (1 - rate) / n))
    assert y.max().item() == pytest.approx(1 / (1 - rate), rel=1e-6)


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.5])
def test_alpha_dropout_keeps_mean_0_and_variance_1(rate):
    network = network_of(AlphaDropout([rate]))
    reset(network, [0])
    y = network(torch.randn(1, 1000, 1000, generator=torch.Generator().manual_seed(1)))
    # Standard errors over a million units: 0.001 of the mean, about 0.003 of the variance.
    assert y.mean().item() == pytest.approx(0, abs=0.005)
    assert y.var().item() == pytest.approx(1, abs=0.012)


def test_alpha_dropout_is_the_affine_map_of_the_paper():
    rate = 0.2
    network = network_of(AlphaDropout([rate]))
    reset(network, [0])
    x = torch.randn(1, 50, 40, dtype=torch.float64)
    keep, dropped = 1 - rate, -SCALE * ALPHA
    a = (keep + dropped**2 * keep * (1 - keep)) ** -0.5
    b = -a * (1 - keep) * dropped
    y = network(x)
    is_kept = (y - (a * x + b)).abs() < 1e-6
    torch.testing.assert_close(y[~is_kept], torch.full_like(y[~is_kept], a * dropped + b), rtol=0, atol=1e-6)
    assert 0.1 < (~is_kept).double().mean() < 0.3


@pytest.mark.parametrize("layer", [Dropout, AlphaDropout])
def test_a_members_noise_does_not_depend_on_its_neighbours(layer):
    x = torch.randn(1, 9, 6, generator=torch.Generator().manual_seed(0))
    alone, stack = network_of(layer([0.3])), network_of(layer([0.3, 0.1, 0.3, 0.0]))
    reset(alone, [7])
    reset(stack, [8, 7, 7, 7])
    for _ in range(3):
        expected, found = alone(x), stack(x.expand(4, -1, -1))
        assert torch.equal(found[2], expected[0])
        assert not torch.equal(found[1], expected[0])  # another rate
        assert not torch.equal(found[0], expected[0])  # another seed


class Kernels(TorchDispatchMode):
    """Counts what is launched, views left out."""

    def __init__(self):
        super().__init__()
        self.n = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.n += not func.is_view
        return func(*args, **kwargs or {})


@pytest.mark.parametrize(("layer", "n_kernels"), [(Dropout, 12), (AlphaDropout, 15)])
def test_what_follows_from_the_rates_is_computed_once(layer, n_kernels):
    network, x = network_of(layer([0.3, 0.1, 0.0])), torch.randn(3, 8, 6)
    reset(network, [1, 2, 3])
    with torch.no_grad():
        network(x)
        with Kernels() as later:
            network(x)
    assert later.n <= n_kernels


@pytest.mark.parametrize("layer", [Dropout, AlphaDropout])
def test_members_of_rate_0_share_one_mask_whatever_their_seeds(layer):
    x = torch.randn(6, 8, 5)
    network = network_of(layer([0.2, 0.0] * 3))
    reset(network, [1, 1, 2, 2, 3, 3])
    y = network(x)
    assert len(network[0].masks(x)) == 4  # three that drop, and one for all the others
    assert torch.equal(y[1::2], x[1::2])
    assert not torch.equal(y[::2], x[::2])
    network[0].masks.select(torch.tensor([5, 0, 1]))
    assert len(network[0].masks(x[:3])) == 2
    assert torch.equal(network(x[:3])[[0, 2]], x[[0, 2]])


def test_relu_overwrites_its_input():
    x = torch.tensor([-1.0, 2.0])
    assert ReLU()(x).data_ptr() == x.data_ptr()
    assert x.tolist() == [0.0, 2.0]
