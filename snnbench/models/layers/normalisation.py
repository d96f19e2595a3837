"""The layers of the normalised networks. Each states its derivative by hand, see ``snnbench.models.layers.manual_backward``.

Every sum runs over the rows or the units of one member, by kernels that give the same bits whatever the stack's size.
"""

from collections.abc import Sequence

import torch
from torch import nn

from snnbench.models.layers.manual_backward import manual_backward, manual_forward
from snnbench.models.layers.precision import add_product, product
from snnbench.models.layers.stacked import Gradients, draw_weights


class StackedBatchNorm(nn.Module):
    """Batch normalisation (Ioffe & Szegedy 2015, algorithms 1 and 2).

    ``y = gain * (x - mean) / sqrt(variance + eps) + bias`` for every unit, with gain 1 and bias 0 at first. In training, mean
    and (biased) variance are those of the batch; in evaluation they are the running means of the batches' mean and unbiased
    variance, updated as ``running = decay * running + (1 - decay) * new`` from mean 0 and variance 1, as in torch.

    A batch of one row has no variance. It occurs as the last batch of an epoch, so it is not refused as torch does: it is
    normalised with the running statistics, as a constant, and does not update them.

    Shape:
        (n_stack, n_batch, n_units), unchanged. ``row_share`` (n_stack, n_batch, 1) is the share of each row in the means of its
        member's batch, for batches with padding: 0 there and the same for every real row.
    """

    def __init__(self, n_stack: int, n_units: int, decay: float, eps: float) -> None:
        super().__init__()
        self.decay, self.eps = decay, eps
        self.row_share: torch.Tensor | None = None
        self.gain = nn.Parameter(torch.ones(n_stack, 1, n_units))
        self.bias = nn.Parameter(torch.zeros(n_stack, 1, n_units))
        self.running_mean: torch.Tensor
        self.running_variance: torch.Tensor
        self.register_buffer("running_mean", torch.zeros(n_stack, 1, n_units))
        self.register_buffer("running_variance", torch.ones(n_stack, 1, n_units))

    @torch.no_grad()
    def reset(self, seeds: Sequence[int]) -> None:
        """Forget everything learned and every batch seen; draws nothing."""
        for ones in (self.gain, self.running_variance):
            ones.fill_(1)
        for zeros in (self.bias, self.running_mean):
            zeros.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return manual_forward(self, x)

    def backward(self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> Gradients:
        return manual_backward(self, gradient)

    def compute(self, x: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        if self.training and self.row_share is not None:
            return self._compute_padded(x, self.row_share)
        n_batch = x.shape[1]
        of_batch = self.training and n_batch > 1
        mean = x.mean(dim=1, keepdim=True) if of_batch else self.running_mean
        centred = x - mean
        # Not torch.var, which is 40 times slower here.
        variance = centred.square().mean(dim=1, keepdim=True) if of_batch else self.running_variance
        if of_batch:
            self.running_mean.mul_(self.decay).add_(mean, alpha=1 - self.decay)
            self.running_variance.mul_(self.decay).add_(variance, alpha=(1 - self.decay) * n_batch / (n_batch - 1))
        reciprocal = (variance + self.eps).rsqrt_()
        share = x.new_full((), 1 / n_batch if of_batch else 0)  # of a row in its own mean and variance
        return torch.addcmul(self.bias, centred, reciprocal * self.gain), (centred, reciprocal, share)

    def _compute_padded(self, x: torch.Tensor, share: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """As ``compute`` in training, where members have batches of different sizes, or none."""
        largest = share.amax(dim=1, keepdim=True)
        of_batch = (largest > 0) & (largest < 1)
        mean = torch.where(of_batch, (x * share).sum(dim=1, keepdim=True), self.running_mean)
        centred = x - mean
        variance = torch.where(of_batch, (centred.square() * share).sum(dim=1, keepdim=True), self.running_variance)
        weight = of_batch.to(x.dtype).mul_(1 - self.decay)
        self.running_mean.lerp_(mean, weight)
        unbiased = torch.where(of_batch, variance / (1 - largest), variance)  # 1 / (1 - 1/n) = n / (n - 1)
        self.running_variance.lerp_(unbiased, weight)
        reciprocal = (variance + self.eps).rsqrt_()
        return torch.addcmul(self.bias, centred, reciprocal * self.gain), (centred, reciprocal, share * of_batch)

    def derive(self, gradient: torch.Tensor, *saved: torch.Tensor) -> Gradients:
        centred, reciprocal, share = saved
        of_bias = gradient.sum(dim=1, keepdim=True)
        of_gain = (gradient * centred).sum(dim=1, keepdim=True) * reciprocal
        scale = reciprocal * self.gain
        if share.dim():  # of a padded batch: rows differ in their share
            of_x = torch.addcmul(scale * of_bias, centred, scale * of_gain * reciprocal).mul_(-share).addcmul_(gradient, scale)
            return of_x, (of_gain, of_bias)
        shared = scale * -share
        of_x = torch.addcmul(shared * of_bias, centred, shared * of_gain * reciprocal).addcmul_(gradient, scale)
        return of_x, (of_gain, of_bias)


class StackedLayerNorm(nn.Module):
    """Layer normalisation (Ba, Kiros & Hinton 2016, equations 3 and 4).

    ``y = gain * (x - mean) / sqrt(variance + eps) + bias``, with mean and (biased) variance over the units of a row, gain 1 and
    bias 0 at first. The paper's equation has no eps; 1e-5 is torch's.

    Shape:
        (n_stack, n_batch, n_units), unchanged. ``is_unit`` (n_stack, 1, n_units) is 0 in the padding of a padded stack.
    """

    eps = 1e-5

    def __init__(self, n_stack: int, n_units: int) -> None:
        super().__init__()
        self.is_unit: torch.Tensor | None
        self.register_buffer("is_unit", None, persistent=False)
        self.gain = nn.Parameter(torch.ones(n_stack, 1, n_units))
        self.bias = nn.Parameter(torch.zeros(n_stack, 1, n_units))

    @torch.no_grad()
    def reset(self, seeds: Sequence[int]) -> None:
        """Forget everything learned; draws nothing."""
        self.gain.fill_(1)
        self.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return manual_forward(self, x)

    def backward(self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> Gradients:
        return manual_backward(self, gradient)

    def compute(self, x: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        if self.is_unit is None:
            normal, mean, reciprocal = torch.native_layer_norm(x, x.shape[-1:], None, None, self.eps)
            return torch.addcmul(self.bias, normal, self.gain), (x, normal, mean, reciprocal)
        n_units = self.is_unit.sum(dim=-1, keepdim=True)
        mean = x.sum(dim=-1, keepdim=True) / n_units  # the padding holds zeros
        centred = (x - mean) * self.is_unit
        reciprocal = (centred.square().sum(dim=-1, keepdim=True) / n_units + self.eps).rsqrt_()
        normal = centred * reciprocal
        return torch.addcmul(self.bias, normal, self.gain), (x, normal, mean, reciprocal)

    def derive(self, gradient: torch.Tensor, *saved: torch.Tensor) -> Gradients:
        x, normal, mean, reciprocal = saved
        of_bias = gradient.sum(dim=1, keepdim=True)
        of_gain = (gradient * normal).sum(dim=1, keepdim=True)
        of_normal = gradient * self.gain
        if self.is_unit is not None:
            n_units = self.is_unit.sum(dim=-1, keepdim=True)
            of_mean = of_normal.sum(dim=-1, keepdim=True) / n_units
            along = (of_normal * normal).sum(dim=-1, keepdim=True) / n_units
            return (of_normal - of_mean - normal * along) * reciprocal * self.is_unit, (of_gain, of_bias)
        of_x, _, _ = torch.ops.aten.native_layer_norm_backward(
            of_normal, x, x.shape[-1:], mean, reciprocal, None, None, [True, False, False]
        )
        return of_x, (of_gain, of_bias)


class StackedWeightNormLinear(nn.Module):
    """``x @ weight + bias`` with ``weight = gain * direction / |direction|`` for every output unit.

    Weight normalisation (Salimans & Kingma 2016, equation 2; gradients: equation 3). The directions are drawn as the weights of
    ``StackedLinear`` and the gains start as their norms, so that the initial function is that of the ordinary layer, as in
    ``torch.nn.utils.parametrizations.weight_norm``; the data-dependent initialisation of the paper's section 3 is not used.
    ``is_first`` is that of ``StackedLinear``.

    An L2 penalty of the weights is one of the gains, since the weights of an output unit are as long as its gain; of the
    directions it would do nothing but shorten them, which no output shows.

    Shape:
        input (n_stack, n_batch, n_in), output (n_stack, n_batch, n_out).
    """

    penalised = ("gain",)

    def __init__(self, n_stack: int, n_in: int, n_out: int, variance: float) -> None:
        super().__init__()
        self.variance, self.is_first = variance, False
        self.direction = nn.Parameter(torch.empty(n_stack, n_in, n_out))
        self.gain = nn.Parameter(torch.ones(n_stack, 1, n_out))
        self.bias = nn.Parameter(torch.zeros(n_stack, 1, n_out))

    @torch.no_grad()
    def reset(self, seeds: Sequence[int]) -> None:
        """Draw each member's directions from its seed; set the gains to their norms and the biases to zero."""
        draw_weights(self.direction, seeds, self.variance)
        self.gain.copy_(self._norms())
        self.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return manual_forward(self, x)

    def backward(self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> Gradients:
        return manual_backward(self, gradient)

    def compute(self, x: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        norms = self._norms()
        weight = self.direction * (self.gain / norms)
        return add_product(self.bias, x, weight), (x, weight, norms)

    def derive(self, gradient: torch.Tensor, *saved: torch.Tensor) -> Gradients:
        x, weight, norms = saved
        of_weight = product(x.mT, gradient)
        of_gain = (of_weight * self.direction).sum(dim=1, keepdim=True) / norms
        along = self.direction * (of_gain / norms)
        of_direction = of_weight.sub_(along).mul_(self.gain / norms)
        of_x = gradient if self.is_first else product(gradient, weight.mT)
        return of_x, (of_direction, of_gain, gradient.sum(dim=1, keepdim=True))

    def _norms(self) -> torch.Tensor:
        """Return the length of each output unit's direction, (n_stack, 1, n_out); not zero, not even in padding."""
        return self.direction.square().sum(dim=1, keepdim=True).sqrt_().clamp_min_(torch.finfo(self.direction.dtype).tiny)
