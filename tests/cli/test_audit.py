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


def test_a_page_is_written_where_asked_but_not_into_the_data(
    pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pets / "cat" / "bad.png").write_bytes(b"x")
    assert main(["audit", str(pets)]) == 1
    assert "--page FILE.html shows the pictures" in capsys.readouterr().out
    page = pets.parent / "audit.html"
    assert main(["audit", str(pets), "--page", str(page)]) == 1
    assert f"{page} (0.0 MB): open it in a browser" in capsys.readouterr().out and page.stat().st_size > 5_000
    assert main(["audit", str(pets), "--page", str(page), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["page"] == str(page)
    assert main(["audit", str(pets), "--page", str(pets / "audit.html")]) == 2
    assert "not written to" in capsys.readouterr().err and not (pets / "audit.html").exists()


def test_a_mistake_is_code_2(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(pets.parent / "pest")]) == 2
    assert f"did you mean {pets}" in capsys.readouterr().err
    assert main(["audit", str(pets), "--workers", "-1"]) == 2
    assert main(["audit", str(pets), "--source", "fodler"]) == 2


def test_a_smaller_limit_refuses_larger_images(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(pets), "--max-pixels", "3071"]) == 1
    assert "64 x 48 pixels, 3,072; at most 3,071 are decoded" in capsys.readouterr().out


def test_corrections_beside_the_data_are_honoured_and_said(
    pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pets / "dog" / "again.png").write_bytes((pets / "cat" / "1.png").read_bytes())
    assert main(["audit", str(pets)]) == 1
    (pets.parent / "pets.corrections.toml").write_text('exclude = ["dog/again.png"]')
    capsys.readouterr()
    assert main(["audit", str(pets)]) == 0
    assert "Note    Corrections in pets.corrections.toml: 1 left out." in capsys.readouterr().out
    other = pets.parent / "other.toml"
    other.write_text('exclude = ["dog/agian.png"]')
    assert main(["audit", str(pets), "--corrections", str(other)]) == 2
    assert "did you mean dog/again.png?" in capsys.readouterr().err


def test_why_and_what_to_do_stand_below_a_warning(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pets / "dog" / "again.png").write_bytes((pets / "cat" / "1.png").read_bytes())
    assert main(["audit", str(pets)]) == 1
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("  ! 1 image copies one of another class.")
    assert lines[at + 1].strip() == "dog/again.png = cat/1.png"
    assert lines[at + 2].strip().startswith("Why: ") and lines[at + 3].strip().startswith("Next: ")


@pytest.mark.packs
@pytest.mark.parametrize(
    ("pack", "words"),
    [
        (
            "bccd",
            ["3 classes, boxes, read as voc", "2,804 objects: Platelets 209", "Objects 1 to 30 an image"],
        ),
        (
            "camvid",
            ["11 classes, masks, read as masks", "images, pixels: Bicyclist", "validation images belong to"],
        ),
        ("one_animal", ["one box an image, read as csv", "Objects 1 to 1 an image"]),
    ],
)
def test_every_task_is_said_in_its_own_numbers(
    pack: str, words: list[str], packs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", str(packs / pack)]) == 1
    out = capsys.readouterr().out
    assert all(word in out for word in words)


@pytest.mark.packs
def test_json_of_boxes_has_parts_objects_pairs_and_files(
    packs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["audit", str(packs / "bccd"), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert [(part["split"], part["images"]) for part in told["parts"]] == [
        ("train", 205),
        ("val", 87),
        ("test", 72),
    ]
    assert told["objects"]["number"] == 4886 and told["objects"]["by_class"].keys() == {
        "Platelets",
        "RBC",
        "WBC",
    }
    leak = next(finding for finding in told["findings"] if finding["code"] == "leak")
    assert leak["count"] == len(leak["pairs"]) == len(leak["files"]) == 1 and leak["why"] and leak["action"]
