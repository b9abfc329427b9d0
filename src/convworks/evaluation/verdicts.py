"""What an experienced friend would say of a run: each finding with its evidence and one next step.

`diagnose` is shared by the terminal, the page, the report and JSON, so that all of them say the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from convworks.evaluation import curves
from convworks.evaluation.result import Evaluation
from convworks.evaluation.uncertainty import chance, flatters, half_width, majority, wilson
from convworks.events import Chooser, EpochEnded, Finding, Scored

# Every code that `diagnose` gives, the gravest first.
CODES = {
    "one-answer": "one class is answered for (nearly) every image",
    "nothing-learned": "the score is not above what knowing nothing would give",
    "overfitting": "the training loss falls while the tuning loss rises",
    "class-never-answered": "a class that is there is never the answer",
    "same-images": "the images that measure also chose",
    "still-improving": "the tuning loss was still falling when the epochs ended",
    "small-set": "so few images measure that the score is only roughly known",
}

SURE = 8.0  # noises from which a rise is called certain
NEARLY_ALL = 0.98
KNOWN_TO = 0.10  # a score known worse than this, as a share either way, is remarked on


def diagnose(
    epochs: Sequence[EpochEnded] = (),
    *,
    answers: Mapping[str, int] | None = None,
    truth: Mapping[str, int] | None = None,
    scored: Scored | None = None,
    options: Mapping[str, Any] | None = None,
) -> tuple[Finding, ...]:
    """What there is to say, the gravest first, of one stage's epochs, of a score, or of both.

    `answers` and `truth` count images by class, as answered and as they are: of the tuning images while
    training, of the measured ones at the end (`counts_of`). `options` are the recipe's values by full name,
    from which the next step is worked out. It may be called after every epoch; a code says the same thing
    until it is over.
    """
    judged = [epoch for epoch in epochs if epoch.of]
    answered, there, values = answers or {}, truth or {}, options or {}
    epoch = epochs[-1].epoch if epochs and scored is None else 0
    found = [
        _one_answer(answered, there, epoch, values),
        _nothing_learned(epochs, scored, values),
        _overfitting(judged, values),
        _never_answered(answered, there, epoch) if scored or _at_end(epochs) else None,
        _still_improving(judged, values),
        _same_images(scored),
        _small_set(scored),
    ]
    findings = {finding.code: finding for finding in found if finding}
    if "one-answer" in findings:  # says the same, and why
        findings.pop("nothing-learned", None)
        findings.pop("class-never-answered", None)
    return tuple(findings[code] for code in CODES if code in findings)


def counts_of(evaluation: Evaluation) -> tuple[dict[str, int], dict[str, int]]:
    """How many images are answered with each class, and how many are of each class, by name."""
    table = evaluation.confusion
    answered = dict(zip(evaluation.classes, table.sum(0).tolist(), strict=True))
    return answered, dict(zip(evaluation.classes, table.sum(1).tolist(), strict=True))


def score(evaluation: Evaluation, learned: Mapping[str, int]) -> Scored:
    """The score of an evaluation, its interval, what knowing nothing would score, and what it means.

    `learned` counts the training images by class.
    """
    low, high = wilson(evaluation.right, evaluation.n)
    name, commonest = majority(learned, counts_of(evaluation)[1])
    return Scored(
        right=evaluation.right,
        of=evaluation.n,
        accuracy=evaluation.accuracy,
        low=low,
        high=high,
        chance=chance(len(evaluation.classes)),
        majority=commonest,
        majority_class=name,
        chosen_on=evaluation.chosen_on,
        said=_meaning(low, high, len(evaluation.classes), commonest, name, evaluation.chosen_on),
    )


def _meaning(low: float, high: float, classes: int, commonest: float, name: str, chosen_on: Chooser) -> str:
    guess = f"chance ({chance(classes):.2f})"
    always = f'always answering "{name}" ({commonest:.2f})'
    blind, bar = max((chance(classes), guess), (commonest, always))
    if low > blind:
        said = f"Above {guess} and above {always}."
    elif high < blind:
        said = f"Below {bar}."
    else:
        said = f"Not shown to be above {bar}: that lies inside the interval."
    return f"{said} {flatters(chosen_on)}"


def _overfitting(epochs: Sequence[EpochEnded], values: Mapping[str, Any]) -> Finding | None:
    train = [epoch.train_loss for epoch in epochs]
    seen = curves.overfitting(train, [epoch.tuning_loss for epoch in epochs])
    if seen is None:
        return None
    then, now = epochs[seen.since - 1], epochs[-1]
    certainty = "Overfitting" if seen.noises >= SURE else "Probably overfitting"
    best = next((epoch.epoch for epoch in reversed(epochs) if epoch.best), then.epoch)
    kept = f"Kept epoch {best}" if _at_end(epochs) else f"Epoch {best} is kept"
    return Finding(
        code="overfitting",
        level="warning",
        said=f"{certainty} since epoch {then.epoch}: training loss fell {seen.train_then:.2f} to "
        f"{seen.train_now:.2f} while tuning rose {seen.tuning_then:.2f} to {seen.tuning_now:.2f}. "
        f"{kept}.",
        evidence=f"The rise is {seen.noises:.0f} times the noise from epoch to epoch; "
        + (
            f"{now.measure} went from {then.value:.3f} to {now.value:.3f}."
            if now.measure
            else f"right answers went from {then.right} to {now.right} of {now.of}."
        ),
        action=_more_variety(values),
        epoch=now.epoch,
    )


def _more_variety(values: Mapping[str, Any]) -> str:
    """The next step against overfitting: turn and shift the images, then drop more, then let less learn."""
    if not values.get("augmentation.rotate") and not values.get("augmentation.translate"):
        return "--rotate 15 --translate 0.1"
    if float(values.get("model.dropout", 0.0)) < 0.4:
        return "--dropout 0.5"
    return "--mode extract"


def _one_answer(
    answers: Mapping[str, int], truth: Mapping[str, int], epoch: int, values: Mapping[str, Any]
) -> Finding | None:
    total = sum(answers.values())
    if total < 8 or epoch == 1:
        return None
    name = max(answers, key=lambda name: answers[name])
    of_it = truth.get(name, 0)
    if answers[name] < NEARLY_ALL * total or of_it > 0.95 * total:
        return None
    every = "every image" if answers[name] == total else f"{answers[name]} of {total} images"
    rate = values.get("optimiser.learning_rate")
    return Finding(
        code="one-answer",
        level="warning",
        said=f'It answers "{name}" for {every}; {of_it / total:.2f} is what that scores. '
        "Likely: learning rate too high.",
        evidence=f"{of_it} of {total} images are of that class.",
        action=f"--learning-rate {rate / 10:.1g}" if rate else "a tenth of the learning rate",
        epoch=epoch,
    )


def _nothing_learned(
    epochs: Sequence[EpochEnded], scored: Scored | None, values: Mapping[str, Any]
) -> Finding | None:
    if scored is None or scored.of == 0:
        return None
    blind = max(scored.chance, scored.majority)
    if scored.low > blind:
        return None
    if scored.high < blind or half_width(scored.of) < 0.05:
        said = f"Nothing was learned: {scored.accuracy:.2f} is not above the {blind:.2f} of knowing nothing."
    else:
        interval = f"{scored.accuracy:.2f} ({scored.low:.2f}-{scored.high:.2f})"
        said = f"It may have learned nothing: {interval} is not clearly above the {blind:.2f} of knowing nothing."
    evidence = f"{scored.right} of {scored.of} right."
    action = "look whether the labels and the pictures of the training images agree"
    if epochs and epochs[-1].train_loss < 0.5 * epochs[0].train_loss:
        evidence += " The training images themselves were learned."
    elif epochs:
        evidence += " The training loss hardly fell either."
        action = _faster(values)
    return Finding(code="nothing-learned", level="warning", said=said, evidence=evidence, action=action)


def _faster(values: Mapping[str, Any]) -> str:
    rate = values.get("optimiser.learning_rate")
    return f"--learning-rate {rate * 3:.1g}" if rate else "three times the learning rate"


def _still_improving(epochs: Sequence[EpochEnded], values: Mapping[str, Any]) -> Finding | None:
    if not _at_end(epochs):
        return None
    share = curves.still_falling([epoch.tuning_loss for epoch in epochs])
    if share is None:
        return None
    apart = (epochs[-1].epoch - epochs[0].epoch) / (len(epochs) - 1)
    share = 1 - (1 - share) ** (1 / apart)  # of one epoch, where not all of them were judged
    if share < curves.LEVEL:
        return None
    planned = int(values.get("optimiser.epochs", epochs[-1].epochs))
    return Finding(
        code="still-improving",
        level="note",
        said=f"Still improving when the {epochs[-1].epochs} epochs ended: more would probably help.",
        evidence=f"The tuning loss fell by {share:.0%} an epoch at the end.",
        action=f"--epochs {2 * planned}",
        epoch=epochs[-1].epoch,
    )


def _at_end(epochs: Sequence[EpochEnded]) -> bool:
    return bool(epochs) and epochs[-1].epoch >= epochs[-1].epochs


def _small_set(scored: Scored | None) -> Finding | None:
    if scored is None or scored.of == 0 or half_width(scored.of) < KNOWN_TO:
        return None
    points = round(100 * half_width(scored.of))
    enough = next(n for n in range(scored.of, 100_000) if half_width(n) <= KNOWN_TO / 2)
    return Finding(
        code="small-set",
        level="note",
        said=f"{scored.of} images: a score is known to about ±{points} points.",
        evidence=f"The 95 % interval here is {scored.low:.2f} to {scored.high:.2f}.",
        action=f"about {round(enough, -1)} images to measure on would tell ±5 points",
    )


def _never_answered(answers: Mapping[str, int], truth: Mapping[str, int], epoch: int) -> Finding | None:
    missing = sorted(
        (name for name, count in truth.items() if count and not answers.get(name, 0)),
        key=lambda name: (-truth[name], name),
    )
    if not missing or not answers:
        return None
    shown = ", ".join(f'"{name}" ({truth[name]})' for name in missing[:5])
    more = f" and {len(missing) - 5} more classes" if len(missing) > 5 else ""
    few = max(truth[name] for name in missing) < 5
    return Finding(
        code="class-never-answered",
        level="note" if few else "warning",
        said=f"Never answered: {shown}{more}.",
        evidence="So few of them were there that it may be chance."
        if few
        else f"All {sum(truth[name] for name in missing)} of their images are called something else.",
        action=f'look at the images of "{missing[0]}": are they enough, and like those of another class?',
        epoch=epoch,
    )


def _same_images(scored: Scored | None) -> Finding | None:
    if scored is None or scored.chosen_on == "nothing":
        return None
    return Finding(
        code="same-images",
        level="warning",
        said=f"The score was measured on the {scored.of} images that also chose the model: it flatters.",
        evidence="The best epoch and the better candidate were chosen by these very images.",
        action="measure on others: convworks evaluate RUN FOLDER",
    )
