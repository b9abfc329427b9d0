"""Several looks: one is none, a mirror cancels what leans, and all are laid upon the first."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from convworks.tasks.looks import LOOKS, averaged


def brightness(frames: Tensor) -> Tensor:
    """A net that tells each square of four pixels by its mean: how bright, and how dark."""
    mean = F.avg_pool2d(frames[:, :1], 4)
    return torch.cat([mean, -mean], 1)


def test_one_look_is_what_the_net_gives() -> None:
    frames = torch.randn(2, 3, 64, 96)
    assert torch.equal(averaged(brightness, frames, 1), brightness(frames))


@pytest.mark.parametrize("looks", range(2, len(LOOKS) + 1))
def test_looks_at_a_picture_that_is_the_same_everywhere_say_what_one_says(looks: int) -> None:
    frames = torch.full((1, 3, 64, 96), 0.7)
    found = averaged(brightness, frames, looks)
    torch.testing.assert_close(found, brightness(frames).log_softmax(1))


def test_what_a_net_says_of_the_left_and_of_the_right_is_evened_out() -> None:
    def leaning(frames: Tensor) -> Tensor:
        given = brightness(frames)
        given[:, 0] += torch.linspace(-3, 3, given.shape[-1])
        return given

    found = averaged(leaning, torch.zeros(1, 3, 64, 96), 2)
    torch.testing.assert_close(found, found.flip(-1))


def test_smaller_and_larger_looks_lie_where_the_first_does() -> None:
    frames = torch.zeros(1, 3, 128, 128)
    frames[..., 64:] = 4.0
    found = averaged(brightness, frames, 6)
    assert found.shape == (1, 2, 32, 32)
    bright = found[0, 0] > found[0, 1] + 0.1
    assert not bright[:, :15].any()
    assert bright[:, 17:].all()
