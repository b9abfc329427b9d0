import numpy as np
import pytest
import torch

from convworks.augmentation import mix
from convworks.recipe.options import AugmentationOptions
from convworks.samples import Sample


def batch(count=6, size=(20, 30)):
    """Images of one value each, and one class each, so that what was mixed can be read off."""
    images = torch.arange(count).float()[:, None, None, None].expand(count, 3, *size).clone()
    return images, torch.eye(count)


def generator(seed):
    return np.random.default_rng(seed)


def test_mixup_blends_images_and_targets_by_the_same_share():
    images, targets = batch()
    for seed in range(10):
        mixed, blended = mix.mixup(images, targets, generator(seed))
        assert mixed[:, 0, 0, 0] == pytest.approx(blended @ torch.arange(6.0), abs=1e-5)
        assert blended.sum(1) == pytest.approx(torch.ones(6))


def test_cutmix_mixes_targets_by_the_area_of_the_rectangle():
    images, targets = batch()
    areas = []
    for seed in range(30):
        mixed, blended = mix.cutmix(images, targets, generator(seed))
        for row in range(6):
            values, counts = mixed[row, 0].unique(return_counts=True)
            share = torch.zeros(6)
            share[values.long()] = counts / counts.sum()
            assert blended[row] == pytest.approx(share, abs=1e-5)
        other = mixed[0, 0] != 0
        rows, columns = other.any(1).sum(), other.any(0).sum()
        assert other.sum() == rows * columns
        areas.append(float(other.float().mean()))
    assert min(areas) < 0.1 < 0.4 < max(areas)


def test_mixing_leaves_the_batch_as_it_was_and_repeats_with_its_generator():
    images, targets = batch()
    before = images.clone()
    for function in (mix.mixup, mix.cutmix):
        first, second = (function(images, targets, generator(3)) for _ in range(2))
        assert torch.equal(first[0], second[0])
        assert torch.equal(first[1], second[1])
        assert torch.equal(images, before)


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
