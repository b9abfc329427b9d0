import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convworks.augmentation import moves, plan, resample
from convworks.geometry.move import Move, crop, identity, matrix

FLIP = Move(matrix([[-1, 0, 40], [0, 1, 0]]), (30, 40))


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def scenery(height, width, seed=0):
    """A picture with structure at every scale, as photographs have, made by adding octaves of noise."""
    generator = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for octave in range(1, 8):
        coarse = generator.normal(size=(2**octave, 2**octave, 3))
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) * 0.75**octave
    return np.clip(128 + 70 * total, 0, 255).astype(np.uint8)


def difference(first, second):
    return np.abs(first.astype(float) - second).mean()


def test_moves_of_whole_pixels_copy_them_exactly():
    image = noise(30, 40)
    turn = Move(matrix([[0, -1, 30], [1, 0, 0]]), (40, 30))
    assert (resample.image(image, identity((30, 40))) == image).all()
    assert (resample.image(image, FLIP) == image[:, ::-1]).all()
    assert (resample.image(image, Move(matrix([[1, 0, 0], [0, -1, 30]]), (30, 40))) == image[::-1]).all()
    assert (resample.image(image, turn) == np.rot90(image, -1)).all()
    assert (resample.image(image, crop((3, 5, 13, 25), (20, 10))) == image[5:25, 3:13]).all()
    assert (resample.smooth(image, FLIP, "bicubic") == image[:, ::-1]).all()


@given(st.integers(0, 7), st.integers(1, 9), st.integers(1, 9))
def test_every_flip_and_right_angle_is_exact_and_undone_by_its_inverse(kind, height, width):
    image = noise(height, width)
    rows = [[1, 0, 0], [0, 1, 0]]
    there = Move(matrix(rows), (height, width))
    for bit, step in enumerate(([[-1, 0, width], [0, 1, 0]], [[1, 0, 0], [0, -1, height]])):
        if kind >> bit & 1:
            there = there.then(Move(matrix(step), (height, width)))
    if kind & 4:
        there = there.then(Move(matrix([[0, 1, 0], [1, 0, 0]]), (width, height)))
    moved = resample.image(image, there)
    assert moved.shape == (*there.size, 3)
    assert (np.sort(moved.ravel()) == np.sort(image.ravel())).all()
    assert (resample.image(moved, there.inverse((height, width))) == image).all()


def test_what_lies_beyond_is_the_mirror_or_grey_and_what_lies_inside_is_the_same_for_both():
    image = noise(30, 40)
    wide = Move(matrix([[1, 0, 12], [0, 1, 7]]), (45, 70))
    mirrored = cv2.copyMakeBorder(image, 7, 8, 12, 18, cv2.BORDER_REFLECT_101)
    assert (resample.image(image, wide) == mirrored).all()
    filled = resample.image(image, wide, "fill")
    assert (filled[7:37, 12:52] == image).all()
    assert (filled[:7] == resample.GREY).all()


@pytest.mark.parametrize("border", ["reflect", "inside", "fill"])
@pytest.mark.parametrize("zoom", [0.8, 1.7])
def test_cutting_and_mirroring_first_gives_what_one_warp_of_the_whole_image_gives(border, zoom):
    image = scenery(50, 70)
    generator = np.random.default_rng(1)
    for _ in range(30):
        turn = moves.rotate(generator.random(4).tolist(), (50, 70), 60)
        shift = moves.translate(generator.random(4).tolist(), (50, 70), 0.5)
        move = Move(matrix([[zoom, 0, 0], [0, zoom, 0]]) @ shift @ turn, (40, 40))
        kind = cv2.BORDER_CONSTANT if border == "fill" else cv2.BORDER_REFLECT_101
        on_middles = resample.TO_MIDDLES @ move.matrix @ resample.FROM_MIDDLES
        expected = cv2.warpAffine(
            image, on_middles[:2], (40, 40), None, cv2.INTER_LINEAR, kind, (resample.GREY,) * 4
        )
        made = resample.image(image, move, border)
        reach = move.reach()
        if min(reach[:2]) > -48 and reach[2] < 118 and reach[3] < 98:
            assert np.abs(made.astype(int) - expected).max() <= 1


def test_a_warp_agrees_with_pillows_own():
    image = scenery(60, 80)
    move = Move(moves.rotate((0.8,), (60, 80), 40) @ matrix([[1.2, 0.1, -5], [0, 1.1, -4]]), (50, 60))
    back = move.inverse((60, 80)).matrix
    reference = Image.fromarray(image).transform(
        (60, 50), Image.Transform.AFFINE, tuple(back[:2].ravel()), Image.Resampling.BILINEAR
    )
    inside = np.asarray(
        Image.new("L", (80, 60), 255).transform((60, 50), Image.Transform.AFFINE, tuple(back[:2].ravel()))
    )
    inside = cv2.erode(inside, np.ones((5, 5))) == 255
    assert difference(resample.image(image, move)[inside], np.asarray(reference)[inside]) < 0.6


@pytest.mark.parametrize(("zoom", "limit"), [(0.9, 2.0), (0.6, 2.5), (0.4, 2.5), (0.3, 2.5), (0.15, 2.5)])
def test_shrinking_averages_rather_than_aliases(zoom, limit):
    """Mean difference from Pillow's antialiased bilinear resize, in 255ths; unaveraged, it passes 5 at 0.15."""
    image = scenery(480, 640)
    size = (round(480 * zoom), round(640 * zoom))
    reference = Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)
    assert difference(resample.image(image, crop((0, 0, 640, 480), size)), np.asarray(reference)) < limit


def test_fine_stripes_turn_grey_and_not_into_false_coarse_ones():
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 255
    made = resample.image(stripes, crop((0, 0, 400, 400), (110, 110)))
    assert np.abs(made[2:-2, 2:-2].astype(int) - 127).max() <= 2


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("resize", ["crop", "squash", "letterbox"])
def test_the_fixed_view_is_pillows_antialiased_resize(interpolation, resize):
    image = scenery(300, 401)
    made = plan.apply_image(plan.fixed((300, 401), (112, 112), resize, interpolation), image)
    box = (50.5, 0, 350.5, 300) if resize == "crop" else (0, 0, 401, 300)
    size = (112, 84) if resize == "letterbox" else (112, 112)
    reference = np.asarray(Image.fromarray(image).resize(size, resample.FILTERS[interpolation], box))
    if resize == "letterbox":
        assert (made[:14] == resample.GREY).all()
        assert (made[98:] == resample.GREY).all()
        made = made[14:98]
    assert (made == reference).all()


def test_a_large_photograph_is_reduced_first_at_a_small_difference():
    image = scenery(1200, 1600)
    made = plan.apply_image(plan.fixed((1200, 1600), (224, 224)), image)
    reference = Image.fromarray(image).resize((224, 224), Image.Resampling.BICUBIC, (200, 0, 1400, 1200))
    assert difference(made, np.asarray(reference)) < 1.0


@pytest.mark.packs
def test_on_photographs_the_quick_path_is_near_the_antialiased_one(packs):
    """Mean difference from Pillow's antialiased bicubic resize to 224, in 255ths, over real photographs."""
    found = []
    for path in sorted((packs / "photos").glob("*.jpg"))[:12]:
        image = np.asarray(Image.open(path).convert("RGB"))
        size_in = image.shape[:2]
        fixed = plan.fixed(size_in, (224, 224))
        quick = resample.image(image, fixed.move)
        found.append(difference(quick, plan.apply_image(fixed, image)))
    assert np.mean(found) < 2.5


def test_views_start_with_the_middle_and_its_mirror_and_never_leave_the_image():
    image = scenery(100, 140)
    views = plan.views(40, (100, 140), (50, 50))
    first, second = (plan.apply_image(view, image) for view in views[:2])
    assert np.abs(first[:, ::-1].astype(int) - second).max() == 0
    assert (first == plan.apply_image(plan.fixed((100, 140), (50, 50)), image)).all()
    assert views[:5][0].move.size == (50, 50)
    seen = {(*np.round(view.move.reach(), 3), view.move.mirrors) for view in views}
    assert len(seen) == 40
    for view in views:
        left, top, right, bottom = view.move.reach()
        assert min(left, top) >= -1e-9
        assert right <= 140 + 1e-9
        assert bottom <= 100 + 1e-9


def test_views_of_data_in_which_left_is_not_right_are_never_mirrored():
    assert not any(view.move.mirrors for view in plan.views(20, (100, 140), (50, 50), mirror=False))


def test_class_maps_and_masks_keep_their_values_and_mark_what_lies_beyond():
    classes = np.random.default_rng(0).integers(0, 5, (30, 40), dtype=np.uint8)
    turned = Move(moves.rotate((0.9,), (30, 40), 45), (30, 40))
    assert set(np.unique(resample.class_map(classes, turned, "reflect"))) <= set(range(5))
    assert resample.class_map(classes, turned, "fill")[0, 0] == 255
    masks = resample.masks(np.ones((2, 30, 40), bool), turned)
    assert masks.dtype == bool
    assert not masks[:, 0, 0].any()
    assert masks[:, 15, 20].all()
    assert resample.masks(np.zeros((0, 30, 40), bool), turned).shape == (0, 30, 40)
