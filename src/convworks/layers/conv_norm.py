"""Convolution, normalisation and activation as one layer, quick where its normalisation is frozen.

Batch norm (Ioffe & Szegedy 2015, section 3.1) with fixed statistics is a scale and a shift for each channel. While it
is frozen, the scale is multiplied into the filter, a few thousand numbers, instead of into every activation; gradients
still reach the filter, and the scale and shift where those learn. Where nothing learns, that is done once.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor, nn

from convworks.layers.fused import Activation, Sides, activated, convolve


class ConvNorm(nn.Module):
    """A convolution without bias, batch norm, and an activation.

    `padding` is (K - 1) / 2 all round, or for `same=True` what TensorFlow's SAME needs for the input at hand: more on
    the right and below where the total is odd. While its batch norm is in evaluation mode, which a frozen one
    always is, scale and shift are part of the convolution.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        groups: int = 1,
        activation: Activation = "relu",
        same: bool = False,
        epsilon: float = 1e-5,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, epsilon)
        self.activation: Activation = activation
        self.same = same and stride > 1
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """The activation of the normalised convolution of `x`."""
        return normalised(x, self.conv, self.norm, self.activation, self._padding(x.shape[2], x.shape[3]))

    def _padding(self, height: int, width: int) -> Sides:
        """Zeros on the left, right, top and bottom."""
        (tall, wide), (down, across) = self.conv.kernel_size, self.conv.stride
        if not self.same:
            return wide // 2, wide // 2, tall // 2, tall // 2
        rows = max((-(-height // down) - 1) * down + tall - height, 0)
        columns = max((-(-width // across) - 1) * across + wide - width, 0)
        return columns // 2, columns - columns // 2, rows // 2, rows - rows // 2


def normalised(
    x: Float[Tensor, "n c h w"],
    conv: nn.Module,
    norm: nn.Module,
    activation: Activation,
    padding: Sides | None = None,
) -> Float[Tensor, "n c2 h2 w2"]:
    """The activation of the batch norm of a Conv2d without bias, in one pass where the norm takes no statistics.

    `padding` is zeros on the left, right, top and bottom; None for half of the filter's size all round.
    """
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    tall, wide = conv.kernel_size[0] // 2, conv.kernel_size[1] // 2
    sides = (wide, wide, tall, tall) if padding is None else padding
    stride = (conv.stride[0], conv.stride[1])

    def convolved(weight: Tensor, bias: Tensor | None, kind: Activation) -> Tensor:
        return convolve(x, weight, bias, stride=stride, padding=sides, groups=conv.groups, activation=kind)

    if norm.training:
        return activated(norm(convolved(conv.weight, None, "none")), activation)
    return convolved(*_folded(conv, norm), activation)


def _folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """The filter and the shift of both together; where nothing of them learns, made once until something changes."""
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    parts = (conv.weight, norm.weight, norm.bias, mean, variance)
    if not all(map(_is_fixed, parts)):
        FOLDED.pop(norm, None)
        return _product(conv.weight, norm.weight, norm.bias, mean, variance, norm.eps)
    stands = tuple((id(one), one._version, one.data_ptr()) for one in parts)
    kept = FOLDED.get(norm)
    if kept is None or kept.stands != stands:
        with torch.inference_mode(False):
            made = _product(conv.weight, norm.weight, norm.bias, mean, variance, norm.eps)
        kept = FOLDED[norm] = _Kept(parts=parts, stands=stands, made=made)
    return kept.made


def _is_fixed(tensor: Tensor) -> bool:
    """Whether it does not learn, says when it is changed, and is no stand-in of a tracer's."""
    plain = type(tensor) in (Tensor, nn.Parameter)
    return plain and not (tensor.requires_grad or tensor.is_inference())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What was made of some tensors, which live as long, each at a version and a place in memory."""

    parts: tuple[Tensor, ...]
    stands: tuple[tuple[int, int, int], ...]
    made: tuple[Tensor, Tensor]


FOLDED: WeakKeyDictionary[nn.Module, _Kept] = WeakKeyDictionary()
"""By norm: multiplying each filter again for each picture takes a fifth of the time of a light net."""


def _product(
    weight: Tensor, gain: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, epsilon: float
) -> tuple[Tensor, Tensor]:
    scale = gain * torch.rsqrt(variance + epsilon)
    return weight * scale[:, None, None, None], bias - mean * scale
