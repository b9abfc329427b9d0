"""Boxes drawn on another frame are told by where all of them lie, and by how they fit their images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convworks.data.findings.boxes import findings
from convworks.data.record import BoxNote, Record
from convworks.data.rgb import TURNED
from convworks.events import Finding

Seen = Callable[..., Any]
Change = Callable[[float, float, float, float], tuple[float, float, float, float]]


def drawn(n: int = 60, *, seed: int = 1, size: tuple[int, int] = (0, 0)) -> list[Record]:
    """Four boxes an image, of objects anywhere in 640 x 480, cut at its edges."""
    chance = np.random.default_rng(seed)
    records: list[Record] = []
    for number in range(n):
        sides = chance.uniform(50, 130, (4, 2))
        low = chance.uniform(-30, (670, 510), (4, 2)) - sides / 2
        boxes = np.clip(np.hstack([low, low + sides]), 0, [640, 480, 640, 480])
        kept = boxes[(boxes[:, 2:] - boxes[:, :2]).min(1) > 20].tolist()
        notes = tuple(BoxNote(name="cell", box=(a, b, c, d)) for a, b, c, d in kept)
        records.append(Record(path=f"{number:03}.jpg", boxes=notes, size=size))
    return records


def changed(records: list[Record], change: Change, every: int = 1) -> list[Record]:
    return [
        dataclasses.replace(
            record,
            boxes=tuple(dataclasses.replace(note, box=change(*note.box)) for note in record.boxes),
        )
        if number % every == 0
        else record
        for number, record in enumerate(records)
    ]


def pictures(records: list[Record], seed: int = 0) -> Callable[[int], dict[str, Any]]:
    """Thumbnails on which every box is brighter or darker than what is around it."""
    chance = np.random.default_rng(seed)
    shown: list[np.ndarray] = []
    for record in records:
        fine = np.full((480, 640), 128.0)
        for note in record.boxes:
            x0, y0, x1, y1 = (round(edge) for edge in note.box)
            fine[y0:y1, x0:x1] += chance.choice([-70, 70])
        cells = fine.reshape(32, 15, 32, 20).mean((1, 3)) + chance.normal(0, 5, (32, 32))
        shown.append(cells.clip(0, 255).astype(np.uint8))
    return lambda row: {"thumbnail": shown[row]}


def told(seen: Any) -> dict[str, Finding]:
    return {finding.code: finding for finding in findings(seen)}


WHOLE: dict[str, tuple[str, Change]] = {
    "in shares": ("shares", lambda a, b, c, d: (a / 640, b / 480, c / 640, d / 480)),
    "to the right": ("moved", lambda a, b, c, d: (a + 25, b, c + 25, d)),
    "up": ("moved", lambda a, b, c, d: (a, b - 20, c, d - 20)),
    "halved": ("shrunk", lambda a, b, c, d: (a / 2, b / 2, c / 2, d / 2)),
    "x and y exchanged": ("exchanged", lambda a, b, c, d: (b, a, d, c)),
    "width and height for a corner": ("spelling", lambda a, b, c, d: (a, b, c - a, d - b)),
    "a corner for width and height": ("spelling", lambda a, b, c, d: (a, b, a + c, b + d)),
}


@pytest.mark.parametrize("fault", WHOLE)
def test_boxes_that_all_mean_something_else_are_an_error(fault: str, seen_of: Seen) -> None:
    code, change = WHOLE[fault]
    assert told(seen_of(changed(drawn(), change)))[code].level == "error"


def test_none_of_these_is_said_of_sound_boxes(seen_of: Seen) -> None:
    codes = {code for code, _ in WHOLE.values()} | {"size", "misfit"}
    for seed in range(40):
        records = drawn(seed=seed)
        assert not told(seen_of(records, pictures(records, seed))).keys() & codes


def test_exchanged_axes_are_seen_where_only_some_images_have_them(seen_of: Seen) -> None:
    finding = told(seen_of(changed(drawn(), lambda a, b, c, d: (b, a, d, c), every=5)))["exchanged"]
    assert 0 < finding.count <= 12 and all(int(path[:3]) % 5 == 0 for path in finding.files)


def test_another_size_than_the_annotation_states_is_named_with_its_factor(seen_of: Seen) -> None:
    finding = told(seen_of(drawn(size=(1280, 960))))["size"]
    assert finding.values == {"factor": 0.5} and finding.count == 60
    assert "size" not in told(seen_of(drawn(size=(640, 480))))
    assert "another size" in told(seen_of(drawn(size=(600, 480))))["size"].said


def test_an_annotation_from_before_exif_turned_the_image_is_named(seen_of: Seen) -> None:
    finding = told(seen_of(drawn(size=(480, 640)), lambda row: {"notes": (TURNED,)}))["size"]
    assert "turned by EXIF" in finding.said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a, b, c, d: (a + 0.1 * (640 - c), b, c + 0.1 * (640 - c), d), ""),
        (lambda a, b, c, d: (max(0, a - 38), b, max(20, c - 38), d), "to the right by 6% of the width"),
        (
            lambda a, b, c, d: (min(a * 2, 600), min(b * 2, 440), min(c * 2, 640), min(d * 2, 480)),
            "half the size",
        ),
    ],
)
def test_boxes_that_stay_inside_are_told_by_the_images(change: Change, words: str, seen_of: Seen) -> None:
    records = drawn(80)
    found = told(seen_of(changed(records, change), pictures(records)))
    assert (words in found["misfit"].said) if words else ("misfit" not in found)


def test_few_images_are_not_judged_as_a_set(seen_of: Seen) -> None:
    few = changed(drawn(8), lambda a, b, c, d: (a / 2, b / 2, c / 2, d / 2))
    assert not told(seen_of(few)).keys() & {"shrunk", "moved", "misfit"}
