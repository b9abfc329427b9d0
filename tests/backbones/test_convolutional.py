"""A classifier turned into convolutions answers the same, and slides over larger pictures."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from convworks.arithmetic.notation import parse
from convworks.arithmetic.spec import Volume
from convworks.backbones.convolutional import as_convolutions
from convworks.errors import NetError
from convworks.layers.build import row

SIDE = 32


def written(notation: str) -> nn.Module:
    torch.manual_seed(0)
    return row(parse(notation), Volume(height=SIDE, width=SIDE, channels=3)).eval()


def vgg() -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model("vgg11", num_classes=7).eval()


@pytest.mark.parametrize(
    "notation",
    [
        "conv3-8 p1 relu pool2 conv5-16 relu pool2 fc32 relu dropout0.5 fc10",
        "conv3-8 p1 bn relu pool2 conv3-16 p1 relu gap fc10",
        "conv3-8 relu flatten fc5",
    ],
)
def test_a_classifier_of_ours_answers_the_same(notation: str) -> None:
    net = written(notation)
    turned = as_convolutions(net, (SIDE, SIDE))
    assert not any(isinstance(layer, nn.Linear) for layer in turned.modules())
    pictures = torch.randn(3, 3, SIDE, SIDE)
    with torch.no_grad():
        assert (turned(pictures).flatten(1) - net(pictures)).abs().max() < 1e-5


def test_a_vgg_of_timm_answers_the_same() -> None:
    net = vgg()
    turned = as_convolutions(net, (224, 224))
    picture = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        assert (turned(picture).flatten(1) - net(picture)).abs().max() < 1e-5


def test_on_a_larger_picture_each_answer_is_that_of_a_window() -> None:
    net = written("conv3-8 relu pool2 conv4-8 relu pool2 fc32 relu fc4")
    turned = as_convolutions(net, (SIDE, SIDE))
    picture = torch.randn(1, 3, SIDE + 8, SIDE + 12)
    with torch.no_grad():
        answers = turned(picture)
        assert answers.shape[2:] == (3, 4)
        for row_, column in ((0, 0), (1, 2), (2, 3)):
            window = picture[..., 4 * row_ : 4 * row_ + SIDE, 4 * column : 4 * column + SIDE]
            torch.testing.assert_close(answers[0, :, row_, column], net(window)[0], atol=1e-5, rtol=1e-5)


def test_a_net_that_is_no_row_is_refused() -> None:
    class Branched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.linear = nn.Conv2d(3, 2, 3), nn.Linear(2, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(self.conv(x).mean((2, 3)))

    with pytest.raises(NetError, match="linear layer reads 2 numbers"):
        as_convolutions(Branched(), (8, 8))
    with pytest.raises(NetError, match="is pooled to"):
        as_convolutions(nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 4)), (8, 8))


def test_the_mode_of_the_net_stays() -> None:
    net = written("conv3-4 relu flatten dropout0.5 fc3").train()
    turned = as_convolutions(net, (SIDE, SIDE))
    assert net.training
    assert turned.training
