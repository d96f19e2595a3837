"""Independent references: plain torch networks and a plain training loop, sharing nothing with the stacked code but numbers."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from snnbench.models.networks.fully_connected import hidden_widths
from snnbench.records import Config


class PlainHighwayLayer(nn.Module):
    """Srivastava et al. 2015, equation 3."""

    def __init__(self, n_units: int) -> None:
        super().__init__()
        self.transform, self.gate = nn.Linear(n_units, n_units), nn.Linear(n_units, n_units)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        gate = torch.sigmoid(self.gate(x))
        return gate * torch.relu(self.transform(x)) + (1 - gate) * x


class PlainBlock(nn.Module):
    """He et al. 2016, figure 2, with batch normalisation after every layer."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        layers = [module for shape in pairwise(widths) for module in (*_batchnorm_layer(*shape), nn.ReLU())]
        self.residual = nn.Sequential(*layers[:-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return torch.relu(x + self.residual(x))


def _batchnorm_layer(n_in: int, n_out: int) -> list[nn.Module]:
    return [nn.Linear(n_in, n_out, bias=False), nn.BatchNorm1d(n_out, eps=1e-3, momentum=0.1)]


def _weightnorm_layer(n_in: int, n_out: int) -> nn.Module:
    return parametrizations.weight_norm(nn.Linear(n_in, n_out), dim=0)


HIDDEN: dict[str, Callable[[int, int], list[nn.Module]]] = {
    "snn": lambda n_in, n_out: [nn.Linear(n_in, n_out), nn.SELU(inplace=True)],
    "msrainit": lambda n_in, n_out: [nn.Linear(n_in, n_out), nn.ReLU()],
    "batchnorm": lambda n_in, n_out: [*_batchnorm_layer(n_in, n_out), nn.ReLU()],
    "layernorm": lambda n_in, n_out: [nn.Linear(n_in, n_out, bias=False), nn.LayerNorm(n_out), nn.ReLU()],
    "weightnorm": lambda n_in, n_out: [_weightnorm_layer(n_in, n_out), nn.ReLU()],
}
"""A hidden layer of each fully connected network."""

REFERENCES = (*HIDDEN, "highway", "resnet")
"""The networks that have an ordinary one here; a new network may join, and is then held to it step by step."""


def plain_network(config: Config, n_features: int, n_outputs: int) -> nn.Sequential:
    """Build the ordinary network of a configuration (dropout left out)."""
    values, model = dict(config.values), config.model
    if model == "highway":
        width = int(values.get("n_units", 0)) or n_features
        first = [nn.Linear(n_features, width), nn.ReLU()] if values.get("n_units") else []
        layers = [PlainHighwayLayer(width) for _ in range(int(values["n_layers"]))]
        return nn.Sequential(*first, *layers, nn.Linear(width, n_outputs))
    if model == "resnet":
        width = int(values["n_units"])
        inner = [round(float(values["bottleneck"]) * width)] * 2 if values["form"] == "diavolo" else [width]
        blocks = [PlainBlock([width, *inner, width]) for _ in range(int(values["n_blocks"]))]
        return nn.Sequential(*_batchnorm_layer(n_features, width), nn.ReLU(), *blocks, nn.Linear(width, n_outputs))
    widths = [n_features, *hidden_widths(config, n_outputs)]
    hidden = [module for shape in pairwise(widths) for module in HIDDEN[model](*shape)]
    last = _weightnorm_layer if model == "weightnorm" else nn.Linear
    return nn.Sequential(*hidden, last(widths[-1], n_outputs))


def plain_member(stacked: nn.Module, member: int, config: Config, n_features: int, n_outputs: int) -> nn.Sequential:
    """Build the ordinary network of one member and give it that member's weights."""
    network = plain_network(config, n_features, n_outputs).to(next(stacked.parameters()).dtype)
    with torch.no_grad():
        for parameter, parts in zip(stacked.parameters(), _parameters(network), strict=True):
            for part, values in zip(parts, parameter[member].split([part.shape[1] for part in parts], dim=1), strict=True):
                part.copy_(values)
    return network


def plain_weights(network: nn.Module) -> list[torch.Tensor]:
    """Return the weights in the order and shapes of a member of the stacked network."""
    return [torch.cat([part.detach() for part in parts], dim=1) for parts in _parameters(network)]


def plain_statistics(network: nn.Module) -> list[torch.Tensor]:
    """Return the running statistics in the order and shapes of a member of the stacked network."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm1d)]
    return [values.unsqueeze(0) for norm in norms for values in (norm.running_mean, norm.running_var)]


def _parameters(network: nn.Module) -> Iterator[list[torch.Tensor]]:
    """Yield, for every stacked parameter, the matrices or rows of the ordinary network that it consists of."""
    for module in network.children():
        if isinstance(module, PlainHighwayLayer):
            yield [module.transform.weight.T, module.gate.weight.T]
            yield [module.transform.bias.unsqueeze(0), module.gate.bias.unsqueeze(0)]
        elif parametrize.is_parametrized(module):
            yield [module.parametrizations.weight.original1.T]
            yield [module.parametrizations.weight.original0.T]
            yield [module.bias.unsqueeze(0)]
        elif list(module.children()):
            yield from _parameters(module)
        else:
            yield from ([p.T if p.dim() == 2 else p.unsqueeze(0)] for p in module.parameters())


def train_plainly(
    network: nn.Module, batches: Sequence[tuple[torch.Tensor, torch.Tensor]], learning_rate: float
) -> list[float]:
    """Take one step of torch's own SGD for each batch; return the losses."""
    optimizer = torch.optim.SGD(network.parameters(), lr=learning_rate)
    losses = []
    for X, y in batches:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(X), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def train_multilabel_plainly(
    network: nn.Module, batches: Sequence[tuple[torch.Tensor, torch.Tensor]], learning_rate: float, l2: float = 0.0
) -> list[float]:
    """As ``train_plainly`` for labels with NaN = not measured: torch's own loss on the measured ones, its own weight decay."""
    decayed, others = [], []
    for name, parameter in network.named_parameters():
        # original0 is the gain of torch's weight normalisation, the length of the weights.
        is_weight = name.endswith("original0") or (parameter.dim() == 2 and not name.endswith("original1"))
        (decayed if is_weight else others).append(parameter)
    groups = [{"params": decayed, "weight_decay": l2}, {"params": others}]
    optimizer = torch.optim.SGD(groups, lr=learning_rate)
    losses = []
    for X, y in batches:
        optimizer.zero_grad()
        measured = ~y.isnan()
        loss = nn.functional.binary_cross_entropy_with_logits(network(X)[measured], y[measured])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
