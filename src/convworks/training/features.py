"""What is frozen is computed once: features of every picture, kept for everything that is learned from them."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from convworks.backbones.contract import Backbone
from convworks.events import Progress
from convworks.geometry.boxes import Size
from convworks.training.feed import LiveFeed
from convworks.training.signals import Stop, Stopping
from convworks.training.team import Team

PART = 16  # pictures computed at once: activations of so few stay in the cache of a processor

Compute = Callable[[Tensor], list[Tensor]]


def pooled(backbone: Backbone, *, last: bool = False) -> Compute:
    """Every stage's output, or only the last one's, averaged over its positions."""

    def compute(x: Tensor) -> list[Tensor]:
        found: list[Tensor] = []
        for stage in backbone.stages:
            x = stage(x)
            found.append(x.float().mean((2, 3)))
        return found[-1:] if last else found

    return compute


def upto(backbone: Backbone, cut: int) -> Compute:
    """The output of stage `cut - 1`, which is the input of the first stage that learns."""

    def compute(x: Tensor) -> list[Tensor]:
        for stage in list(backbone.stages)[:cut]:
            x = stage(x)
        return [x]

    return compute


def computed(
    compute: Compute,
    feed: LiveFeed,
    team: Team,
    precision: torch.dtype,
    *,
    stage: str,
    done: int = 0,
    total: int = 0,
    stop: Stop | None = None,
) -> Generator[Progress, None, list[Tensor]]:
    """What `compute` gives for every picture of `feed`, one tensor (n, ...) for each of its outputs, on the CPU.

    The pictures are shared over the team, which goes through them in step; every process gets all rows. `done` of
    `total` were computed before. Raises Stopping where `stop` is asked for in any process.
    """
    n = len(feed.rows)
    everything = in_turn(n)
    mine = [everything[place] for place in team.share(len(everything))]
    kept: list[list[Tensor]] = []
    began, whole = time.monotonic(), total or n
    with torch.inference_mode():
        stream = feed.batches(mine, 0)
        for number in range(-(-len(everything) // team.size)):
            if team.any(stop is not None and stop.asked):
                raise Stopping
            batch = next(stream, None)
            if batch is None:
                continue
            with torch.autocast(team.device.type, precision, enabled=precision != torch.float32):
                found = compute(batch.images.to(team.device))
            kept.append([value.cpu() for value in found])
            so_far = min((number + 1) * PART * team.size, n)
            pace = (time.monotonic() - began) / so_far
            yield Progress(
                stage=stage, done=done + so_far, total=whole, remaining=pace * (whole - done - so_far)
            )
    places = [int(row) for part in mine for row in part]
    columns = (
        [torch.cat(values) for values in zip(*kept, strict=True)] if kept else _nothing(compute, feed, team)
    )
    return [team.rows(column, places, n).clone() for column in columns]


def _nothing(compute: Compute, feed: LiveFeed, team: Team) -> list[Tensor]:
    """Columns of no rows, for a process that had no picture of its own."""
    size = feed.preprocessing.seen
    with torch.inference_mode():
        return [
            value[:0].cpu()
            for value in compute(torch.zeros(1, feed.preprocessing.channels, *size, device=team.device))
        ]


def bytes_of(backbone: Backbone, cut: int, size: Size, device: torch.device) -> int:
    """What the kept features of one picture take, in bytes."""
    with torch.inference_mode():
        (value,) = upto(backbone, cut)(torch.zeros(1, backbone.channels, *size, device=device))
    return value.numel() * value.element_size()


def in_turn(n: int) -> list[Int[np.ndarray, "m"]]:
    """The positions 0 to n - 1, `PART` at a time: how pictures go through a net that does not learn."""
    return [np.arange(start, min(start + PART, n)) for start in range(0, n, PART)]


def parts_of(order: Int[np.ndarray, "n"], size: int) -> Iterator[Int[np.ndarray, "m"]]:
    """An order cut into as few parts as `size` allows, whose sizes differ by one at most.

    A last part of one image would be a step by that image alone, and a batch norm over it.
    """
    if len(order):
        yield from np.array_split(order, -(-len(order) // size))
