"""What a ladder is climbed with: how many pictures there is time for, by what a few of them cost on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from convworks.detectors import rcnn
from convworks.model import Model
from convworks.studies.machines import CONTEXT, SIDE
from convworks.studies.material import body_of, last_map, scene, searched
from convworks.studies.rows import Settled
from convworks.training.prepare import Prepared

PROPOSALS = 200
"""Boxes of selective search that are looked at in a picture: the papers take 2,000, on another machine."""
LOOKING, LEARNING = 0.6, 0.25
"""Parts of the time: for what is computed for each proposal or picture, and for the epochs of the default."""
FEWEST, PASSES, EPOCHS = 12, 8, (12, 40)
"""Pictures that teach, at least; passes of the heads over them; epochs of the default, at least and at most."""
FRAME = 2.5
"""What a frame costs in an epoch of the default, as against a pass of the body over it."""


def settled(prepared: Prepared, made: Model, minutes: float, threads: int) -> Settled:
    """How many pictures there is time for, by what a few of them cost here."""
    body = last_map(whole := body_of(made.net.backbone))
    first = scene(prepared, made, int(prepared.learn[0]))
    image = torch.from_numpy(made.preprocessing.normalise(first.frame).copy())
    searching, boxes = timed(lambda: searched(first.frame, PROPOSALS))
    with torch.inference_mode():
        mapping, _ = timed(lambda: body(image[None].contiguous(memory_format=torch.channels_last)))
    some = torch.from_numpy(boxes[: rcnn.AT_ONCE])
    cropping, _ = timed(lambda: rcnn.cropped(body, image, some, side=SIDE, context=CONTEXT))
    crop = cropping / max(len(some), 1)
    # Maps are computed for three steps; a region is cut out once, and read from maps in three of them.
    picture = searching + 3 * mapping + 2 * PROPOSALS * crop
    room = int(60 * minutes * LOOKING / picture)
    measure = min(len(prepared.measure), max(FEWEST, room // 3))
    learn = min(len(prepared.learn), max(FEWEST, room - measure))
    height, width = made.preprocessing.seen
    return Settled(
        learn=learn,
        tune=min(len(prepared.tune), max(FEWEST // 2, learn // 6)),
        measure=measure,
        height=height,
        width=width,
        proposals=PROPOSALS,
        passes=PASSES,
        epochs=max(EPOCHS[0], min(EPOCHS[1], int(60 * minutes * LEARNING / (learn * FRAME * mapping)))),
        backbone=made.net.backbone.name,
        stride=whole.info[-1].stride,
        threads=threads,
    )


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """The seconds of the second time, and what it gave."""
    work()
    began = time.perf_counter()
    given = work()
    return time.perf_counter() - began, given


def spread(rows: Sequence[int], count: int) -> list[int]:
    """`count` of the rows, evenly over all of them.

    >>> spread([3, 4, 5, 6, 7], 3)
    [3, 5, 7]
    """
    if count >= len(rows) or count < 2:
        return list(rows[:count])
    return [rows[round(place * (len(rows) - 1) / (count - 1))] for place in range(count)]
