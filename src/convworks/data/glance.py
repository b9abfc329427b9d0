"""A first look at a data set, from file headers and annotations alone: what a net for its pictures is proposed from.

Nothing is decoded: a folder of thousands of pictures is measured in a moment. The audit (`audit.scan`) measures all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from convworks.data import decode, sources
from convworks.data.record import DataSet, Record, classes_of
from convworks.errors import DataError
from convworks.recipe.aims import aims, by_class, percentiles
from convworks.recipe.fingerprint import Fingerprint
from convworks.recipe.nets import NetProposal, net_for

SAMPLED = 200
"""Headers that are read for the sizes of a set, spread over it."""
GRAY = ("1", "L", "LA", "I;16", "I;16B", "I", "F")
"""Modes of files that hold no colour."""

Size = tuple[int, int]


def glance(dataset: DataSet) -> Fingerprint:
    """Classes, sizes and objects of the images to learn from; raises DataError where no picture can be read.

    Sizes are of up to 200 images spread over the set, and so are those of objects; counts are of all.
    """
    records = [record for record in dataset.records if record.split in ("train", "")] or dataset.records
    looked = [
        (record, found)
        for record in records[:: max(1, len(records) // SAMPLED)]
        if (found := _header(dataset.root / record.path)) is not None
    ]
    if not looked:
        raise DataError(
            f"No picture of {dataset.root} can be read.", fix="look at the files: convworks audit"
        )
    widths, heights = zip(*(found.size for _, found in looked), strict=True)
    counts = Counter(name for record in records for name in classes_of(record))
    shared = dataset.task != "classification"
    named = [pair for record, _ in looked for pair in _sizes(record)]
    objects = [size for _, size in named]
    return Fingerprint(
        task=dataset.task,
        counts={name: counts[name] for name in dataset.classes},
        widths=percentiles(widths),
        heights=percentiles(heights),
        short_sides=percentiles([min(found.size) for _, found in looked]),
        gray=sum(found.mode in GRAY for _, found in looked) / len(looked),
        objects=percentiles(objects) if objects else (0.0, 0.0, 0.0),
        by_class=by_class(named),
        split="given" if any(record.split in ("val", "test") for record in dataset.records) else "made",
        total=len(records) if shared else 0,
    )


def propose_net(
    data: str | Path, begun: str = "", *, objects: Sequence[float] = (), input: Size | None = None
) -> NetProposal:
    """The net that the pictures of `data` ask for, each choice with its reason; nothing is decoded or trained.

    `begun` are layers in notation that stay as they are, and the rest follows; `objects` are sizes in pixels of the
    pictures, where nobody drew boxes; `input` is (height, width) where that is decided.

    Raises DataError for data that cannot be read, NetError for layers that cannot be.
    """
    from convworks.arithmetic.notation import parse

    wanted = aims(glance(sources.read(Path(data))), objects=objects, input=input)
    return net_for(wanted, parse(begun) if begun else ())


def _header(path: Path) -> decode.Header | None:
    try:
        return decode.header(path)
    except DataError:
        return None


def _sizes(record: Record) -> list[tuple[str, float]]:
    """Class and square root of the area of the objects of a picture, crowds left out."""
    boxes = ((note.name, note.box) for note in record.boxes if not note.crowd)
    areas = ((name, (right - left) * (bottom - top)) for name, (left, top, right, bottom) in boxes)
    return [(name, area**0.5) for name, area in areas if area > 0]
