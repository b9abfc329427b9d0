"""Faster R-CNN, on one map and on a pyramid, is torchvision's: with its weights its losses and answers are the same."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.ops import MultiScaleRoIAlign

import shape_detection as tried
from convworks.backbones.contract import Stage
from convworks.detectors.answer import Answer, Truth
from convworks.detectors.presets import PRESETS
from convworks.detectors.two_stage import TwoStage, answered, loss
from convworks.regions.matching import BACKGROUND, IGNORED
from convworks.regions.region_network import Limits
from convworks.regions.sampling import sampled

CLASSES, WIDTH, SIZE = 3, 12, (128, 192)
SCALES = {"faster_rcnn": (16.0, 32.0, 64.0), "faster_rcnn_pyramid": (16.0, 32.0, 64.0, 128.0)}
TRAINING, TESTING = Limits(before=200, after=150, side=1e-3), Limits(before=100, after=60, side=1e-3)


class Steps(nn.Module):
    """Maps of stride 4, 8 and 16."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 7, 4, 3)
        self.second = nn.Conv2d(8, 10, 3, 2, 1)
        self.third = nn.Conv2d(10, WIDTH, 3, 2, 1)
        self.out_channels = WIDTH

    def forward(self, x: Tensor) -> Tensor:
        return self.third(self.second(self.first(x).relu()).relu()).relu()


class Several(nn.Module):
    """The maps of torchvision's pyramid without the one that nothing is read from."""

    def __init__(self, pyramid: nn.Module) -> None:
        super().__init__()
        self.pyramid = pyramid

    def forward(self, x: Tensor) -> list[Tensor]:
        return list(self.pyramid(x).values())[:-1]


class Drawn:
    """Our sampling in the place of theirs, from the same seed."""

    def __init__(self, generator: torch.Generator, count: int, foreground: float) -> None:
        self.generator, self.count, self.foreground = generator, count, foreground

    def __call__(self, labels: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        chosen = [self.one(label.long()) for label in labels]
        return [one * (label >= 1) for one, label in zip(chosen, labels, strict=True)], [
            one * (label == 0) for one, label in zip(chosen, labels, strict=True)
        ]

    def one(self, labels: Tensor) -> Tensor:
        matches = torch.where(labels == 0, BACKGROUND, torch.where(labels < 0, IGNORED, labels))
        rows = sampled(matches, count=self.count, foreground=self.foreground, generator=self.generator)
        return torch.zeros_like(labels).index_fill(0, rows, 1)


def theirs(name: str, seed: torch.Generator) -> FasterRCNN:
    """torchvision's, its weights large enough that its answers differ from each other."""
    torch.manual_seed(3)
    pyramid = name == "faster_rcnn_pyramid"
    body = Steps()
    whole = BackboneWithFPN(body, {"first": "0", "second": "1", "third": "2"}, [8, 10, WIDTH], WIDTH)
    scales = SCALES[name]
    net = FasterRCNN(
        whole if pyramid else body,
        CLASSES + 1,
        rpn_anchor_generator=AnchorGenerator(
            tuple((scale,) for scale in scales) if pyramid else (scales,),
            ((0.5, 1.0, 2.0),) * (len(scales) if pyramid else 1),
        ),
        box_roi_pool=MultiScaleRoIAlign(["0", "1", "2"] if pyramid else ["0"], 7, 2),
        image_mean=[0.0] * 3,
        image_std=[1.0] * 3,
        min_size=SIZE[0],
        max_size=SIZE[1],
        rpn_pre_nms_top_n_train=TRAINING.before,
        rpn_post_nms_top_n_train=TRAINING.after,
        rpn_pre_nms_top_n_test=TESTING.before,
        rpn_post_nms_top_n_test=TESTING.after,
        box_batch_size_per_image=64,
    )
    for parameter in net.parameters():
        if parameter.ndim > 1:
            nn.init.kaiming_normal_(parameter)
        else:
            nn.init.normal_(parameter, std=0.1)
    net.rpn.fg_bg_sampler = Drawn(seed, 256, 0.5)
    net.roi_heads.fg_bg_sampler = Drawn(seed, 64, 0.25)
    return net


def ours(name: str, their: FasterRCNN) -> TwoStage:
    """Ours with their body and their weights."""
    system = replace(
        PRESETS[name],
        scales=SCALES[name],
        training=TRAINING,
        testing=TESTING,
        standardised=False,
    )
    strides = (4, 8, 16) if system.pyramid else (16,)
    stages = [Stage(name="map", channels=WIDTH, stride=stride, centre=0.0) for stride in strides]
    body = Several(their.backbone) if system.pyramid else their.backbone
    return copied(TwoStage(system, body, stages, CLASSES, hidden=1024), their)


def copied(net: TwoStage, their: FasterRCNN) -> TwoStage:
    """With their weights in all but the body: background is their first class and our last."""
    assert net.regions is not None
    assert net.places is not None
    net.regions.conv.load_state_dict(their.rpn.head.conv[0][0].state_dict())
    net.regions.objectness.load_state_dict(their.rpn.head.cls_logits.state_dict())
    net.regions.boxes.load_state_dict(their.rpn.head.bbox_pred.state_dict())
    heads = their.roi_heads
    net.hidden[0].load_state_dict(heads.box_head.fc6.state_dict())
    net.hidden[2].load_state_dict(heads.box_head.fc7.state_dict())
    names, places = heads.box_predictor.cls_score, heads.box_predictor.bbox_pred
    net.names.load_state_dict({key: value.roll(-1, 0) for key, value in names.state_dict().items()})
    net.places.load_state_dict({key: value[4:] for key, value in places.state_dict().items()})
    return net


def pictures() -> tuple[Tensor, list[Truth]]:
    """Three pictures: with four objects, some at the border and one of two pixels, with one, and without any."""
    images = torch.rand(3, 3, *SIZE, generator=torch.Generator().manual_seed(5))
    boxes = torch.tensor(
        [[0.0, 0, 30, 40], [50, 20, 120, 110], [90, 30, 92, 33], [140, 70, 192, 128], [20, 20, 90, 60]]
    )
    labels = torch.tensor([0, 2, 1, 1, 2])
    return images, [
        Truth(boxes=boxes[rows], labels=labels[rows], aside=boxes[:0])
        for rows in (slice(0, 4), slice(4, 5), slice(0, 0))
    ]


def targets_of(truths: Sequence[Truth]) -> list[dict[str, Tensor]]:
    """The same objects as torchvision wants them."""
    return [{"boxes": one.boxes, "labels": one.labels + 1} for one in truths]


@pytest.mark.parametrize("name", SCALES)
def test_losses_and_gradients_equal_torchvisions(name: str) -> None:
    their = theirs(name, torch.Generator().manual_seed(1)).train()
    own = ours(name, their).train()
    images, truths = pictures()
    expected = their(list(images), targets_of(truths))
    found = loss(own, images, truths, [], torch.Generator().manual_seed(1))
    names = {
        "objectness": "loss_objectness",
        "proposals": "loss_rpn_box_reg",
        "names": "loss_classifier",
        "places": "loss_box_reg",
    }
    assert set(found) == set(names)
    for part, word in names.items():
        assert float(expected[word].detach()) > 0.01
        torch.testing.assert_close(found[part], expected[word], atol=1e-4, rtol=1e-4)
    first = their.backbone.body.first if name.endswith("pyramid") else their.backbone.first
    slopes = [torch.autograd.grad(sum(losses.values()), first.weight)[0] for losses in (expected, found)]
    torch.testing.assert_close(slopes[1], slopes[0], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", SCALES)
def test_answers_equal_torchvisions(name: str) -> None:
    their = theirs(name, torch.Generator()).eval()
    own = ours(name, their).eval()
    images, _ = pictures()
    with torch.no_grad():
        expected = their(list(images))
    for mine, other in zip(answered(own, images, []), expected, strict=True):
        assert len(other["scores"]) >= 20
        torch.testing.assert_close(torch.from_numpy(mine.scores), other["scores"], atol=1e-4, rtol=0)
        torch.testing.assert_close(torch.from_numpy(mine.boxes), other["boxes"], atol=1e-4, rtol=1e-4)
        assert torch.equal(torch.from_numpy(mine.labels), other["labels"] - 1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_trained_alike_it_finds_as_much_as_torchvisions() -> None:
    """The same body, first weights, pictures and draws; what differs is the order in which numbers are added."""
    system = replace(tried.NETWORK, standardised=False)
    seeds = [torch.Generator().manual_seed(1) for _ in range(2)]
    torch.manual_seed(0)
    body = tried.body()
    body.out_channels = tried.MAP.channels
    limits, testing = system.training, system.testing
    their = FasterRCNN(
        copy.deepcopy(body),
        rpn_anchor_generator=AnchorGenerator((system.scales,), ((0.5, 1.0, 2.0),)),
        box_roi_pool=MultiScaleRoIAlign(["0"], 5, 2),
        box_head=TwoMLPHead(tried.MAP.channels * 25, 256),
        box_predictor=FastRCNNPredictor(256, 2),
        image_mean=[0.0] * 3,
        image_std=[1.0] * 3,
        min_size=tried.SIDE,
        max_size=tried.SIDE,
        rpn_pre_nms_top_n_train=limits.before,
        rpn_post_nms_top_n_train=limits.after,
        rpn_pre_nms_top_n_test=testing.before,
        rpn_post_nms_top_n_test=testing.after,
        box_nms_thresh=system.suppress,
    )
    their.rpn.fg_bg_sampler = Drawn(seeds[0], 256, 0.5)
    their.roi_heads.fg_bg_sampler = Drawn(seeds[0], system.regions, 0.25)
    own = copied(TwoStage(system, body, [replace(tried.MAP, centre=0.0)], 1), their)
    tried.learned(own, lambda images, truths: loss(own, images, tried.nameless(truths), [], seeds[1]))
    tried.learned(their, lambda images, truths: their(list(images), targets_of(tried.nameless(truths))))
    found: list[Answer] = []
    with torch.no_grad():
        for part in tried.shapes(150, 1)[0].split(10):
            found += [
                Answer(
                    boxes=one["boxes"].numpy(), scores=one["scores"].numpy(), labels=one["labels"].numpy() - 1
                )
                for one in their(list(part))
            ]
    mine, other = tried.precision(own, system), tried.measured(found)
    print(f"AP50 and AP70: ours {mine}, torchvision's {other}")
    assert mine[0] >= other[0] - 0.02
    assert mine[1] >= other[1] - 0.02
