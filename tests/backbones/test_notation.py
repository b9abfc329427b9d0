"""A net in notation as a backbone: what it keeps of the notation, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from convworks import backbones, model
from convworks.arithmetic.notation import parse
from convworks.arithmetic.spec import Net, Volume
from convworks.augmentation.preprocess import Preprocessing
from convworks.backbones.notation import body
from convworks.errors import NetError, RecipeError
from convworks.layers.build import build
from convworks.model import Model

GUIDE = "conv5-16 relu pool2 conv5-32 relu pool2"


def test_its_stages_begin_where_the_map_gets_coarser() -> None:
    info = backbones.create(f"{GUIDE} fc10").info
    assert [(stage.stride, stage.channels, stage.field) for stage in info] == [
        (1, 16, 5),
        (2, 32, 14),
        (4, 32, 16),
    ]


def test_it_computes_what_the_built_notation_computes() -> None:
    backbone = backbones.create(GUIDE)
    whole = build(Net(layers=parse(GUIDE), input=Volume(height=33, width=47, channels=3)))
    whole.load_state_dict(dict(zip(whole.state_dict(), backbone.state_dict().values(), strict=True)))
    picture = torch.randn(1, 3, 33, 47, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(whole(picture), backbone(picture)[-1])


def test_the_head_that_was_written_is_left_to_the_task() -> None:
    for head in ("fc10", "gap fc10", "dropout0.5 gap dropout0.3 fc10", "flatten fc20 relu fc10"):
        assert backbones.create(f"{GUIDE} {head}").name == GUIDE
    assert body(parse("conv3-8 dropout0.5")) == parse("conv3-8 dropout0.5")


def test_it_starts_at_random_from_the_seed() -> None:
    drawn: list[torch.Tensor] = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(next(backbones.create(GUIDE).parameters()))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert backbones.create(GUIDE).card.sha256 == ""


@pytest.mark.parametrize("convolutions", [2, 40])
def test_a_saved_model_says_what_it_is_and_comes_back(convolutions: int, tmp_path: Path) -> None:
    notation = " ".join(["conv3-8 p1 nobias bn relu"] * convolutions)
    made = Model.create(
        backbones.create(notation),
        ("cat", "dog"),
        Preprocessing(size=16, side=20, resize="crop", mean=(0, 0, 0), deviation=(1, 1, 1)),
        name="own",
    )
    made.save(tmp_path)
    again = model.load(tmp_path, device="cpu")
    frames = np.random.default_rng(0).random((2, 3, 16, 16), np.float32)
    assert again.net.backbone.name == notation
    assert torch.equal(made.logits(frames), again.logits(frames))


@pytest.mark.parametrize(
    ("notation", "said"),
    [
        ("conv3-8 p1 relu up2", "grows"),
        ("conv3-8 p1 adaptiveavg4", "fixed size"),
        ("conv3-8 s2x1 relu", "oblong"),
        ("gap fc10", "no layer before its head"),
    ],
)
def test_a_net_that_is_no_row_of_shrinking_maps_is_refused(notation: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        backbones.create(notation)


def test_a_notation_that_is_none_is_pointed_at() -> None:
    with pytest.raises(NetError, match='no layer "rellu"'):
        backbones.create("conv3-16 rellu")
    with pytest.raises(NetError, match="does not fit"):
        backbones.create("conv999-3 pool2 conv999-3")


def test_a_net_that_needs_a_larger_picture_expects_one() -> None:
    assert backbones.create("conv3-8 p1 pool2 conv3-8 p1 pool2 conv3-8 p1").expects.size == 32
    assert backbones.create("conv40-8 relu").expects.size == 64
    deep = " pool2 ".join(["conv3-4 p1 relu"] * 6)
    assert backbones.create(deep).expects.size == 224
