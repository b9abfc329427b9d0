"""The maps of a network in network: their means are the answer, and they peak in the object."""

import numpy as np
import pytest
import torch

from convworks.data.synthetic import SHAPES, flat_scene
from convworks.explanation.material import PATTERNS, patterned, picture, pretrained
from convworks.explanation.nin import SIDE, attention, class_maps, crowd, small_nin, study, trained


def test_the_answer_is_the_mean_of_each_map_at_any_size() -> None:
    torch.manual_seed(0)
    net = small_nin(3).eval()
    for size in ((48, 48), (33, 70)):
        assert net(torch.zeros(1, 3, *size)).shape == (1, 3, size[0] // 4, size[1] // 4)


def test_a_peak_is_the_highest_value_of_the_map_of_the_answer() -> None:
    torch.manual_seed(0)
    net = small_nin(len(PATTERNS)).eval()
    found = class_maps(net, *patterned(4, SIDE, 5))
    for index in range(4):
        chosen = found.maps[index, found.said[index]]
        row, column = found.peaks[index]
        assert chosen[row, column] == chosen.max()
        assert found.inside[index] == found.masks[index, row, column]
    assert 0.02 < found.chance < 0.3


def test_a_short_training_already_finds_most_shapes() -> None:
    torch.manual_seed(0)
    net = small_nin(len(PATTERNS))
    images, labels, _ = patterned(300, SIDE, 0)
    losses = trained(images, labels, net, steps=45)
    found = class_maps(net, *patterned(60, SIDE, 1))
    assert losses[-5:].mean() < 0.7
    assert found.found > 0.6


def test_the_crowd_is_one_image_of_six() -> None:
    torch.manual_seed(0)
    found = crowd(small_nin(len(PATTERNS)).eval())
    assert found.image.shape == (2 * SIDE, 3 * SIDE, 3)
    assert found.maps.shape == (3, 2 * SIDE, 3 * SIDE)
    assert found.labels.tolist() == [0, 1, 2, 0, 1, 2]


def test_the_pretrained_nets_maps_average_to_what_it_says() -> None:
    image = picture()
    found = attention(image)
    said = pretrained().predict(image)
    assert found.names == said.names[:3]
    assert found.probabilities == pytest.approx(said.probabilities[:3], abs=1e-4)
    assert found.maps[0].max() > found.maps[1].max()


@pytest.mark.slow
def test_the_demonstrations_net_finds_nine_of_ten() -> None:
    found, many = study()
    assert found.right > 0.95
    assert found.found >= 0.9
    assert (many.said == many.labels).sum() >= 5


@pytest.mark.slow
def test_told_three_plain_shapes_apart_the_peak_lies_in_the_shape_on_three_of_four() -> None:
    def shapes(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
        names = sorted(SHAPES)
        drawn = [
            flat_scene(seed, index, task="localization", classes=names, size=(SIDE, SIDE))
            for index in range(count)
        ]
        pixels = torch.tensor(np.stack([each.image for each in drawn]), dtype=torch.float32).permute(
            0, 3, 1, 2
        )
        even = (pixels - pixels.mean((2, 3), keepdim=True)) / pixels.std((2, 3), keepdim=True)
        return (
            even,
            torch.tensor([int(each.labels[0]) for each in drawn]),
            np.stack([each.masks[0] for each in drawn]),
        )

    torch.manual_seed(1)
    net = small_nin(len(SHAPES), (16, 32, 32), (5, 3, 3))
    images, labels, _ = shapes(3000, 0)
    trained(images, labels, net, steps=1600, seed=1)
    found = class_maps(net, *shapes(200, 1))
    assert found.right >= 0.85
    assert found.found >= 0.75
