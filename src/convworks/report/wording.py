"""What each event says in words: plain lines for a terminal, a pipe or a log.

A line is a tag of eight columns ("Data", "Score", blank for what belongs to the line above) and a text.
"""

from __future__ import annotations

import math
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping

from convworks.evaluation.uncertainty import wilson
from convworks.events import (
    Candidate,
    DataFound,
    DepthProbed,
    DriftMeasured,
    EpochEnded,
    Event,
    Finding,
    Finished,
    Interrupted,
    Measured,
    RateLowered,
    RecipeSettled,
    Resumed,
    Scored,
    SplitMade,
    StageStarted,
    WeightsLoaded,
)
from convworks.report.choices import brief

MARKS = {"note": "-", "warning": "!", "error": "x"}
ROOM = 160  # characters of evidence
NAMED = 3  # files named in a list before the others are counted

Entry = tuple[str, str]


def entries(event: Event) -> list[Entry]:
    """The tagged lines of an event; none for `EpochEnded` (see `epoch`) and for what a person need not see."""
    match event:
        case DataFound():
            return _data(event)
        case SplitMade():
            return _split(event)
        case WeightsLoaded():
            return _weights(event)
        case RecipeSettled():
            return _recipe(event)
        case StageStarted():
            learns = f" {_millions(event.learns)} parameters learn." if event.learns else ""
            return [("Stage", f"{event.stage}: {sentence(event.said)}{learns}")]
        case DepthProbed():
            shares = ", ".join(f"{name} {share:.2f}" for name, share in event.stages)
            frozen = (
                f"{event.freeze} of {count(len(event.stages), 'stage')} stay frozen: {sentence(event.why)}"
            )
            gets = f"has a {event.measure} of" if event.measure else "gets"
            return [("Depth", f"a linear model on each stage {gets} {shares}."), ("", frozen)]
        case Finding():
            return [(f"epoch {event.epoch}" if event.epoch else "", finding(event))]
        case RateLowered():
            return [(f"epoch {event.epoch}", f"! {rate_lowered(event)}")]
        case Resumed():
            return [
                ("Resumed", f"{event.stage}, epoch {event.epoch}, step {event.step}. {event.note}".strip())
            ]
        case Candidate(measure=measure) if measure:
            told = f"{event.name}: {measure} {event.value:.3f} on the {event.of} images that choose."
            return [("Kept", told)] if event.chosen else []
        case Candidate():
            told = f"{event.name}: {event.right} of {event.of} right on the images that choose."
            return [("Kept", told)] if event.chosen else []
        case DriftMeasured():
            return [("Drift", event.said)]
        case Scored():
            return [("Score", score(event)), *([("", event.said)] if event.said else [])]
        case Measured():
            more = [measures(event), by_class(event), event.said]
            return [("Score", measured(event)), *(("", text) for text in more if text)]
        case Finished():
            spent = f"in {duration(event.seconds)} ({duration(event.cpu_seconds)} of processor time)"
            files = [("Look at", f"{path}: {what}") for path, what in event.files]
            return [("Done", f"{spent}: {event.run}"), *files]
        case Interrupted():
            return [("Stopped", f"by {event.signal}; everything is saved."), ("", f"Go on: {event.command}")]
        case _:
            return []


def problem(event: Event) -> Entry | None:
    """What the end repeats of an event: a key under which a later one replaces it, and the text."""
    match event:
        case DataFound(set_aside=set_aside) if set_aside:
            return "set-aside", f"! {skipped(set_aside)}"
        case Finding(level="warning" | "error"):
            return event.code, finding(event)
        case RateLowered():
            return "rate-lowered", f"! {rate_lowered(event)}"
        case _:
            return None


def finding(event: Finding) -> str:
    """A finding as mark, words and next step, with the files where it is about the data.

    The evidence of the others is for those who have room, the report and JSON.
    """
    said = event.said
    if event.evidence and event.level != "note" and not event.epoch and "/" in event.evidence:
        said = f"{said.rstrip('.')}: {textwrap.shorten(event.evidence, ROOM, placeholder=' ...')}"
    return f"{MARKS[event.level]} {sentence(said)}{_step(event.action)}"


def _step(action: str) -> str:
    if not action:
        return ""
    return f" Try: {action}" if action.startswith("-") else f" Next: {action}"


def rate_lowered(event: RateLowered) -> str:
    """What was not finite, where, with which images, and the rate that goes on."""
    layer = f" in {event.layer}" if event.layer else ""
    return (
        f"The {event.quantity} was not finite{layer} at step {event.step} with the learning rate "
        f"{event.learning_rate:g}; going on from the last good state with {event.retry_learning_rate:g}. "
        f"The batch: {listed(event.files)}."
    )


def score(event: Scored) -> str:
    """The score with its interval, and what knowing nothing would give where no words say so."""
    if not event.of:
        return "nothing was measured: no image was held out."
    interval = f"{event.accuracy:.2f} ({event.low:.2f}-{event.high:.2f})"
    told = "" if event.said else f"; {blind(event)}"
    return f"{interval}, {event.right} of {event.of} right{told}."


def measured(event: Measured) -> str:
    """The measure that counts, with its interval."""
    if not event.of:
        return "nothing was measured: no image was held out."
    interval = f" ({event.low:.2f}-{event.high:.2f})" if math.isfinite(event.low) else ""
    return f"{event.measure} {event.value:.3f}{interval} on {count(event.of, 'image')}."


def measures(event: Measured) -> str:
    """The other measures, in one line."""
    others = [f"{name} {value:.3f}" for name, value in event.measures[1:] if math.isfinite(value)]
    return f"{', '.join(others)}." if others else ""


def by_class(event: Measured) -> str:
    """The measure by class, the worst first, in one line."""
    known = sorted((value, name) for name, value in event.classes if math.isfinite(value))
    return f"By class: {', '.join(f'{name} {value:.2f}' for value, name in known)}." if known else ""


def blind(event: Scored | SplitMade) -> str:
    """Chance and always answering the commonest class, in one phrase."""
    if math.isnan(event.majority):
        return f"chance {event.chance:.2f}"
    return f'chance {event.chance:.2f}, always answering "{event.majority_class}" {event.majority:.2f}'


def epoch(event: EpochEnded) -> str:
    """One line an epoch: losses, right answers with their interval, time taken and time left."""
    left = f"  {roughly(event.remaining)} left" if event.remaining > 0 and event.epoch < event.epochs else ""
    digits, figures = len(str(event.epochs)), len(str(event.of))
    if event.measure:
        answers = f"{event.measure} {event.value:.3f}"
    else:
        low, high = wilson(event.right, event.of)
        share = event.right / max(event.of, 1)
        answers = f"right {event.right:>{figures}}/{event.of}  {share:.2f} ({low:.2f}-{high:.2f})"
    judged = f"tune {loss(event.tuning_loss)}  {answers}" if event.of else "not judged"
    return (
        f"epoch {event.epoch:>{digits}}/{event.epochs}  train {loss(event.train_loss)}  "
        f"{judged}  {duration(event.seconds)}{left}"
    )


def _data(event: DataFound) -> list[Entry]:
    low, median, high = event.short_sides
    sides = (
        f"short sides {low} to {high} pixels (median {median})" if low != high else f"short side {low} pixels"
    )
    found = f"{count(event.images, 'usable image')}, {classes(event.counts)}; {sides}."
    lines = [("Data", found)]
    if event.copies:
        lines.append(
            ("", f"{count(event.copies, 'image')} with a copy in the set, kept on one side of the split.")
        )
    if event.set_aside:
        lines.append(("", skipped(event.set_aside)))
    return lines + [("", sentence(note)) for note in event.notes]


def _split(event: SplitMade) -> list[Entry]:
    parts = f"{event.train:,} learn, {event.tuning:,} choose, {event.held_out:,} measure"
    said = [("Split", f"{parts}: {sentence(event.how)}")]
    if not math.isnan(event.chance):
        said.append(("Chance", f"{blind(event).removeprefix('chance ')}."))
    return said


def _weights(event: WeightsLoaded) -> list[Entry]:
    licence = f" Licence: {event.licence}." if event.licence else ""
    net = f"{event.backbone}, {_millions(event.parameters)} parameters."
    weights = f"Weights: {sentence(event.source)}{licence}"
    return [("Net", net), ("", weights), *(("", f"! {sentence(note)}") for note in event.notes)]


def _recipe(event: RecipeSettled) -> list[Entry]:
    said = [*map(sentence, brief(event.values, event.why)), "Every choice with its reason: recipe.toml."]
    return [("Recipe" if index == 0 else "", line) for index, line in enumerate(said)]


def _millions(parameters: int) -> str:
    return f"{parameters / 1e6:.1f} million" if parameters >= 1e5 else f"{parameters:,}"


def classes(counts: Mapping[str, int]) -> str:
    """How many classes and how large: each by name where they are few; how many where none was counted.

    >>> classes({"ant": 60, "bee": 60, "wasp": 60}), classes({"road": 0, "sky": 0})
    ('3 classes (60 each)', '2 classes')
    """
    sizes = sorted(counts.values())
    if not any(sizes):
        return count(len(sizes), "class", "classes")
    if sizes[0] == sizes[-1]:
        each = f"{sizes[0]:,} each"
    elif len(sizes) <= 4:
        each = ", ".join(f"{name} {size:,}" for name, size in counts.items())
    else:
        each = f"{sizes[0]:,} to {sizes[-1]:,} each"
    return f"{count(len(sizes), 'class', 'classes')} ({each})"


def skipped(set_aside: Iterable[tuple[str, str]]) -> str:
    """The files set aside, the first by name.

    >>> skipped([("circle/17.jpg", "unreadable"), ("square/3.png", "is empty")])
    '2 skipped: circle/17.jpg unreadable, square/3.png is empty'
    """
    files = list(set_aside)
    return f"{len(files)} skipped: {listed([f'{path} {reason}'.rstrip('.') for path, reason in files])}"


def listed(names: Iterable[str]) -> str:
    """The first of some names, and how many more there are.

    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    every = list(names)
    more = f" and {len(every) - NAMED} more" if len(every) > NAMED else ""
    return ", ".join(every[:NAMED]) + more


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> count(1, "image"), count(1200, "image")
    ('1 image', '1,200 images')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def sentence(text: str) -> str:
    """The text with a full stop where it has no end of its own."""
    return text if not text or text.rstrip()[-1:] in ".!?:" else f"{text.rstrip()}."


def loss(value: float) -> str:
    """A loss with three digits at most.

    >>> loss(1.0834), loss(0.0456), loss(float("nan"))
    ('1.08', '0.046', 'nan')
    """
    return f"{value:.3f}" if value < 0.0995 else f"{value:.2f}"


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> duration(0.42), duration(4.2), duration(95), duration(3720)
    ('0.4 s', '4 s', '1 min 35 s', '1 h 2 min')
    """
    if not math.isfinite(seconds):
        return "?"
    if seconds < 0.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def roughly(seconds: float) -> str:
    """A guess of a time, no more exact than it is known: seconds under two minutes, else whole minutes.

    >>> roughly(25.2), roughly(100), roughly(205), roughly(4000)
    ('25 s', '100 s', '3 min', '1 h 6 min')
    """
    if not 120 <= seconds < 3600:
        return f"{seconds:.0f} s" if 60 <= seconds < 120 else duration(seconds)
    return f"{round(seconds / 60)} min"


def harmless(text: str) -> str:
    r"""The text with control and direction-changing characters spelt out: no file name steers a terminal.

    >>> print(harmless("a\x1b[2Jb"))
    a\x1b[2Jb
    """
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character)[0] == "C"
        else character
        for character in text
    )
