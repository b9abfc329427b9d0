"""`convworks audit`: exit codes, words for a person, JSON for a machine."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convworks.cli.main import main


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    chance = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for number in range(5):
            small = Image.fromarray(chance.integers(0, 256, (6, 8, 3), np.uint8))
            small.resize((64, 48), Image.Resampling.BICUBIC).save(tmp_path / "pets" / label / f"{number}.png")
    return tmp_path / "pets"


def test_a_clean_set_is_code_0(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(pets)]) == 0
    out, err = capsys.readouterr()
    assert "10 usable images, 2 classes, read as folder" in out and "cat 5, dog 5" in out
    assert out.endswith("Nothing needs attention.\n") and err == "" and "\x1b" not in out


def test_what_needs_attention_is_code_1_with_file_and_next_step(
    pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pets / "cat" / "bad\nname.png").write_bytes(b"x")
    assert main(["audit", str(pets)]) == 1
    out = capsys.readouterr().out
    assert (
        "! 1 image set aside" in out and "cat/bad\\nname.png (not an image" in out and "Next: replace" in out
    )


def test_even_a_ruined_set_is_listed(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (pets / "cat").iterdir():
        path.write_bytes(b"x")
    assert main(["audit", str(pets)]) == 1
    assert "x No readable image to learn from in cat" in capsys.readouterr().out


def test_json_names_every_file(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pets / "cat" / "bad.png").write_bytes(b"x")
    (pets / "dog" / "again.png").write_bytes((pets / "dog" / "1.png").read_bytes())
    assert main(["audit", str(pets), "--json", "--workers", "2"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["counts"] == {"all": {"cat": 5, "dog": 6}}
    assert told["set_aside"] == [{"path": "cat/bad.png", "reason": "not an image that can be read"}]
    assert told["copies"] == [["dog/1.png", "dog/again.png"]]
    assert [(finding["code"], finding["level"]) for finding in told["findings"]] == [
        ("unreadable", "warning"),
        ("copies", "note"),
    ]
    assert told["short_sides"] == {"smallest": 48, "median": 48, "largest": 48}


def test_a_mistake_is_code_2(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(pets.parent / "pest")]) == 2
    assert f"did you mean {pets}" in capsys.readouterr().err
    assert main(["audit", str(pets), "--workers", "-1"]) == 2
    assert main(["audit", str(pets), "--source", "fodler"]) == 2


def test_a_smaller_limit_refuses_larger_images(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(pets), "--max-pixels", "3071"]) == 1
    assert "64 x 48 pixels, 3,072; at most 3,071 are decoded" in capsys.readouterr().out
