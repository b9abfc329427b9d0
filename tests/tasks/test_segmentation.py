"""The default for outlines: where its maps lie, and what it makes of sets that are unlike one another."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from convworks.backbones.contract import Stage
from convworks.tasks.segmentation import PyramidDecoder


def ramps(info: list[Stage], height: int, width: int) -> list[Tensor]:
    """Maps that say, in their first two channels, where the middle of each cell lies in the picture."""
    made: list[Tensor] = []
    for stage in info:
        middle = stage.stride / 2 if stage.centre is None else stage.centre
        y = middle + stage.stride * torch.arange(height // stage.stride)
        x = middle + stage.stride * torch.arange(width // stage.stride)
        rows, columns = y[:, None].expand(-1, len(x)), x[None].expand(len(y), -1)
        made.append(torch.stack([rows, columns]).float()[None])
    return made


@pytest.mark.parametrize("late", [0.0, 0.5])
def test_every_map_says_its_places_in_the_picture_and_so_do_the_logits(late: float) -> None:
    strides = (4, 8, 16, 32)
    info = [Stage(name=str(s), channels=2, stride=s, centre=(s - 0.5 if late else s / 2)) for s in strides]
    decoder = PyramidDecoder(info, 2, 0.0).eval()
    with torch.no_grad():
        for lateral in decoder.lateral:
            lateral.weight.zero_()  # type: ignore[operator]
            lateral.weight[:2, :, 0, 0] = torch.eye(2)  # type: ignore[index]
        decoder.smooth = torch.nn.Sequential()
        decoder.classify.weight.zero_()
        decoder.classify.weight[:, :2, 0, 0] = torch.eye(2) / len(strides)
        decoder.classify.bias.zero_()  # type: ignore[union-attr]
        [found] = decoder(ramps(info, 128, 192))
    inner = slice(12, -12)  # beyond the coarsest map its border goes on
    rows = 4 * torch.arange(32) + 2.0
    columns = 4 * torch.arange(48) + 2.0
    torch.testing.assert_close(found[0, inner, 0], rows[inner], rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(found[1, 16, inner], columns[inner], rtol=1e-4, atol=1e-3)
