"""`convworks preview`: the page, the contact sheet, JSON, and mistakes in words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convworks.cli.main import main

NET = ("--backbone", "conv3-8 relu pool2", "--input-size", "48")


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    chance = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for number in range(3):
            small = Image.fromarray(chance.integers(0, 256, (6, 8, 3), np.uint8))
            small.resize((80, 60), Image.Resampling.BICUBIC).save(tmp_path / "pets" / label / f"{number}.png")
    return tmp_path / "pets"


def test_a_page_is_written_here_and_what_is_on_is_said(
    pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preview", "pets", *NET, "--rotate", "15"]) == 0
    out = capsys.readouterr().out
    assert "flip horizontal on: mirror left and right" in out and "rotate 15: largest rotation" in out
    assert "preview.html (0." in out and (pets.parent / "preview.html").read_text("utf-8").startswith(
        "<!doctype"
    )


def test_json_and_a_contact_sheet(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--images", "2", "--draws", "3", "--png", "sheet.png", "--page", "p.html", "--json"]
    assert main(["preview", "pets", *NET, *words, "--flip-horizontal", "false", "--crop-scale", "1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["operations"] == {"colour": 0.2} and len(told["images"]) == 2
    assert told["page"] == "p.html" and told["png"] == "sheet.png"
    with Image.open("sheet.png") as sheet:
        assert sheet.width == (48 + 6) * 4 + 6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--png", "sheet.jpg"], "sheet.png"),
        (["--page", "pets/p.html"], "not written to"),
        (["--draws", "0"], "from 1 to 32"),
        (["--rotaet", "5"], "--rotate"),
    ],
)
def test_a_mistake_is_code_2(
    pets: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preview", "pets", *NET, *words]) == 2
    assert said in capsys.readouterr().err
