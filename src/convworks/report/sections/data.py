"""The data as it was found: classes, sizes, files set aside, and which images learned, chose and measured."""

from __future__ import annotations

from convworks.events import DataFound, SplitMade
from convworks.report.drawing import box, figure, meter, text
from convworks.report.markup import Child, Markup, folded, join, section, table, tag
from convworks.report.story import Story
from convworks.report.wording import count, sentence

LETTER, GAP = 7.0, 10.0  # pixels that a letter of a label takes, and between labels
SHOWN = 20  # files set aside, or classes, listed before the rest is folded away


def data(story: Story) -> Markup:
    """The section, empty where no data was found."""
    found = story.last(DataFound)
    if found is None:
        return Markup()
    low, median, high = found.short_sides
    sides = f"{low} to {high} pixels, {median} in the middle" if low != high else f"{low} pixels"
    facts = (
        f"{count(found.images, 'usable image')} in {count(len(found.counts), 'class', 'classes')}, read from "
        f"{found.root} ({found.source}). The shorter sides measure {sides}."
    )
    copied = count(found.copies, "image has", "images have")
    copies = f" {copied} a copy in the set; copies stay on one side of the split."
    return section(
        "data",
        "Data",
        tag("p", facts, copies if found.copies else ""),
        tag("ul", [tag("li", sentence(note)) for note in found.notes]) if found.notes else "",
        _classes(found),
        _set_aside(found),
        _split(story),
    )


def _classes(found: DataFound) -> Markup:
    most = max(found.counts.values(), default=0)
    if not most:  # pixels have classes, not images
        return tag("p", f"Classes: {', '.join(sorted(found.counts))}.")
    rows: list[list[Child]] = [
        [name, f"{size:,}", meter(size / most, "one")] for name, size in sorted(found.counts.items())
    ]
    heads = ["Class", "Images", ""]
    if len(rows) <= SHOWN:
        return table(heads, rows, numbers=(1,))
    return folded(f"Images of each of {len(rows)} classes", table(heads, rows, numbers=(1,)))


def _set_aside(found: DataFound) -> Markup:
    if not found.set_aside:
        return tag("p", "Every file could be used; none was set aside.")
    listing = table(["Where", "Why it was set aside"], [[path, reason] for path, reason in found.set_aside])
    number = count(len(found.set_aside), "file or annotation", "files or annotations")
    said = f"{number} set aside, not used and not changed"
    if len(found.set_aside) <= SHOWN:
        return join(tag("h3", said), listing)
    return folded(said, listing)


def _split(story: Story) -> Markup:
    split = story.last(SplitMade)
    if split is None:
        return Markup()
    parts = [
        ("learn", "one", split.train, "what the net learns from"),
        ("choose", "other", split.tuning, "choose the best epoch, candidate and temperature"),
        ("measure", "third", split.held_out, "measured once, at the end"),
    ]
    said = ", ".join(f"{size:,} images {name}" for name, _, size, _ in parts)
    rows = [[f"Images that {name}", f"{size:,}", what] for name, _, size, what in parts]
    total = max(sum(size for _, _, size, _ in parts), 1)

    def draw(width: int) -> tuple[int, list[Child]]:
        drawn: list[Child] = []
        labels = {f"{size:,} {name}": size for name, _, size, _ in parts if size}
        starts: list[float] = []
        at = 0.0
        for _, kind, size, _ in parts:
            share = width * size / total
            drawn.append(box(at + 1, 22, share - 2, 18, kind, 3))
            starts += [at + 1] if size else []
            at += share
        places = _beside(starts, [LETTER * len(label) for label in labels], width)
        drawn += [text(place, 14, label, "label") for place, label in zip(places, labels, strict=True)]
        return 44, drawn

    return join(
        tag("h3", "Which images did what"),
        figure(f"Split: {said}.", draw, sentence(split.how)),
        table(["", "Images", "What they are for"], rows, numbers=(1,)),
    )


def _beside(starts: list[float], lengths: list[float], width: float) -> list[float]:
    """Where labels begin that are as near to their starts as they can be, inside the width and not on each other."""
    places = list(starts)
    limit = width
    for index in reversed(range(len(places))):
        places[index] = min(places[index], limit - lengths[index])
        limit = places[index] - GAP
    end = 0.0
    for index, place in enumerate(places):
        places[index] = max(place, end)
        end = places[index] + lengths[index] + GAP
    return places
