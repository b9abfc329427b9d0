"""A mask as run lengths, the way COCO writes them: pixels counted down the columns, zeros first, as numbers or text."""

from __future__ import annotations

from collections.abc import Sequence

from convworks.data.sources.confine import Refused

Runs = tuple[int, ...]

_LONGEST = 8
"""Characters of one number; more than any image needs."""


def packed(runs: Sequence[int]) -> str:
    """The text of run lengths: from the fourth on the difference to the last but one, five bits a character.

    Source: COCO's mask API, whose text this equals character by character.

    >>> packed((6, 1, 40, 4, 5, 4, 5, 4, 21))
    '61X13mN000`0'
    """
    text: list[str] = []
    for place, run in enumerate(runs):
        left = run - runs[place - 2] if place > 2 else run
        while True:
            bits = left & 31
            left >>= 5
            done = left == (-1 if bits & 16 else 0)
            text.append(chr(48 + (bits if done else bits | 32)))
            if done:
                break
    return "".join(text)


def unpacked(text: str) -> Runs:
    """The run lengths in a text. Raises Refused where it is none.

    >>> unpacked("61X13mN000`0")
    (6, 1, 40, 4, 5, 4, 5, 4, 21)
    """
    runs: list[int] = []
    value = shift = 0
    for char in text:
        bits = ord(char) - 48
        if not 0 <= bits < 64 or shift == 5 * _LONGEST:
            raise Refused("run lengths that are no text of COCO's")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    if shift:
        raise Refused("run lengths that end within a number")
    return tuple(runs)


def checked(runs: Runs, size: tuple[int, int]) -> Runs:
    """The runs, where they fill an image of `size` (width, height) exactly; else raises Refused."""
    width, height = size
    if not runs or min(runs) < 0:
        raise Refused("run lengths below 0" if runs else "no run lengths")
    if (total := sum(runs)) != width * height:
        raise Refused(f"run lengths of {total} pixels in an image of {width}x{height}")
    return runs


def area(runs: Sequence[int]) -> int:
    """The number of pixels in the mask.

    >>> area((2, 3, 1))
    3
    """
    return sum(runs[1::2])


def extent(runs: Sequence[int], height: int) -> tuple[int, int, int, int]:
    """The box (xyxy, half-open) around the mask, in an image of that height; all 0 where it is empty.

    >>> extent((2, 3, 1), 3)
    (0, 0, 2, 3)
    """
    left, top, right, bottom = 1 << 62, height, 0, 0
    start = 0
    for place, run in enumerate(runs):
        if place % 2 and run:
            first, low = divmod(start, height)
            last, high = divmod(start + run - 1, height)
            if last > first:
                low, high = 0, height - 1
            left, right = min(left, first), max(right, last + 1)
            top, bottom = min(top, low), max(bottom, high + 1)
        start += run
    return (left, top, right, bottom) if right else (0, 0, 0, 0)
