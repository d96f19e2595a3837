"""Independent references: plain torch networks and a plain training loop, sharing nothing with the stacked code but numbers."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import nn


def plain_network(stacked: nn.Module, member: int, activation: Callable[[], nn.Module]) -> nn.Sequential:
    """Build the ``nn.Sequential`` of one member and give it that member's weights."""
    weights = [p.detach()[member] for name, p in stacked.named_parameters() if name.endswith("weight")]
    widths = [weights[0].shape[0], *(weight.shape[1] for weight in weights)]
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [nn.Linear(n_in, n_out), activation()]
    network = nn.Sequential(*layers[:-1]).to(weights[0].dtype)
    with torch.no_grad():
        for linear, weight in zip(network[::2], weights, strict=True):
            linear.weight.copy_(weight.T)
            linear.bias.zero_()
    return network


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


def plain_weights(network: nn.Module) -> list[torch.Tensor]:
    """Return weights (n_in, n_out) and biases (1, n_out) in the stacked order."""
    return [p.detach().T if p.dim() == 2 else p.detach().unsqueeze(0) for p in network.parameters()]
