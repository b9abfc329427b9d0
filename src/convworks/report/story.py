"""What a run folder tells: all that a report is made of, read once; nothing of it is executed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

from convworks.errors import ConvworksError, RunError
from convworks.evaluation import labels as label_evaluations
from convworks.evaluation import scenes as scene_evaluations
from convworks.evaluation.label_verdicts import diagnose_sets
from convworks.evaluation.labels import LabelEvaluation
from convworks.evaluation.result import Evaluation
from convworks.evaluation.scenes import SceneEvaluation
from convworks.evaluation.verdicts import CODES, counts_of, diagnose, score
from convworks.events import (
    Candidate,
    DataFound,
    DepthProbed,
    EpochEnded,
    Event,
    Finding,
    Measured,
    Scored,
    SplitMade,
    decode,
)
from convworks.recipe.options import Recipe, flat
from convworks.recipe.options import read as read_recipe
from convworks.report.pictures import Album

Kind = TypeVar("Kind")
GRAVITY = {"error": 0, "warning": 1, "note": 2}
KINDS = {
    scene_evaluations.KIND: SceneEvaluation.from_json,
    label_evaluations.KIND: LabelEvaluation.from_json,
}
"""How evaluations are read that say their kind."""


@dataclass(frozen=True)
class Story:
    """A run on disk; `recipe` and `evaluation` are None, and `model` is empty, where it got no further.

    `images` holds (path, class, part) of each image that took part, in the run's own order; `seconds` lie between
    its first and its last word.
    """

    run: Path
    events: tuple[Event, ...]
    recipe: Recipe | None
    model: Mapping[str, Any]
    evaluation: Evaluation | None
    album: Album
    images: tuple[tuple[str, str, str], ...] = ()
    seconds: float = 0.0
    scenes: SceneEvaluation | None = None
    labels: LabelEvaluation | None = None

    def last(self, kind: type[Kind]) -> Kind | None:
        """The latest event of a kind; a resumed run says some of them twice."""
        return next((event for event in reversed(self.events) if isinstance(event, kind)), None)

    def every(self, kind: type[Kind]) -> list[Kind]:
        """All events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def scenes_of(self, task: str) -> SceneEvaluation | None:
        """What was measured of a task whose answers have a place in the picture; None of another, or of no images."""
        return self.scenes if self.scenes and self.scenes.task == task and self.scenes.n else None

    @cached_property
    def epochs(self) -> dict[str, list[EpochEnded]]:
        """The epochs by stage, each once, in their order."""
        stages: dict[str, dict[int, EpochEnded]] = {}
        for event in self.every(EpochEnded):
            stages.setdefault(event.stage, {})[event.epoch] = event
        return {stage: [epochs[number] for number in sorted(epochs)] for stage, epochs in stages.items()}

    @cached_property
    def candidates(self) -> list[Candidate]:
        """The candidates by name, each once."""
        return list({event.name: event for event in self.every(Candidate)}.values())

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, as far as any file tells."""
        if self.evaluation:
            return self.evaluation.classes
        if other := self.scenes or self.labels:
            return other.classes
        found = self.last(DataFound)
        return tuple(self.model.get("classes", ())) or (tuple(found.counts) if found else ())

    @cached_property
    def measured(self) -> Measured | None:
        """The score of a task whose answers are not right or wrong, of the evaluation or as the run said it."""
        other = self.scenes or self.labels
        return other.measured() if other else self.last(Measured)

    @cached_property
    def scored(self) -> Scored | None:
        """The score of the evaluation beside the report, or the one that the run said."""
        found, said = self.last(DataFound), self.last(Scored)
        if self.evaluation is None or self.evaluation.n == 0:
            return said
        if said and (said.right, said.of) == (self.evaluation.right, self.evaluation.n):
            return said
        learned = found.counts if found else counts_of(self.evaluation)[1]
        return score(self.evaluation, learned)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What the run said, and what its end says of the same things, each code once, the gravest first."""
        known = {finding.code: finding for finding in self.every(Finding)}
        answers, truth = counts_of(self.evaluation) if self.evaluation else ({}, {})
        last = list(self.epochs.values())[-1] if self.epochs else []
        values = flat(self.recipe) if self.recipe else {}
        ended = diagnose(last, answers=answers, truth=truth, scored=self.scored, options=values)
        known |= {finding.code: finding for finding in ended}
        if self.labels:
            known |= {finding.code: finding for finding in diagnose_sets(self.labels)}
        codes = list(CODES)

        def gravity(finding: Finding) -> tuple[int, int]:
            return GRAVITY[finding.level], codes.index(finding.code) if finding.code in codes else len(codes)

        return tuple(sorted(known.values(), key=gravity))

    @cached_property
    def chance(self) -> float:
        """The share right by guessing."""
        split = self.last(SplitMade)
        return split.chance if split else 1 / max(len(self.classes), 1)

    @cached_property
    def depth(self) -> DepthProbed | None:
        """The probe of each stage of the net, where one was made."""
        return self.last(DepthProbed)


def read(run: Path) -> Story:
    """The story of a run folder; raises RunError where there is none, or a file of it is damaged."""
    log = run / "events.jsonl"
    if not log.is_file():
        what = "has no events.jsonl, so no run was written there" if run.is_dir() else "does not exist"
        raise RunError(f"{run} {what}.", fix="name a run folder, such as runs/pets")
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    known = [line for text in lines if (line := decode(text))]
    said = tuple(line.event for line in known)
    evaluation = _evaluation(run / "evaluation.json")
    found = next((event for event in said if isinstance(event, DataFound)), None)
    root = evaluation.root if evaluation else found.root if found else ""
    recipe = run / "recipe.toml"
    return Story(
        run=run,
        events=said,
        recipe=read_recipe(recipe) if recipe.is_file() else None,
        model=_card(run / "model.json"),
        evaluation=evaluation if isinstance(evaluation, Evaluation) else None,
        scenes=evaluation if isinstance(evaluation, SceneEvaluation) else None,
        labels=evaluation if isinstance(evaluation, LabelEvaluation) else None,
        album=Album(root),
        images=_images(run / "data.json"),
        seconds=known[-1].time - known[0].time if known else 0.0,
    )


def _images(path: Path) -> tuple[tuple[str, str, str], ...]:
    if not path.is_file():
        return ()
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return tuple((str(image[0]), str(image[1]), str(image[2])) for image in values["images"])
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise RunError(f"{path} is damaged: {type(error).__name__} {error}.") from error


def _card(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(f"{path} is damaged: {error}.") from error
    return cast(Mapping[str, Any], values) if isinstance(values, dict) else {}


def _evaluation(path: Path) -> Evaluation | LabelEvaluation | SceneEvaluation | None:
    if not path.is_file():
        return None
    try:
        text = path.read_text(encoding="utf-8")
        for kind, read_kind in KINDS.items():
            if f'"kind": "{kind}"' in text[:99]:
                return read_kind(text)
        return Evaluation.from_json(text)
    except ConvworksError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path} is damaged: {type(error).__name__} {error}.",
            fix=f"convworks evaluate {path.parent} DATA --to {path} writes it anew",
        ) from error
