"""A whole run: from a data set to a measured model, as one stream of events."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from convworks.data.findings import brief
from convworks.data.record import DataSet
from convworks.evaluation.label_verdicts import diagnose_sets
from convworks.evaluation.labels import LabelEvaluation
from convworks.evaluation.result import Evaluation
from convworks.evaluation.scenes import SceneEvaluation
from convworks.evaluation.verdicts import counts_of, diagnose, score
from convworks.events import Event, Finding, Interrupted, WeightsLoaded
from convworks.model import Model
from convworks.recipe import options as knobs
from convworks.recipe.options import Recipe
from convworks.training import outcome, plan, prepare
from convworks.training.fit import fit
from convworks.training.run import Run
from convworks.training.scenes import measured_scenes
from convworks.training.team import Team


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be done: on which data, with which knobs decided (by full name), in which folder.

    `command` repeats it. A run that goes on has the data `before`, as its `data.json` holds it; `reasons` are
    those of the recipe that is followed.
    """

    dataset: DataSet
    given: dict[str, Any]
    folder: Path
    command: str
    before: dict[str, Any] | None = None
    accept_change: bool = False
    reasons: Mapping[str, str] | None = None


def done(
    work: Job, place: Run | None, team: Team
) -> Generator[Event, None, tuple[Model, Evaluation | LabelEvaluation | SceneEvaluation] | None]:
    """Measures the data, plans, trains and measures the model; returns both, or None where it was interrupted.

    `place` is the run folder, for the process that leads the team.
    """
    recipe, prepared, backbone = yield from plan.progressing(work.dataset, work.given, team)
    recipe = replace(recipe, data=replace(recipe.data, source=work.dataset.source))
    if work.before is not None:
        prepare.refuse_changes(
            work.folder, work.before, prepare.manifest(prepared), accepted=work.accept_change
        )
        prepared = prepare.as_before(prepared, work.before)
    if work.reasons is not None:
        recipe = replace(recipe, reasons=work.reasons)
    yield prepare.found(prepared)
    yield prepare.divided(prepared)
    yield from map(brief, (one for one in prepared.audit.findings if one.code != "unreadable"))  # said above
    if note := prepared.store.note:
        yield Finding(code="cache", level="note", said=note)
    if place is not None:
        place.write_data(prepare.manifest(prepared))
        place.write_recipe(recipe)
    made = plan.new_model(recipe, prepared, backbone, work.folder.name, team.device)
    yield WeightsLoaded(
        backbone=backbone.name,
        source=f"{backbone.card.name}, {backbone.card.source}",
        licence=backbone.card.licence,
        parameters=sum(value.numel() for value in backbone.parameters()),
        notes=tuple(plan.noticed(made, prepared)),
    )
    trained = yield from _watched(fit(made, prepared, recipe, team=team, run=place))
    if trained is None:
        return None
    if made.task.scenes is not None:
        judged = measured_scenes(made, prepared, team)
        yield judged.measured()
        made.facts = outcome.facts(made, trained, prepared, judged.measured(), work.command)
        return made, judged
    if made.task.several:
        labelled = outcome.measured_sets(made, prepared, trained, team)
        yield labelled.measured()
        yield from diagnose_sets(labelled)
        made.facts = outcome.facts(made, trained, prepared, labelled.measured(), work.command)
        return made, labelled
    evaluation = outcome.measured(made, prepared, trained, team)
    scored = score(evaluation, prepared.counts(prepared.learn))
    yield scored
    answers, truth = counts_of(evaluation)
    yield from diagnose(answers=answers, truth=truth, scored=scored, options=knobs.flat(trained))
    made.facts = outcome.facts(made, trained, prepared, scored, work.command)
    return made, evaluation


def _watched(trained: Generator[Event, None, Recipe]) -> Generator[Event, None, Recipe | None]:
    """The events of `fit`; returns the settled recipe, or None where it was interrupted."""
    stopped = False
    while True:
        try:
            event = next(trained)
        except StopIteration as end:
            return None if stopped else end.value
        stopped = stopped or isinstance(event, Interrupted)
        yield event
