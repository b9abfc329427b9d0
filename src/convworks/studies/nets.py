"""Fast and Faster R-CNN: heads that learn together, on maps that the frozen body gives once for each picture."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from convworks.backbones.contract import Backbone
from convworks.detectors import two_stage
from convworks.detectors.answer import Answer
from convworks.detectors.presets import PRESETS
from convworks.detectors.two_stage import Reader, System, TwoStage
from convworks.events import Progress
from convworks.regions.region_network import Limits
from convworks.studies.material import Material, Scene
from convworks.studies.rungs import Budget, Learned, Place, Work
from convworks.training.signals import Stopping

PER_STEP = 2
"""Pictures of a step, as in the papers."""
RATE, DECAY, CLIP = 1e-3, 1e-2, 10.0
SAID_EVERY = 10
"""Steps."""
SMALLEST = 4.0
"""The shortest side of a proposal of the region network, in pixels of the frame."""


class LastMap(nn.Module):
    """A body of which only the last map is read."""

    def __init__(self, body: Backbone) -> None:
        super().__init__()
        self.body = body

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        """The map."""
        return self.body(images)[-1]


class Kept(nn.Module):
    """A body whose maps were computed before: it gives those that are set, whatever the pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = torch.zeros(0)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        """The maps."""
        return self.maps


def learn_fast(material: Material, budget: Budget, place: Place) -> Generator[Progress, None, Learned]:
    """Selective search, one map, one grid for each region; class and box learn as one net."""
    return (yield from _learned(PRESETS["fast_rcnn"], material, budget, place))


def learn_faster(material: Material, budget: Budget, place: Place) -> Generator[Progress, None, Learned]:
    """The boxes come from the map as well, by a region network whose anchors have the sizes of the objects."""
    limits = Limits(before=1000, after=material.most, side=SMALLEST)
    system = replace(
        PRESETS["faster_rcnn"],
        scales=_sizes(material.learn),
        training=replace(limits, after=2 * material.most),
        testing=limits,
    )
    return (yield from _learned(system, material, budget, place))


def _sizes(scenes: Sequence[Scene]) -> tuple[float, ...]:
    """Three sizes that stand for the objects: the square roots of their areas at the 15th, 50th and 85th percent."""
    boxes = torch.cat([scene.truth.boxes for scene in scenes])
    if not len(boxes):
        return 32.0, 64.0, 128.0
    areas = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1).prod(1).sqrt().numpy()
    return tuple(float(size) for size in np.percentile(areas, (15, 50, 85)))


def _learned(
    system: System, material: Material, budget: Budget, place: Place
) -> Generator[Progress, None, Learned]:
    """The maps of every picture once, then the heads on them."""
    torch.manual_seed(budget.seed)
    searches = system.source == "selective search"
    read: list[int] = []
    counting = replace(system, read=_counted(system.read, read))
    net = TwoStage(counting, Kept(), material.body.info[-1:], len(material.classes))
    maps, given, preparing = yield from _prepared(material, place, searches)
    began = time.perf_counter()
    read.clear()
    yield from _taught(net, material, budget, place, maps, given)
    regions = sum(read)
    solving = time.perf_counter() - began
    proposals = sum(len(one) for one in given)
    net.eval()
    net.body = LastMap(material.body)

    def find(scene: Scene) -> tuple[Answer, Work]:
        boxes = material.proposals(scene)[0] if searches else torch.zeros(0, 4)
        image = material.image(scene)[None].contiguous(memory_format=torch.channels_last)
        read.clear()
        (answer,) = two_stage.answered(net, image, [boxes])
        return answer, Work(maps=1, reads=sum(read), proposals=sum(read))

    return Learned(
        find=find,
        seconds=preparing + solving,
        preparing=preparing,
        work=Work(maps=len(maps), reads=regions, proposals=proposals),
        proposes=searches,
    )


def _counted(read: Reader, counts: list[int]) -> Reader:
    """The same reader, which notes how many regions it reads."""

    def counting(maps: Tensor, boxes: Tensor, rows: Tensor, scale: float) -> Tensor:
        counts.append(len(boxes))
        return read(maps, boxes, rows, scale)

    return counting


def _prepared(
    material: Material, place: Place, searches: bool
) -> Generator[Progress, None, tuple[list[Tensor], list[Tensor], float]]:
    """The map and the proposals of each picture that teaches, and the seconds that they took."""
    maps: list[Tensor] = []
    given: list[Tensor] = []
    preparing, total = 0.0, len(material.learn)
    for number, scene in enumerate(material.learn):
        if place.stop.asked:
            raise Stopping
        boxes, proposing = material.proposals(scene) if searches else (torch.zeros(0, 4), 0.0)
        began = time.perf_counter()
        maps.append(material.map(material.image(scene)).clone())
        preparing += proposing + time.perf_counter() - began
        given.append(boxes)
        remaining = preparing / (number + 1) * (total - number - 1)
        yield Progress(stage="maps of whole pictures", done=number + 1, total=total, remaining=remaining)
    return maps, given, preparing


def _taught(
    net: TwoStage,
    material: Material,
    budget: Budget,
    place: Place,
    maps: Sequence[Tensor],
    given: Sequence[Tensor],
) -> Generator[Progress]:
    """The heads learn, over so many passes."""
    assert isinstance(net.body, Kept)
    steps = max(1, budget.passes * len(maps) // PER_STEP)
    generator = torch.Generator().manual_seed(budget.seed)
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps + 1)
    blank = torch.zeros(1).expand(PER_STEP, 3, *material.size)  # the body is kept: only the size is looked at
    order, began = list[int](), time.perf_counter()
    net.train()
    for step in range(steps):
        if place.stop.asked:
            raise Stopping
        while len(order) < PER_STEP:
            order += torch.randperm(len(maps), generator=generator).tolist()
        rows, order = order[:PER_STEP], order[PER_STEP:]
        net.body.maps = torch.stack([maps[row] for row in rows])
        truths = [material.learn[row].truth for row in rows]
        parts = two_stage.loss(net, blank, truths, [given[row] for row in rows], generator)
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()
        nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        optimiser.step()
        schedule.step()
        if (step + 1) % SAID_EVERY == 0 or step + 1 == steps:
            pace = (time.perf_counter() - began) / (step + 1)
            yield Progress(
                stage="steps of the heads", done=step + 1, total=steps, remaining=pace * (steps - step - 1)
            )
