"""A net by its name, its file or its notation; and a user's mistakes, said with their line."""

from pathlib import Path

import pytest

from convworks.errors import NetError
from convworks.inspection.file import of_file
from convworks.inspection.find import find

NET = """
from torch import nn
from beside import WIDTH

print("made")

class Net(nn.Sequential):
    def __init__(self, classes=3):
        super().__init__(nn.Conv2d(3, WIDTH, 3), nn.Flatten())

class Wide(nn.Module):
    def __init__(self, width):
        super().__init__()

def small():
    return Net(2)

def nothing():
    return 7

def wrong():
    values = {}
    return values["missing"]

ready = Net()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "beside.py").write_text("WIDTH = 5\n")
    path = tmp_path / "net.py"
    path.write_text(NET)
    return path


@pytest.mark.parametrize("name", ["Net", "small", "ready"])
def test_a_class_a_function_and_a_module_of_a_file_are_nets(
    file: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    module = find(f"{file}:{name}").module
    assert module is not None
    assert type(module).__name__ == "Net"
    assert capsys.readouterr().out == ""


def test_nothing_is_written_beside_the_users_file(file: Path) -> None:
    before = sorted(file.parent.rglob("*"))
    of_file(file, "Net")
    assert sorted(file.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Nett", "did you mean"),
        ("nothing", "nothing() in"),
        ("wrong", "net.py:23: KeyError: 'missing'"),
        ("Wide", "write a function without arguments"),
        ("WIDTH", "WIDTH in"),
        ("", "defines 3 nets (Net, Wide, ready)"),
    ],
)
def test_a_name_that_gives_no_net_is_said(file: Path, name: str, said: str) -> None:
    with pytest.raises(NetError) as raised:
        find(f"{file}:{name}" if name else str(file))
    assert said in str(raised.value)
    assert len(str(raised.value).splitlines()) <= 6


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import torch\nx = (1,\n", "net.py:2: "),
        ("a = 1\nb = a / 0\n", "net.py:2: ZeroDivisionError: division by zero"),
        ("import no_such_package\n", "net.py:1: ModuleNotFoundError: No module named 'no_such_package'"),
        ("raise SystemExit(3)\n", "net.py:1: SystemExit: 3"),
    ],
)
def test_a_file_that_fails_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "net.py"
    path.write_text(text)
    with pytest.raises(NetError) as raised:
        find(f"{path}:Net")
    assert said in str(raised.value)


def test_a_file_with_one_net_needs_no_name(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text("from torch import nn\nclass Only(nn.Module):\n    pass\n")
    assert type(find(str(path)).module).__name__ == "Only"


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(NetError, match=r"There is no file no/such\.py"):
        find("no/such.py:Net")


@pytest.mark.parametrize("text", ["resnet18", "timm:resnet18", "timm/resnet18"])
def test_a_net_of_timms_has_its_own_input_and_no_weights(text: str) -> None:
    found = find(text)
    assert found.input == (224, 224, 3)
    assert found.module is not None
    assert all(weight.is_meta for weight in found.module.parameters())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("resnet5o", 'did you mean "resnet50"'),
        ("timm:resnet5o", "resnet50"),
        ("rellu", 'did you mean "relu"'),
    ],
)
def test_a_name_that_is_none_is_answered_with_the_nearest(text: str, said: str) -> None:
    with pytest.raises(NetError) as raised:
        find(text)
    assert said in str(raised.value)
