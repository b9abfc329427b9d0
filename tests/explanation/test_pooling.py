"""What pooling saves, counted by hand; what it loses, against closed forms; and what a shift does."""

import numpy as np
import pytest
import torch

from convworks.explanation.material import picture, pretrained
from convworks.explanation.pooling import KINDS, MARGIN, answers, pooled, rebuilt, savings, shifted, wobble


def test_two_by_two_drops_three_of_four_activations_and_no_weight_of_the_convolution() -> None:
    found = savings()
    assert found.activations.pooled * 4 == found.activations.without == 32 * 32 * 16
    before, convolution, last = found.weights
    assert (before.without, convolution.without) == (16 * 27 + 16, 32 * 144 + 32)
    assert (before.pooled, convolution.pooled) == (before.without, convolution.without)
    assert last.without - 10 == 4 * (last.pooled - 10)
    work = found.multiply_adds
    assert work[0].pooled == work[0].without
    assert [4 * each.pooled for each in work[1:]] == [each.without for each in work[1:]]


def test_the_four_kinds_on_a_window_of_known_values() -> None:
    window = torch.tensor([[[[3.0, 4.0], [0.0, 0.0]]]])
    assert [pooled(window, kind, 2).item() for kind in KINDS] == [4.0, 1.75, 5.0, 3.0]


def test_what_is_even_over_each_window_comes_back_whole() -> None:
    tiles = np.random.default_rng(0).integers(0, 255, (5, 6, 3), np.uint8)
    image = tiles.repeat(4, 0).repeat(4, 1)
    for each in rebuilt(image, 4):
        if each.kind in KINDS:
            assert each.lost < 1e-10
            assert (each.image == image).all()


def test_no_filling_by_one_value_a_window_is_nearer_than_the_average() -> None:
    image = picture(96)
    for window in (2, 4, 8):
        lost = {each.kind: each.lost for each in rebuilt(image, window)}
        assert lost["average"] == min(lost.values())
        assert 0 < lost["average"] < lost["stride"]


def test_unpooling_keeps_the_largest_values_in_their_places() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    image[1, 2] = 200
    placed = next(each for each in rebuilt(image, 2) if each.kind == "max, placed")
    assert (placed.image == image).all()


def test_maps_do_not_change_without_a_shift_and_pooling_changes_less_than_a_stride() -> None:
    found = {each.kind: each.change for each in shifted(picture(), windows=(8,), most=2)}
    assert all(change[0] == 0 for change in found.values())
    for kind in ("max", "average", "L2"):
        assert found[kind][1] < 0.8 * found["stride"][1]


def test_a_shifted_answer_is_the_models_own_on_the_window_that_it_sees() -> None:
    image, model = picture(256), pretrained()
    found = wobble(image, most=2)
    for shift in range(3):
        window = image[16:240, 15 + shift : 239 + shift]
        said = model.logits(model.preprocessing.normalise(window)[None]).softmax(1)[0]
        place = model.classes.index(found.name)
        assert found.probability[shift] == pytest.approx(float(said[place]), abs=1e-5)
    assert found.agreed == 3


@pytest.mark.slow
def test_answers_survive_a_shift_better_with_pooling_than_with_a_stride() -> None:
    found = {each.kind: each for each in answers()}
    near = {kind: each.same[[MARGIN - 1, MARGIN + 1]].mean() for kind, each in found.items()}
    assert all(each.same[MARGIN] == 1 for each in found.values())
    assert min(near["max"], near["average"], near["L2"]) > near["stride"] + 0.05
    assert found["max"].right[MARGIN] > 0.95
