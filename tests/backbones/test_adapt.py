"""A first layer that reads other bands: what no band tells apart gives what gray gave."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from convworks import backbones
from convworks.backbones.adapt import described, first_filters
from convworks.backbones.contract import Backbone
from convworks.errors import WeightsError


def known(tiny: Path) -> Backbone:
    """The tiny net, as if it had learned."""
    torch.manual_seed(0)
    made = backbones.create("tiny", "none")
    made.card = replace(made.card, sha256="ab" * 32)
    return made


@pytest.mark.parametrize(
    ("bands", "coloured"), [(1, False), (2, False), (3, False), (5, False), (3, True), (4, True), (13, True)]
)
def test_a_picture_that_is_the_same_in_every_band_gives_what_a_gray_one_gave(
    tiny: Path, bands: int, coloured: bool
) -> None:
    net = known(tiny)
    gray = torch.randn(2, 1, 16, 16)
    before = net(gray.repeat(1, 3, 1, 1))[-1]
    first_filters(net, bands, coloured=coloured)
    torch.testing.assert_close(net(gray.repeat(1, bands, 1, 1))[-1], before, atol=1e-5, rtol=1e-4)
    assert net.channels == bands


def test_filters_of_colours_stay_theirs_and_the_mean_reads_the_rest(tiny: Path) -> None:
    net = known(tiny)
    before = net.stages[0].conv.weight.detach().clone()
    first_filters(net, 5, coloured=True)
    after = net.stages[0].conv.weight
    torch.testing.assert_close(after[:, :3], before * 3 / 5)
    torch.testing.assert_close(after[:, 3:], before.mean(1, keepdim=True).repeat(1, 2, 1, 1) * 3 / 5)
    assert "stay theirs, their mean reads the 2 more, scaled by 3/5" in described(net, coloured=True)


def test_without_colours_every_band_starts_alike_and_that_is_said(tiny: Path) -> None:
    net = known(tiny)
    first_filters(net, 4, coloured=False)
    after = net.stages[0].conv.weight
    torch.testing.assert_close(after, after[:, :1].repeat(1, 4, 1, 1))
    assert "averaged over red, green and blue and repeated, scaled by 3/4" in described(net, coloured=False)


def test_filters_that_never_learned_differ_from_band_to_band(tiny: Path) -> None:
    net = backbones.create("tiny", "none")
    first_filters(net, 4, coloured=False)
    after = net.stages[0].conv.weight
    assert not torch.allclose(after[:, 0], after[:, 1])
    assert "from the start" in described(net, coloured=False)


def test_the_default_net_reads_five_bands() -> None:
    net = backbones.create("efficientnet-lite0", "none")
    first_filters(net, 5, coloured=True)
    assert net(torch.zeros(1, 5, 64, 64), 0, 1)[0].shape[0] == 1


def test_what_has_no_first_layer_for_colours_is_refused(tiny: Path) -> None:
    net = known(tiny)
    first_filters(net, 5, coloured=True)
    with pytest.raises(WeightsError, match="cannot be made to read images of 4 bands"):
        first_filters(net, 4, coloured=True)
