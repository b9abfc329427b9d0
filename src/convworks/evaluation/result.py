"""What an evaluation measured, image by image, as a value that the terminal, the report and JSON read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from convworks.events import Chooser
from convworks.metrics.confusion import confusion


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """Every answer of a classifier on `n` labelled images.

    `paths` (n) are relative to `root`; `truth` (n,) are positions in `classes`; `probabilities` (n, k) are after
    calibration; `chosen_on` says whether these images chose anything of the model ("tuning") or not ("nothing");
    `seconds` is the wall time of predicting them all.
    """

    root: str
    classes: tuple[str, ...]
    paths: tuple[str, ...]
    truth: Int[np.ndarray, "n"]
    probabilities: Float[np.ndarray, "n k"]
    chosen_on: Chooser
    seconds: float = 0.0

    @property
    def answers(self) -> Int[np.ndarray, "n"]:
        """The most probable class of each image."""
        return self.probabilities.argmax(1)

    @property
    def right(self) -> int:
        """How many answers equal the truth."""
        return int((self.answers == self.truth).sum())

    @property
    def n(self) -> int:
        """How many images were answered."""
        return len(self.paths)

    @property
    def accuracy(self) -> float:
        """The share that is right, NaN of no images."""
        return self.right / self.n if self.n else float("nan")

    @property
    def confusion(self) -> Int[np.ndarray, "k k"]:
        """Counts by true class (row) and answered class (column)."""
        return confusion(self.truth, self.answers, len(self.classes))

    def to_json(self) -> str:
        """All of it as JSON, probabilities rounded to six decimals; `from_json` reads it back."""
        values: dict[str, Any] = asdict(self)
        values["truth"] = self.truth.tolist()
        values["probabilities"] = np.round(self.probabilities.astype(np.float64), 6).tolist()
        return json.dumps(values, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Evaluation:
        """The evaluation that `to_json` wrote."""
        values = json.loads(text)
        k = len(values["classes"])
        return cls(
            root=values["root"],
            classes=tuple(values["classes"]),
            paths=tuple(values["paths"]),
            truth=np.asarray(values["truth"], np.int64),
            probabilities=np.asarray(values["probabilities"], np.float32).reshape(-1, k),
            chosen_on=values["chosen_on"],
            seconds=values["seconds"],
        )

    @classmethod
    def read(cls, path: Path) -> Evaluation:
        """The evaluation in a run's `evaluation.json`."""
        return cls.from_json(path.read_text(encoding="utf-8"))
