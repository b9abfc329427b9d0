"""`convworks design`: what it prints, its exit codes, and what it does with mistakes."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from convworks.cli.main import main

GUIDE = "conv5-16 relu pool2 conv5-32 relu pool2 fc10"


def test_a_net_that_fits_is_a_table_and_exit_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["design", GUIDE, "--input", "32x32x3"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[2].split() == [
        "1",
        "conv5-16",
        "28x28x16",
        "1,216",
        "941k",
        "62.5",
        "kB",
        "5",
        "1",
        "0",
        "fits",
    ]
    assert "22,058 parameters" in out
    assert "!" not in out


def test_a_finding_that_needs_attention_is_exit_1_with_its_fixes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["design", "conv3-1 s3", "--input", "7x7x1"]) == 1
    out = capsys.readouterr().out
    assert "! layer 1 (conv3-1 s3): 1 of 7 rows and 1 of 7 columns never read, 27% of its input." in out
    assert [line.strip() for line in out.splitlines() if "Fix" in line] == [
        "Fix: stride 2 gives 3x3x1.",
        "Fix: padding 1 gives 3x3x1.",
        "Fix: filter 4 gives 2x2x1.",
    ]


def test_notes_alone_are_exit_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["design", "conv3-8 s2 p1 relu", "--input", "224"]) == 0
    assert "\n- layer 1" in capsys.readouterr().out


def test_objects_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["design", GUIDE, "--input", "32x32x3", "--objects", "2, 10,30"]) == 1
    out = capsys.readouterr().out
    assert "its stride of 4 px exceeds 1 of 3 object sizes (2 px)" in out


def test_json_holds_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["design", "conv3-1 s3", "--input", "7x7x1", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["layers"][0]["field"][0] == {"size": 3.0, "jump": 3.0, "start": 0.0}
    assert document["findings"][0]["fixes"][1]["notation"] == "conv3-1 s3 p1"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["conv5-16 rellu", "--input", "32x32x3"], 'did you mean "relu"?'),
        (["relu", "--input", "32by32"], "height x width x channels"),
        (["relu", "--input", "8x8x3", "--objects", "9,x"], 'The object size "x"'),
        (["relu"], "--input"),
    ],
)
def test_a_mistake_is_said_in_a_few_lines_and_exit_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["design", *words]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.strip().splitlines()) <= 6


def test_a_layer_is_shown_by_letters_with_its_formula(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["design", "conv3-1 s3", "--input", "7x7x1", "--layer", "1"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Layer 1, conv3-1 s3: 7x7x1 -> 2x2x1, 1 row, 1 column unread."
    assert lines[2:9] == [*["[o o o]o o o /"] * 3, *[" o o o o o o /"] * 3, " / / / / / / /"]
    assert "O = (W - K + 2P)/S + 1 = (7 - 3 + 2*0)/3 + 1 = 2.33, rounded down to 2" in lines


def test_pictures_and_python_are_written_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--picture", "net.svg", "--strip", "strip.svg", "--python", "net.py", "--width", "360"]
    assert main(["design", GUIDE, "--input", "32x32x3", *words]) == 0
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "Wrote net.svg: the net as volumes",
        "Wrote strip.svg: the net as a strip",
        "Wrote net.py: the net as Python",
    ]
    for name in ("net.svg", "strip.svg"):
        assert float(ElementTree.parse(tmp_path / name).getroot().get("width", 0)) <= 360
    assert "nn.Linear(800, 10)" in (tmp_path / "net.py").read_text()
    assert main(["design", GUIDE, "--input", "32x32x3", "--layer", "4", "--picture", "layer.svg"]) == 0
    assert "Layer 4: conv5-32" in (tmp_path / "layer.svg").read_text()


def test_python_without_a_file_is_all_of_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["design", GUIDE, "--input", "32x32x3", "--python"]) == 0
    out = capsys.readouterr().out
    compile(out, "net.py", "exec")
    assert out.startswith('"""A ConvNet') and out.endswith("return self.layers(x)\n")


def test_what_a_unit_sees_of_a_picture_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(photo)
    words = ["design", "conv3-4 tanh conv3-4", "--input", "20x20x3", "--see", str(photo), "--unit", "2,3"]
    assert main([*words, "--picture", str(tmp_path / "seen.svg"), "--json"]) == 0
    seen = json.loads(capsys.readouterr().out)["seen"]
    assert (seen["unit"], seen["units"], seen["box"]) == ([2, 3], [16, 16], [3, 2, 8, 7])
    assert 0 < seen["share"] <= 1
    assert (tmp_path / "seen.svg").read_text().count("<image") == 2
    assert main([*words[:-4], "--see", str(photo), "--layer", "1"]) == 0
    assert "Unit (9, 9) of 18x18 of layer 1 (conv3-4) can see 3x3 px of 20x20." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--layer", "2"], "Layer 2 has no window"),
        (["--layer", "7"], 'There is no layer "7"'),
        (["--picture", "net.png"], "net.svg"),
        (["--unit", "1,1"], "--see IMAGE"),
        (["--see", "none.jpg"], "none.jpg: no such file"),
        (["--see", "none.jpg", "--unit", "a,b"], "ROW,COLUMN"),
        (["--strip", "s.svg", "--width", "3"], "from 240 to 10,000"),
    ],
)
def test_a_picture_that_cannot_be_is_said(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["design", "conv3-4 relu", "--input", "20x20x3", *words]) == 2
    assert said in capsys.readouterr().err


def test_pictures_of_a_net_load_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from convworks.cli.main import main; main(sys.argv[1:]); "
        "print([name for name in ('numpy', 'torch', 'PIL', 'cv2') if name in sys.modules])"
    )
    words = [
        "--picture",
        str(tmp_path / "a.svg"),
        "--strip",
        str(tmp_path / "b.svg"),
        "--python",
        str(tmp_path / "n.py"),
    ]
    shown = subprocess.run(
        [sys.executable, "-c", code, "design", GUIDE, "--input", "32x32x3", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.endswith("[]\n")
