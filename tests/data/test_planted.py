"""Faults planted in copies of the packs are found, and what is sound stays unaccused (RELIABILITY D2, E, C)."""

from __future__ import annotations

import dataclasses
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from convworks.data import sources
from convworks.data.audit import Audit, scan
from convworks.data.findings import boxes
from convworks.events import Finding

EACH = 12
"""Images that are planted of each kind; twenty in the slow run."""


def told(found: Audit) -> dict[str, Finding]:
    return {finding.code: finding for finding in found.findings}


def jpeg(image: Image.Image, place: Path, quality: int = 85) -> None:
    image.save(place, "JPEG", quality=quality)


def part(image: Image.Image, seed: int) -> Image.Image:
    """A window that keeps 80 to 95 % of the area."""
    chance = np.random.default_rng(seed)
    kept = chance.uniform(0.8, 0.95)
    across = kept ** chance.uniform(0, 1)
    w, h = int(np.ceil(image.width * across)), int(np.ceil(image.height * kept / across))
    x, y = int(chance.integers(0, image.width - w + 1)), int(chance.integers(0, image.height - h + 1))
    return image.crop((x, y, x + w, y + h))


KINDS: dict[str, Callable[[Path, Path, int], object]] = {
    "exact": lambda source, place, seed: shutil.copyfile(source, place),
    "encoded": lambda source, place, seed: jpeg(Image.open(source), place, 50 + seed * 7 % 45),
    "resized": lambda source, place, seed: jpeg(
        ImageOps.scale(Image.open(source), 0.4 + seed % 5 / 4), place
    ),
    "mirrored": lambda source, place, seed: jpeg(ImageOps.mirror(Image.open(source)), place),
    "part": lambda source, place, seed: jpeg(part(Image.open(source), seed), place),
}


def planted(packs: Path, root: Path, each: int) -> dict[str, set[str]]:
    """A copy of the ants and bees in which copies of training images lie in val, half of them in the other class."""
    shutil.copytree(packs / "ants_bees", root, copy_function=shutil.copy)
    root.chmod(0o755)
    for folder in root.rglob("*"):
        folder.chmod(0o755)
    names: dict[str, set[str]] = {}
    chosen = sorted((root / "train").rglob("*.jpg"))
    chosen = [chosen[at] for at in np.random.default_rng(0).permutation(len(chosen))[: each * len(KINDS)]]
    for number, source in enumerate(chosen):
        kind = list(KINDS)[number // each]
        other = {"ants": "bees", "bees": "ants"}[source.parent.name]
        label = source.parent.name if number % 2 else other
        place = root / "val" / label / f"{kind} {number}.jpg"
        KINDS[kind](source, place, number)
        names.setdefault(kind, set()).add(place.relative_to(root).as_posix())
    return names


@pytest.mark.packs
@pytest.mark.parametrize("each", [EACH, pytest.param(40, marks=pytest.mark.slow)])
def test_copies_across_the_split_and_across_classes(each: int, packs: Path, tmp_path: Path) -> None:
    names = planted(packs, tmp_path / "pets", each)
    found = told(scan(sources.read(tmp_path / "pets")))
    leak = found["leak"]
    total = sum(map(len, names.values()))
    assert leak.said.startswith(
        f"{leak.count} of {153 + total} validation images are copies of training images"
    )
    assert names["exact"] <= set(leak.files)
    for kind, files in names.items():
        assert len(files & set(leak.files)) >= 0.95 * len(files), kind
    false = set(leak.files) - set.union(*names.values())
    assert len(false) <= 0.005 * 153
    swapped = {one for one, _ in found["labels"].pairs} | {other for _, other in found["labels"].pairs}
    upright = set.union(*(files for kind, files in names.items() if kind != "mirrored"))
    wrong = {path for path in upright if int(path.split(" ")[1].split(".")[0]) % 2 == 0}
    assert len(wrong & swapped) >= 0.95 * len(wrong)
    assert not {path for path in upright - wrong if path in swapped}


@pytest.mark.packs
def test_a_sound_pack_is_not_accused(packs: Path) -> None:
    found = scan(sources.read(packs / "ants_bees"))
    assert found.findings == ()


def bordered(image: Image.Image, place: Path) -> None:
    width = 6
    inner = image.crop((width, width, image.width - width, image.height - width))
    jpeg(ImageOps.expand(inner, width, (200, 40, 40)), place, 90)


SHORTCUTS: dict[str, tuple[str, Callable[[Image.Image, Path], object]]] = {
    "a border": ("border", bordered),
    "quality": ("encoder's quality", lambda image, place: jpeg(image, place, 60)),
    "darkness": ("brightness", lambda image, place: jpeg(image.point(lambda value: value // 8), place, 90)),
}


@pytest.mark.packs
@pytest.mark.parametrize("fault", SHORTCUTS)
def test_a_property_given_to_one_class_alone_is_named(fault: str, packs: Path, tmp_path: Path) -> None:
    name, change = SHORTCUTS[fault]
    for label in ("ants", "bees"):
        (tmp_path / label).mkdir()
        for path in sorted((packs / "ants_bees" / "train" / label).glob("*.jpg"))[:45]:
            if label == "bees":
                file = io.BytesIO(path.read_bytes())
                change(Image.open(file).convert("RGB"), tmp_path / label / path.name)
            else:
                shutil.copyfile(path, tmp_path / label / path.name)
    first = next(finding for finding in scan(sources.read(tmp_path)).findings if finding.code == "shortcut")
    assert first.values["property"] == name and first.values["found"] >= 0.9


Change = Callable[[float, float, float, float], tuple[float, float, float, float]]
BOXES: dict[str, tuple[set[str], Change]] = {
    "as they are": (set(), lambda a, b, c, d: (a, b, c, d)),
    "moved": ({"moved"}, lambda a, b, c, d: (a + 20, b + 12, c + 20, d + 12)),
    "halved": ({"shrunk"}, lambda a, b, c, d: (a / 2, b / 2, c / 2, d / 2)),
    "exchanged": ({"exchanged"}, lambda a, b, c, d: (b, a, d, c)),
    "in shares": ({"shares"}, lambda a, b, c, d: (a / 640, b / 480, c / 640, d / 480)),
    "spelt otherwise": ({"spelling"}, lambda a, b, c, d: (a, b, c - a, d - b)),
}
MISREAD = {"moved", "shrunk", "exchanged", "shares", "spelling", "misfit", "size"}


@pytest.mark.packs
@pytest.mark.parametrize("pack", ["bccd", "one_animal"])
def test_boxes_that_lie_beside_their_objects(pack: str, packs: Path) -> None:
    dataset = sources.read(packs / pack)
    dataset = dataclasses.replace(dataset, records=list(dataset.records)[::3])
    seen = scan(dataset, at_least=64).seen
    for fault, (codes, change) in BOXES.items():
        records = [
            dataclasses.replace(
                record, boxes=tuple(dataclasses.replace(note, box=change(*note.box)) for note in record.boxes)
            )
            for record in seen.records
        ]
        found = {finding.code for finding in boxes.findings(dataclasses.replace(seen, records=records))}
        assert found & MISREAD == codes, fault


@pytest.mark.packs
def test_masks_with_a_value_too_many_and_of_another_size(packs: Path, tmp_path: Path) -> None:
    for kind in ("images", "masks"):
        (tmp_path / "train" / kind).mkdir(parents=True)
        for path in sorted((packs / "camvid" / "val" / kind).iterdir()):
            shutil.copyfile(path, tmp_path / "train" / kind / path.name)
    shutil.copyfile(packs / "camvid" / "classes.txt", tmp_path / "classes.txt")
    clean = told(scan(sources.read(tmp_path)))
    assert not {code for code in clean if code.startswith("mask")}
    first, second, third = sorted((tmp_path / "train" / "masks").iterdir())[:3]
    mask = np.array(Image.open(first))
    mask[:5, :7] = 77
    Image.fromarray(mask).save(first)
    Image.open(second).resize((240, 180), Image.Resampling.NEAREST).save(second)
    Image.fromarray(np.full((360, 480), 255, np.uint8)).save(third)
    found = told(scan(sources.read(tmp_path)))
    assert found["mask-values"].values["values"] == {"77": 35}
    assert [Path(path).stem for path in found["mask-size"].files] == [second.stem]
    assert [Path(path).stem for path in found["mask-empty"].files] == [third.stem]
