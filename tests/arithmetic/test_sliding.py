"""The picture of a layer's windows shows what PyTorch reads, and nothing else."""

import re
from itertools import product
from xml.etree import ElementTree

import pytest
import torch

from convworks.arithmetic.grid import axes, cell
from convworks.arithmetic.notation import write
from convworks.arithmetic.spec import Conv, Net, Pool, Volume
from convworks.arithmetic.summary import design, designed
from convworks.arithmetic.svg import LETTER
from convworks.errors import NetError
from convworks.layers.build import build

SVG = "{http://www.w3.org/2000/svg}"
CORNER = re.compile(r"M([0-9.]+) ([0-9.]+)h")


def hatched(picture: str) -> set[tuple[int, int]]:
    """Rows and columns of the cells that are drawn with a hatch; padding is not counted."""
    drawn: dict[tuple[float, float], bool] = {}
    for path in ElementTree.fromstring(picture).iter(f"{SVG}path"):
        fill, kind = path.get("fill") or "", path.get("class") or ""
        corners = [(float(y), float(x)) for x, y in CORNER.findall(path.get("d") or "")]
        if fill.startswith("url(") or ("cell" in kind and "blue" in kind):
            drawn |= {corner: fill.startswith("url(") for corner in corners}
    rows, columns = (sorted({corner[axis] for corner in drawn}) for axis in (0, 1))
    return {(rows.index(y), columns.index(x)) for (y, x), lines in drawn.items() if lines}


def unread(layer: Conv | Pool, volume: Volume) -> set[tuple[int, int]]:
    """Rows and columns whose gradient is zero, by PyTorch."""
    module = build(Net(layers=(layer,), input=volume)).double()
    for part in module.parameters():
        torch.nn.init.ones_(part)
    x = torch.ones(1, 1, volume.height, volume.width, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(module(x).sum(), x)
    return {(int(row), int(column)) for row, column in (gradient[0, 0] == 0).nonzero()}


def settings() -> list[tuple[Conv | Pool, Volume]]:
    found: list[tuple[Conv | Pool, Volume]] = []
    for (height, width), kernel, stride, padding, dilation in product(
        [(7, 7), (9, 12), (16, 11)], [(1, 1), (3, 3), (2, 4)], [(1, 1), (2, 3), (4, 4)], range(2), [1, 2]
    ):
        sides = (padding, padding, 0, padding)
        conv = Conv(channels=1, kernel=kernel, stride=stride, padding=sides, dilation=(dilation, dilation))
        found.append((conv, Volume(height=height, width=width, channels=1)))
        if dilation == 1:
            pool = Pool(kind="average", kernel=kernel, stride=stride, ceil=bool(padding))
            found.append((pool, Volume(height=height, width=width, channels=1)))
    return found


def test_hatched_cells_are_the_cells_without_gradient() -> None:
    compared = 0
    for layer, volume in settings():
        net = designed(Net(layers=(layer,), input=volume))
        if net.output is None:
            continue
        compared += 1
        assert hatched(net.windows(1)) == unread(layer, volume), write((layer,))
    assert compared > 120


def test_cells_read_by_several_windows_are_those_with_more_gradient() -> None:
    for layer, volume in settings()[::7]:
        if not isinstance(layer, Conv):
            continue
        net = designed(Net(layers=(layer,), input=volume))
        module = build(net.net).double()
        for part in module.parameters():
            torch.nn.init.ones_(part)
        x = torch.ones(1, 1, volume.height, volume.width, dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(module(x).sum(), x)
        vertical, horizontal = axes(net.rows[0], net.rows)
        for row, column in product(range(volume.height), range(volume.width)):
            several = cell(vertical, horizontal, row, column) == "several"
            assert several == (gradient[0, 0, row, column] > 1.5)


@pytest.mark.parametrize("width", [340, 720, 1200])
@pytest.mark.parametrize("size", [(7, 7, 1), (224, 200, 3), (5, 300, 1), (300, 7, 1)])
def test_nothing_leaves_the_picture(width: int, size: tuple[int, int, int]) -> None:
    root = ElementTree.fromstring(design("conv3-8 s3 d2", input=size).windows(1, width))
    for part in root.iter(f"{SVG}rect"):
        if part.get("x"):
            assert float(part.get("x", 0)) + float(part.get("width", 0)) <= width
    for text in root.iter(f"{SVG}text"):
        assert float(text.get("x", 0)) + 0.85 * LETTER * len(text.text or "") <= width
        assert float(text.get("y", 0)) < float(root.get("height", 0))
    for path in root.iter(f"{SVG}path"):
        assert all(float(x) <= width - 10 for x, _ in CORNER.findall(path.get("d") or ""))


def test_the_formula_stands_under_it_with_its_numbers_and_the_text_says_the_same() -> None:
    net = design("conv3-1 s3", input=(7, 7, 1))
    said = " ".join("".join(ElementTree.fromstring(net.windows(1)).itertext()).replace("\xa0", " ").split())
    assert "(7 - 3 + 2*0)/3 + 1 = 2.33, rounded down to 2" in said
    assert "The last row is never read." in said
    text = net.windows_text(1)
    assert "(7 - 3 + 2*0)/3 + 1 = 2.33, rounded down to 2" in text
    assert text.splitlines()[2] == "[o o o]o o o /"
    assert text.splitlines()[8] == " / / / / / / /"


def test_a_large_input_is_shown_at_both_ends() -> None:
    lines = design("conv11-96 s4 p2+0", input=(224, 230, 3)).windows_text(1).splitlines()
    assert lines[4].startswith("[. . o")
    assert " .. O" in lines[4]
    assert all(len(line) <= 80 for line in lines[2:27])
    assert " :" in lines


def test_a_layer_without_a_window_and_one_that_is_not_there_are_said() -> None:
    net = design("conv3-8 relu pool2 fc10", input=(9, 9, 1))
    with pytest.raises(
        NetError, match=r"Layer 2 has no window that slides over its input.\nExpected: one of the layers 1, 3"
    ):
        net.windows(2)
    with pytest.raises(NetError, match=r'There is no layer "9"'):
        net.windows_text("9")
