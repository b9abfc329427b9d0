"""Convolution, norm and activation as one layer give what the three give one after the other."""

from __future__ import annotations

import copy

import pytest
import torch
from timm.layers.padding import pad_same
from torch import Tensor, nn
from torch.nn import functional as F

from convworks.layers.conv_norm import ConvNorm

ACTIVATIONS = {"none": lambda x: x, "relu": F.relu, "relu6": F.relu6}
KINDS = [
    {"kernel": 1, "activation": "relu6"},
    {"kernel": 3, "activation": "relu"},
    {"kernel": 3, "stride": 2, "same": True, "activation": "relu6"},
    {"kernel": 5, "stride": 2, "same": True, "groups": 6, "activation": "relu6"},
    {"kernel": 5, "groups": 6, "activation": "none"},
    {"kernel": 3, "groups": 2, "activation": "relu"},
]


def layer_of(kind: dict[str, object]) -> ConvNorm:
    """A layer with statistics, scale and shift that are not the trivial ones."""
    torch.manual_seed(1)
    layer = ConvNorm(6, 6, **kind)  # type: ignore[arg-type]
    norm = layer.norm
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.3, 2)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.normal_(norm.bias)
    return layer


def plain(layer: ConvNorm, x: Tensor) -> Tensor:
    """The three parts one after the other, by torch's own modules."""
    conv = layer.conv
    if layer.same:
        x = pad_same(x, list(conv.kernel_size), list(conv.stride))
        y = F.conv2d(x, conv.weight, None, conv.stride, 0, 1, conv.groups)
    else:
        y = F.conv2d(x, conv.weight, None, conv.stride, conv.padding, 1, conv.groups)
    return ACTIVATIONS[layer.activation](layer.norm(y))


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("training", [True, False], ids=["live", "frozen"])
@pytest.mark.parametrize("size", [(12, 12), (11, 14)])
def test_values_and_gradients_are_those_of_the_three_parts(
    kind: dict[str, object], training: bool, size: tuple[int, int]
) -> None:
    ours = layer_of(kind).train(training)
    theirs = copy.deepcopy(ours)
    x = torch.randn(3, 6, *size, generator=torch.Generator().manual_seed(2))
    given, also = x.clone().requires_grad_(), x.clone().requires_grad_()
    mine, reference = ours(given), plain(theirs, also)
    torch.testing.assert_close(mine, reference, rtol=1e-4, atol=1e-5)
    direction = torch.randn(mine.shape, generator=torch.Generator().manual_seed(3))
    mine.backward(direction)
    reference.backward(direction)
    torch.testing.assert_close(given.grad, also.grad, rtol=1e-4, atol=1e-4)
    for (name, one), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-4, msg=name)
    for one, other in zip(ours.buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(one, other)


def test_frozen_statistics_do_not_move() -> None:
    layer = layer_of(KINDS[1]).eval()
    before = [value.clone() for value in layer.buffers()]
    layer(torch.randn(2, 6, 8, 8)).sum().backward()
    assert all(torch.equal(old, now) for old, now in zip(before, layer.buffers(), strict=True))


@pytest.mark.parametrize("size", [7, 8, 9, 15])
@pytest.mark.parametrize("kernel", [3, 5])
def test_same_padding_gives_the_size_over_the_stride(kernel: int, size: int) -> None:
    layer = ConvNorm(3, 4, kernel, stride=2, same=True).eval()
    assert layer(torch.zeros(1, 3, size, size)).shape[2:] == (-(-size // 2),) * 2


def test_what_was_multiplied_once_is_multiplied_anew_when_anything_changes() -> None:
    layer = layer_of(KINDS[1]).eval().requires_grad_(False)
    x = torch.randn(2, 6, 7, 7)
    changes = [
        lambda: layer.conv.weight.mul_(2),
        lambda: layer.norm.bias.add_(1),
        lambda: layer.norm.running_var.add_(1),  # type: ignore[union-attr]
        lambda: layer.load_state_dict(layer_of(KINDS[1]).state_dict()),
        lambda: layer.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
    ]
    with torch.no_grad():
        torch.testing.assert_close(layer(x), plain(layer, x))
        for change in changes:
            change()
            torch.testing.assert_close(layer(x), plain(layer, x), atol=1e-5, rtol=1e-5)
        other = {name: value * 1.5 for name, value in layer.named_parameters()}
        given = torch.func.functional_call(layer, other, (x,))
        assert not torch.allclose(given, layer(x))
        torch.testing.assert_close(layer(x), plain(layer, x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("fused", [True, False])
def test_what_was_multiplied_is_forgotten_where_it_learns(fused: bool) -> None:
    layer = layer_of(KINDS[1]).eval().requires_grad_(False)
    x = torch.randn(2, 6, 7, 7)
    with torch.inference_mode():
        layer(x)
    optimiser = torch.optim.AdamW(layer.requires_grad_(True).parameters(), lr=0.1, fused=fused)
    layer(x).sum().backward()
    optimiser.step()
    layer.requires_grad_(False)
    with torch.inference_mode():
        torch.testing.assert_close(layer(x), plain(layer, x), atol=1e-5, rtol=1e-5)
    layer(x.requires_grad_()).sum().backward()
    assert x.grad is not None, "what was made for predicting can be looked through"
