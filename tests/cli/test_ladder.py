"""`convworks ladder`: lines as it goes, a table, a page, JSON, and mistakes in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from convworks.cli.main import main
from convworks.data import synthetic
from convworks.studies import ladder, settle
from quick_words import QUICK


@pytest.fixture
def boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A few shapes, and a ladder that takes a few boxes of them."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"PROPOSALS": 12, "FEWEST": 4, "PASSES": 1, "EPOCHS": (1, 1)}.items():
        monkeypatch.setattr(settle, name, value)
    monkeypatch.setattr(ladder, "DRAWS", 10)
    synthetic.write(
        Path("boxes"), task="detection", count=20, classes=2, size=(96, 96), seed=0, style="shapes", workers=1
    )
    return tmp_path / "boxes"


@pytest.mark.usefixtures("tiny", "boxes")
def test_lines_a_table_and_a_page_and_the_same_again_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["ladder", "boxes", *QUICK, "--input-size", "96", "--minutes", "0.001", "--rungs", "faster,spp"]
    assert main(command) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert "4 pictures teach and 4 measure, in frames of 96 x 96" in out
    assert "  measured pictures: 4 of 4" in lines
    assert out.index("SPP-net: The net runs once") < out.index("Faster R-CNN: A small net")
    table = lines[lines.index("") + 1 :]
    assert table[0].split()[:2] == ["AP", "(95"]
    assert table[1].startswith("SPP-net") and table[2].startswith("Faster R-CNN")
    assert table[3].startswith("From SPP-net to Faster R-CNN: ")
    assert lines[-1].startswith(str(Path("runs/boxes-ladder/ladder.html")))
    assert Path("runs/boxes-ladder/ladder.html").read_text("utf-8").startswith("<!doctype html>")
    assert "\x1b" not in out and "\r" not in out
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["rung"] for one in told["rows"]] == ["spp", "faster"]
    assert told["rows"][1]["looking"]["maps"] == 4
    assert Path(told["page"]).is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rungs", "rcnn,fastre"], "faster"),
        (["--minutes", "-1"], "more than 0"),
        (["--out", "boxes/x"], "not written to"),
        (["--minuets", "3"], "--minutes"),
    ],
)
@pytest.mark.usefixtures("boxes")
def test_a_mistake_is_code_2(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ladder", "boxes", *words]) == 2
    assert said in capsys.readouterr().err
