import numpy as np
import pytest

from convworks.augmentation import mix
from convworks.recipe.options import AugmentationOptions
from convworks.samples import Sample


def generator(seed):
    return np.random.default_rng(seed)


def drawn(seed, size=(20, 30), **knobs):
    return mix.draw(AugmentationOptions(**knobs), generator(seed), 6, size)


def flat(value, kind=np.float32):
    return np.full((20, 30, 3), value, kind)


def test_nothing_is_mixed_unless_asked_for():
    assert drawn(0) is None
    assert not mix.mixes(AugmentationOptions())


def test_mixup_blends_by_the_share_that_it_says_and_leaves_the_other_image():
    shares = []
    for seed in range(200):
        mixed, image, other = drawn(seed, mixup=0.2), flat(1), flat(3)
        mix.apply(mixed, image, other)
        assert image == pytest.approx(flat(mixed.share * 1 + (1 - mixed.share) * 3), abs=1e-6)
        assert (other == 3).all()
        shares.append(mixed.share)
    # The mean and the variance of Beta(a, a): 1/2, and 1 / (4 (2 a + 1)).
    assert np.mean(shares) == pytest.approx(0.5, abs=0.09)
    assert np.var(shares) == pytest.approx(1 / (4 * 1.4), abs=0.03)


def test_cutmix_shares_the_class_by_the_area_of_the_rectangle():
    shares = []
    for seed in range(60):
        mixed, image = drawn(seed, cutmix=1.0), flat(0)
        mix.apply(mixed, image, flat(1))
        assert image.mean() == pytest.approx(1 - mixed.share, abs=1e-6)
        seen = image[..., 0] == 1
        assert seen.sum() == seen.any(0).sum() * seen.any(1).sum()
        shares.append(mixed.share)
    assert min(shares) < 0.4 < 0.9 < max(shares)


def test_both_take_turns_and_a_draw_repeats_with_its_generator():
    found = [drawn(seed, mixup=0.2, cutmix=1.0) for seed in range(40)]
    assert 8 < sum(one.hole == (0, 0, 0, 0) for one in found) < 32
    assert {one.partner for one in found} == set(range(6))
    assert found == [drawn(seed, mixup=0.2, cutmix=1.0) for seed in range(40)]


def painted(value):
    image = np.zeros((80, 100, 3), np.uint8)
    image[20:60, 30:70] = value
    mask = np.zeros((1, 80, 100), bool)
    mask[0, 20:60, 30:70] = True
    return Sample(
        image=image,
        boxes=np.array([[30, 20, 70, 60]], np.float32),
        labels=np.array([value]),
        masks=mask,
        class_map=mask[0].astype(np.uint8),
        points=np.array([[[50, 40]]], np.float32),
    )


def test_a_mosaic_keeps_every_object_with_its_pixels():
    options = AugmentationOptions(colour=0, crop_scale=0.8)
    for seed in range(20):
        made = mix.mosaic(
            [painted(value) for value in (60, 110, 170, 250)], options, generator(seed), (120, 160)
        )
        assert made.image.shape == (120, 160, 3)
        assert len(made.boxes) == len(made.labels) == len(made.masks) == len(made.points) == 4
        for value, box, mask, (point,) in zip(made.labels, made.boxes, made.masks, made.points, strict=True):
            left, top, right, bottom = box.round().astype(int)
            inner = made.image[top + 2 : bottom - 2, left + 2 : right - 2]
            assert (inner == value).all()
            assert mask[top + 1 : bottom - 1, left + 1 : right - 1].all()
            assert mask.sum() == pytest.approx((right - left) * (bottom - top), rel=0.15)
            assert np.isnan(point).any() or (made.image[int(point[1]), int(point[0])] == value).all()
        assert (made.class_map == 1).sum() == made.masks.sum()


def test_a_mosaic_of_images_without_objects_has_full_empty_shapes():
    plain = Sample(image=np.zeros((30, 40, 3), np.uint8), label=2)
    made = mix.mosaic([plain] * 4, AugmentationOptions(), generator(0), (50, 60))
    assert made.label == -1
    assert made.boxes.shape == (0, 4)
    assert made.masks.shape == (0, 0, 0)
    assert made.class_map.shape == (0, 0)
