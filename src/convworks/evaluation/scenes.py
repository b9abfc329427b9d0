"""What an evaluation measured where answers have a place in the picture: evidence image by image, summed up."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from convworks.evaluation.uncertainty import flatters, middle
from convworks.events import Chooser, Measured

KIND = "scenes"  # as against an evaluation of image classes
DRAWS = 200  # of images with replacement, for the interval


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SceneEvaluation:
    """The evidence of `n` annotated images, and the measures that it adds up to.

    `paths` (n) are relative to `root`; `evidence` (n) are arrays by name, as the task's `observe` gives them;
    `measures` and `per_class` are in [0, 1], the measure that counts first; `low` and `high` are its 95 % interval by
    bootstrap over images, `intervals` those of each class. `chosen_on` says whether these images chose anything of
    the model.
    """

    task: str
    root: str
    classes: tuple[str, ...]
    paths: tuple[str, ...]
    evidence: tuple[Mapping[str, np.ndarray], ...]
    measures: Mapping[str, float]
    per_class: Mapping[str, float]
    low: float
    high: float
    chosen_on: Chooser
    seconds: float = 0.0
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @staticmethod
    def of(
        task: Any,
        *,
        root: str,
        classes: Sequence[str],
        found: Sequence[tuple[str, Mapping[str, np.ndarray]]],
        chosen_on: Chooser,
        seconds: float,
    ) -> SceneEvaluation:
        """The evaluation that (path, evidence) pairs add up to; `task` is a Task with `scenes`."""
        paths, evidence = tuple(path for path, _ in found), tuple(one for _, one in found)
        whole = task.scenes.summarise(evidence, classes)
        chosen = np.random.default_rng(0)
        drawn = (
            [
                task.scenes.summarise([evidence[row] for row in rows], classes)
                for rows in chosen.integers(0, len(evidence), (DRAWS, len(evidence))).tolist()
            ]
            if evidence
            else []
        )
        low, high = middle([one.value for one in drawn])
        return SceneEvaluation(
            task=task.name,
            root=root,
            classes=tuple(classes),
            paths=paths,
            evidence=evidence,
            measures=whole.measures,
            per_class=whole.classes,
            low=low,
            high=high,
            chosen_on=chosen_on,
            seconds=seconds,
            intervals={name: middle([one.classes[name] for one in drawn]) for name in whole.classes},
        )

    @property
    def n(self) -> int:
        """How many images were answered."""
        return len(self.paths)

    @property
    def measure(self) -> str:
        """The name of the measure that counts."""
        return next(iter(self.measures))

    @property
    def value(self) -> float:
        """Its value."""
        return self.measures[self.measure]

    def measured(self) -> Measured:
        """The score as an event."""
        return Measured(
            measure=self.measure,
            value=self.value,
            low=self.low,
            high=self.high,
            of=self.n,
            measures=tuple(self.measures.items()),
            classes=tuple(self.per_class.items()),
            chosen_on=self.chosen_on,
            said=flatters(self.chosen_on),
        )

    def to_json(self) -> str:
        """All of it as JSON, "kind" among the first; `from_json` reads it back."""
        return json.dumps(
            {
                "task": self.task,
                "kind": KIND,
                "root": self.root,
                "classes": list(self.classes),
                "paths": list(self.paths),
                "evidence": [
                    {
                        name: [str(array.dtype), list(array.shape), _numbers(array)]
                        for name, array in one.items()
                    }
                    for one in self.evidence
                ],
                "measures": {name: _plain(value) for name, value in self.measures.items()},
                "per_class": {name: _plain(value) for name, value in self.per_class.items()},
                "interval": [_plain(self.low), _plain(self.high)],
                "intervals": {name: [_plain(end) for end in ends] for name, ends in self.intervals.items()},
                "chosen_on": self.chosen_on,
                "seconds": self.seconds,
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> SceneEvaluation:
        """The evaluation that `to_json` wrote."""
        values = json.loads(text)
        low, high = map(_float, values["interval"])
        return cls(
            task=values["task"],
            root=values["root"],
            classes=tuple(values["classes"]),
            paths=tuple(values["paths"]),
            evidence=tuple(
                {name: _array(kind, shape, numbers) for name, (kind, shape, numbers) in one.items()}
                for one in values["evidence"]
            ),
            measures={name: _float(value) for name, value in values["measures"].items()},
            per_class={name: _float(value) for name, value in values["per_class"].items()},
            low=low,
            high=high,
            chosen_on=values["chosen_on"],
            seconds=values["seconds"],
            intervals={
                name: (_float(least), _float(most))
                for name, (least, most) in values.get("intervals", {}).items()
            },
        )

    @classmethod
    def read(cls, path: Path) -> SceneEvaluation:
        """The evaluation in a run's `evaluation.json`."""
        return cls.from_json(path.read_text(encoding="utf-8"))


def _numbers(array: np.ndarray) -> list[Any] | str:
    """The numbers of an array, rounded; maps of bytes, which are long and even, packed as text."""
    if array.dtype == np.uint8:
        return base64.b85encode(zlib.compress(array.tobytes(), 9)).decode()
    if np.issubdtype(array.dtype, np.floating):
        return [float(f"{value:.6g}") for value in array.ravel().tolist()]
    return array.ravel().tolist()


def _array(kind: str, shape: list[int], numbers: list[Any] | str) -> np.ndarray:
    if isinstance(numbers, str):
        return np.frombuffer(zlib.decompress(base64.b85decode(numbers)), np.uint8).reshape(shape)
    return np.array(numbers, kind).reshape(shape)


def _plain(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _float(value: float | None) -> float:
    return float("nan") if value is None else value
