"""A net as Python: it runs by itself, computes what the built net does, and needs no tidying."""

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from convworks.arithmetic.fold import folded
from convworks.arithmetic.notation import parse, volume
from convworks.arithmetic.program import python
from convworks.arithmetic.spec import Net
from convworks.arithmetic.summary import design
from convworks.errors import NetError
from convworks.layers.build import build

NETS = {
    "guide": ("conv5-16 relu pool2 conv5-32 relu pool2 fc10", "32x32x3"),
    "nin": ("mlpconv5-12-6 p2 pool3 s2 ceil dropout mlpconv3-12-10 p1 gap flatten", "32x32x3"),
    "residual": (
        "conv3-8 s2 p3 bn relu 4*(res(conv3-8 p1 bn relu conv3-8 p1 bn) relu) "
        "res(conv3-16 s2 p1 bn relu conv3-16 p1 bn | conv1-16 s2 bn) relu globall2 fc4",
        "33x47x3",
    ),
    "branches": (
        "cat(conv1-4 | conv3-8 same | l2pool3 s1 p1 | ) up2x3 bilinear tconv3-2 s2 p1 op1 sigmoid",
        "9x7x2",
    ),
    "uneven": (
        "conv4-6 same conv3-6 s2 tfsame g3 nobias pool2 p0+1 ceil avgpool3 s2 p1+0 l2pool2 p0+1x1 noisyrelu",
        "23x30x3",
    ),
    "uneven average": ("avgpool3 s2 p1+0 nocount conv3-4 p1 avgpool3 s2 p1+0 ceil fc3", "17x20x2"),
    "long calls": ("conv3x5-1024 s2x1 p1x2 d2x3 g32 nobias dwconv3x5 m2 s2 p10x11 d2x3 nobias", "70x90x64"),
    "nothing": ("relu", "4x5x1"),
    "flat": ("fc20 bn leakyrelu0.2 dropout0.2 res(fc20 tanh fc20) fc3 nobias", "8x8x1"),
    "nested": (
        "conv3-8 p1 3*(2*(res(conv3-8 p1 relu) relu) cat(relu | tanh) pointwise-8) gap fc2",
        "12x12x3",
    ),
}


def made(source: str) -> nn.Module:
    """The net of a source, in evaluation mode."""
    names: dict[str, Any] = {}
    exec(source, names)
    return names["Net"]().eval()


def same(net: Net) -> None:
    """Assert that built and written net agree, given the same weights and statistics in the same order."""
    built, written = build(net).eval(), made(python(net))
    for part in built.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d) and part.running_mean is not None:
            part.running_mean.normal_()
    for ours, theirs in ((built.parameters(), written.parameters()), (built.buffers(), written.buffers())):
        for mine, other in zip(ours, theirs, strict=True):
            assert mine.shape == other.shape
            other.data.copy_(mine.data)
    x = torch.randn(2, net.input.channels, net.input.height, net.input.width)
    with torch.no_grad():
        assert torch.allclose(built(x), written(x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", NETS)
def test_it_computes_what_the_built_net_does(name: str) -> None:
    notation, size = NETS[name]
    same(Net(layers=parse(notation), input=volume(size)))


def drawn(seed: int) -> str:
    """A random net of layers that fit anywhere."""
    dice = random.Random(seed)

    def row(depth: int) -> str:
        words = [
            f"conv3-{dice.choice([2, 4])} p1", "relu", "bn", "tanh", "conv1-4", "dropout", "l2pool3 s1 p1",
            "mlpconv3-4-2 p1", "pool3 s1 p1", "conv2-4 same", "dwconv3 p1", "leakyrelu0.1", "pointwise-4",
        ]  # fmt: skip
        parts = [dice.choice(words) for _ in range(dice.randint(1, 5))]
        if depth < 3:
            inner = row(depth + 1)
            form = "{n}*(conv3-4 p1 {a})", "cat({a} | conv1-2)", "cat({a} |)", "res({a} conv1-4 | conv1-4)"
            parts.append(dice.choice(form).format(a=inner, n=dice.randint(2, 5)))
        return " ".join(parts)

    return f"{row(0)} {dice.choice(['pool2', 'conv3-4 s2 tfsame', 'up2'])} {row(1)} fc3"


@settings(max_examples=12)
@given(st.integers(0, 10**6))
def test_random_nets_compute_the_same(seed: int) -> None:
    same(Net(layers=parse(drawn(seed)), input=volume("7x6x2")))


@pytest.mark.slow
@settings(max_examples=1000)
@given(st.integers(0, 10**9))
def test_a_thousand_random_nets_compute_the_same(seed: int) -> None:
    same(Net(layers=parse(drawn(seed)), input=volume("7x6x2")))


@given(st.integers(0, 10**6))
def test_the_folded_notation_is_the_net(seed: int) -> None:
    layers = parse(drawn(seed))
    assert parse(folded(layers, volume("7x6x2"))) == layers


def test_it_is_as_ruff_would_have_it(tmp_path: Path) -> None:
    for number, (notation, size) in enumerate(NETS.values()):
        net = Net(layers=parse(notation), input=volume(size))
        (tmp_path / f"net{number}.py").write_text(python(net), encoding="utf-8")
    for seed in range(40):
        net = Net(layers=parse(drawn(seed)), input=volume("7x6x2"))
        (tmp_path / f"drawn{seed}.py").write_text(python(net), encoding="utf-8")
    for words in (["check", "--select", "E,F,I,B,UP,SIM,RUF,C4"], ["format", "--check", "--diff"]):
        said = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "--isolated", "--no-cache", "."],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert said.returncode == 0, said.stdout + said.stderr


def test_what_pytorch_has_is_plain_pytorch() -> None:
    source = design("conv5-16 relu pool2 res(conv3-16 p1) fc10", input=(32, 32, 3)).python()
    assert "convworks" not in source.lower()
    assert "from convworks.layers.pooling import L2Pool2d" in design("l2pool2", input=(4, 4, 1)).python()


def test_what_repeats_is_a_loop() -> None:
    net = Net(layers=parse("conv3-8 p1 relu 20*(res(conv3-8 p1 relu) relu)"), input=volume("8"))
    source = python(net)
    assert "*(block1() for _ in range(20))," in source
    assert len(source.splitlines()) < 60


def test_an_impossible_net_is_refused() -> None:
    with pytest.raises(NetError, match="a filter 9 long does not fit"):
        design("conv9-3", input=(8, 8, 1)).python()
