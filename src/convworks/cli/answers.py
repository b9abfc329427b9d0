"""What a model says of pictures as lines, rows and drawn pictures: one form for each kind of answer."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from convworks.samples import Classification, Detection, Localization, MultiLabel, Prediction, Segmentation

EDGES = ("x0", "y0", "x1", "y1")
MASK = ("pixels", "mask")
"""Of an object with an outline: how many pixels it has, and which, as COCO writes run lengths."""


def sure(answer: Prediction, above: float) -> Prediction:
    """The answer, less the objects of a probability below `above`."""
    if not isinstance(answer, Detection):
        return answer
    return replace(answer, found=tuple(one for one in answer.found if one.probability >= above))


def shown(answer: Prediction, top: int) -> str:
    """An answer in words: the `top` most probable classes, or what there is and where, in pixels of the picture."""
    if isinstance(answer, Classification):
        first = zip(answer.names[:top], answer.probabilities, strict=False)
        return ", ".join(f"{name} {probability:.2f}" for name, probability in first)
    if isinstance(answer, Detection):
        lines = (f"\n  {one.name} {one.probability:.2f} at ({_edges(one.box)})" for one in answer.found)
        return (
            "".join(lines).lstrip("\n")
            if len(answer.found) == 1
            else f"{len(answer.found)} objects{''.join(lines)}"
        )
    return str(answer)


def table(classes: Sequence[str], answers: Sequence[Prediction]) -> str:
    """A CSV. A picture a row, and for a detector an object a row: path, class, probability, and its edges in pixels.

    Objects with outlines have their number of pixels and their mask as well.
    """
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    outlined = any(one.runs for answer in answers if isinstance(answer, Detection) for one in answer.found)
    rows.writerow([*_header(classes, answers), *(MASK if outlined else ())])
    for answer in answers:
        rows.writerows(_rows(classes, answer))
    return out.getvalue()


def _header(classes: Sequence[str], answers: Sequence[Prediction]) -> list[str]:
    match answers[0] if answers else None:
        case MultiLabel():
            return ["path", "classes", *classes]
        case Detection():
            return ["path", "class", "probability", *EDGES]
        case Localization():
            return ["path", "class", "probability", *EDGES, *classes]
        case Segmentation():
            return ["path", *classes]
        case _:
            return ["path", "class", "probability", *classes]


def _rows(classes: Sequence[str], answer: Prediction) -> Iterator[list[object]]:
    match answer:
        case MultiLabel():
            from convworks.data.sources.csv_labels import cell

            named = cell(name for name, _ in answer.shown)
            yield [answer.path, named, *(f"{one:.6f}" for one in answer.probabilities)]
        case Detection():
            from convworks.data.sources import runs

            for one in answer.found:
                edges = (f"{edge:.2f}" for edge in one.box)
                mask = (runs.area(one.runs), runs.packed(one.runs)) if one.runs else ()
                yield [answer.path, one.name, f"{one.probability:.6f}", *edges, *mask]
        case Segmentation():
            shares = answer.shares()
            yield [answer.path, *(f"{shares.get(name, 0.0):.6f}" for name in classes)]
        case Localization() | Classification():
            by_name = dict(zip(answer.names, answer.probabilities, strict=True))
            box = [f"{edge:.2f}" for edge in answer.box] if isinstance(answer, Localization) else []
            every = (f"{by_name[name]:.6f}" for name in classes)
            yield [answer.path, answer.name, f"{answer.probability:.6f}", *box, *every]


def draw(answer: Prediction, classes: Sequence[str], folder: Path, taken: set[str]) -> Path:
    """Writes the picture with what was said of it into `folder`, as a JPEG of its name; gives the file.

    `taken` holds the names that are no longer free; a picture of the same name in another folder gets a number.
    """
    from PIL import Image

    from convworks.data.decode import decode
    from convworks.files import write_whole
    from convworks.report.drawn import drawn

    assert answer.path is not None
    name = free_name(answer.path, taken)
    content = io.BytesIO()
    Image.fromarray(drawn(decode(answer.path).image, answer, classes)).save(content, "JPEG", quality=92)
    file = folder / f"{name}.jpg"
    write_whole(file, content.getvalue())
    return file


def free_name(picture: Path, taken: set[str]) -> str:
    """The name of a picture without its suffix, with a number where it is among `taken`, to which it is added."""
    name, number = picture.stem, 2
    while name in taken:
        name, number = f"{picture.stem}-{number}", number + 1
    taken.add(name)
    return name


def _edges(box: Sequence[float]) -> str:
    return ", ".join(f"{edge:.0f}" for edge in box)
