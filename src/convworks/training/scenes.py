"""Training of nets whose answers have a place in the picture: new parts on a pretrained net, over the epochs.

There is no probe: the new part reads maps of several stages, and learns with them. The best epoch, chosen on the tuning
images, becomes the model; images that chose nothing measure it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from convworks.data.load import load
from convworks.data.record import DataSet, Record, SetAside
from convworks.data.scenes import crowded
from convworks.evaluation.scenes import SceneEvaluation
from convworks.events import Candidate, Chooser, Event, Finding, Progress, RecipeSettled, StageStarted
from convworks.geometry.boxes import Size
from convworks.model import Model
from convworks.recipe.options import flat
from convworks.tasks import segmentation
from convworks.tasks.contract import Evidence, Task
from convworks.training import checkpoint as checkpoints
from convworks.training.features import PART, in_turn
from convworks.training.finetune import marked
from convworks.training.learner import Learner
from convworks.training.prepare import Prepared
from convworks.training.scene_feed import SceneFeed
from convworks.training.scene_judge import SceneJudge
from convworks.training.signals import Stopping
from convworks.training.stage import digest, settle_micro_batch, started, taught
from convworks.training.team import Team
from convworks.training.work import Work

LAST = 0.9  # the share of the epochs after which frames hold one image each
JUDGING = 0.04  # the share of the time that judging takes
LOOKS = 20  # epochs that are judged at least
RARE = 0.5  # a class of fewer pixels than this share of an even part is rare


def learn_scenes(work: Work, saved: checkpoints.Checkpoint | None) -> Generator[Event, None, bool]:
    """The net over the epochs; its best one becomes the model. Returns False where it was interrupted."""
    model, data, recipe = work.model, work.data, work.recipe
    options, backbone = recipe.optimiser, model.net.backbone
    scratch = recipe.transfer.mode == "scratch"
    freeze = recipe.transfer.freeze if isinstance(recipe.transfer.freeze, int) and not scratch else 0
    why = "the first filters fit any picture"
    if recipe.transfer.mode == "extract":
        freeze, why = work.stages, "extract: the net stays as it is"
    model.net.requires_grad_(True)
    backbone.freeze(freeze, statistics=not scratch)
    frame = training_frame(model.preprocessing.seen, recipe.data.crop)
    settle_micro_batch(work, frame, freeze, entry=0)
    work.settle({"transfer.freeze": why}, transfer__freeze=freeze)
    yield RecipeSettled(values=flat(work.recipe), why=dict(work.recipe.reasons))
    yield from looked(work)
    before, task = digest(model, freeze), learned(work)
    learner = Learner(
        model.net,
        task,
        options,
        work.team,
        first=freeze,
        entry=0,
        precision=work.precision,
        seed=recipe.seed,
    )
    stage = "train" if scratch else "finetune"
    behind = f"the stages after the {freeze} frozen ones, and " if freeze < model.net.reads else ""
    yield started(learner, stage, f"{behind}the new part" if freeze else "every stage")
    judge = SceneJudge(
        feed=scene_feed(work, data.tune.tolist(), None),
        task=task,
        classes=data.classes,
        mark=marked(data),
    )
    feed = scene_feed(work, data.learn.tolist(), frame)
    seldom = judged_every(work, frame)
    best = yield from taught(work, stage, learner, feed, judge, saved, judged_every=seldom)
    assert digest(model, freeze) == before, "a frozen stage changed"
    if best is None:
        return False
    model.net.load_state_dict({**best.weights, **best.buffers}, strict=False)
    found = best.verdict
    yield Candidate(
        name=f"epoch {best.epoch + 1}",
        right=0,
        of=found.of,
        loss=found.loss,
        chosen=True,
        measure=found.measure,
        value=found.value,
    )
    if model.smoothing and len(data.tune):
        yield smoothed(work)
    return True


def judged_every(work: Work, frame: Size) -> int:
    """After how many epochs the tuning images judge: so seldom that it takes about `JUDGING` of the time.

    A training step counts as three looks at a picture. `LOOKS` epochs at least are judged, of fewer all.
    """
    data, seen = work.data, work.model.preprocessing.seen
    judged = len(data.tune) * seen[0] * seen[1]
    taught = 3 * len(data.learn) * frame[0] * frame[1]
    return max(1, min(round(judged / (JUDGING * taught)), work.recipe.optimiser.epochs // LOOKS))


def looked(work: Work) -> Generator[Event]:
    """Finds where to look in each picture that learns or chooses, where the net has to be told: once, for all epochs.

    Raises Stopping where the run is asked to stop.
    """
    if work.model.finder is None:
        return
    feed = scene_feed(work, [*work.data.learn.tolist(), *work.data.tune.tolist()], None)
    everything = in_turn(len(feed.rows))
    mine = [everything[place] for place in work.team.share(len(everything))]
    began = time.monotonic()
    yield StageStarted(
        stage="proposals",
        epochs=0,
        learns=0,
        said=f"where to look in {len(feed.rows):,} pictures, found once",
    )
    with ThreadPoolExecutor(max(1, work.workers), thread_name_prefix="find") as pool:
        for number in range(-(-len(everything) // work.team.size)):
            if work.team.any(work.stop.asked):
                raise Stopping
            part = mine[number].tolist() if number < len(mine) else []
            list(pool.map(feed.sample, [feed.rows[place] for place in part]))
            done = min((number + 1) * PART * work.team.size, len(feed.rows))
            pace = (time.monotonic() - began) / done
            yield Progress(
                stage="proposals", done=done, total=len(feed.rows), remaining=pace * (len(feed.rows) - done)
            )


def scene_feed(work: Work, rows: Sequence[int], frame: Size | None) -> SceneFeed:
    """The images at some rows, in augmented frames of `frame`, or, where that is None, as they are judged."""
    data, recipe = work.data, work.recipe
    assert data.scenes is not None
    return SceneFeed(
        store=data.scenes,
        rows=rows,
        task=work.model.task,
        preprocessing=work.model.preprocessing,
        frame=frame or work.model.preprocessing.seen,
        seed=recipe.seed,
        workers=work.workers,
        augmentation=recipe.augmentation if frame else None,
        mosaic_until=round(LAST * recipe.optimiser.epochs),
        rare=rare_classes(data) if frame and recipe.task == "segmentation" else (),
        finder=work.model.finder,
    )


def training_frame(seen: Size, crop: int) -> Size:
    """Height and width of what training sees of a frame: its longer side is `crop` pixels, in multiples of 32.

    >>> training_frame((384, 480), 320), training_frame((384, 480), 0)
    ((256, 320), (384, 480))
    """
    longer = max(seen)
    if not 0 < crop < longer:
        return seen
    height, width = (max(32, 32 * round(side * crop / longer / 32)) for side in seen)
    return height, width


def pixels_of(data: Prepared) -> dict[int, int]:
    """How many pixels of the training images each class covers, of those that are there, by up to 200 images."""
    assert data.scenes is not None
    counts: Counter[int] = Counter()
    for row in data.learn[:: max(1, len(data.learn) // 200)].tolist():
        values, sizes = np.unique(data.scenes.get(row).class_map, return_counts=True)
        counts.update(dict(zip(values.tolist(), sizes.tolist(), strict=True)))
    return {place: counts[place] for place in range(len(data.classes)) if counts[place]}


def rare_classes(data: Prepared) -> tuple[int, ...]:
    """The classes that cover few pixels of the training images."""
    known = pixels_of(data)
    even = sum(known.values()) / max(len(known), 1)
    return tuple(place for place, pixels in known.items() if pixels < RARE * even)


def learned(work: Work) -> Task:
    """The model's task with the loss, and the weights of its classes, that the recipe asks for."""
    options, task = work.recipe.optimiser, work.model.task
    if task.name != "segmentation" or (options.outlining, options.class_weights) == ("cross-entropy", "even"):
        return task
    if options.class_weights == "even":
        return segmentation.with_loss(task, options.outlining, None)
    known, power = pixels_of(work.data), 1.0 if options.class_weights == "balanced" else 0.5
    weights = torch.zeros(len(work.data.classes))
    for place, pixels in known.items():
        weights[place] = pixels**-power
    return segmentation.with_loss(task, options.outlining, weights * len(known) / weights.sum())


def smoothed(work: Work) -> Finding:
    """What the minimum cut is worth on the tuning images; the model goes without it where that is nothing."""
    model, data = work.model, work.data
    records = [data.dataset.records[row] for row in data.tune.tolist()]
    weight, values = model.smoothing, list[float]()
    for model.smoothing in (0.0, weight):
        values.append(evaluated(model, data.dataset, records, work.team, "tuning").value)
    without, with_it = values
    if not with_it > without:
        model.smoothing = 0.0
    return Finding(
        code="min-cut",
        level="note",
        said=f"Refining outlines by minimum cut is {'kept' if model.smoothing else 'left out'}: mean IoU "
        f"{with_it:.3f} with it, {without:.3f} without.",
        evidence=f"Both on the {len(records)} tuning images, at weight {weight:g}.",
    )


def measured_scenes(made: Model, prepared: Prepared, team: Team) -> SceneEvaluation:
    """The measured images through the finished model, from their files, shared over the team, exact."""
    records = [prepared.dataset.records[row] for row in prepared.measure.tolist()]
    return evaluated(made, prepared.dataset, records, team, "nothing")


def evaluated(
    made: Model, dataset: DataSet, records: Sequence[Record], team: Team, chosen_on: Chooser
) -> SceneEvaluation:
    """What the model says of some records, compared with their annotation in the original pictures."""
    began = time.monotonic()
    scenes = made.task.scenes
    assert scenes is not None
    ids = {name: place for place, name in enumerate(made.classes)}
    records = [records[place] for place in team.share(len(records))]
    found: list[tuple[str, Evidence]] = []
    answers = made.predictions([dataset.root / record.path for record in records])
    for record, answer in zip(records, answers, strict=True):
        if isinstance(answer, SetAside):
            continue
        sample = load(dataset, record, ids, crowds=crowded(dataset))
        more = scenes.study(answer, sample, made.classes) if scenes.study else {}
        found.append((record.path, {**scenes.observe(answer, sample, made.classes), **more}))
    every = [one for part in team.gather(found) for one in part]
    return SceneEvaluation.of(
        made.task,
        root=str(dataset.root),
        classes=made.classes,
        found=sorted(every, key=lambda one: one[0]),
        chosen_on=chosen_on,
        seconds=time.monotonic() - began,
    )
