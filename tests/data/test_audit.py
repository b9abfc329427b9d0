"""The audit sets aside what cannot be read, measures the rest, says what needs attention, and writes nothing."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convworks.data import measure, sources
from convworks.data.audit import Audit, scan
from convworks.data.facts import is_gray
from convworks.data.pixels import PixelStore, resized
from convworks.errors import DataError
from convworks.events import Finding


def scene(seed: int, size: tuple[int, int] = (60, 48)) -> Image.Image:
    chance = np.random.default_rng(seed)
    return Image.fromarray(chance.integers(0, 256, (6, 8, 3), np.uint8)).resize(
        size, Image.Resampling.BICUBIC
    )


def pets(root: Path, n: int = 12, splits: tuple[str, ...] = ("",)) -> Path:
    """`n` different images of each of two classes in each split."""
    seed = 0
    for split in splits:
        for label in ("cat", "dog"):
            folder = root / split / label
            folder.mkdir(parents=True)
            for number in range(n):
                scene(seed).save(folder / f"{number:02}.png")
                seed += 1
    return root


def audited(root: Path, **options: object) -> Audit:
    return scan(sources.read(root), **options)  # type: ignore[arg-type]


def by_code(found: Audit) -> dict[str, Finding]:
    return {finding.code: finding for finding in found.findings}


def state(root: Path) -> str:
    """Names, bytes and times of all files below."""
    total = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        total.update(repr((str(path), path.stat().st_mtime_ns, content)).encode())
    return total.hexdigest()


def test_a_clean_set_has_facts_and_no_findings(tmp_path: Path) -> None:
    found = audited(pets(tmp_path))
    assert found.findings == ()
    assert len(found.facts) == len(found.dataset.records) == 24
    assert {(fact.width, fact.height, fact.mode, fact.format) for fact in found.facts} == {
        (60, 48, "RGB", "PNG")
    }
    assert [fact.bytes for fact in found.facts] == [
        (tmp_path / record.path).stat().st_size for record in found.dataset.records
    ]
    assert found.groups.tolist() == found.same.tolist() == found.positions.tolist() == list(range(24))


def test_unreadable_files_are_set_aside_by_name_and_nothing_is_written(tmp_path: Path) -> None:
    pets(tmp_path, 30)
    (tmp_path / "cat" / "05.png").write_bytes(b"")
    whole = (tmp_path / "dog" / "07.png").read_bytes()
    (tmp_path / "dog" / "07.png").write_bytes(whole[: len(whole) // 2])
    before = state(tmp_path)
    found = audited(tmp_path)
    assert state(tmp_path) == before
    aside = {file.path: file.reason for file in found.dataset.set_aside}
    assert aside.keys() == {"cat/05.png", "dog/07.png"}
    assert aside["cat/05.png"] == "empty (0 bytes)" and "cut short" in aside["dog/07.png"]
    assert len(found.facts) == len(found.dataset.records) == 58
    assert 5 not in found.positions and len(found.positions) == 58
    finding = by_code(found)["unreadable"]
    assert finding.level == "warning" and "2 images" in finding.said and "cat/05.png" in finding.evidence


def test_above_a_share_of_unreadable_images_it_stops(tmp_path: Path) -> None:
    pets(tmp_path, 20)
    for number in range(3):
        (tmp_path / "cat" / f"{number:02}.png").write_bytes(b"<html>")
    with pytest.raises(DataError, match="3 of 40 images cannot be read") as raised:
        audited(tmp_path)
    assert "cat/00.png" in raised.value.found and len(str(raised.value).splitlines()) <= 6
    found = audited(tmp_path, stop=False)
    assert found.findings[0].code == "ruined" and found.findings[0].level == "error"


def test_a_few_images_may_lose_more(tmp_path: Path) -> None:
    pets(tmp_path, 10)
    for number in range(3):
        (tmp_path / "cat" / f"{number:02}.png").write_bytes(b"x")
    assert len(audited(tmp_path).facts) == 17


def test_a_class_that_loses_all_its_images_stops_it(tmp_path: Path) -> None:
    pets(tmp_path, 3)
    for path in (tmp_path / "cat").iterdir():
        path.write_bytes(b"x")
    with pytest.raises(DataError, match="learn from in cat"):
        audited(tmp_path)


def test_a_leak_is_counted_and_said(tmp_path: Path) -> None:
    pets(tmp_path, 12, ("train", "val"))
    for number in range(5):
        scene(number).save(tmp_path / "val/cat" / f"{number:02}.png")
    scene(0).resize((30, 24)).save(tmp_path / "val/cat" / "small.png")
    finding = by_code(audited(tmp_path))["leak"]
    assert finding.level == "warning"
    assert finding.said.startswith("6 of 25 validation images are copies of training images")
    assert "val/cat/00.png = train/cat/00.png" in finding.evidence


def test_copies_in_one_class_are_a_note_and_share_a_group(tmp_path: Path) -> None:
    pets(tmp_path)
    scene(3).save(tmp_path / "cat" / "again.bmp")
    found = audited(tmp_path)
    (finding,) = found.findings
    assert (finding.code, finding.level) == ("copies", "note")
    rows = [
        row
        for row, record in enumerate(found.dataset.records)
        if record.path in ("cat/03.png", "cat/again.bmp")
    ]
    assert len(set(found.groups[rows].tolist())) == 1 and len(set(found.same[rows].tolist())) == 2


def test_one_picture_in_two_classes_is_a_warning_but_its_mirror_image_is_none(tmp_path: Path) -> None:
    pets(tmp_path)
    scene(3).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "dog" / "mirrored.png")
    assert by_code(audited(tmp_path)).keys() == {"copies"}
    scene(3).save(tmp_path / "dog" / "same.bmp")
    finding = by_code(audited(tmp_path))["labels"]
    assert finding.level == "warning" and "dog/same.bmp = cat/03.png" in finding.evidence


def test_imbalance_and_single_images_are_said_with_numbers(tmp_path: Path) -> None:
    pets(tmp_path, 12)
    for path in sorted((tmp_path / "dog").iterdir())[1:]:
        path.unlink()
    found = by_code(audited(tmp_path))
    assert "12 times" in found["imbalance"].said and "92%" in found["imbalance"].evidence
    assert found["single"].said == "One image is all there is to learn from in dog."


def test_odd_kinds_are_counted_by_kind(tmp_path: Path) -> None:
    pets(tmp_path)
    for number in (1, 2):
        scene(number).convert("LA").save(tmp_path / "cat" / f"{number:02}.png")
        alpha = scene(number).convert("RGBA")
        alpha.putalpha(100)
        alpha.save(tmp_path / "cat" / f"{number:02}.png")
    found = audited(tmp_path)
    assert [(finding.level, finding.said) for finding in found.findings] == [
        ("note", "2 images: transparent parts laid over white.")
    ]


def test_a_cut_photo_is_a_warning(tmp_path: Path) -> None:
    pets(tmp_path)
    scene(99).save(tmp_path / "cat" / "cut.jpg")
    data = (tmp_path / "cat" / "cut.jpg").read_bytes()
    (tmp_path / "cat" / "cut.jpg").write_bytes(data[: len(data) * 3 // 4] + b"\xff\xd9")
    finding = by_code(audited(tmp_path))["cut"]
    assert finding.level == "warning" and "cat/cut.jpg" in finding.evidence


def test_a_family_of_frames_is_named(tmp_path: Path) -> None:
    pets(tmp_path, 20)
    for number in range(15):
        scene(500).save(tmp_path / "cat" / f"frame{number:02}.jpg", quality=80 + number)
    assert "15 of 55 images" in by_code(audited(tmp_path))["family"].said


@pytest.mark.parametrize("workers", [1, 3])
def test_training_keeps_what_the_audit_decodes(tmp_path: Path, workers: int) -> None:
    pets(tmp_path)
    (tmp_path / "cat" / "03.png").write_bytes(b"x")
    dataset = sources.read(tmp_path)
    store = PixelStore([tmp_path / record.path for record in dataset.records], 24, 1 << 20)
    found = scan(dataset, workers=workers, at_least=24, keep=store.put)
    kept = store.select(found.positions.tolist())
    assert kept.held == len(kept) == 23
    for index, record in enumerate(found.dataset.records):
        assert np.array_equal(kept.get(index), resized(np.array(Image.open(tmp_path / record.path)), 24))


def test_threads_change_nothing_and_progress_comes_from_the_callers_own(tmp_path: Path) -> None:
    pets(tmp_path, 20)
    told: list[tuple[int, int, int]] = []
    alone = audited(tmp_path)
    together = audited(
        tmp_path, workers=4, progress=lambda done, total: told.append((done, total, threading.get_ident()))
    )
    assert [fact.hashes.file for fact in alone.facts] == [fact.hashes.file for fact in together.facts]
    assert np.array_equal(alone.groups, together.groups)
    assert told == [(done, 40, threading.get_ident()) for done in range(1, 41)]


def test_what_keeping_raises_ends_the_audit(tmp_path: Path) -> None:
    def full(position: int, image: np.ndarray) -> None:
        raise MemoryError(position)

    with pytest.raises(MemoryError):
        audited(pets(tmp_path), workers=2, keep=full)


def test_grays_are_told_from_colours() -> None:
    plane = np.random.default_rng(0).integers(0, 250, (40, 50, 1), np.uint8)
    gray = np.repeat(plane, 3, axis=2)
    assert is_gray(gray) and is_gray(gray + np.array([0, 3, 0], np.uint8))
    gray[11, 12] = (200, 100, 100)
    assert not is_gray(gray)


def test_the_fingerprint_is_of_the_images_to_learn_from(tmp_path: Path) -> None:
    pets(tmp_path, 10, ("train", "val"))
    scene(0, (120, 30)).convert("L").save(tmp_path / "train/cat" / "00.png")
    scene(1).save(tmp_path / "train/cat" / "copy.bmp")
    seen = measure.fingerprint(audited(tmp_path))
    assert dict(seen.counts) == {"cat": 11, "dog": 10} and seen.images == 21
    assert (seen.task, seen.split) == ("classification", "given")
    assert seen.widths[:2] == (60, 60) and seen.short_sides == (48, 48, 48)
    assert seen.gray == pytest.approx(1 / 21) and seen.copies == 2


def test_a_split_to_be_made_is_said(tmp_path: Path) -> None:
    assert measure.fingerprint(audited(pets(tmp_path))).split == "made"
