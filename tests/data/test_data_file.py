"""The data file of YOLO sets: what such files use is read, all else of YAML refused with its line, nothing run."""

from __future__ import annotations

import contextlib
import time

import pytest

from convworks.data.sources.confine import Refused
from convworks.data.sources.data_file import parse
from convworks.data.sources.yolo_layout import KEYS

COCO8 = """\
# COCO8 dataset
# Example usage: train data=coco8.yaml

path: ../datasets/coco8 # dataset root dir
train: images/train # train images (relative to 'path') 4 images
val: images/val
test: # test images (optional)

# Classes
names:
  0: person
  1: "traffic light"
  2: 'it''s: a #2'

# Download script/URL (optional)
download: |
  import os
  os.system("touch ran")
"""


def test_a_usual_file_is_read_and_its_script_passed_over() -> None:
    said, others = parse(COCO8, KEYS)
    assert said == {
        "path": "../datasets/coco8",
        "train": "images/train",
        "val": "images/val",
        "test": "",
        "names": {"0": "person", "1": "traffic light", "2": "it's: a #2"},
    }
    assert others == ["download"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names: ['a b', 'c#d', e]", ["a b", "c#d", "e"]),
        ("names:\n- a\n- b", ["a", "b"]),
        ("names:\n  - a  # first\n\n  - b", ["a", "b"]),
        ("names: [a,\n  b,\n  c ]", ["a", "b", "c"]),
        ("names: [\n'a',\n'b'\n]", ["a", "b"]),
        ("names: {0: a, 1: 'b, c'}", {"0": "a", "1": "b, c"}),
        ("---\nnames:\n  0: a\n  1: b", {"0": "a", "1": "b"}),
        ('names: ["caf\\u00e9", "new\\nline"]', ["café", "new\nline"]),
        ("names: []", []),
        ("names: [a, b, ]", ["a", "b"]),
    ],
)
def test_names_as_files_spell_them(text: str, names: object) -> None:
    assert parse(text, KEYS)[0]["names"] == names


def test_points_in_three_levels() -> None:
    text = "kpt_shape: [2, 3]\nkpt_names:\n  0:\n    - nose\n    - left eye\n  1: [a, b]\nnames:\n  0: x\n"
    said, _ = parse(text, KEYS)
    assert said["kpt_names"] == {"0": ["nose", "left eye"], "1": ["a", "b"]}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("names: &a [x]", 1),
        ("train: *a", 1),
        ("names: !!python/object/apply:os.system ['touch ran']", 1),
        ("train: !include other.yaml", 1),
        ("\ntrain: |\n  x", 2),
        ("train: >-\n  x", 1),
        ("names:\n\t0: a", 2),
        ("a b", 1),
        ("names: [a, [b]]", 1),
        ("names: [a", 1),
        ("names: {a}", 1),
        ('names: ["a]', 1),
        ("names: ['a'b]", 1),
        ("  x: 1", 1),
        ("train: a: b", 1),
        ("names:\n  0: a\n   1: b", 3),
        ("names:\n  0: a\n 1: b", 3),
        ("names:\n  0: a\n  - b", 3),
        ("names:\n  0: a\n  0: b", 3),
        ("train: a\ntrain: b", 2),
        ("train: a\n  b", 2),
        ("%YAML 1.2\n---\na: b", 1),
        ("? train", 1),
        ('train: "a\\q"', 1),
        ("train: 'a", 1),
        ("names:\n" + "".join(f"{' ' * depth}a:\n" for depth in range(1, 9)), 6),
    ],
)
def test_the_rest_of_yaml_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(Refused, match=rf"^line {line}: "):
        parse(text, KEYS)


@pytest.mark.parametrize(
    "text",
    [
        f"names: [{' ' * 450_000}[",
        f"names: {chr(34) + chr(92)}{chr(34) + chr(92)}" * 40_000,
        "names: [" + "'" * 450_000,
        "names:\n" + "  0:\n" * 80_000,
        "x" * 500_000,
        "names: [" + "a," * 240_000 + "]",
        '" ' * 250_000,
        "names:\n" + "".join(f"{' ' * depth}a:\n" for depth in range(1_000)),
        "names: {" + "a: b, " * 80_000 + "}",
        "#" * 600_000,
    ],
)
def test_no_file_is_read_for_long(text: str) -> None:
    began = time.process_time()
    with contextlib.suppress(Refused):
        parse(text, KEYS)
    assert time.process_time() - began < 1
