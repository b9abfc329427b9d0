"""Boxes that are missing, broken, outside, doubled or tiny are named; those of a sound set are not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from convworks.data.findings.boxes import findings
from convworks.data.record import BoxNote, Record
from convworks.events import Finding

Box = tuple[float, float, float, float]
Seen = Callable[..., Any]


def record(number: int, *boxes: Box, name: str = "cell") -> Record:
    return Record(path=f"{number:03}.jpg", boxes=tuple(BoxNote(name=name, box=box) for box in boxes))


def sound(n: int = 40) -> list[Record]:
    """Records of three boxes each, anywhere in a frame of 640 x 480, as people draw them: up to its edges."""
    chance = np.random.default_rng(1)
    records: list[Record] = []
    for number in range(n):
        size = chance.uniform(40, 120, (3, 2))
        low = chance.uniform(-30, (670, 510), (3, 2)) - size / 2
        boxes = np.clip(np.hstack([low, low + size]), 0, [640, 480, 640, 480])
        kept = boxes[(boxes[:, 2:] - boxes[:, :2]).min(1) > 10]
        records.append(record(number, *map(tuple, kept.tolist())))
    return records


def told(seen: Any) -> dict[str, Finding]:
    return {finding.code: finding for finding in findings(seen)}


def test_a_sound_set_has_no_findings(seen_of: Seen) -> None:
    assert told(seen_of(sound())).keys() <= {"no-boxes"}


def test_a_set_without_boxes_that_is_not_about_them_has_none(seen_of: Seen) -> None:
    assert told(seen_of([Record(path="a.jpg", label="cat")], task="classification")) == {}


def test_images_without_a_box_are_a_note_and_most_of_them_a_warning(seen_of: Seen) -> None:
    some = told(seen_of([*sound(), record(900)]))["no-boxes"]
    assert some.level == "note" and "900.jpg" in some.files
    many = told(seen_of([record(1, (10, 10, 90, 90)), record(2), record(3)]))["no-boxes"]
    assert many.level == "warning" and many.count == 2
    one = told(seen_of([record(1, (10, 10, 90, 90)), record(2)], task="localization"))["no-boxes"]
    assert one.level == "warning" and one.files == ("002.jpg",)


def test_boxes_without_an_area_or_with_odd_numbers_are_named(seen_of: Seen) -> None:
    broken = [(5, 5, 5, 60), (90, 10, 20, 60), (math.nan, 0, 9, 9), (0, 0, math.inf, 9)]
    finding = told(seen_of([*sound(), record(900, *broken)]))["degenerate"]
    assert finding.count == 4 and finding.files == ("900.jpg",) and finding.evidence == "900.jpg (4)"


def test_boxes_outside_and_partly_outside_are_told_apart(seen_of: Seen) -> None:
    found = told(seen_of([*sound(), record(900, (700, 10, 760, 60)), record(901, (600, 10, 700, 60))]))
    assert found["outside"].files == ("900.jpg",) and found["beyond"].files == ("901.jpg",)


def test_a_box_within_a_pixel_of_the_frame_is_inside(seen_of: Seen) -> None:
    assert "beyond" not in told(seen_of([*sound(), record(900, (600, 400, 641, 481))]))


def test_two_boxes_on_one_object_are_named_by_their_classes(seen_of: Seen) -> None:
    one, shifted = (100.0, 100.0, 200.0, 200.0), (101.0, 100.0, 201.0, 200.0)
    found = told(seen_of([*sound(), record(900, one, shifted)]))
    assert found["repeated"].files == ("900.jpg",) and "contested" not in found
    mixed = Record(path="x.jpg", boxes=(BoxNote(name="cat", box=one), BoxNote(name="dog", box=shifted)))
    found = told(seen_of([*sound(), mixed]))
    assert found["contested"].said == "1 object carries two classes: cat and dog." and "repeated" not in found
    apart = record(900, one, (130.0, 100.0, 230.0, 200.0))
    assert not {"repeated", "contested"} & told(seen_of([*sound(), apart])).keys()


def test_tiny_objects_are_counted_against_the_stride(seen_of: Seen) -> None:
    small = [
        record(900 + n, *((x, 50.0, x + 9, 59.0) for x in np.arange(20.0, 400, 15).tolist()))
        for n in range(9)
    ]
    finding = told(seen_of([*sound(), *small]))["tiny"]
    assert finding.level == "warning" and finding.values["stride"] == 8 and finding.count == 234
    assert told(seen_of([*sound(80), *small[:2]]))["tiny"].level == "note"
    assert "tiny" not in told(seen_of([*sound(80), *small[:1]]))


def test_objects_that_mostly_reach_the_border_are_a_note(seen_of: Seen) -> None:
    cut = [record(n, (0, 100, 300, 300)) for n in range(10)]
    assert told(seen_of(cut))["cut-off"].level == "note"


def test_regions_of_a_crowd_are_not_judged(seen_of: Seen) -> None:
    crowd = Record(path="c.jpg", boxes=(BoxNote(name="cell", box=(600, 0, 900, 100), crowd=True),))
    assert not told(seen_of([*sound(), crowd])).keys() & {"beyond", "outside"}
