"""What every backbone must keep: its stages are what its contract says, at any size and cut anywhere."""

from __future__ import annotations

import copy
import functools
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch
from torch import Tensor, nn

from convworks import backbones
from convworks.backbones.contract import Backbone
from convworks.backbones.timm import their_key

WRITTEN = [
    "conv3-8 p1 nobias bn relu pool2 conv5-16 p2 relu avgpool2 conv3-16 p1 leakyrelu",
    "conv3-8 p1 relu pool2 res(conv3-8 p1 bn relu conv3-8 p1) relu pool2 mlpconv3-16-8 p1 dropout0.2 gap fc10",
]
OWN = [*backbones.names(), *WRITTEN]
TIMM = [
    "convnext_atto",
    "densenet121",
    "fasternet_t0",
    "ghostnet_050",
    "hrnet_w18_small",
    "inception_v3",
    "lcnet_050",
    "mobilenetv3_small_050",
    "regnetx_002",
    "resnet18",
    "starnet_s050",
    "tf_efficientnet_lite0",
]
ALL = [*OWN, *(f"timm/{name}" for name in TIMM)]
ROUNDS_DOWN = ("vgg-small", "vgg16", *WRITTEN)
# timm's own net adds maps of several strides, which agree only where the picture's sides are multiples of 32.
EVEN_ONLY = ("timm/hrnet_w18_small",)
# Without padding there is nothing left of a smaller picture.
LARGE = ("timm/inception_v3",)


@functools.cache
def shared(name: str) -> Backbone:
    """The net with random weights, in evaluation mode; tests leave it as it is."""
    torch.manual_seed(0)
    return backbones.create(name, "none")


def noise(count: int, height: int, width: int) -> Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(1))


def side_of(name: str, *, odd: bool = False) -> int:
    """A small side of pictures that the net takes."""
    return (96 if name in LARGE else 64) + (odd and name not in EVEN_ONLY)


@torch.no_grad()
def maps(name: str, height: int, width: int) -> list[Tensor]:
    return shared(name)(noise(1, height, width))


@pytest.mark.parametrize("name", ALL)
def test_a_map_has_the_channels_that_it_declares(name: str) -> None:
    given = maps(name, side_of(name), side_of(name, odd=True))
    assert [each.shape[1] for each in given] == [stage.channels for stage in shared(name).info]


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("size", [(64, 96), (65, 83), (47, 70)])
def test_a_map_of_ours_is_the_size_over_the_stride_at_odd_and_even_sizes(
    name: str, size: tuple[int, int]
) -> None:
    for stage, each in zip(shared(name).info, maps(name, *size), strict=True):
        quotients = [side / stage.stride for side in size]
        expected = [int(side) if name in ROUNDS_DOWN else -int(-side // 1) for side in quotients]
        assert list(each.shape[2:]) == expected, stage


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("odd", [False, True])
def test_64_more_pixels_are_64_over_the_stride_more_cells(name: str, odd: bool) -> None:
    side = side_of(name, odd=odd)
    for stage, each in zip(shared(name).info, maps(name, side, side + 64), strict=True):
        height, width = each.shape[2:]
        assert (width - height) * stage.stride == 64, stage


@pytest.mark.parametrize("name", ALL)
def test_strides_never_fall_and_fields_only_grow(name: str) -> None:
    info = shared(name).info
    strides = [stage.stride for stage in info]
    fields = [stage.field for stage in info if stage.field]
    assert strides == sorted(strides)
    assert fields == sorted(fields)
    assert len({stage.name for stage in info}) == len(info)


@pytest.mark.parametrize("name", ALL)
def test_the_whole_is_the_two_parts_of_any_cut(name: str) -> None:
    backbone = shared(name)
    picture = noise(2, side_of(name, odd=True), side_of(name))
    with torch.no_grad():
        whole = backbone(picture)
        for cut in range(1, len(whole)):
            before, after = backbone(picture, 0, cut), backbone(whole[cut - 1], cut)
            for one, two in zip(whole, [*before, *after], strict=True):
                assert torch.equal(one, two), cut


@pytest.mark.parametrize("name", TIMM)
def test_the_stages_give_what_timm_gives_bit_for_bit(name: str) -> None:
    theirs = timm.create_model(name, num_classes=0).eval()
    wanted = theirs.state_dict()
    ours = copy.deepcopy(shared(f"timm/{name}"))
    ours.load_state_dict({key: wanted[their_key(key)] for key in ours.state_dict()})
    picture = noise(2, side_of(f"timm/{name}"), side_of(f"timm/{name}", odd=True))
    with torch.no_grad():
        assert torch.equal(ours(picture)[-1], theirs.forward_features(picture))


@pytest.mark.parametrize("name", ALL)
def test_a_picture_does_not_change_what_another_gives(name: str) -> None:
    backbone = shared(name)
    batch = noise(3, side_of(name), side_of(name))
    changed = batch.clone()
    changed[1] = changed[1] * 3 + 1
    with torch.no_grad():
        for one, two in zip(backbone(batch), backbone(changed), strict=True):
            assert torch.equal(one[[0, 2]], two[[0, 2]])
            assert not torch.equal(one[1], two[1])


@pytest.mark.parametrize("name", ALL)
def test_weights_survive_a_file(name: str, tmp_path: Path) -> None:
    backbone = shared(name)
    file = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(backbone.state_dict(), file)
    other = copy.deepcopy(backbone)
    for parameter in other.parameters():
        nn.init.constant_(parameter, 0.125)
    other.load_state_dict(safetensors.torch.load_file(file))
    picture = noise(1, side_of(name), side_of(name))
    with torch.no_grad():
        assert torch.equal(other(picture)[-1], backbone(picture)[-1])


@pytest.mark.parametrize("name", ALL)
def test_every_tensor_that_learns_has_a_gradient(name: str) -> None:
    backbone = copy.deepcopy(shared(name)).train()
    backbone(noise(2, side_of(name), side_of(name)))[-1].square().mean().backward()
    without = [key for key, value in backbone.named_parameters() if value.grad is None]
    assert not without


@pytest.mark.parametrize("name", ALL)
def test_what_is_frozen_stays_bit_for_bit_and_gives_the_same_in_training(name: str) -> None:
    backbone = copy.deepcopy(shared(name))
    half = (len(backbone.stages) + 1) // 2
    backbone.freeze(half)
    backbone.train()
    before = copy.deepcopy(backbone.state_dict())
    pair = noise(2, side_of(name), side_of(name))
    with torch.no_grad():
        once, twice = (backbone(pair, 0, half)[-1] for _ in range(2))
        backbone(once, half)
    assert torch.equal(once, twice)
    assert all(torch.equal(value, before[key]) for key, value in backbone.state_dict().items())
    learning = [key for key, value in backbone.named_parameters() if value.requires_grad]
    assert all(int(key.split(".")[1]) >= half for key in learning)


def positive(backbone: Backbone) -> Backbone:
    """A copy in which nothing cancels, saturates or picks: every filter is an average, every pooling too."""
    smooth = copy.deepcopy(backbone).double().eval()
    for part in list(smooth.modules()):
        for label, child in part.named_children():
            if isinstance(child, nn.MaxPool2d):
                setattr(part, label, nn.AvgPool2d(child.kernel_size, child.stride, child.padding))
    for key, value in smooth.state_dict().items():
        if value.ndim > 1:
            value.fill_(1 / value[0].numel())
        elif key.endswith(("bias", "running_mean")):
            value.zero_()
        elif value.is_floating_point():
            value.fill_(1)
    return smooth


def pixels_seen(smooth: Backbone, index: int, shape: tuple[int, int]) -> int:
    """How many pixels along the longer side of the picture change the middle cell of stage `index`."""
    picture = torch.full((1, 3, *shape), 1e-3, dtype=torch.float64, requires_grad=True)
    result = smooth(picture, 0, index + 1)[-1]
    middle = result[0, :, result.shape[2] // 2, result.shape[3] // 2]
    (gradient,) = torch.autograd.grad(middle.sum(), picture)
    touched = gradient.abs().sum((0, 1, 3 if shape[0] > shape[1] else 2)).nonzero().flatten()
    return int(touched[-1] - touched[0]) + 1


@pytest.mark.parametrize("name", ALL)
def test_a_cell_sees_as_many_pixels_as_its_field_says(name: str) -> None:
    info = shared(name).info
    known = [index for index, stage in enumerate(info) if 0 < stage.field < 900]
    smooth = positive(shared(name))
    for index in {*known[:1], *known[-1:]}:
        stage = info[index]
        long, short = stage.field + 6 * stage.stride, 96 if name in LARGE else max(16, 2 * stage.stride)
        along = [pixels_seen(smooth, index, (long, short))]
        if along[0] < stage.field:
            along.append(pixels_seen(smooth, index, (short, long)))
        assert max(along) == stage.field, stage
