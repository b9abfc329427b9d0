"""`convworks design --for DATA`: the proposal as text and as JSON, and that it trains."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from convworks.cli.main import main

COLOURS = {"blue": (0, 0, 255), "red": (255, 0, 0)}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for name, colour in COLOURS.items():
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(12):
            size = (40 + number, 48)
            Image.new("RGB", size, tuple(max(0, part - number) for part in colour)).save(
                tmp_path / "data" / name / f"{number}.png"
            )
    return tmp_path / "data"


def test_it_says_what_was_measured_what_was_chosen_and_why(
    pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["design", "--for", str(pictures)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "Measured  24 pictures to learn from, 2 classes; typically 46x48 px (shorter side 46"
    )
    assert "no\n          boxes say how large the objects are" in out
    for name in ("input: 32x32", "stride: 8 in all", "receptive field: at least 32 px", "padding: (K - 1)/2"):
        assert name in out
    assert out.count("    since  ") == out.count("    so     ") == 9
    assert "nn.Conv2d(3, 16, 3, padding=1, bias=False)" in out
    assert f"convworks train {pictures} --backbone 'conv3-16 p1" in out
    assert "Layer 1: O = (W - K + 2P)/S + 1" in out


def test_a_net_begun_by_hand_gets_its_next_layers_ranked(
    pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["design", "conv5-16 p2 relu", "--for", str(pictures), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [one["layer"] for one in document["next"]] == ["pool2", "conv3-16 p1 nobias"]
    assert all(one["reason"] for one in document["next"])
    assert document["notation"].startswith("conv5-16 p2 relu pool2 conv3-32 p1 nobias")
    assert document["begun"] == 2
    assert document["layers"][-1]["layer"] == "fc2"
    compile(document["python"], "net.py", "exec")


def test_a_whole_net_is_said_to_be_whole(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["design", "conv3-16 p1 relu gap fc2", "--for", str(pictures)])
    assert "nothing: the net is whole" in capsys.readouterr().out


def test_objects_and_input_are_the_users_to_say(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["design", "--for", str(pictures), "--objects", "40", "--input", "96x96", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    choices = {choice["name"]: choice for choice in document["choices"]}
    assert document["input"] == [96, 96, 3]
    assert choices["input"]["reason"] == "you said so"
    assert "you said that objects have" in choices["stride"]["cause"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--for", "nowhere"], "There is no"),
        (["conv99-3", "--for", "DATA"], "does not fit"),
        ([], "needs notation and --input"),
        (["relu"], "needs --input"),
    ],
)
def test_a_mistake_is_exit_2(
    words: list[str], said: str, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["design", *(str(pictures) if word == "DATA" else word for word in words)]) == 2
    assert said in capsys.readouterr().err


def test_propose_says_the_rules_with_cause_and_choice(
    pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["propose", str(pictures), "--backbone", "conv3-8 p1 relu", "--weights", "none"]) == 0
    out = capsys.readouterr().out
    assert "transfer.mode = scratch" in out
    assert "12 images in the smallest of 2 classes\n    -> features of a pretrained net" in out


def test_the_proposed_net_trains_by_the_line_that_is_printed_and_predicts_from_its_run(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["design", "--for", str(pictures), "--json"])
    document = json.loads(capsys.readouterr().out)
    run = tmp_path / "run"
    line = ["train", str(pictures), "--backbone", document["backbone"], "--input-size", "32", "--epochs", "6"]
    assert main([*line, "--run", str(run), "--threads", "1", "--precision", "float32"]) == 0
    assert json.loads((run / "model.json").read_text())["backbone"] == document["backbone"]
    capsys.readouterr()
    assert main(["predict", str(run), str(pictures / "red" / "0.png"), "--json"]) == 0
    assert '"red"' in capsys.readouterr().out


def test_a_proposal_loads_no_torch(pictures: Path) -> None:
    program = (
        "import sys; from convworks.cli.main import main; main(['design', '--for', sys.argv[1], '--json']);"
        "print([name for name in ('torch', 'timm', 'scipy') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(pictures)], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"
