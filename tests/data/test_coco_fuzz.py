"""Mutated COCO files: whatever the bytes, a data set or a DataError, and soon."""

from __future__ import annotations

import copy
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convworks.data.record import DataSet
from convworks.data.sources import coco
from convworks.errors import DataError

LONGEST = 1.0
"""Seconds of this process that one file may take."""

ODD: list[Any] = [
    *(None, True, "", "x", "1", -1, 0, 0.5, 1e308, -1e308, 1e-320, 10**30, float("nan"), float("inf")),
    *([], {}, [[]], [None], {"size": [1, 1]}, "\ud800", "../1.jpg", "0P" * 50, [0] * 300, [[1, 2] * 400]),
]
BITS = (
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"NaN",
    b"1e999",
    b"\\",
    b"\0",
    b"\xff",
    b"9" * 50,
    b"-",
    b'"id"',
)


def whole() -> dict[str, Any]:
    mask = {"size": [8, 10], "counts": "9" + "1O" * 3}
    return {
        "images": [
            {"id": 1, "file_name": "1.jpg", "width": 10, "height": 8},
            {"id": 2, "file_name": "2.jpg", "width": 10, "height": 8},
        ],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "bbox": [1, 1, 4, 4],
                "segmentation": [[1, 1, 5, 1, 5, 5]],
            },
            {
                "id": 2,
                "image_id": 1,
                "category_id": 2,
                "bbox": [0, 0, 9.5, 8],
                "segmentation": mask,
                "iscrowd": 1,
            },
            {"id": 3, "image_id": 2, "category_id": 2, "bbox": [2, 2, 3, 3], "keypoints": [1, 1, 2, 0, 0, 0]},
            {
                "id": 4,
                "image_id": 2,
                "category_id": 1,
                "segmentation": {"size": [8, 10], "counts": [3, 20, 57]},
            },
        ],
        "categories": [
            {"id": 1, "name": "cat", "supercategory": "all"},
            {"id": 2, "name": "ant", "keypoints": ["left leg", "right leg"]},
        ],
    }


def odd_value(draw: random.Random, said: Any) -> None:
    """Puts something odd in one place of the tree, or takes it out."""
    at: Any = said
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            return
        key = draw.choice(keys)
        below = at[key]
        if isinstance(below, dict | list) and below and draw.random() < 0.85:
            at = below
            continue
        if draw.random() < 0.2:
            del at[key]
        else:
            at[key] = copy.deepcopy(draw.choice(ODD))
        return


def odd_bytes(draw: random.Random, data: bytearray) -> None:
    """Changes, doubles, drops or adds a few bytes."""
    at, end = sorted(draw.randrange(len(data) + 1) for _ in range(2))
    match draw.randrange(5):
        case 0:
            data[at:at] = draw.choice(BITS)
        case 1:
            del data[at : min(end, at + 20)]
        case 2:
            data[at : at + 1] = bytes([draw.randrange(256)])
        case 3:
            data[at:at] = data[at : min(end, at + 60)]
        case _:
            del data[at : len(data) if draw.random() < 0.2 else at + 1]


def mutated(draw: random.Random) -> bytes:
    said = whole()
    for _ in range(draw.choice([0, 1, 1, 2, 5])):
        odd_value(draw, said)
    data = bytearray(json.dumps(said).encode())
    for _ in range(draw.choice([0, 0, 1, 3])):
        odd_bytes(draw, data)
    return bytes(data)


def attempt(path: Path, data: bytes) -> DataSet | DataError:
    """What reading the bytes gives; anything but a data set or a DataError is an error of the test."""
    path.write_bytes(data)
    start = time.process_time()
    try:
        result: DataSet | DataError = coco.read(path)
    except DataError as error:
        result = error
    assert time.process_time() - start < LONGEST
    return result


@pytest.mark.parametrize(
    "trials", [2_000, pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_mutated_files_are_read_or_refused_in_words(trials: int, tmp_path: Path) -> None:
    draw = random.Random(trials)
    for name in ("1.jpg", "2.jpg"):
        (tmp_path / name).write_bytes(b"")
    counts = {True: 0, False: 0}
    for _ in range(trials):
        data = mutated(draw)
        try:
            result = attempt(tmp_path / "a.json", data)
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error}\n{data!r}") from error
        read = isinstance(result, DataSet)
        counts[read] += 1
        if isinstance(result, DataSet):
            for record in result.records:
                assert record.path in ("1.jpg", "2.jpg")
                for one in record.boxes:
                    assert one.box[0] < one.box[2] and one.box[1] < one.box[3] and one.name in result.classes
            assert all(file.reason.isprintable() and file.path.isprintable() for file in result.set_aside)
        else:
            assert str(result).isprintable() or "\n" in str(result)
    assert min(counts.values()) > trials / 20


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_words(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "bytes"
    folder.mkdir(exist_ok=True)
    assert isinstance(attempt(folder / "a.json", data), DataError)
