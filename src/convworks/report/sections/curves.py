"""Training and tuning loss on one chart: the overfitting span shaded, guessing drawn, the kept epoch marked."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from convworks.evaluation.curves import overfitting
from convworks.evaluation.uncertainty import wilson
from convworks.events import DataFound, EpochEnded
from convworks.report.drawing import apart, box, curve, dot, figure, line, text, ticks
from convworks.report.markup import Child, Markup, folded, percent, section, table, tag
from convworks.report.story import Story
from convworks.report.wording import duration, loss

HEIGHT, TOP, BOTTOM, LEFT = 300, 26, 36, 40
HIGHEST = 2.0  # the chart ends at this many times the loss of guessing


def curves(story: Story) -> Markup:
    """The section, empty where no epoch ended."""
    if not story.epochs:
        return Markup()
    chosen = next((one.name for one in story.candidates if one.chosen), "")
    word = "best" if chosen == "probe" else "kept"
    blind = guess(story)
    parts = [_stage(stage, epochs, blind, word) for stage, epochs in story.epochs.items()]
    how = (
        "Both lines are the mean loss of an image; lower is better. Which lies lower tells little (training images are "
        "augmented, their labels smoothed, and they are learned by heart): what tells overfitting is tuning that "
        "rises while training still falls."
    )
    return section("learning", "How it learned", tag("p", how), *parts)


def guess(story: Story) -> float:
    """The loss of knowing nothing but how common the classes are; NaN where a task has none that one can tell."""
    found = story.last(DataFound)
    if found and found.task == "multilabel":
        shares = [count / found.images for count in found.counts.values()]
        return statistics.fmean(
            -sum(math.log(share) * share for share in (one, 1 - one) if share) for one in shares
        )
    if found and found.task != "classification":
        return math.nan
    return math.log(max(len(story.classes), 2))


def _stage(stage: str, epochs: Sequence[EpochEnded], blind: float, word: str) -> Markup:
    judged = [e for e in epochs if math.isfinite(e.tuning_loss)] or epochs
    train, tuning = [e.train_loss for e in judged], [e.tuning_loss for e in judged]
    seen = overfitting(train, tuning)
    kept = next((e for e in reversed(epochs) if e.best), None)
    since = judged[seen.since - 1].epoch if seen else 0
    said = (
        f"Stage {stage}, {len(epochs)} epochs: training loss from {loss(epochs[0].train_loss)} to "
        f"{loss(epochs[-1].train_loss)}, tuning loss "
        f"from {loss(tuning[0])} to {loss(tuning[-1])}, lowest {loss(min(tuning))}."
    )
    if since:
        said += f" Overfitting since epoch {since}."
    if kept:
        said += f" Epoch {kept.epoch} was kept." if word == "kept" else f" Epoch {kept.epoch} was the best."
    chart = figure(said, lambda width: (HEIGHT, _chart(epochs, blind, since, kept, word, width)), said)
    measure = judged[0].measure
    rows = [_row(epoch, measure, word if epoch == kept else "") for epoch in epochs]
    answers = [f"{measure[:1].upper()}{measure[1:]}"] if measure else ["Right", "95 % interval"]
    heads = ["Epoch", "Training loss", "Tuning loss", *answers, "Learning rate", "Time", ""]
    listing = table(heads, rows, numbers=range(1, len(heads) - 1))
    return tag(
        "div", tag("h3", f"Stage: {stage}"), chart, folded(f"The {len(epochs)} epochs as a table", listing)
    )


def _row(epoch: EpochEnded, measure: str, word: str) -> list[str]:
    low, high = wilson(epoch.right, epoch.of)
    judged = [f"{epoch.right} of {epoch.of}", f"{percent(low)} to {percent(high)}"]
    if measure:
        judged = [f"{epoch.value:.3f}" if epoch.of else ""]
    return [
        str(epoch.epoch),
        loss(epoch.train_loss),
        loss(epoch.tuning_loss) if epoch.of else "",
        *judged,
        f"{epoch.learning_rate:.2g}",
        duration(epoch.seconds),
        word,
    ]


def _chart(
    epochs: Sequence[EpochEnded],
    guess: float,
    since: int,
    kept: EpochEnded | None,
    word: str,
    width: int,
) -> list[Child]:
    right = 96 if width > 500 else 74
    losses = [value for e in epochs for value in (e.train_loss, e.tuning_loss) if math.isfinite(value)]
    known = math.isfinite(guess)
    top = (min(max([*losses, guess]), HIGHEST * guess) if known else max(losses, default=1.0)) * 1.06
    first, last = epochs[0].epoch, max(epochs[-1].epoch, epochs[0].epoch + 1)

    def x(epoch: float) -> float:
        return LEFT + (epoch - first) / (last - first) * (width - LEFT - right)

    def y(value: float) -> float:
        return TOP + (1 - min(value, top) / top) * (HEIGHT - TOP - BOTTOM)

    drawn: list[Child] = []
    if since:
        drawn.append(box(x(since), TOP, x(last) - x(since), HEIGHT - TOP - BOTTOM, "overfitted"))
        if x(last) - x(since) > 76:
            high = TOP + 16 if not known or y(guess) > TOP + 24 else y(guess) + 18
            drawn.append(text((x(since) + x(last)) / 2, high, "overfitting", "warning-label", "middle"))
    for value in ticks(top):
        drawn += [
            line(LEFT, y(value), width - right, y(value), "grid"),
            text(LEFT - 8, y(value) + 4, f"{value:g}", "tick", "end"),
        ]
    every = max(1, math.ceil((last - first) / (12 if width > 500 else 6)))
    for epoch in range(first, last + 1, every):
        drawn.append(text(x(epoch), HEIGHT - BOTTOM + 18, str(epoch), "tick", "middle"))
    drawn.append(text((LEFT + width - right) / 2, HEIGHT - 2, "epoch", "tick", "middle"))
    if known:
        drawn.append(line(LEFT, y(guess), width - right, y(guess), "guess"))
    if kept:
        drawn.append(line(x(kept.epoch), TOP - 6, x(kept.epoch), HEIGHT - BOTTOM, "kept"))
        anchor = "end" if x(kept.epoch) > width - right - 40 else "middle" if kept.epoch > first else "start"
        drawn.append(text(x(kept.epoch), TOP - 11, f"{word}: epoch {kept.epoch}", "label", anchor))
    ends: list[tuple[float, str, str]] = [(y(guess), "guessing", "quiet")] if known else []
    for name, kind, values in (
        ("training", "one", [e.train_loss for e in epochs]),
        ("tuning", "other", [e.tuning_loss for e in epochs]),
    ):
        points = [
            (x(e.epoch), y(value)) for e, value in zip(epochs, values, strict=True) if math.isfinite(value)
        ]
        drawn.append(curve(points, f"line {kind}"))
        if len(points) <= 40:
            drawn += [dot(at, level, 2.5, kind) for at, level in points]
        if points:
            ends.append(
                (points[-1][1], f"{name} {loss(values[-1])}" if width > 500 else name, f"{kind} label")
            )
    for level, (_, said, kind) in zip(apart([end[0] for end in ends], 16), ends, strict=True):
        drawn.append(text(width - right + 8, level + 4, said, kind))
    return drawn
