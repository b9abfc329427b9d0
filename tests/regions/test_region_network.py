"""Outputs stand where their anchors stand, losses and proposals equal torchvision's, and emptiness is no trouble."""

from __future__ import annotations

import pytest
import torch
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead

from convworks.regions.anchors import anchors, base, inside
from convworks.regions.region_network import Limits, RegionNetwork, proposed, region_loss

SCALES, SIZE = (16.0, 32.0), (64, 96)


def both() -> tuple[RegionNetwork, RegionProposalNetwork]:
    """Ours and torchvision's with the same weights, both with anchors about the centres of cells."""
    torch.manual_seed(0)
    ours = RegionNetwork(6, 8, scales=SCALES, ratios=(0.5, 1.0, 2.0))
    for layer in (ours.conv, ours.objectness, ours.boxes):
        torch.nn.init.normal_(layer.weight, std=0.2)
    head = RPNHead(6, 6)
    head.conv[0][0].load_state_dict(ours.conv.state_dict())
    head.cls_logits.load_state_dict(ours.objectness.state_dict())
    head.bbox_pred.load_state_dict(ours.boxes.state_dict())
    generator = AnchorGenerator(((16, 32),), ((0.5, 1.0, 2.0),))
    generator.cell_anchors = [base(SCALES, (0.5, 1.0, 2.0)) + 4]
    generator.set_cell_anchors = lambda *_: None
    theirs = RegionProposalNetwork(
        generator,
        head,
        0.7,
        0.3,
        10_000,
        0.5,
        {"training": 500, "testing": 500},
        {"training": 60, "testing": 60},
        0.7,
    )
    theirs.min_size = 4
    return ours, theirs


def features(seed: int = 1) -> torch.Tensor:
    return torch.randn(1, 6, SIZE[0] // 8, SIZE[1] // 8, generator=torch.Generator().manual_seed(seed))


def test_proposals_equal_torchvisions() -> None:
    ours, theirs = both()
    theirs.eval()
    maps = features()
    images = ImageList(torch.zeros(1, 3, *SIZE), [SIZE])
    with torch.no_grad():
        expected, _ = theirs(images, {"0": maps})
        logits, told = ours(maps)
    found, scores = proposed(
        logits[0], told[0], ours.anchors(maps), SIZE, Limits(before=500, after=60, side=4)
    )
    torch.testing.assert_close(found, expected[0], atol=1e-4, rtol=0)
    assert (scores[:-1] >= scores[1:]).all()


def test_losses_equal_torchvisions_where_all_anchors_are_sampled() -> None:
    """Theirs keep anchors across the border, so the frame is taken so large that none crosses."""
    ours, theirs = both()
    theirs.train()
    maps = features()
    references = ours.anchors(maps)
    objects = int((references[:, 0] > -1e9).sum())
    truth = torch.tensor([[10.0, 12, 40, 30], [50, 20, 90, 60]])
    logits, told = ours(maps)
    targets, matched = theirs.assign_targets_to_anchors([references], [{"boxes": truth}])
    wanted = theirs.box_coder.encode(matched, [references])
    everything = [torch.ones(len(references), dtype=torch.bool)]
    theirs.fg_bg_sampler = lambda labels: (
        [(labels[0] > 0).to(torch.uint8)],
        [(labels[0] == 0).to(torch.uint8)],
    )
    score, box = theirs.compute_loss(logits.reshape(-1, 1), told.reshape(-1, 4), targets, list(wanted))
    shifted = references + 500
    mine = region_loss(
        logits[0], told[0], shifted, truth + 500, (2000, 2000), torch.Generator(), count=2 * objects
    )
    assert len(everything[0]) == objects
    torch.testing.assert_close(mine[0], score, atol=1e-5, rtol=0)
    torch.testing.assert_close(mine[1], box, atol=1e-5, rtol=0)


def test_every_output_stands_at_its_anchor() -> None:
    """A weight that copies one cell of one channel shows in the anchors about that cell alone."""
    ours, _ = both()
    maps = torch.zeros(1, 6, 8, 12)
    maps[0, :, 5, 7] = 1
    for layer in (ours.conv, ours.objectness, ours.boxes):
        torch.nn.init.zeros_(layer.weight)
    with torch.no_grad():
        ours.conv.weight[:, :, 1, 1] = 1
        ours.objectness.weight[2] = 1
        ours.boxes.weight[4 * 2 + 3] = 1
    logits, told = ours(maps)
    place = int(logits[0].argmax())
    assert int((logits[0] > 0).sum()) == 1
    anchor = ours.anchors(maps)[place]
    assert ((anchor[:2] + anchor[2:]) / 2).tolist() == [60, 44]
    torch.testing.assert_close(anchor[2:] - anchor[:2], (ours.cell[2, 2:] - ours.cell[2, :2]))
    assert told[0].nonzero().tolist() == [[place, 3]]


def test_anchors_have_their_areas_and_ratios() -> None:
    cell = base((16, 32), (0.5, 2.0))
    sides = cell[:, 2:] - cell[:, :2]
    torch.testing.assert_close(sides.prod(1), torch.tensor([256.0, 256, 1024, 1024]))
    torch.testing.assert_close(sides[:, 1] / sides[:, 0], torch.tensor([0.5, 2, 0.5, 2]))
    assert inside(anchors((4, 4), 8, base((8,), (1,))), (32, 32)).all()
    assert not inside(anchors((4, 4), 8, base((8.5,), (1,))), (32, 32)).all()


@pytest.mark.parametrize("count", [0, 1])
def test_pictures_without_objects_and_frames_smaller_than_anchors_have_finite_losses(count: int) -> None:
    ours, _ = both()
    maps = features()[:, :, :1, :1]
    logits, told = ours(maps)
    truth = torch.tensor([[0.0, 0, 8, 8]])[:count]
    losses = region_loss(logits[0], told[0], ours.anchors(maps), truth, (8, 8), torch.Generator())
    (losses[0] + losses[1]).backward()
    assert all(torch.isfinite(loss) for loss in losses)
    found, scores = proposed(logits[0], told[0], ours.anchors(maps), (8, 8))
    assert found.shape[1] == 4
    assert len(found) == len(scores)
