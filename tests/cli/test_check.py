"""`convworks check`: what it prints, its exit codes, and what it needs to start."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from convworks.cli.main import main

NET = """
from torch import nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 5, padding=2)
        self.conv2 = nn.Conv2d(16, 32, 3, stride=3)
        self.fc = nn.Linear(2048, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc(x.flatten(1))
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(NET)
    return path


def test_a_net_of_ones_own_is_a_table_its_faults_and_exit_1(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", f"{file}:Net", "--input", "32x32x3"]) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[9].split() == ["8", "fc", "Linear(2048,", "10)", "-", "x", "impossible"]
    assert "x layer 8, fc (Linear(2048, 10), net.py:15): it gets 128 numbers and was written for 2048" in out
    assert "  Fix: Linear(128, 10) gives 10." in out
    assert "padding 1 gives 6x6x32; then layer 6 (pool2) fits; then layer 8 is Linear(288, 10)." in out


def test_a_notation_is_answered_as_design_answers_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "conv3-1 s3", "--input", "7x7x1"]) == 1
    assert "Fix: stride 2 gives 3x3x1." in capsys.readouterr().out


def test_notes_alone_are_exit_0_and_those_alike_are_said_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "resnet18"]) == 0
    out = capsys.readouterr().out
    assert (
        "- 5 layers (1, 4, 19, 35, 51) alike: its size is rounded down, but only padding is left unread."
        in out
    )
    assert out.count("padding is left unread") == 1
    assert main(["check", "resnet18", "--all"]) == 0
    assert capsys.readouterr().out.count("padding is left unread") == 5


def test_json_holds_all_of_it(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", f"{file}:Net", "--input", "32x32x3", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["fits"] is False
    assert document["layers"][3]["unread"] == [1, 1]
    assert document["layers"][3]["location"] == "net.py:14"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no.py:Net", "--input", "8"], "There is no file no.py"),
        (["conv3-8"], "unknown what goes into the net"),
        (["conv3-8", "--input", "8by8"], "is not a size"),
        (["rellu", "--input", "8"], 'did you mean "relu"?'),
        (["conv3-8", "--data", "no/such/folder"], "There is no no/such/folder"),
        ([], "NET"),
    ],
)
def test_a_mistake_is_said_in_a_few_lines_and_exit_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *words]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.strip().splitlines()) <= 6


def test_the_help_says_that_the_file_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["check", "--help"])
    assert "runs the file" in " ".join(capsys.readouterr().out.split())


def test_a_notation_loads_nothing_heavy() -> None:
    code = (
        "import sys; from convworks.cli.main import main; main(['check', 'conv3-8 relu', '--input', '8']);"
        "print('loaded:', *{'torch', 'numpy', 'timm', 'PIL', 'rich', 'dataclasses'} & set(sys.modules))"
    )
    source = str(Path(__file__).parents[2] / "src")
    shown = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {source!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.rpartition("loaded:")[2].split() == []
