"""How far the stages that learned are from the pretrained weights, measured at the end of a training."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import torch
from torch import Tensor

from convworks.backbones.contract import Backbone
from convworks.events import DriftMeasured, Progress
from convworks.training.features import computed
from convworks.training.feed import LiveFeed
from convworks.training.team import Team
from convworks.transfer import drift


def of_backbone(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU of the weights of the stages, by their names in the backbone."""
    return {
        name.removeprefix("backbone."): value.detach().to("cpu", copy=True)
        for name, value in weights.items()
        if name.startswith("backbone.")
    }


def measured(
    backbone: Backbone,
    before: Mapping[str, Tensor],
    weights: Mapping[str, Tensor],
    feed: LiveFeed,
    team: Team,
    precision: torch.dtype,
    *,
    first: int,
    candidate: str,
    kept: str,
) -> Generator[Progress | DriftMeasured, None, None]:
    """Compares the backbone with the weights `before` and with those of `candidate`, on the pictures of `feed`.

    `before` holds what `of_backbone` gave of the stages from `first` on, `weights` is the candidate's whole state,
    and `kept` names the candidate that became the model.
    """
    after = of_backbone(weights)
    then, now = ({name: side[name].to(team.device) for name in before} for side in (before, after))
    compute = drift.outputs(backbone, then, now, first)
    columns = yield from computed(compute, feed, team, precision, stage="drift")
    moved = drift.changes(before, after, len(backbone.stages))
    alike = drift.similarities([column.numpy() for column in columns], first)
    stages = tuple(
        (info.name, change, same) for info, change, same in zip(backbone.info, moved, alike, strict=True)
    )
    yield DriftMeasured(
        candidate=candidate, stages=stages, n=len(feed.rows), said=drift.sentence(stages, kept)
    )
