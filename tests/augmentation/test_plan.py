import numpy as np
import pytest

from convworks.augmentation import chance, plan
from convworks.recipe.options import AugmentationOptions
from convworks.samples import Sample

NOTHING = AugmentationOptions(flip_horizontal=False, crop_scale=1.0, colour=0.0)
EVERYTHING = AugmentationOptions(
    flip_vertical=True,
    rotate=30,
    translate=0.2,
    grayscale=0.2,
    shear=10,
    scale=0.3,
    perspective=0.2,
    hue=0.1,
    blur=1,
    noise=0.05,
    cutout=0.2,
    trivial=0.5,
)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_the_same_seed_epoch_index_and_view_draw_the_same_and_any_other_differs():
    def first(*key):
        return plan.rng(*key).random(8).tolist()

    assert first(1, 2, 3, 4) == first(1, 2, 3, 4)
    keys = [(1, 2, 3, 4), (0, 2, 3, 4), (1, 0, 3, 4), (1, 2, 0, 4), (1, 2, 3, 0), (2, 1, 3, 4), (1, 3, 2, 4)]
    assert len({tuple(first(*key)) for key in keys}) == len(keys)


def test_a_draw_gives_the_same_pixels_in_any_order():
    image = noise(60, 80)

    def made(index):
        return plan.apply_image(plan.draw(EVERYTHING, plan.rng(5, 1, index), (60, 80), (32, 32)), image)

    forth = [made(index) for index in range(6)]
    back = [made(index) for index in reversed(range(6))][::-1]
    assert all((one == other).all() for one, other in zip(forth, back, strict=True))


def test_the_numbers_are_those_of_numpys_philox_with_this_key_and_counter():
    key, counter = np.array([5, chance.STREAM], np.uint64), np.array([0, 3, 2, 1], np.uint64)
    reference = np.random.Generator(np.random.Philox(key=key, counter=counter))
    assert plan.rng(5, 2, 3, 1).random(9).tolist() == reference.random(9).tolist()


@pytest.mark.parametrize("key", [(-1, 0, 0), (0, -1, 0), (0, 0, 2**64)])
def test_a_key_that_is_out_of_range_is_refused(key):
    with pytest.raises(OverflowError):
        plan.rng(*key)


def test_nothing_asked_leaves_every_pixel_as_it_was():
    image = noise(48, 64)
    drawn = plan.draw(NOTHING, plan.rng(0, 0, 0), (48, 64), (48, 64))
    assert (plan.apply_image(drawn, image) == image).all()


def test_the_image_is_never_changed_and_never_shared():
    for options, size in ((EVERYTHING, (32, 32)), (NOTHING, (48, 64))):
        image = noise(48, 64)
        before = image.copy()
        image.flags.writeable = False
        for index in range(10):
            made = plan.apply_image(plan.draw(options, plan.rng(0, 0, index), (48, 64), size), image)
            assert not np.shares_memory(made, image)
        assert (image == before).all()


def test_the_result_goes_into_the_array_that_is_given():
    image = noise(48, 64)
    for index in range(20):
        drawn = plan.draw(EVERYTHING, plan.rng(0, 0, index), (48, 64), (32, 40))
        batch = np.zeros((3, 32, 40, 3), np.uint8)
        assert np.shares_memory(plan.apply_image(drawn, image, out=batch[1]), batch)
        assert (batch[1] == plan.apply_image(drawn, image)).all()
        assert not batch[0].any()
        assert not batch[2].any()


def test_the_float_image_is_the_normalised_integer_image_channels_last():
    image, mean, deviation = noise(48, 64), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    drawn = plan.draw(EVERYTHING, plan.rng(0, 0, 3), (48, 64), (32, 40))
    batch = np.zeros((2, 32, 40, 3), np.float32)
    made = plan.apply_float(drawn, image, mean, deviation, out=batch[1])
    expected = (plan.apply_image(drawn, image) / 255 - np.array(mean)) / np.array(deviation)
    assert made.shape == (3, 32, 40)
    assert made.dtype == np.float32
    assert np.shares_memory(made, batch)
    assert made == pytest.approx(expected.transpose(2, 0, 1), abs=1e-5)
    assert made.transpose(1, 2, 0).flags.c_contiguous


def test_an_image_of_another_size_is_refused():
    drawn = plan.fixed((48, 64), (32, 32))
    with pytest.raises(ValueError, match="drawn for"):
        plan.apply_image(drawn, noise(64, 48))


def test_switching_one_operation_off_leaves_the_others_as_they_were():
    with_colour = plan.draw(AugmentationOptions(rotate=20), plan.rng(0, 0, 1), (48, 64), (32, 32))
    without = plan.draw(AugmentationOptions(rotate=20, colour=0), plan.rng(0, 0, 1), (48, 64), (32, 32))
    assert (with_colour.move.matrix == without.move.matrix).all()
    assert with_colour.colour is not None
    assert without.colour is None


def test_a_sample_without_objects_keeps_its_label_and_full_empty_shapes():
    made = plan.apply(
        plan.draw(EVERYTHING, plan.rng(0, 0, 0), (48, 64), (32, 32)),
        Sample(image=noise(48, 64), label=7),
    )
    assert made.label == 7
    assert made.image.shape == (32, 32, 3)
    assert made.boxes.shape == (0, 4)
    assert made.labels.shape == (0,)


@pytest.mark.parametrize("resize", ["crop", "squash", "letterbox"])
@pytest.mark.parametrize("size_in", [(1, 1), (1, 400), (400, 1), (7, 5), (300, 40)])
def test_every_size_can_be_brought_to_every_size(resize, size_in):
    image = noise(*size_in)
    assert plan.apply_image(plan.fixed(size_in, (16, 24), resize), image).shape == (16, 24, 3)
    for index in range(5):
        drawn = plan.draw(EVERYTHING, plan.rng(0, 0, index), size_in, (16, 24), resize)
        assert plan.apply_image(drawn, image).shape == (16, 24, 3)
