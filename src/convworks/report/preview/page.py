"""The page of a preview: images beside draws of everything at once, then one row an operation, on and off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from convworks.augmentation import plan
from convworks.data.names import shown
from convworks.recipe.options import AugmentationOptions, knobs
from convworks.report.audit.shots import described
from convworks.report.audit.wall import legend
from convworks.report.choices import knob, setting
from convworks.report.markup import Markup, folded, join, section, tag
from convworks.report.page import page
from convworks.report.pictures import Album
from convworks.report.preview.draws import NOTHING, Draw, Shown, active, alone, drawn, offered, whole

ALONE = 6
"""Draws of an operation alone."""
OTHERS = 4
"""Draws of one that is off."""


def build(made: Shown) -> str:
    """A preview as one HTML page; it works offline and without scripts."""
    album = Album(str(made.dataset.root))
    name = shown(made.dataset.root.resolve().name)
    parts = {
        "Draws": _draws(made, album),
        "Operations": _operations(made, album),
        "Switched off": _others(made, album),
    }
    return page(
        f"{name}: Convworks preview",
        _header(made, name),
        {title: part for title, part in parts.items() if part},
        of="preview",
        skip="Skip to the question",
        styles=("shots.css",),
    )


def _header(made: Shown, name: str) -> Markup:
    on = active(made.options)
    many = "Each" if len(on) > 1 else "It"
    told = ", ".join(_told(one, made.options) for one in on)
    lead = (
        f"What training would see of your images: {told}. {many} is a claim "
        "about your pictures: that what they show stays the same. Only you know whether that is so."
        if on
        else "Nothing is switched on: training would see the images as they are."
    )
    return tag(
        "header",
        tag(
            "p",
            f"{name} · {made.recipe.task}, frames of {made.setting.frame[1]} x {made.setting.frame[0]}",
            class_="kicker",
        ),
        tag("h1", "Does each still show what it did?"),
        tag("p", lead, class_="lead"),
    )


def _draws(made: Shown, album: Album) -> Markup:
    rows: list[Markup] = []
    for path, row, sample in zip(made.paths, made.rows, made.samples, strict=True):
        found = drawn(sample, row, made.options, made.setting, made.draws, made.samples)
        what = described(made.dataset.records[row])
        heading = tag("h3", shown(path), f": {what}" if what else "")
        rows.append(join(heading, _strip([whole(sample, made.setting), *found], album, path)))
    rule = f" A box in orange is struck out: training drops it, because {plan.RULE}." if _boxed(made) else ""
    said = f"First the image, then {made.draws} draws by seed {made.setting.seed}, everything at once.{rule}"
    return section(
        "draws", "Your images, drawn", tag("p", said), legend(made.dataset, made.setting.background), *rows
    )


def _operations(made: Shown, album: Album) -> Markup:
    """A row for each operation that is on."""
    rows = [
        join(
            tag("h3", _told(name, made.options)),
            tag("p", f"{_said(name)} Without it: ", tag("code", _switch(name, getattr(NOTHING, name)))),
            _strip(_alone(made, alone(name, made.options), ALONE), album, name),
        )
        for name in active(made.options)
    ]
    return section("operations", "One at a time", *rows) if rows else Markup()


def _others(made: Shown, album: Album) -> Markup:
    """A row, folded away, for each operation that is off."""
    would = offered(made.recipe.task)
    off = [name for name in would if name not in active(made.options)]
    rows = [
        join(
            tag("h3", knob(name)),
            tag("p", f"{_said(name)} To have it: ", tag("code", _switch(name, would[name]))),
            _strip(_alone(made, replace(NOTHING, **{name: would[name]}), OTHERS), album, name),
        )
        for name in off
    ]
    said = "They are off, as each claims something of your pictures that may not hold."
    return section("others", "What else there is", tag("p", said), folded(f"The other {len(off)}", *rows))


def _alone(made: Shown, options: AugmentationOptions, count: int) -> list[Draw]:
    """Draws of the first image."""
    return drawn(made.samples[0], made.rows[0], options, made.setting, count, made.samples)


def _strip(draws: Sequence[Draw], album: Album, of: str) -> Markup:
    return tag("ul", [_card(one, album, of) for one in draws], class_="shots strip")


def _card(one: Draw, album: Album, of: str) -> Markup:
    struck = f", {one.dropped} struck out" if one.dropped else ""
    return tag(
        "li", album.whole(one.picture, f"{of}, {one.said}{struck}"), tag("p", one.said, struck, class_="path")
    )


def _boxed(made: Shown) -> bool:
    return any(len(sample.boxes) for sample in made.samples)


def _told(name: str, options: AugmentationOptions) -> str:
    value = getattr(options, name)
    unit = str(knobs()[f"augmentation.{name}"].metadata["unit"])
    return knob(name) if value is True else f"{knob(name)} {setting(value)} {unit}".rstrip()


def _said(name: str) -> str:
    told = str(knobs()[f"augmentation.{name}"].metadata["said"])
    return f"{told[:1].upper()}{told[1:]}."


def _switch(name: str, value: bool | float) -> str:
    word = str(value).lower() if isinstance(value, bool) else f"{value:g}"
    return f"--{name.replace('_', '-')} {word}"
