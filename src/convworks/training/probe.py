"""The guide's first half of transfer learning: freeze the net, and train a new last layer on what it gives."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from convworks.evaluation import calibration
from convworks.evaluation.labels import thresholds
from convworks.events import (
    DepthProbed,
    Event,
    StageStarted,
)
from convworks.training.features import computed, pooled
from convworks.training.mirror import settle_flips
from convworks.training.work import Work
from convworks.transfer import depth, linear


def probe(work: Work) -> Iterator[Event]:
    """A linear model on every stage's features, cross-validated; the head becomes the best one's solution."""
    data, model, seed = work.data, work.model, work.recipe.seed
    backbone = model.net.backbone
    backbone.freeze(work.stages)
    rows = np.concatenate([data.learn, data.tune])
    yield StageStarted(
        stage="features", epochs=0, learns=0, said=f"{len(rows):,} pictures through the frozen net, once"
    )
    columns = yield from computed(
        pooled(backbone),
        work.live(rows, augmented=False),
        work.team,
        work.precision,
        stage="features",
        stop=work.stop,
    )
    kept = [column.double().numpy() for column in columns]
    labels, classes = data.truth[rows], len(data.classes)
    several = model.task.several
    folds = linear.folds_of(labels, data.audit.together[rows], seed)
    learns = classes * (kept[-1].shape[1] + 1)
    yield StageStarted(stage="probe", epochs=0, learns=learns, said="a new last layer, solved to its optimum")
    found = work.team.from_leader(linear.cross_validate(kept[-1], labels, classes, folds))
    strength = min(found, key=lambda tried: linear.log_loss(found[tried], labels))
    if work.recipe.transfer.freeze == "auto" and work.recipe.transfer.mode == "finetune":
        probes = [
            depth.probe(info.name, values, labels, classes, folds)
            for info, values in zip(backbone.info, kept, strict=True)
        ]
        freeze, why = work.team.from_leader(
            depth.choose(probes, [info.stride for info in backbone.info], 2 if several else classes)
        )
        work.settle({"transfer.freeze": why}, transfer__freeze=freeze)
        yield DepthProbed(
            stages=tuple((probe.name, probe.share) for probe in probes),
            n=probes[0].n,
            freeze=freeze,
            why=why,
            measure="mean area under the ROC curve" if several else "",
        )
    learn = len(data.learn)
    start = work.team.from_leader(linear.fit(kept[-1][:learn], labels[:learn], classes, strength))
    yield from settle_flips(work, start, kept[-1][learn:])
    if work.recipe.transfer.mode == "extract":
        views = [kept[-1], *(yield from _other_views(work, rows))]
        solved = linear.fit(np.concatenate(views), np.concatenate([labels] * len(views)), classes, strength)
        work.candidates["probe"] = (_head_state(work.team.from_leader(solved)), found[strength][learn:])
        model.temperature = calibration.temperature(found[strength], labels)
        if several:
            said = calibration.set_probabilities(found[strength], model.temperature)
            model.thresholds = thresholds(said, labels)
        return
    whole = work.team.from_leader(linear.fit(kept[-1], labels, classes, strength))
    model.net.load_state_dict(_head_state(start), strict=False)
    work.candidates["probe"] = (_head_state(whole), start.logits(kept[-1][learn:]))


def _other_views(
    work: Work, rows: Int[np.ndarray, "n"]
) -> Generator[Event, None, list[Float[np.ndarray, "n d"]]]:
    """The last stage's features of augmented views of the pictures at `rows`, one array a view beyond the first."""
    views = work.recipe.transfer.views
    found: list[Float[np.ndarray, "n d"]] = []
    for view in range(1, views):
        columns = yield from computed(
            pooled(work.model.net.backbone, last=True),
            work.live(rows, augmented=True, view=view),
            work.team,
            work.precision,
            stage="features",
            done=(view - 1) * len(rows),
            total=(views - 1) * len(rows),
            stop=work.stop,
        )
        found.append(columns[-1].double().numpy())
    return found


def _head_state(solved: linear.Linear) -> dict[str, Tensor]:
    return {
        "head.linear.weight": torch.from_numpy(solved.weight),
        "head.linear.bias": torch.from_numpy(solved.bias),
    }
