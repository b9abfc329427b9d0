"""A property of the files that alone tells the class is named; random ones are not accused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convworks.data.findings import shortcuts
from convworks.data.findings.shortcuts import findings, properties, told_by
from convworks.data.record import Record
from convworks.data.traces import Traces
from convworks.events import Finding

Seen = Callable[..., Any]
PROPERTIES = ("border", "width", "bytes", "gray", "format")


def records(n: int, classes: int = 2, split: str = "") -> list[Record]:
    return [Record(path=f"{row}.jpg", label=f"c{row % classes}", split=split) for row in range(n)]  # type: ignore[arg-type]


def varied(row: int) -> dict[str, Any]:
    """Facts that have nothing to do with the class."""
    chance = np.random.default_rng(row)
    return {
        "width": int(chance.integers(200, 1200)),
        "height": int(chance.integers(200, 1200)),
        "bytes": int(chance.integers(10_000, 90_000)),
        "gray": bool(chance.random() < 0.2),
        "border": float(chance.choice([0, 0, 0, 0.02, 0.1])),
        "format": str(chance.choice(["JPEG", "PNG"])),
        "thumbnail": chance.integers(0, 256, (32, 32), np.uint8),
        "traces": Traces(
            quality=int(chance.integers(60, 96)),
            camera=str(chance.choice(["A", "B", "C", ""])),
            taken=float(chance.integers(0, 20)) * 86_400 + 1e9,
        ),
    }


def told(seen: Any) -> list[Finding]:
    return list(findings(seen))


PLANTED: dict[str, tuple[str, Callable[[int], dict[str, Any]]]] = {
    "a border": ("border", lambda row: {"border": 0.03}),
    "an encoder": (
        "encoder's quality",
        lambda row: {"traces": Traces(quality=50, taken=1e9 + 86_400 * (row % 20))},
    ),
    "a size": ("width", lambda row: {"width": 513}),
    "a camera": ("camera", lambda row: {"traces": Traces(quality=int(60 + row % 30), camera="Canon")}),
    "no colour": ("colour", lambda row: {"gray": True}),
    "darkness": ("brightness", lambda row: {"thumbnail": np.full((32, 32), 9 + row % 5, np.uint8)}),
    "a format": ("format", lambda row: {"format": "BMP"}),
}


@pytest.mark.parametrize("fault", PLANTED)
@pytest.mark.parametrize("classes", [2, 10])
def test_what_all_files_of_one_class_share_is_named_first(fault: str, classes: int, seen_of: Seen) -> None:
    name, plant = PLANTED[fault]
    seen = seen_of(
        records(200, classes),
        lambda row: varied(row) | (plant(row) if row % classes == 0 else {}),
        task="classification",
    )
    first = told(seen)[0]
    assert first.code == "shortcut" and first.values["property"] == name and first.level == "warning"
    assert "c0" in first.values["told"] and first.said.startswith(f"The {name} alone tells")


def test_a_few_exceptions_do_not_hide_it(seen_of: Seen) -> None:
    seen = seen_of(
        records(200),
        lambda row: varied(row) | {"border": 0.03 if (row % 2 == 0) != (row % 10 == 0) else 0.0},
        task="classification",
    )
    assert told(seen)[0].values["property"] == "border"


def test_properties_that_have_nothing_to_do_with_the_class_are_not_accused(seen_of: Seen) -> None:
    assert told(seen_of(records(300, 3), varied, task="classification")) == []


@pytest.mark.parametrize(
    ("sets", "tells"),
    [(60, shortcuts.TELLS), (60, 0.3), pytest.param(1000, shortcuts.TELLS, marks=pytest.mark.slow)],
    ids=["as it is", "a weaker effect", "many"],
)
def test_random_labels_are_accused_in_at_most_1_of_200(sets: int, tells: float, seen_of: Seen) -> None:
    """Also where half as large an effect would be enough to be said."""
    chance = np.random.default_rng(0)
    n, accused = 120, 0
    usual, shortcuts.TELLS = shortcuts.TELLS, tells
    try:
        seen = seen_of(records(n), varied, task="classification")
        found = properties(seen.records, seen.facts)
        for _ in range(sets):
            labels = chance.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1]).tolist()
            accused += bool(told_by(found, labels, np.arange(n)))
    finally:
        shortcuts.TELLS = usual
    assert accused <= 0.005 * sets


def test_a_class_of_few_images_is_not_judged(seen_of: Seen) -> None:
    seen = seen_of(
        [*records(100), *(Record(path=f"r{n}.jpg", label="rare") for n in range(9))],
        lambda row: varied(row) | ({"border": 0.5} if row >= 100 else {}),
        task="classification",
    )
    assert told(seen) == []


def test_copies_do_not_prove_themselves(seen_of: Seen) -> None:
    """One picture copied into a class forty times has one property, and so says nothing of the class."""
    seen = seen_of(
        records(160),
        lambda row: varied(0 if row % 2 == 0 and row < 80 else row),
        task="classification",
        groups=[0 if row % 2 == 0 and row < 80 else row for row in range(160)],
    )
    assert told(seen) == []


def test_a_property_that_tells_the_split_is_a_note(seen_of: Seen) -> None:
    both = [*records(100, split="train"), *records(60, split="val")]
    seen = seen_of(
        both, lambda row: varied(row) | {"bytes": 99_999 if row >= 100 else 50_000 + row}, task="detection"
    )
    first = told(seen)[0]
    assert (first.code, first.level) == ("split-shift", "note") and "bytes" in first.said


def test_names_and_dates_are_notes_for_a_net_does_not_see_them(seen_of: Seen) -> None:
    named = [Record(path=f"{('IMG_', 'DSC')[row % 2]}{row}.jpg", label=f"c{row % 2}") for row in range(100)]
    first = told(seen_of(named, varied, task="classification"))[0]
    assert first.values["property"] == "file name" and first.level == "note"
    same = [
        Record(path=f"{('cat', 'dog')[row % 2]}.{row}.jpg", label=("cat", "dog")[row % 2])
        for row in range(100)
    ]
    assert told(seen_of(same, varied, task="classification")) == []
