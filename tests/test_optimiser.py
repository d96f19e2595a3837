import numpy as np
import torch
from stacks import train_epoch
from torch import nn

from snnbench.models.layers.stacked import StackedLinear, reset
from snnbench.training.optimizer import make_optimizer


def test_momentum_is_that_of_torch_member_by_member():
    learning_rates, momentum = [0.01, 0.1, 0.5], 0.9
    network = nn.Sequential(StackedLinear(3, 5, 4, gain=1))
    reset(network, [1, 2, 3])
    network.double()
    plain = []
    for member in range(3):
        linear = nn.Linear(5, 4, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(network[0].weight[member].T)
            linear.bias.zero_()
        plain.append((linear, torch.optim.SGD(linear.parameters(), lr=learning_rates[member], momentum=momentum)))
    rng = np.random.default_rng(0)
    X, y = torch.from_numpy(rng.normal(size=(60, 5))), torch.from_numpy(rng.integers(0, 4, 60))
    stacked = make_optimizer(network, learning_rates, momentum=momentum)
    for _ in range(5):
        train_epoch(network, stacked, X, y, torch.arange(60).unsqueeze(0), 12)
        for linear, optimizer in plain:
            for rows, targets in zip(X.split(12), y.split(12), strict=True):
                optimizer.zero_grad()
                nn.functional.cross_entropy(linear(rows), targets).backward()
                optimizer.step()
    for member, (linear, _) in enumerate(plain):
        torch.testing.assert_close(network[0].weight.detach()[member], linear.weight.detach().T, rtol=0, atol=1e-12)
        torch.testing.assert_close(network[0].bias.detach()[member, 0], linear.bias.detach(), rtol=0, atol=1e-12)
