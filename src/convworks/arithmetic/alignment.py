"""Where a coarse map lies on a finer one: from receptive fields, so that crops are computed and not guessed.

A transposed convolution with a filter of 2f and stride f paints each coarse cell over 2f fine places, its middle f from
the first. Which of those belongs to the first cell of the finer map follows from where both see the picture.
Source: Long et al., Fully convolutional networks (1411.4038), whose published nets crop by 19, 27 and 31.
"""

from __future__ import annotations

from fractions import Fraction

from convworks.arithmetic.field import Field, Number


def middle(field: Field) -> Fraction:
    """The middle of what unit 0 sees, in pixels from the picture's edge.

    >>> middle(Field()), middle(Field(size=5, jump=2, start=-2))
    (Fraction(1, 2), Fraction(1, 2))
    """
    return Fraction(field.start) + Fraction(field.size) / 2


def crop_offset(coarse: Number | float, fine: Number | float, jump: Number | float, factor: int) -> Fraction:
    """How many painted places lie before the one that belongs to the first cell of the finer map.

    `coarse` and `fine` are the middles of the first cells of both maps, `jump` is the distance of two fine cells, all
    in pixels; `factor` times that is the distance of two coarse cells. Not whole where the maps lie between each other,
    negative where the finer map reaches further.

    >>> crop_offset(16, 8, 16, 2)  # cells in the middle of their squares
    Fraction(1, 1)
    """
    apart = (Fraction(coarse) - Fraction(fine)) / Fraction(jump)
    return factor - Fraction(1, 2) - apart
