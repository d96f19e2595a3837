"""Networks with a user's activation: their numbers, their bits, their keys, and what is refused."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from stacks import N_CLASSES, N_FEATURES, batch_of, rows
from test_cli import Program, program  # noqa: F401  a fixture
from torch import nn

from snnbench.config import ModelSettings, RunSettings, TrainingSettings, load_config
from snnbench.errors import ConfigError, UnknownNameError
from snnbench.execution.keys import Keys
from snnbench.models import NETWORKS, check_config, code, load_class, network_class
from snnbench.models.activations import KNOWN, with_activations
from snnbench.models.code import code_of
from snnbench.models.import_policy import check_imports
from snnbench.models.layers.activation import DERIVATIVES, saturation
from snnbench.models.layers.stacked import Dropout, StackedLinear, reset
from snnbench.paper.theory.activations import ACTIVATIONS
from snnbench.paper.theory.analysis import analyse
from snnbench.paper.theory.normalising import ask_theory
from snnbench.records import ON_CPU, Config, Task
from snnbench.training.context import RunSpec
from snnbench.training.optimizer import by_autograd, is_chain, layer_by_layer
from snnbench.training.stack import TaskRows, stack_of_one_task
from snnbench.training.stacked import initialise, train_stack

OWN = """
import torch
from torch import nn

def bent(x):
    return torch.where(x > 0, x, 0.25 * x) + 0.1 * torch.exp(-x * x)

def mixing(x):
    return x - x.mean(dim=0, keepdim=True)

def halved(x):
    return x[..., ::2]

class Snake(nn.Module):
    def __init__(self, n_stack):
        super().__init__()
        self.frequency = nn.Parameter(torch.ones(n_stack, 1, 1))

    def forward(self, x):
        return x + torch.sin(self.frequency * x) ** 2 / self.frequency

def quarter_(weight, generator):
    return weight.uniform_(-0.25, 0.25, generator=generator)

def anywhere_(weight, generator):
    return weight.normal_()

class Flat(nn.Module):
    def __init__(self, n_stack):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(0.25))

    def forward(self, x):
        return torch.where(x > 0, x, self.slope * x)
"""
"""What a user may have written."""

MISH = "torch.nn.functional.mish"
ORTHOGONAL = "torch.nn.init.orthogonal_"
GRID = "grid = { n_units = 8, n_layers = 1, form = 'rectangular', learning_rate = 0.1 }"
PATHS = [*(f"torch.nn.functional.{name}" for name in KNOWN), "torch.nn.functional.softsign", "torch.nn.Mish"]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_curves", raising=False)
    code._trace.cache_clear()
    (tmp_path / "own_curves.py").write_text(OWN)
    return tmp_path


def table(activation: str, **values: object) -> ModelSettings:
    return ModelSettings(network="fully_connected", activation=activation, grid={"learning_rate": 0.1}, **values)


def members(rates: list[float], n_units: int = 7, dropout_rate: float = 0.0, n_layers: int = 2) -> list[Config]:
    shape = (("n_units", n_units), ("n_layers", n_layers), ("form", "rectangular"), ("dropout_rate", dropout_rate))
    return [Config("own", (*shape, ("learning_rate", rate))) for rate in rates]


def build(settings: ModelSettings, configs: list, n_features: int = 5, n_outputs: int = 3) -> nn.Sequential:
    network = network_class("own", settings)(configs, n_features, n_outputs)
    reset(network, list(range(len(configs))))
    return network


def plain_function(path: str):
    """Return the function, or the module as an ordinary network has it."""
    found = load_class(path)
    return (found() if path.startswith("torch.") else found(1)) if isinstance(found, type) else found


@pytest.mark.parametrize("path", [*PATHS, "own_curves.bent", "own_curves.Snake"])
@pytest.mark.parametrize("affine", [{}, {"scale": 1.5, "shift": -0.25}])
def test_gradients_are_those_of_the_ordinary_network_in_float64(path, affine, own):
    network = build(table(path, **affine), members([0.1])).double()
    torch.manual_seed(0)
    X, y = torch.randn(1, 17, 5, dtype=torch.float64), torch.randint(3, (1, 17))
    losses, gradients = (layer_by_layer if is_chain(network) else by_autograd)(network, batch_of(X, y))
    signal, parameters = X[0], []
    for layer in network:
        if isinstance(layer, StackedLinear):
            signal = signal @ layer.weight[0] + layer.bias[0]
            parameters += [layer.weight, layer.bias]
        elif not isinstance(layer, Dropout):
            function = plain_function(path)
            if isinstance(function, nn.Module):
                parameters += function.double().parameters()
            signal = affine.get("scale", 1) * function(signal).reshape(17, 7) + affine.get("shift", 0)
    loss = nn.functional.cross_entropy(signal, y[0])
    torch.testing.assert_close(losses[0], loss, rtol=0, atol=1e-13)
    for found, expected in zip(gradients, torch.autograd.grad(loss, parameters), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)


def test_what_is_known_is_known_to_the_theory_and_has_a_derivative():
    assert set(KNOWN) == set(DERIVATIVES) == set(ACTIVATIONS) - {"linear"}
    z = torch.linspace(-6, 6, 101, dtype=torch.float64)
    for name in KNOWN:
        expected = torch.from_numpy(ACTIVATIONS[name](z.numpy()))
        torch.testing.assert_close(getattr(nn.functional, name)(z), expected, rtol=1e-9, atol=1e-8)
        assert is_chain(build(table(f"torch.nn.functional.{name}"), members([0.1])))


@pytest.mark.equal_bits
@pytest.mark.parametrize("path", [*PATHS, "own_curves.bent", "own_curves.Snake"])
def test_a_member_has_the_bits_that_it_has_alone(path, own):
    settings, configs = table(path, scale=1.25, shift=-0.1), members([0.1, 0.5, 0.02], dropout_rate=0.2)
    network = network_class("own", settings)
    together = trained(network, configs, [0, 1, 2])
    for place, config in enumerate(configs):
        alone = trained(network, [config], [place])
        assert torch.equal(alone[0], together[place])


def trained(network: type[nn.Module], configs: list[Config], seeds: list[int]) -> torch.Tensor:
    """Return the weights (n_stack, n_parameters) after three epochs of 37 rows: their numbers do not fill whole vectors."""
    stack = stack_of_one_task("search", configs, TaskRows(rows(37), rows(11, seed=1), N_CLASSES), seeds, 3)
    built = initialise(network(configs, N_FEATURES, N_CLASSES), seeds)
    train_stack(built, stack, TrainingSettings(batch_size=10))
    return torch.cat([values.detach().reshape(len(configs), -1) for values in built.parameters()], dim=1)


@pytest.mark.equal_bits
@pytest.mark.parametrize(
    ("model", "path", "values"),
    [("snn", "selu", {"dropout": "alpha"}), ("msrainit", "relu", {"gain": 2.0})],
)
def test_with_their_activation_it_is_one_of_ours(model, path, values):
    configs = members([0.1, 0.3], dropout_rate=0.1)
    ours, same = load_class(NETWORKS[model]), network_class("own", table(f"torch.nn.functional.{path}", **values))
    assert list(map(type, ours(configs, 5, 3))) == list(map(type, same(configs, 5, 3)))
    assert torch.equal(trained(ours, configs, [0, 1]), trained(same, configs, [0, 1]))


def test_alpha_dropout_keeps_the_moments_of_an_activation_that_the_theory_normalised():
    settings = RunSettings(models={"own": table("torch.nn.functional.mish", gain="self-normalizing", dropout="alpha")})
    settings = ask_theory(settings, ["own"]).models["own"]
    network = network_class("own", settings)(members([0.1], n_units=2000, dropout_rate=0.2), 10, 3).train()
    reset(network, [0])
    activated = network[1](torch.randn(1, 1000, 2000))
    dropped = network[2](activated)
    assert network[2].dropped == pytest.approx(settings.shift, abs=1e-9)
    for signal in (activated, dropped):
        assert signal.mean().item() == pytest.approx(0, abs=0.005)
        assert signal.var().item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("name", "value"), [("mish", 0), ("gelu", 0), ("tanh", -1), ("elu", -1), ("selu", -1.7580993408)])
def test_an_activation_saturates_at_its_limit(name, value):
    assert saturation(f"torch.nn.functional.{name}") == pytest.approx(value, abs=1e-9)


def key_of(settings: ModelSettings) -> str:
    task = Task("core", "iris", "multiclass", 150, 4, 3, "accuracy", "", "0")
    spec = RunSpec("core", {"iris": task}, {}, RunSettings(models={"own": settings}), ON_CPU)
    return Keys(spec).search("iris", "holdout-1", members([0.1])[0], 100)


def test_a_key_says_all_that_a_number_depends_on(own):
    others = [{"gain": 2.0}, {"scale": 2.0}, {"shift": 0.5}, {"dropout": "alpha"}, {"init": ORTHOGONAL}]
    tables = [
        table(MISH),
        *(table(MISH, **other) for other in others),
        table("torch.nn.functional.gelu"),
        table(MISH, init="own_curves.quarter_"),
        table("own_curves.bent"),
    ]
    keys = [key_of(one) for one in tables]
    assert len(set(keys)) == len(tables)
    assert key_of(table(MISH, gain=1, scale=1.0, dropout="plain")) == keys[0]  # said or not
    assert (code_of("own", tables[0]).name, code_of("own", tables[0]).digest) == ("fully_connected", "")
    (own / "own_curves.py").write_text(OWN.replace("0.25 * x) +", "0.5 * x) +"))
    code._trace.cache_clear()  # another process would read the file anew
    assert key_of(tables[-1]) != keys[-1]


WRONG = [
    ({"activation": None}, "belong together"),
    ({"network": "mine.Net"}, "belong together"),
    ({"gain": 0.0}, "gain must be a finite number above 0 or 'self-normalizing', found 0.0"),
    ({"gain": "he"}, "gain must be .* found 'he'"),
    ({"gain": "self-normalizing", "scale": 2.0}, "finds scale and shift itself"),
    ({"scale": -1.0}, "scale must be"),
    ({"shift": float("inf")}, "shift must be finite"),
    ({"init": "orthogonal_"}, "init must be an import path, as 'torch.nn.init.orthogonal_', found 'orthogonal_'"),
    ({"network": None, "activation": None, "init": ORTHOGONAL}, "only a model with an activation has init"),
    ({"dropout": "beta"}, "dropout must be 'plain' or 'alpha', found 'beta'"),
    ({"network": None, "activation": None, "gain": 2.0}, "only a model with an activation has gain"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_wrong_tables_say_what_must_hold(change, message):
    said = {"network": "fully_connected", "activation": "torch.nn.functional.mish", "grid": {}} | change
    with pytest.raises(ValidationError, match=message):
        ModelSettings.model_validate(said)


@pytest.mark.parametrize(
    ("path", "dropout", "message"),
    [
        ("torch.nn.functional.mishh", "plain", "importing it says"),
        ("torch.nn.functional.leaky_relu", "alpha", "a limit far below zero, but .* is -1e"),
        ("torch.nn.PReLU", "plain", "Every parameter of torch.nn.PReLU must have a leading axis"),
        ("torch.nn.Linear", "plain", "must be made without arguments"),
        ("torch.nn.functional.dropout", "plain", "depends on others, or on chance"),
        ("torch.pi", "plain", "must be a function"),
        ("own_curves.mixing", "plain", "depends on others, or on chance"),
        ("own_curves.halved", "plain", r"found \(2, 4, 3\)"),
        ("own_curves.Flat", "plain", "slope has none"),
    ],
)
def test_what_no_stack_can_have_is_refused_before_training(path, dropout, message, own):
    with pytest.raises(ConfigError, match=message):
        check_config(members([0.1])[0], table(path, dropout=dropout))


@pytest.mark.equal_bits
@pytest.mark.parametrize("activation", ["relu", "mish"])  # of which one is trained by the compiled step
def test_initial_weights_are_those_of_the_function_for_a_member_alone_and_among_others(activation, own):
    settings = table(f"torch.nn.functional.{activation}", init=ORTHOGONAL, gain=2.0)
    network, configs = network_class("own", settings), members([0.1, 0.5, 0.02], dropout_rate=0.2)
    built = initialise(network(configs, N_FEATURES, N_CLASSES), [0, 1, 0])
    hidden = built[3].weight.detach()
    torch.testing.assert_close(hidden.mT @ hidden, 2 * torch.eye(7).expand(3, 7, 7))
    assert torch.equal(hidden[0], hidden[2])
    assert not torch.equal(hidden[0], hidden[1])
    assert built[0].bias.count_nonzero() == 0
    wide = initialise(network_class("own", table(MISH, init="own_curves.quarter_"))(members([0.1]), 400, 3), [5])[0].weight
    assert wide.shape == (1, 400, 7)
    assert 0.249 < wide.abs().max() <= 0.25
    together = trained(network, configs, [0, 1, 2])
    for place, config in enumerate(configs):
        assert torch.equal(trained(network, [config], [place])[0], together[place])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("torch.nn.init.orthogonall_", "importing it says"),
        ("torch.nn.init.eye_", r"says: TypeError: eye_\(\) got an unexpected keyword argument 'generator'"),
        ("torch.nn.Linear", "must be a function that fills a tensor"),
        ("own_curves.anywhere_", "follow from its generator alone"),
        ("torch.relu", "must fill a tensor in place"),
    ],
)
def test_what_is_no_initialisation_is_refused_before_training(path, message, own):
    with pytest.raises(ConfigError, match=message):
        check_config(members([0.1])[0], table(MISH, init=path))


def test_code_of_ones_own_must_be_allowed(own):
    with pytest.raises(ConfigError, match=r"models.own.init = .* say --allow-import own_curves"):
        check_imports(RunSettings(models={"own": table(MISH, init="own_curves.quarter_")}), ["own"])
    check_imports(RunSettings(models={"own": table(MISH, init=ORTHOGONAL)}), ["own"])
    for path, allowed in (("own_curves.bent", ["own_curves"]), ("torch.nn.functional.mish", [])):
        check_imports(RunSettings(models={"own": table(path)}), ["own"], allowed)
    for path in ("own_curves.bent", "torch.hub.load", "os.system"):
        with pytest.raises(ConfigError, match=f"say --allow-import {path.partition('.')[0]}"):
            check_imports(RunSettings(models={"own": table(path)}), ["own"])
    with pytest.raises(ConfigError, match=r"must be an import path: 'torch\.nn\.functional\.mish'"):
        check_imports(RunSettings(models={"own": table("mish")}), ["own"])
    with pytest.raises(UnknownNameError, match=r"Did you mean 'mish'\?"):
        check_imports(RunSettings(models={"own": table("mishh")}), ["own"])


@pytest.mark.parametrize(
    ("words", "problem"),
    [(("mishh",), "Did you mean 'mish'?"), (("mish", "--config", "mish.toml"), "must not be a model of the config")],
)
def test_names_are_checked_before_a_download(program: Program, tmp_path, words, problem):  # noqa: F811
    (tmp_path / "mish.toml").write_text(f"[models.mish]\nnetwork = 'fully_connected'\nactivation = '{MISH}'\n{GRID}")
    answer = program("run", "uci", "--source", "https://nowhere.invalid/uci.zip", "--activation", *words)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert problem in answer.err


def test_what_the_theory_prints_runs_as_it_stands(program: Program, tmp_path):  # noqa: F811
    answer = program("theory", "analyse", "--activation", "mish", "--toml")
    (tmp_path / "mish.toml").write_text(answer.out + "\n[training]\nn_epochs = 3\n")
    asked = answer.out.replace("gain = 1.0", 'gain = "self-normalizing"')
    asked = re.sub("^(scale|shift) = .*\n", "", asked, flags=re.MULTILINE)
    (tmp_path / "asked.toml").write_text(asked + "\n[training]\nn_epochs = 3\n")
    table = tomllib.loads(answer.out)["models"]["mish"]
    analysis = analyse("mish")
    assert (table["scale"], table["shift"]) == pytest.approx((analysis.scale, analysis.shift), rel=1e-9)
    words = ["run", "core", "--task", "iris", "--workers", "1", "--progress", "none"]
    assert "13 trainings stored" in program(*words, "--config", "mish.toml").out
    assert "0 trainings were left to do" in program(*words, "--config", "asked.toml").out


def test_activations_by_name_are_models_on_the_grid_of_snn(program: Program):  # noqa: F811
    settings = with_activations(load_config("uci"), ["mish", "torch.nn.functional.gelu", "mish"])
    assert list(settings.models)[-2:] == ["mish", "gelu"]
    assert settings.models["mish"].grid == settings.models["snn"].grid
    words = ("run", "core", "--task", "iris", "--activation", "mish", "--activation", "gelu", "--dry-run")
    assert "mish 12, gelu 12" in program(*words).out.replace(" configurations a task", "")
    assert ", mish, " in program("models", "list").out
