"""What was set aside is called what it is, and a run keeps the first names of many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from convworks.data.findings import brief
from convworks.data.findings.files import findings
from convworks.data.record import BoxNote, Record, SetAside
from convworks.events import Finding

BOX = BoxNote(name="cell", box=(0, 0, 9, 9))


def test_annotations_are_not_called_files(seen_of: Callable[..., Any]) -> None:
    seen = seen_of([Record(path="a.jpg", boxes=(BOX,))])
    aside = (
        SetAside(path="a.jpg", reason="object 3: no area"),
        SetAside(path="a.jpg", reason="object 4: no area"),
        SetAside(path="labels/b.txt", reason="labels without an image of that name"),
        SetAside(path="c.jpg", reason="no XML file says what is in it"),
    )
    said = {one.code: one for one in findings(replace(seen, dataset=replace(seen.dataset, set_aside=aside)))}
    assert said["annotations-aside"].said == "3 annotations set aside while reading."
    assert said["annotations-aside"].files == ("a.jpg", "labels/b.txt")
    assert said["set-aside"].said == "1 image set aside while reading." and said["set-aside"].files == (
        "c.jpg",
    )


def test_a_short_form_keeps_the_count() -> None:
    files = tuple(map(str, range(99)))
    finding = Finding(code="x", level="note", said="Many.", count=99, files=files, pairs=((("a", "b"),) * 99))
    short = brief(finding)
    assert (short.count, len(short.files), len(short.pairs), short.said) == (99, 20, 20, "Many.")
