"""Where the pixels may go: random crops, flips, translations, rotations "and much more", each one 3x3 matrix.

An operation is a plain function of four numbers in [0, 1), the size (height, width) of the frame that it acts
in, and its strength; it turns about the middle of the frame. It draws nothing itself, so a draw can be
repeated, and switching one operation off leaves what the others do as it was.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from convworks.geometry.boxes import Size
from convworks.geometry.move import Matrix, Move, matrix

Numbers = Sequence[float]
Box = tuple[float, float, float, float]
Operation = Callable[[Numbers, Size, float], Matrix]

# How far a crop's proportions may be from those of the frame that it fills (Szegedy 2015, 1409.4842).
ASPECT = 4 / 3
GOLDEN = (math.sqrt(5) - 1) / 2
STILL: Matrix = np.eye(3)
STILL.setflags(write=False)


def flip_horizontal(numbers: Numbers, size: Size, probability: float) -> Matrix:
    """Mirror left and right.

    >>> flip_horizontal((0.2,), (4, 6), 0.5).tolist()
    [[-1.0, 0.0, 6.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    return matrix([[-1, 0, size[1]], [0, 1, 0]]) if numbers[0] < probability else STILL


def flip_vertical(numbers: Numbers, size: Size, probability: float) -> Matrix:
    """Mirror up and down."""
    return matrix([[1, 0, 0], [0, -1, size[0]]]) if numbers[0] < probability else STILL


def rotate(numbers: Numbers, size: Size, degrees: float) -> Matrix:
    """Turn by up to `degrees` either way."""
    angle = math.radians(_either_way(numbers[0]) * degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    return _about_the_middle(size, cosine, -sine, sine, cosine)


def shear(numbers: Numbers, size: Size, degrees: float) -> Matrix:
    """Lean rows or columns, whichever a number says, by up to `degrees` either way."""
    lean = math.tan(math.radians(_either_way(numbers[0]) * degrees))
    rows, columns = (lean, 0.0) if numbers[1] < 0.5 else (0.0, lean)
    return _about_the_middle(size, 1, rows, columns, 1)


def scale(numbers: Numbers, size: Size, share: float) -> Matrix:
    """Enlarge or shrink by a factor up to 1 + `share` either way, both as likely."""
    factor = (1 + share) ** _either_way(numbers[0])
    return _about_the_middle(size, factor, 0, 0, factor)


def perspective(numbers: Numbers, size: Size, share: float) -> Matrix:
    """Look from the side: a far edge is shorter than the near one by up to about `share`, in [0, 0.9]."""
    height, width = size
    tilt_x = _either_way(numbers[0]) * share / width
    tilt_y = _either_way(numbers[1]) * share / height
    tilted = matrix([[1, 0, 0], [0, 1, 0], [tilt_x, tilt_y, 1]])
    return _shift(width / 2, height / 2) @ tilted @ _shift(-width / 2, -height / 2)


def translate(numbers: Numbers, size: Size, share: float) -> Matrix:
    """Shift by up to `share` of each side either way."""
    height, width = size
    return _shift(_either_way(numbers[0]) * share * width, _either_way(numbers[1]) * share * height)


# In the order in which they are done; each is named for its knob in `recipe.options.AugmentationOptions`. The
# perspective is last: what moves the frame after it could bring its horizon in.
OPERATIONS: dict[str, Operation] = {
    "flip_horizontal": flip_horizontal,
    "flip_vertical": flip_vertical,
    "rotate": rotate,
    "shear": shear,
    "scale": scale,
    "translate": translate,
    "perspective": perspective,
}


def random_crop(numbers: Numbers, canvas: Size, content: Box, size_out: Size, smallest: float) -> Box:
    """A box with at least `smallest` of the area of a canvas, about as wide for its height as `size_out`.

    Each way it lies inside `content`, the image's box in the canvas, or around it where it is longer. With
    `smallest` 1 it is the largest box with the new frame's proportions, in the middle. Where the proportions of
    the canvas do not allow a box so large, it is as large as they do.
    """
    if smallest >= 1:
        return middle(canvas, size_out)
    height, width = canvas
    wanted = (smallest + (1 - smallest) * numbers[0]) * height * width
    aspect = size_out[1] / size_out[0] * ASPECT ** _either_way(numbers[1])
    across, down = min(math.sqrt(wanted * aspect), width), min(math.sqrt(wanted / aspect), height)
    left = content[0] + numbers[2] * (content[2] - content[0] - across)
    top = content[1] + numbers[3] * (content[3] - content[1] - down)
    return left, top, left + across, top + down


def middle(size_in: Size, size_out: Size, share: float = 1.0) -> Box:
    """The largest box around the middle with the proportions of `size_out`, its sides times `share`.

    >>> middle((100, 200), (50, 50))
    (50.0, 0.0, 150.0, 100.0)
    """
    height, width = size_in
    factor = min(height / size_out[0], width / size_out[1]) * share
    across, down = factor * size_out[1], factor * size_out[0]
    left, top = (width - across) / 2, (height - down) / 2
    return left, top, left + across, top + down


def looks(middle: Box, mirror: bool) -> Iterator[tuple[Box, bool]]:
    """Boxes for fixed views, and whether to mirror them: the middle, both ways; its corners, by turns; endless."""
    yield middle, False
    if mirror:
        yield middle, True
    left, top, right, bottom = middle
    for ring in itertools.count():
        # .8, then all between .6 and .95, spread by the golden section so that none comes twice.
        part = 0.6 + 0.35 * ((0.2 / 0.35 + ring * GOLDEN) % 1)
        across, down = (right - left) * part, (bottom - top) * part
        far_x, far_y = right - across, bottom - down
        for turn, (x, y) in enumerate([(left, top), (far_x, far_y), (far_x, top), (left, far_y)]):
            yield (x, y, x + across, y + down), mirror and (ring + turn) % 2 == 1


def inside(move: Move, size_in: Size) -> Move:
    """The same move, nearer and shifted as little as needed for the frame to show nothing but the image."""
    low_x, low_y, high_x, high_y = move.reach()
    height, width = size_in
    factor = min(1.0, width / (high_x - low_x), height / (high_y - low_y))
    centre_x, centre_y = (low_x + high_x) / 2, (low_y + high_y) / 2
    half_x, half_y = (high_x - low_x) / 2 * factor, (high_y - low_y) / 2 * factor
    to_x = min(max(centre_x, half_x), width - half_x)
    to_y = min(max(centre_y, half_y), height - half_y)
    if factor == 1 and (to_x, to_y) == (centre_x, centre_y):
        return move
    nearer = matrix([[factor, 0, to_x - factor * centre_x], [0, factor, to_y - factor * centre_y]])
    return Move(move.matrix @ np.linalg.inv(nearer), move.size)


def _either_way(number: float) -> float:
    return 2 * number - 1


def _shift(x: float, y: float) -> Matrix:
    return matrix([[1, 0, x], [0, 1, y]])


def _about_the_middle(size: Size, a: float, b: float, c: float, d: float) -> Matrix:
    """The linear part ((a, b), (c, d)), with the middle of the frame staying where it is."""
    x, y = size[1] / 2, size[0] / 2
    return matrix([[a, b, x - a * x - b * y], [c, d, y - c * x - d * y]])
