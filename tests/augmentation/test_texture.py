import numpy as np
import pytest

from convworks.augmentation import texture


def flat(value=128, size=(64, 64)):
    return np.full((*size, 3), value, np.uint8)


def test_noise_has_the_deviation_asked_no_bias_and_is_named_by_its_key():
    made = texture.noisy(flat(), 0.05, 7).astype(float)
    assert made.mean() == pytest.approx(128, abs=0.5)
    assert made.std() == pytest.approx(0.05 * 255, rel=0.05)
    assert np.abs(np.corrcoef(made[:-1].ravel(), made[1:].ravel())[0, 1]) < 0.03
    assert (texture.noisy(flat(), 0.05, 7) == made).all()
    assert (texture.noisy(flat(), 0.05, 8) != made).any()


def test_noise_is_cut_off_at_black_and_white_and_never_wraps():
    assert texture.noisy(flat(255), 0.1, 1).min() > 128
    assert texture.noisy(flat(0), 0.1, 1).max() < 128


def test_blurring_keeps_flat_areas_and_the_mean_and_lowers_contrast():
    assert (texture.blurred(flat(), 2.0) == 128).all()
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    made = texture.blurred(image, 1.5)
    assert made.mean() == pytest.approx(image.mean(), abs=1.5)
    assert made.std() < image.std() / 3


def test_sharpening_raises_an_edge_and_keeps_flat_areas():
    image = flat(100)
    image[:, 32:] = 150
    made = texture.sharpened(image, 1.0)
    assert made[5, 31, 0] < 100 < 150 < made[5, 32, 0]
    assert (made[:, :30] == 100).all()


def test_a_patch_has_the_share_of_the_side_and_is_cut_off_at_the_frame():
    assert texture.patch(0.5, 0.5, 0.2, (50, 100)) == (40, 20, 60, 30)
    assert texture.patch(0.0, 0.999, 0.2, (50, 100)) == (0, 45, 10, 50)
    made = texture.patched(flat(0, (50, 100)), (40, 20, 60, 30), 128)
    assert (made[20:30, 40:60] == 128).all()
    assert (made == 128).all(axis=2).sum() == 200
