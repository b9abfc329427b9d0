"""Numbers, sizes and tables of a net as plain text."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from convworks.arithmetic.field import Fields, Number
from convworks.arithmetic.spec import Volume


def laid_out(cells: Sequence[Sequence[str]], left: Collection[int]) -> list[str]:
    """Rows of text cells as lines; the columns in `left` are set to the left, the others to the right.

    >>> laid_out([["layer", "out"], ["relu", "8x8x3"]], {0})
    ['layer    out', 'relu   8x8x3']
    """
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def of_axes(fields: Fields, name: str) -> str:
    """The size, jump or start of a field: once where both axes have the same, else vertical x horizontal."""
    vertical, horizontal = (_number(getattr(field, name)) for field in fields)
    return vertical if vertical == horizontal else f"{vertical}x{horizontal}"


def count_words(value: int) -> str:
    """A count to three digits.

    >>> count_words(176400)
    '176k'
    """
    return str(value) if value < 1000 else _scaled(value, ("", "k", "M", "G", "T"))


def byte_words(value: int) -> str:
    """Bytes to three digits.

    >>> byte_words(62500)
    '62.5 kB'
    """
    return "0" if not value else _scaled(value, (" B", " kB", " MB", " GB", " TB"))


def sizes(volume: Volume | None) -> list[int] | None:
    """A volume as numbers for JSON: height, width and channels, or the length of a row."""
    if volume is None:
        return None
    return [volume.channels] if volume.flat else [volume.height, volume.width, volume.channels]


def _number(value: Number) -> str:
    return str(value) if isinstance(value, int) else f"{float(value):.4g}"


def _scaled(value: float, units: tuple[str, ...]) -> str:
    for unit in units[:-1]:
        if value < 999.5:
            return f"{value:.3g}{unit}"
        value /= 1000
    return f"{value:.3g}{units[-1]}" if value < 1e4 else f"{value:,.0f}{units[-1]}"
