"""The judge of nets whose answers have a place in the picture: what they find in the tuning images, and the loss."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils._pytree import tree_map

from convworks.evaluation.verdicts import diagnose
from convworks.events import EpochEnded, Finding
from convworks.tasks.contract import Evidence, Task
from convworks.training.features import in_turn
from convworks.training.judge import Verdict
from convworks.training.learner import Learner
from convworks.training.scene_feed import SceneFeed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SceneJudge:
    """Judges by the task's measure, then by its loss, on the images of `feed`."""

    feed: SceneFeed
    task: Task
    classes: Sequence[str]
    mark: str

    def __call__(self, learner: Learner, weights: Mapping[str, Tensor] | None = None) -> Verdict:
        """The verdict on the averaged or other weights, shared over the team, exact."""
        scenes = self.task.scenes
        assert scenes is not None
        parts = in_turn(len(self.feed.rows))
        mine = [parts[place] for place in learner.team.share(len(parts))]
        tally = torch.zeros(2, dtype=torch.float64)
        seen: dict[int, Evidence] = {}
        for batch, outputs in learner.judged(self.feed.batches(mine, 0), weights):
            here = tree_map(lambda value: value.float().cpu(), outputs)
            loss = self.task.loss(here, batch.targets, 1.0)
            tally += torch.stack([loss.total.double(), loss.weight.double()])
            for position, answer in zip(
                batch.indices.tolist(), self.task.decode(here, self.classes), strict=True
            ):
                sample = self.feed.store.get(self.feed.rows[position])
                size = (sample.image.shape[0], sample.image.shape[1])
                move = self.feed.preprocessing.drawn(size).move
                seen[position] = scenes.observe(
                    scenes.restore(answer, move, size, self.classes), sample, self.classes
                )
        learner.team.sum([tally])
        every = {place: one for part in learner.team.gather(seen) for place, one in part.items()}
        summary = scenes.summarise([every[place] for place in sorted(every)], self.classes)
        total, weight = tally.tolist()
        loss = total / weight if weight else math.nan
        return self._verdict(np.array([[summary.value, loss]]), summary.measure)

    def again(self, evidence: Float[np.ndarray, "t _"]) -> Verdict:
        """The verdict of which this was kept: the measure and the loss."""
        scenes = self.task.scenes
        assert scenes is not None
        return self._verdict(evidence, scenes.summarise([], self.classes).measure)

    def _verdict(self, evidence: Float[np.ndarray, "1 2"], measure: str) -> Verdict:
        value, loss = evidence[0].tolist()
        known = value if math.isfinite(value) else -1.0
        return Verdict(
            order=(known, -loss),
            loss=loss,
            of=len(self.feed.rows),
            evidence=evidence,
            measure=measure,
            value=value,
            finite=not self.feed.rows or math.isfinite(loss),
        )

    def findings(
        self, history: Sequence[EpochEnded], verdict: Verdict, values: Mapping[str, Any]
    ) -> Sequence[Finding]:
        """What there is to say after an epoch."""
        return diagnose(history, options=values)
