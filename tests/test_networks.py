import pytest
import torch
from plain import PlainBlock, PlainHighwayLayer
from stacks import N_CLASSES, N_FEATURES, build, configs, rows, train
from torch import nn

from snnbench.config import ModelSettings
from snnbench.models import canonical
from snnbench.models.layers.normalisation import StackedBatchNorm, StackedLayerNorm, StackedWeightNormLinear
from snnbench.models.layers.stacked import Dropout, ReLU, StackedLinear, reset
from snnbench.models.networks.highway import HighwayLayer
from snnbench.models.networks.resnet import Residual
from snnbench.records import Config

BY_HAND = {
    "batch norm": lambda: StackedBatchNorm(2, 4, decay=0.9, eps=1e-3),
    "layer norm": lambda: StackedLayerNorm(2, 4),
    "weight norm": lambda: StackedWeightNormLinear(2, 4, 3, variance=2),
    "highway": lambda: HighwayLayer(4, gate_bias=-1, rates=[0.0, 0.0]),
}


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def started(layer: nn.Module) -> nn.Module:
    """Return a layer in float64 whose parameters are off their initial values."""
    reset(nn.Sequential(layer), [1, 2])
    with torch.no_grad():
        for number, parameter in enumerate(layer.double().parameters()):
            parameter += 0.3 * randn(*parameter.shape, seed=number)
    return layer


@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("n_batch", [5, 1])
def test_derivatives_by_hand_are_those_of_finite_differences(name, training, n_batch):
    layer = started(BY_HAND[name]()).train(training)
    x = randn(2, n_batch, 4, seed=9).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, *_: layer(x), (x, *layer.parameters()))


@pytest.mark.parametrize("name", BY_HAND)
def test_what_a_derivative_needs_is_kept_for_one_step_of_training(name):
    layer, x = started(BY_HAND[name]()), randn(2, 5, 4)
    with torch.inference_mode():
        y = layer(x)
        assert "saved" in layer.__dict__
        layer.backward(torch.ones_like(y), x, y)
        assert "saved" not in layer.__dict__
        layer.eval()(x)
        assert "saved" not in layer.__dict__


def test_a_second_derivative_is_refused():
    layer, x = started(StackedLayerNorm(2, 4)), randn(2, 5, 4).requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_batch_norm_equals_torch_in_training_and_evaluation():
    layer, plain = StackedBatchNorm(2, 4, decay=0.9, eps=1e-3).double(), nn.BatchNorm1d(4, eps=1e-3, momentum=0.1).double()
    for step in range(20):
        x = 3 * randn(2, 6, 4, seed=step) + 1
        torch.testing.assert_close(layer(x)[1], plain(x[1]), rtol=0, atol=1e-13)
    torch.testing.assert_close(layer.running_mean[1, 0], plain.running_mean, rtol=0, atol=1e-13)
    torch.testing.assert_close(layer.running_variance[1, 0], plain.running_var, rtol=0, atol=1e-13)
    torch.testing.assert_close(layer.eval()(x)[1], plain.eval()(x[1]), rtol=0, atol=1e-13)


def test_the_decay_of_the_running_statistics():
    layer, x = StackedBatchNorm(1, 1, decay=0.75, eps=1e-3), torch.tensor([[[1.0], [3.0]]])
    layer(x)
    assert layer.running_mean.item() == 0.25 * 2
    assert layer.running_variance.item() == 0.75 + 0.25 * 2  # unbiased: ((1 - 2)² + (3 - 2)²) / 1


def test_a_batch_of_one_row_is_normalised_with_the_running_statistics_and_leaves_them():
    layer = started(StackedBatchNorm(2, 4, decay=0.9, eps=1e-3))
    layer(5 * randn(2, 8, 4))
    before = [values.clone() for values in layer.buffers()]
    x = randn(2, 1, 4, seed=1)
    in_training = layer(x)
    assert all(torch.equal(old, new) for old, new in zip(before, layer.buffers(), strict=True))
    assert torch.equal(in_training, layer.eval()(x))


@pytest.mark.parametrize("model", ["batchnorm", "resnet"])
def test_a_last_batch_of_one_row_does_not_break_the_training(model):
    run = train(model, configs(model, [0.1], 32, n_layers=4), [0], n_epochs=30, batch_size=100, train_rows=rows(301))
    assert not run.diverged[0]
    assert run.train_loss[-1, 0] < 0.8 * run.train_loss[0, 0]


def test_batch_norm_is_reset_to_gain_1_bias_0_mean_0_variance_1():
    layer = started(StackedBatchNorm(2, 4, decay=0.9, eps=1e-3))
    layer(5 * randn(2, 8, 4))
    layer.reset([1, 2])
    found = [set(values.flatten().tolist()) for values in layer.state_dict().values()]
    assert dict(zip(layer.state_dict(), found, strict=True)) == {
        "gain": {1.0},
        "bias": {0.0},
        "running_mean": {0.0},
        "running_variance": {1.0},
    }


@pytest.mark.parametrize(("placement", "order"), [("before", "LBRD"), ("after", "LRBD")])
def test_where_batch_norm_stands(placement, order):
    network = build("batchnorm", configs("batchnorm", [0.1], n_layers=1, placement=placement, decay=0.99, eps=0.1))
    letters = {StackedLinear: "L", StackedBatchNorm: "B", ReLU: "R", Dropout: "D"}
    assert "".join(letters[type(layer)] for layer in network) == order + "L"
    assert (network[0].bias is None) == (placement == "before")  # normalisation would take it off again
    norm = next(layer for layer in network if isinstance(layer, StackedBatchNorm))
    assert (norm.decay, norm.eps) == (0.99, 0.1)


def test_batch_norm_has_the_settings_of_the_protocol_by_default():
    network = build("batchnorm", [Config("batchnorm", tuple({"n_units": 8, "n_layers": 1, "form": "conic"}.items()))])
    norm = network[1]
    assert (norm.decay, norm.eps) == (0.9, 1e-3)


def test_layer_norm_equals_torch():
    layer, plain, x = started(StackedLayerNorm(2, 4)), nn.LayerNorm(4).double(), 3 * randn(2, 6, 4) + 1
    with torch.no_grad():
        plain.weight.copy_(layer.gain[1, 0])
        plain.bias.copy_(layer.bias[1, 0])
    torch.testing.assert_close(layer(x)[1], plain(x[1]), rtol=0, atol=1e-14)


def test_weight_norm_starts_as_the_ordinary_network_of_he():
    networks = [build(model, configs(model, [0.1], n_layers=8)) for model in ("weightnorm", "msrainit")]
    for network in networks:
        reset(network, [4])
    x = torch.randn(1, 9, N_FEATURES)
    with torch.no_grad():
        assert torch.equal(networks[0](x), networks[1](x))


def test_the_length_of_a_weight_normalised_unit_is_its_gain():
    layer, x = started(StackedWeightNormLinear(2, 4, 3, variance=2)), torch.eye(4, dtype=torch.float64).expand(2, -1, -1)
    lengths = (layer(x) - layer.bias).norm(dim=1, keepdim=True)
    torch.testing.assert_close(lengths, layer.gain.abs(), rtol=0, atol=1e-14)


def test_highway_layers_are_as_wide_as_the_inputs_unless_a_width_is_set():
    narrow = build("highway", [Config("highway", (("n_layers", 3),))])
    assert [tuple(p.shape[1:]) for p in narrow.parameters() if p.shape[1] > 1] == [(7, 14)] * 3 + [(7, N_CLASSES)]
    wide = build("highway", [Config("highway", (("n_layers", 3), ("n_units", 20)))])
    assert [tuple(p.shape[1:]) for p in wide.parameters() if p.shape[1] > 1] == [(7, 20)] + [(20, 40)] * 3 + [(20, N_CLASSES)]


@pytest.mark.parametrize(("gate_bias", "expected"), [(None, -1.0), (-3.0, -3.0)])
def test_gates_start_by_carrying(gate_bias, expected):
    option = {} if gate_bias is None else {"gate_bias": gate_bias}
    network = build("highway", configs("highway", [0.1], **option))
    reset(network, [0])
    for layer in list(network)[:-1]:
        transform, gate = layer.bias.chunk(2, dim=-1)
        assert not transform.any()
        assert (gate == expected).all()


def test_a_highway_layer_equals_the_equation_of_its_paper():
    layer, plain, x = started(HighwayLayer(4, -1.0, [0.0, 0.0])), PlainHighwayLayer(4).double(), randn(2, 6, 4)
    with torch.no_grad():
        for linear, weight, bias in zip(
            (plain.transform, plain.gate), layer.weight[1].chunk(2, 1), layer.bias[1].chunk(2, 1), strict=True
        ):
            linear.weight.copy_(weight.T)
            linear.bias.copy_(bias[0])
    torch.testing.assert_close(layer(x)[1], plain(x[1]), rtol=0, atol=1e-14)


def test_dropout_leaves_the_carried_input_of_a_highway_layer_alone():
    carrying, transforming = HighwayLayer(4, -1e4, [0.9]), HighwayLayer(4, 1e4, [0.9])
    x = torch.randn(1, 50, 4)
    for layer in (carrying, transforming):
        reset(nn.Sequential(layer), [0])
    assert torch.equal(carrying(x), x)
    assert (transforming(x) == 0).float().mean() > 0.85


def test_residual_blocks_have_two_layers_or_three():
    def shapes(form: str) -> list[tuple[int, ...]]:
        network = build("resnet", configs("resnet", [0.1], n_units=16, n_layers=2, form=form))
        return [tuple(p.shape[1:]) for p in network.parameters() if p.shape[1] > 1]

    assert shapes("rectangular") == [(N_FEATURES, 16), (16, 16), (16, 16), (16, N_CLASSES)]
    assert shapes("diavolo") == [(N_FEATURES, 16), (16, 4), (4, 4), (4, 16), (16, N_CLASSES)]


def test_a_residual_block_equals_the_ordinary_one_with_its_dropout_within():
    network = build("resnet", configs("resnet", [0.1], n_layers=2))
    reset(network, [0])
    network.double()
    block, plain, x = network[3], PlainBlock([16, 16, 16]).double(), randn(1, 6, 16)
    with torch.no_grad():
        for linear, weight in zip(plain.residual[::3], (p for p in block.parameters() if p.shape[1] > 1), strict=True):
            linear.weight.copy_(weight[0].T)
    torch.testing.assert_close(network[4](block(x))[0], plain(x[0]), rtol=0, atol=1e-13)
    assert [type(layer) for layer in block.layers].count(Dropout) == 1
    assert isinstance(block.layers[-1], StackedBatchNorm)  # nothing drops what is added


def test_a_residual_adds_its_input():
    layer, x = StackedLinear(1, 3, 3, gain=2, bias=False), torch.randn(1, 4, 3)
    residual = Residual(layer)
    reset(residual, [0])
    torch.testing.assert_close(residual(x), x + x @ layer.weight, rtol=0, atol=1e-6)


def test_the_bottleneck_does_not_matter_for_rectangular_blocks():
    values = {"n_units": 16, "n_blocks": 2, "form": "rectangular", "learning_rate": 0.1}
    changes = ({"bottleneck": 0.25}, {"bottleneck": 0.5}, {})
    quarter, half, without = (Config("resnet", tuple({**values, **change}.items())) for change in changes)
    runs = [train("resnet", [config], [0]) for config in (quarter, half, without)]
    assert all((run.train_loss == runs[0].train_loss).all() for run in runs)
    table = ModelSettings(grid={})
    assert canonical(quarter, table) == canonical(half, table) == without


def test_the_bottleneck_matters_for_diavolo_blocks():
    values = {"n_units": 16, "n_blocks": 2, "form": "diavolo", "learning_rate": 0.1, "bottleneck": 0.5}
    config = Config("resnet", tuple(values.items()))
    assert canonical(config, ModelSettings(grid={})) == config
    assert (16, 8) in [tuple(p.shape[1:]) for p in build("resnet", [config]).parameters()]


def test_a_model_without_a_rule_is_its_own_canonical_form():
    config = configs("snn", [0.1])[0]
    assert canonical(config, ModelSettings(grid={})) == config
    estimator = Config("svm", (("C", 1.0),))
    assert canonical(estimator, ModelSettings(estimator="sklearn.svm.SVC", grid={})) == estimator


def test_a_residual_network_without_normalisation_has_biases_instead():
    network = build("resnet", configs("resnet", [0.1], normalisation="none"))
    assert not any(isinstance(module, StackedBatchNorm) for module in network.modules())
    assert all(module.bias is not None for module in network.modules() if isinstance(module, StackedLinear))
    run = train("resnet", configs("resnet", [0.1], normalisation="none"), [0], n_epochs=20)
    assert run.train_loss[-1, 0] < run.train_loss[0, 0]
