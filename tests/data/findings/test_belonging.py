"""Videos, patients and bursts that lie on two sides of a split are named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from convworks.data.findings.belonging import by_name, findings
from convworks.data.record import Record, Split
from convworks.data.traces import Traces
from convworks.events import Finding

Seen = Callable[..., Any]


def told(seen: Any) -> dict[str, Finding]:
    return {finding.code: finding for finding in findings(seen)}


def frames(*videos: tuple[str, Split, int], group: bool = False) -> list[Record]:
    return [
        Record(path=f"{split}/{video}_{n:04}.jpg", label="car", split=split, group=video if group else "")
        for video, split, number in videos
        for n in range(number)
    ]


def test_frames_of_one_video_on_both_sides_are_a_warning(seen_of: Seen) -> None:
    records = frames(("seq1", "train", 9), ("seq1", "val", 3), ("seq2", "train", 5), ("seq3", "val", 4))
    finding = told(seen_of(records))["names-split"]
    assert finding.level == "warning" and finding.count == 3
    assert finding.said.startswith("3 of 7 validation images") and "seq1" in finding.said
    assert finding.values == {"groups": {"seq1": {"train": 9, "val": 3}}}


def test_videos_on_one_side_each_are_sound(seen_of: Seen) -> None:
    assert told(seen_of(frames(("seq1", "train", 9), ("seq2", "train", 5), ("seq3", "val", 4)))) == {}


def test_before_a_split_is_made_groups_in_names_are_a_note(seen_of: Seen) -> None:
    finding = told(seen_of(frames(("patient1", "", 4), ("patient2", "", 4))))["names"]
    assert finding.level == "note" and 'group_by = "name"' in finding.action


def test_groups_that_the_data_set_names_come_first(seen_of: Seen) -> None:
    found = told(seen_of(frames(("a", "train", 3), ("a", "val", 1), ("b", "val", 2), group=True)))
    assert found.keys() == {"group-split"} and found["group-split"].count == 1


@pytest.mark.parametrize(
    "names",
    [
        ["raccoon-1", "raccoon-2", "kangaroo-1", "kangaroo-2"],
        ["BloodImage_00001", "BloodImage_00002", "BloodImage_00003"],
        ["2467959963_a7831e9ff0", "3030772428_8578335616", "446296270_d9e8b93ecf"],
        ["n01443537_goldfish", "n02165456_ladybug"],
        ["001", "002", "003"],
    ],
)
def test_names_with_nothing_but_a_counter_tell_no_group(names: list[str]) -> None:
    assert by_name([f"{name}.jpg" for name in names], [()] * len(names)) == {}


def test_names_that_repeat_the_class_tell_no_group() -> None:
    paths = [f"{name}/{name}_{n}.jpg" for name in ("digit1", "digit2") for n in range(4)]
    assert by_name(paths, [("digit1",)] * 4 + [("digit2",)] * 4) == {}


def test_a_burst_of_one_camera_is_one_group(seen_of: Seen) -> None:
    records = [Record(path=f"{n}.jpg", label="x", split="val" if n == 2 else "train") for n in range(6)]
    times = [1e9, 1e9 + 4, 1e9 + 8, 1e9 + 90, 1e9 + 500, 0.0]
    finding = told(seen_of(records, lambda row: {"traces": Traces(camera="A", taken=times[row])}))[
        "burst-split"
    ]
    assert finding.pairs == (("2.jpg", "0.jpg"),)
    apart = [1e9 + 60 * n for n in range(6)]
    assert told(seen_of(records, lambda row: {"traces": Traces(camera="A", taken=apart[row])})) == {}
    assert told(seen_of(records, lambda row: {"traces": Traces(camera=str(row), taken=times[row])})) == {}
