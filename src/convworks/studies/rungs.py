"""The steps of the history, a value each: how it learns from the material, and how it then answers a picture."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from convworks.detectors.answer import Answer
from convworks.events import Progress
from convworks.studies.material import Material, Scene
from convworks.training.signals import Stop

Name = Literal["rcnn", "spp", "fast", "faster", "default"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What was computed how often: crops through the body, maps of whole pictures, regions read from a map, proposals.

    Proposals are boxes from selective search or from a region network.
    """

    crops: int = 0
    maps: int = 0
    reads: int = 0
    proposals: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(**{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(Work)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long the steps that learn by gradients may: passes over the pictures, and epochs of the default."""

    passes: int
    epochs: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learned:
    """A step that has learned: `find` answers a frame, with what that took; it is timed as a whole.

    `seconds` are those of learning, `preparing` the part of them that features, maps and proposals took. With
    `proposes` the boxes of selective search are given to `find`, whose time they add to.
    """

    find: Callable[[Scene], tuple[Answer, Work]]
    seconds: float
    preparing: float
    work: Work
    proposes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a step may leave what it would not compute again, and whether someone asked to stop."""

    folder: Path
    stop: Stop


Learn = Callable[[Material, Budget, Place], Generator[Progress, None, Learned]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A step: its name for the command line, its title, the year and number of its paper, and where its `Learn` is."""

    name: Name
    title: str
    year: int
    source: str
    home: str


RUNGS: tuple[Rung, ...] = (
    Rung(
        name="rcnn",
        title="R-CNN",
        year=2013,
        source="1311.2524",
        home="convworks.studies.machines:learn_rcnn",
    ),
    Rung(
        name="spp",
        title="SPP-net",
        year=2014,
        source="1406.4729",
        home="convworks.studies.machines:learn_spp",
    ),
    Rung(
        name="fast",
        title="Fast R-CNN",
        year=2015,
        source="1504.08083",
        home="convworks.studies.nets:learn_fast",
    ),
    Rung(
        name="faster",
        title="Faster R-CNN",
        year=2015,
        source="1506.01497",
        home="convworks.studies.nets:learn_faster",
    ),
    Rung(
        name="default",
        title="The default",
        year=2022,
        source="2212.07784",
        home="convworks.studies.one_stage:learn_default",
    ),
)
"""In the order of the history."""
