"""Imbalance, classes of few images, and classes that cannot be told apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from convworks.data.findings.balance import findings
from convworks.data.record import BoxNote, Record
from convworks.events import Finding

Seen = Callable[..., Any]


def told(seen: Any) -> dict[str, Finding]:
    return {finding.code: finding for finding in findings(seen)}


def several(*sets: Sequence[str]) -> list[Record]:
    return [Record(path=f"{row}.jpg", labels=tuple(names)) for row, names in enumerate(sets)]


def labelled(**counts: int) -> list[Record]:
    return [
        Record(path=f"{name}{n}.jpg", label=name) for name, number in counts.items() for n in range(number)
    ]


def test_balanced_classes_have_no_findings(seen_of: Seen) -> None:
    assert told(seen_of(labelled(cat=50, dog=20), task="classification")) == {}


def test_imbalance_of_images_and_of_objects(seen_of: Seen) -> None:
    finding = told(seen_of(labelled(cat=66, dog=6), task="classification"))["imbalance"]
    assert finding.said.startswith("cat has 11 times the images of dog") and "92%" in finding.evidence
    boxes = [BoxNote(name="red", box=(0, 0, 9, 9))] * 12 + [BoxNote(name="white", box=(0, 0, 9, 9))]
    finding = told(seen_of([Record(path=f"{n}.jpg", boxes=tuple(boxes)) for n in range(9)]))["imbalance"]
    assert finding.said.startswith("red has 12 times the objects of white: 108 and 9")


def test_few_and_single_images_are_named_by_class(seen_of: Seen) -> None:
    found = told(seen_of(labelled(ant=5, bee=4, cat=1), task="classification"))
    assert found["single"].values == {"classes": ["cat"]} and found["single"].files == ("cat0.jpg",)
    assert found["few"].values == {"counts": {"bee": 4}} and found["few"].level == "note"


def test_classes_that_always_come_together_or_are_everywhere(seen_of: Seen) -> None:
    sets = [
        ("sky", "sea", "ship"),
        ("sky", "sea", "ship"),
        ("sky", "tree"),
        ("sky", "tree", "car"),
        ("sky", "car"),
    ]
    found = told(seen_of(several(*sets, *sets), task="multilabel"))
    assert found["always"].values == {"classes": ["sky"]}
    assert found["inseparable"].values == {"classes": ["sea", "ship"]}
    assert "no-labels" not in found


def test_several_labels_that_vary_have_no_findings(seen_of: Seen) -> None:
    sets = [("sea",), ("sea", "ship"), ("ship",), ("tree",), ("tree", "sea")] * 4
    assert told(seen_of(several(*sets), task="multilabel")) == {}


def test_images_without_a_label_are_a_note(seen_of: Seen) -> None:
    sets = [(), ("sea",), ("sea", "ship"), ("ship",), ("tree",), ("tree", "sea")] * 4
    finding = told(seen_of(several(*sets), task="multilabel"))["no-labels"]
    assert finding.count == 4 and finding.level == "note"
