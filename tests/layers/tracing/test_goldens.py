"""The receptive fields that everybody quotes, and the five grades on nets that everybody uses."""

import timm
import torch
import torchvision
from torch import nn

from convworks.layers.tracing.trace import Traced, trace


def meta_net(name: str) -> nn.Module:
    with torch.device("meta"):
        return timm.create_model(name).eval()


def last_field(traced: Traced) -> tuple[float, float]:
    assert traced.last_map is not None
    assert traced.last_map.fields is not None
    field = traced.last_map.fields[0]
    return float(field.size), float(field.jump)


def test_vgg16_sees_212_pixels_at_pool5_and_404_at_fc6() -> None:
    traced = trace(meta_net("vgg16"), (224, 224, 3))
    pools = [operator for operator in traced.operators if operator.call == "max_pool2d"]
    assert pools[-1].fields is not None
    assert pools[-1].fields[0] == (212, 32, -90)
    fc6 = next(operator for operator in traced.operators if operator.path == "pre_logits.fc1")
    assert fc6.fields is not None
    assert fc6.fields[1].size == 404
    assert (fc6.parameters, fc6.multiply_adds) == (102_764_544, 102_760_448)


def test_resnet50_sees_427_pixels_as_torchvision_and_timm_build_it() -> None:
    with torch.device("meta"):
        theirs = torchvision.models.resnet50()
    assert last_field(trace(theirs, (224, 224, 3))) == (427, 32)
    assert last_field(trace(meta_net("resnet50"), (224, 224, 3))) == (427, 32)


def test_resnet50_sees_483_pixels_with_the_stride_on_the_1x1() -> None:
    with torch.device("meta"):
        net = torchvision.models.resnet50()
    for block in net.modules():
        if isinstance(block, torchvision.models.resnet.Bottleneck):
            block.conv1.stride, block.conv2.stride = block.conv2.stride, (1, 1)
    assert last_field(trace(net, (224, 224, 3))) == (483, 32)


def test_no_layer_of_resnet18_at_224_is_worse_than_a_note() -> None:
    traced = trace(meta_net("resnet18"), (224, 224, 3))
    sliding = [operator for operator in traced.operators if operator.fit and operator.fit.slides]
    assert len(sliding) == 21
    assert sum(operator.grade == "padding unread" for operator in sliding) == 5
    assert sum(operator.grade == "skips" for operator in sliding) == 3
    assert {finding.level for finding in traced.check()} == {"note"}


def test_vgg16_at_200_leaves_one_row_and_one_column_unread() -> None:
    findings = trace(meta_net("vgg16"), (200, 200, 3)).check()
    warnings = [finding for finding in findings if finding.level == "warning"]
    assert [finding.code for finding in warnings] == ["unread"]
    assert "1 of 25 rows and 1 of 25 columns never read" in warnings[0].what
    assert "features.23" in warnings[0].where


def test_the_guides_own_case_is_explained_with_its_three_smallest_fixes() -> None:
    (finding,) = trace(nn.Conv2d(1, 1, 3, stride=3), (7, 7, 1)).check()
    assert finding.level == "warning"
    assert finding.what == "1 of 7 rows and 1 of 7 columns never read, 27% of its input"
    assert [str(fix) for fix in finding.fixes] == [
        "stride 2 gives 3x3x1",
        "padding 1 gives 3x3x1",
        "filter 4 gives 2x2x1",
    ]
