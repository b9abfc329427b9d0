"""timm's nets as rows of stages: where they are cut, what their cells see, and every family of them."""

from __future__ import annotations

import re

import pytest
import timm
import torch
from timm.models._registry import _model_to_module

from convworks import backbones
from convworks.backbones import timm as rows
from convworks.backbones.contract import Backbone
from convworks.errors import RecipeError


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("resnet18", ["conv1", "layer1", "layer2", "layer3", "layer4"]),
        ("convnext_atto", ["stem", "stages.0", "stages.1", "stages.2", "stages.3"]),
        ("tf_efficientnet_lite0", ["conv_stem", *(f"blocks.{number}" for number in range(7)), "conv_head"]),
        ("hrnet_w18_small", ["whole"]),
    ],
)
def test_a_net_is_cut_where_its_authors_cut_it(name: str, stages: list[str]) -> None:
    assert [stage.name for stage in rows.build(name).info] == stages


def test_a_stage_ends_in_channels_first_whatever_lies_inside() -> None:
    assert [(stage.channels, stage.stride) for stage in rows.build("pvt_v2_b0").info] == [
        *((32, 4), (64, 8), (160, 16), (256, 32))
    ]


def test_many_blocks_become_one_stage_a_resolution() -> None:
    assert [stage.stride for stage in rows.build("rexnet_100").info] == [2, 4, 8, 16, 32]


def test_fields_are_those_that_were_published() -> None:
    # Source: Araujo et al., Computing Receptive Fields of Convolutional Neural Networks, 2019, table 1.
    assert rows.build("inception_v3").info[-1].field == 1311
    assert rows.build("inception_v4").info[-1].field == 2071
    assert backbones.create("vgg16", "none").info[-1].field == 212


def test_a_gate_over_the_whole_map_leaves_the_field_unknown() -> None:
    fields = [stage.field for stage in rows.build("mobilenetv3_small_050").info]
    assert fields[0] > 0
    assert set(fields[1:]) == {0}


def test_what_a_single_stage_does_not_need_is_not_kept() -> None:
    backbone = rows.build("hrnet_w18_small")
    assert not [key for key in backbone.state_dict() if "classifier" in key or key.endswith("fc.weight")]


def test_the_trial_leaves_no_hooks_and_everything_can_learn() -> None:
    backbone = rows.build("resnet10t")
    assert all(parameter.requires_grad for parameter in backbone.parameters())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in backbone.modules())


def test_it_is_built_where_gradients_are_off() -> None:
    with torch.no_grad():
        assert rows.build("resnet10t").info[-1].field > 0


def smallest(names: list[str]) -> str:
    """The name that looks smallest: there is no other way to tell than to build them all."""
    small = re.compile(r"atto|femto|pico|nano|xxt|tiny|050|small|mini|_002|18|_s12|_[abtms]0")
    return min(names, key=lambda name: (small.search(name) is None, len(name), name))


FAMILIES: dict[str, list[str]] = {}
for _name in timm.list_models():
    FAMILIES.setdefault(_model_to_module[_name], []).append(_name)
# Transformers that take minutes to build and to refuse.
HUGE = {
    "aimv2",
    "cait",
    "deepseek_vit",
    "eva",
    "gemma4_vit",
    "mobilenetv5",
    "qwen3_vit",
    "vision_transformer_sam",
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", sorted({*FAMILIES} - HUGE))
def test_every_family_is_a_row_of_stages_or_refused_in_words(family: str) -> None:
    name = smallest(FAMILIES[family])
    try:
        backbone = rows.build(name)
    except RecipeError as error:
        assert "gives no feature maps" in error.found
        return
    assert isinstance(backbone, Backbone)
    theirs = timm.create_model(name, num_classes=0).eval()
    wanted = theirs.state_dict()
    backbone.load_state_dict({key: wanted[rows.their_key(key)] for key in backbone.state_dict()})
    side = backbone.expects.size
    picture = torch.randn(1, 3, side, side)
    with torch.no_grad():
        maps = backbone.eval()(picture)
        assert torch.equal(maps[-1], theirs.forward_features(picture))
    for stage, each in zip(backbone.info, maps, strict=True):
        assert each.shape[1] == stage.channels
        assert abs(each.shape[2] - side / stage.stride) <= 4  # without padding each layer takes a little
