"""What training says while it runs: the one stream that the terminal, the page, the report and tests read.

`fit` yields events; rank 0 appends each, as one line of JSON, to the run's `events.jsonl`. An event is a frozen value
of plain numbers and strings, so that a line read back equals what was written.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Level = Literal["note", "warning", "error"]
Chooser = Literal["nothing", "tuning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFound:
    """What was read: usable images by class, sizes as (smallest, median, largest) short side, and what was set aside.

    `set_aside` holds (path, reason); `notes` are remarks in words; `copies` counts images that have a copy in the set.
    `total` is how many images there are where one may show several classes or none, 0 where each shows one.
    """

    root: str
    source: str
    task: str
    counts: Mapping[str, int]
    short_sides: tuple[int, int, int]
    set_aside: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    copies: int = 0
    total: int = 0

    @property
    def images(self) -> int:
        """How many images there are."""
        return self.total or sum(self.counts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitMade:
    """How many images learn, choose and measure, and how that was decided, in words."""

    train: int
    tuning: int
    held_out: int
    how: str
    chance: float
    majority: float
    majority_class: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeSettled:
    """The recipe as it will be run, flat ("optimiser.epochs": 12), and the reason for each choice that matters."""

    values: Mapping[str, Any]
    why: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsLoaded:
    """The net, where its weights come from and under which licence, and what was noticed about its input."""

    backbone: str
    source: str
    licence: str
    parameters: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStarted:
    """A stage begins: "features", "probe", "proposals", "finetune", "train". `epochs` is 0 where it has none."""

    stage: str
    epochs: int
    learns: int
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`done` of `total` images or steps of a stage; `remaining` in seconds, NaN while unknown. Not kept on disk."""

    stage: str
    done: int
    total: int
    remaining: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthProbed:
    """Accuracy of a linear model on what each stage of the net gives, cross-validated on the training images.

    `stages` holds (name, accuracy) from the input on; `freeze` says how many stages stay frozen and `why` in words.
    `measure` names what stands in the place of accuracy where answers are not right or wrong.
    """

    stages: tuple[tuple[str, float], ...]
    n: int
    freeze: int
    why: str
    measure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochEnded:
    """One epoch: mean losses, how many of the tuning images were right, and the time left. `best` so far or not.

    Where answers are not right or wrong, `measure` names what `value` measures ("mean IoU"), and `right` is 0.
    """

    stage: str
    epoch: int
    epochs: int
    train_loss: float
    tuning_loss: float
    right: int
    of: int
    learning_rate: float
    seconds: float
    remaining: float
    best: bool
    measure: str = ""
    value: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something the owner should know: what was seen, with the evidence in numbers and one next step.

    What an audit finds also has `why` it matters, the `count` of what is concerned, its `files` (relative to the
    data's root), `pairs` of files where one is told by the other, and the numbers and words behind it in `values`.
    """

    code: str
    level: Level
    said: str
    evidence: str = ""
    action: str = ""
    epoch: int = 0
    why: str = ""
    count: int = 0
    files: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLowered:
    """A loss or gradient that was not finite: what was in the batch, which layer, and the rate that goes on."""

    epoch: int
    step: int
    quantity: str
    layer: str
    files: tuple[str, ...]
    learning_rate: float
    retry_learning_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSaved:
    """A checkpoint is whole on disk."""

    stage: str
    epoch: int
    step: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A run goes on where it was; `note` says what was found (a damaged newest checkpoint, say)."""

    stage: str
    epoch: int
    step: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A finished candidate on the tuning images: its name ("probe", "fine-tuned"), right of n, loss; or a measure."""

    name: str
    right: int
    of: int
    loss: float
    chosen: bool
    measure: str = ""
    value: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftMeasured:
    """How far each stage of the net is from the weights that it started with, in the kept or the fine-tuned net.

    `stages` holds (name, change, similarity) from the input on: |after - before| / |before| of the weights, 0 exactly
    where the stage was frozen, and linear CKA of its pooled activations on `n` training images, NaN if undefined.
    """

    candidate: str
    stages: tuple[tuple[str, float, float], ...]
    n: int
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """The score on images that chose `chosen_on` ("nothing": honest), with its 95 % Wilson interval and baselines."""

    right: int
    of: int
    accuracy: float
    low: float
    high: float
    chance: float
    majority: float
    majority_class: str
    chosen_on: Chooser
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The score of a task whose answers are not simply right or wrong, with its 95 % interval over images.

    `measures` and `classes` hold (name, value), values in [0, 1], NaN where nothing was there to measure.
    """

    measure: str
    value: float
    low: float
    high: float
    of: int
    measures: tuple[tuple[str, float], ...]
    classes: tuple[tuple[str, float], ...]
    chosen_on: Chooser
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The run is done: where it lies, how long it took, and the files worth looking at (path, what it is)."""

    run: str
    seconds: float
    cpu_seconds: float
    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """Training was asked to stop (a signal); everything is saved, and `command` goes on from there."""

    signal: str
    command: str


Event = (
    DataFound
    | SplitMade
    | RecipeSettled
    | WeightsLoaded
    | StageStarted
    | Progress
    | DepthProbed
    | EpochEnded
    | Finding
    | RateLowered
    | CheckpointSaved
    | Resumed
    | Candidate
    | DriftMeasured
    | Scored
    | Measured
    | Finished
    | Interrupted
)

KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Event)}


@dataclass(frozen=True, slots=True)
class Line:
    """An event as it lies on disk: with the second it was said (Unix time)."""

    time: float
    event: Any


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    if value in ("nan", "inf", "-inf"):
        return float(value)
    return value


def encode(event: Event, time: float) -> str:
    """One line of JSON (RFC 8259: no bare NaN) for an event, without a line break.

    >>> encode(CheckpointSaved(stage="probe", epoch=0, step=0, path="a"), 1.5)
    '{"event": "CheckpointSaved", "time": 1.5, "stage": "probe", "epoch": 0, "step": 0, "path": "a"}'
    """
    values = {name.name: getattr(event, name.name) for name in dataclasses.fields(event)}
    return json.dumps({"event": type(event).__name__, "time": time, **_plain(values)}, ensure_ascii=False)


def decode(line: str) -> Line | None:
    """The event of one line, or None for a line cut short by a crash or written by a later version."""
    try:
        values = json.loads(line)
        kind = KINDS[values.pop("event")]
        time = float(values.pop("time"))
        return Line(time, kind(**{key: _tuples(value) for key, value in values.items()}))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
