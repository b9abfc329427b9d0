"""Outputs stand where their anchors stand, losses and proposals equal torchvision's, and emptiness is no trouble."""

from __future__ import annotations

import pytest
import torch
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead

from convworks.regions.anchors import anchors, base
from convworks.regions.region_network import Limits, RegionNetwork, proposed, region_loss

SCALES, SIZE = (16.0, 32.0), (64, 96)


def both() -> tuple[RegionNetwork, RegionProposalNetwork]:
    """Ours and torchvision's with the same weights, both with anchors about the corners of cells."""
    torch.manual_seed(0)
    ours = RegionNetwork(6, [8], scales=[SCALES], ratios=(0.5, 1.0, 2.0), centres=[0.0])
    for layer in (ours.conv, ours.objectness, ours.boxes):
        torch.nn.init.normal_(layer.weight, std=0.2)
    head = RPNHead(6, 6)
    head.conv[0][0].load_state_dict(ours.conv.state_dict())
    head.cls_logits.load_state_dict(ours.objectness.state_dict())
    head.bbox_pred.load_state_dict(ours.boxes.state_dict())
    limits = {"training": 500, "testing": 500}, {"training": 60, "testing": 60}
    generator = AnchorGenerator((SCALES,), ((0.5, 1.0, 2.0),))
    theirs = RegionProposalNetwork(generator, head, 0.7, 0.3, 10_000, 0.5, *limits, 0.7)
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
        logits, told = ours([maps])
    limits = Limits(before=500, after=60, side=4)
    found, scores = proposed(logits[0], told[0], ours.anchors([maps]), SIZE, limits)
    torch.testing.assert_close(found, expected[0], atol=1e-4, rtol=0)
    assert (scores[:-1] >= scores[1:]).all()


def test_every_output_stands_at_its_anchor() -> None:
    """A weight that copies one cell of one channel shows in the anchors about that cell alone."""
    ours = RegionNetwork(6, [8], scales=[SCALES])
    maps = torch.zeros(1, 6, 8, 12)
    maps[0, :, 5, 7] = 1
    for layer in (ours.conv, ours.objectness, ours.boxes):
        torch.nn.init.zeros_(layer.weight)
    with torch.no_grad():
        ours.conv.weight[:, :, 1, 1] = 1
        ours.objectness.weight[2] = 1
        ours.boxes.weight[4 * 2 + 3] = 1
    logits, told = ours([maps])
    place = int(logits[0].argmax())
    assert int((logits[0] > 0).sum()) == 1
    anchor = ours.anchors([maps])[0][place]
    assert ((anchor[:2] + anchor[2:]) / 2).tolist() == [60, 44]
    cell = ours.cells[0, 2]
    torch.testing.assert_close(anchor[2:] - anchor[:2], cell[2:] - cell[:2])
    assert told[0].nonzero().tolist() == [[place, 3]]


def test_anchors_have_their_areas_and_ratios_to_a_pixel() -> None:
    sides = (cell := base((160, 320), (0.5, 2.0)))[:, 2:] - cell[:, :2]
    torch.testing.assert_close(sides.prod(1).sqrt(), torch.tensor([160.0, 320, 160, 320]), atol=1, rtol=0)
    torch.testing.assert_close(
        sides[:, 1] / sides[:, 0], torch.tensor([0.5, 0.5, 2, 2]), atol=0.01, rtol=0.01
    )


def test_anchors_stand_where_their_cells_look() -> None:
    middles = [anchors((1, 2), 8, base((4,), (1,)), centre)[:, :2] + 2 for centre in (None, 0.5)]
    assert middles[0].tolist() == [[4, 4], [12, 4]]
    assert middles[1].tolist() == [[0.5, 0.5], [8.5, 0.5]]


def test_every_map_has_its_own_scale_and_its_boxes_suppress_their_own_alone() -> None:
    ours = RegionNetwork(6, [8, 16], scales=[(16,), (32,)], ratios=(1.0,))
    maps = [torch.zeros(1, 6, 4, 4), torch.zeros(1, 6, 2, 2)]
    logits, told = ours(maps)
    references = ours.anchors(maps)
    assert [len(own) for own in references] == [16, 4]
    assert logits.shape == (1, 20)
    box = torch.tensor([[4.0, 4, 20, 20]])
    same = [box.expand(16, 4), box.expand(4, 4)]
    found, _ = proposed(logits[0], told[0] * 0, same, (32, 32))
    assert found.tolist() == [box[0].tolist()] * 2


@pytest.mark.parametrize("count", [0, 1])
def test_pictures_without_objects_and_frames_smaller_than_anchors_have_finite_losses(count: int) -> None:
    ours, _ = both()
    maps = [features()[:, :, :1, :1]]
    logits, told = ours(maps)
    truth = torch.tensor([[0.0, 0, 8, 8]])[:count]
    references = ours.anchors(maps)
    losses = region_loss(logits, told, torch.cat(references), [truth], [truth[:0]], (8, 8), torch.Generator())
    (losses[0] + losses[1]).backward()
    assert all(torch.isfinite(loss) for loss in losses)
    found, scores = proposed(logits[0], told[0], references, (8, 8))
    assert found.shape[1] == 4
    assert len(found) == len(scores)


def test_nothing_is_learned_of_what_lies_in_a_region_set_aside() -> None:
    """All background lies in it: what is said of it costs nothing."""
    ours, _ = both()
    maps = [features()]
    logits, told = ours(maps)
    everywhere, none = torch.tensor([[-500.0, -500, 500, 500]]), torch.zeros(0, 4)
    references = torch.cat(ours.anchors(maps))
    for aside, least, most in ((everywhere, 0, 0), (none, 0.1, 99)):
        parts = region_loss(logits, told, references, [none], [aside], SIZE, torch.Generator())
        assert least <= float(parts[0].detach()) <= most
