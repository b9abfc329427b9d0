"""`convworks design`: what it prints, its exit codes, and what it does with mistakes."""

import json

import pytest

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
