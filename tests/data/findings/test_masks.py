"""Masks that are missing, unreadable, of another size, empty, or of values that no class has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from convworks.data.findings.masks import findings
from convworks.data.maps import MapFacts
from convworks.data.record import MaskCode, Record
from convworks.events import Finding

Seen = Callable[..., Any]
CODE = MaskCode(values=(((0,), "road"), ((1,), "tree")))
SOUND = MapFacts(size=(640, 480), values={(0,): 200_000, (1,): 100_000, (255,): 7_200})


def told(
    seen_of: Seen, maps: list[MapFacts | None], *, split: Any = "", code: MaskCode = CODE
) -> dict[str, Finding]:
    records = [
        Record(
            path=f"{row}.jpg", mask="" if one is None else f"{row}.png", split="val" if row == split else ""
        )
        for row, one in enumerate(maps)
    ]
    seen = seen_of(records, lambda row: {"map": maps[row]}, task="segmentation", masks=code)
    return {finding.code: finding for finding in findings(seen)}


def test_sound_masks_have_no_findings(seen_of: Seen) -> None:
    assert told(seen_of, [SOUND] * 5) == {}


def test_other_tasks_without_masks_have_none(seen_of: Seen) -> None:
    assert list(findings(seen_of([Record(path="a.jpg", label="x")], task="classification"))) == []


def test_an_image_without_a_mask_is_named(seen_of: Seen) -> None:
    assert told(seen_of, [SOUND, None])["no-mask"].files == ("1.jpg",)


def test_a_mask_that_cannot_be_read_is_named_with_its_reason(seen_of: Seen) -> None:
    finding = told(seen_of, [SOUND, MapFacts(problem="cut short")])["mask-unreadable"]
    assert finding.files == ("1.jpg",) and "cut short" in finding.evidence


def test_another_size_is_named_with_both(seen_of: Seen) -> None:
    small = MapFacts(size=(320, 240), values=SOUND.values)
    assert told(seen_of, [SOUND, small])["mask-size"].evidence == "1.jpg (320 x 240 for 640 x 480)"


def test_a_mask_stored_lying_down_like_its_image_fits(seen_of: Seen) -> None:
    records = [Record(path=f"{row}.jpg", mask=f"{row}.png", split="train") for row in range(2)]
    lying = MapFacts(size=(480, 640), values=SOUND.values)
    seen = seen_of(records, lambda row: {"map": lying, "turn": (6, 3)[row]}, task="segmentation", masks=CODE)
    sizes = next(one for one in findings(seen) if one.code == "mask-size")
    assert sizes.files == ("1.jpg",)


def test_values_of_no_class_are_counted_by_masks_and_pixels(seen_of: Seen) -> None:
    odd = MapFacts(size=(640, 480), values={(0,): 300_000, (1,): 7_000, (7,): 200})
    finding = told(seen_of, [SOUND, odd, odd])["mask-values"]
    assert finding.count == 2 and finding.evidence.startswith("value 7 in 2 masks")
    assert finding.values == {"values": {"7": 400}, "masks": {"7": 2}} and "smoothed" not in finding.why


def test_many_values_between_those_of_classes_are_a_smoothed_mask(seen_of: Seen) -> None:
    smoothed = MapFacts(size=(640, 480), values={(value,): 1_000 for value in range(60)})
    assert "saved as JPEG" in told(seen_of, [smoothed, SOUND])["mask-values"].why


def test_colours_that_no_class_has_are_written_as_they_are(seen_of: Seen) -> None:
    code = MaskCode(values=(((128, 0, 0), "road"),), ignore=())
    odd = MapFacts(size=(640, 480), values={(128, 0, 0): 9, (1, 2, 3): 1})
    assert told(seen_of, [odd], code=code)["mask-values"].values["values"] == {"1 2 3": 1}


def test_masks_without_a_pixel_that_counts_and_of_one_class_are_told_apart(seen_of: Seen) -> None:
    nothing, uniform = (MapFacts(size=(640, 480), values={(value,): 307_200}) for value in (255, 0))
    found = told(seen_of, [SOUND, nothing, uniform])
    assert found["mask-empty"].files == ("1.jpg",) and found["mask-uniform"].files == ("2.jpg",)


def test_a_class_that_is_never_painted_or_never_to_learn_from_is_named(seen_of: Seen) -> None:
    roads = MapFacts(size=(640, 480), values={(0,): 300_000, (255,): 7_200})
    assert told(seen_of, [roads, roads])["class-absent"].values == {"classes": ["tree"]}
    finding = told(seen_of, [roads, SOUND], split=1)["class-absent"]
    assert "to learn from: tree" in finding.said
