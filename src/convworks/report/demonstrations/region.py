"""The reader's 3 of 10 columns, drawn: what slicing, masking and partial convolution give, cell by cell."""

from __future__ import annotations

from convworks.explanation.part import COLUMNS, FORMS, KERNEL, SIDE, Column, Part, part
from convworks.report.demonstrations.frame import Demonstration, Picture
from convworks.report.drawing import box, figure, text
from convworks.report.markup import Child, Markup, section, table, tag

KINDS = {
    "as the slice": "full",
    "mixed with zeros": "mixed",
    "scaled": "scaled",
    "bias only": "idle",
    "nothing": "idle",
}
CALLED = {"slice": "leave the rest away", "mask": "set the rest to 0", "partial": "partial convolution"}


def demonstrate(image: Picture | None = None) -> Demonstration:
    """The topic; it needs no picture."""
    found = part()
    said = (
        f"A {SIDE}x{SIDE} input of ones, a {KERNEL}x{KERNEL} filter of ones with bias {found.bias:g}, the "
        f"first {COLUMNS} columns only:",
        *(
            f"  {form:8} {len(columns[0].values)}x{len(columns)}: "
            + " ".join(f"{column.values[0]:.1f}" for column in columns)
            for form, columns in found.given.items()
        ),
        "slice: what was asked; one column, each value of 9 pixels.",
        "mask: column 0 is the slice's; columns 1 and 2 are mixed with zeros; 3 to 7 are the bias, and say "
        "nothing.",
        "partial: columns 1 and 2 divided by the share of the filter that lies on the region; 0 elsewhere.",
    )
    return Demonstration(
        title="A filter on three columns is not a filter on zeros.",
        quote="“I only want to apply my filter to the first 3 columns of that array.” Answered: “I guess "
        "you can zero out all of the input values that aren’t part of the first 3 columns right?”",
        lead="Zeroing the rest keeps 8x8 values, of which one column is what was asked for, two are "
        "darkened by zeros and five say nothing but the bias. Leaving the rest away gives the one column. "
        "Which is right depends on what comes next.",
        lines=said,
        parts={"Three senses": _grids(found), "Which": _which(found)},
        document={
            form: [{"values": column.values.tolist(), "sort": column.sort} for column in columns]
            for form, columns in found.given.items()
        },
    )


def _grids(found: Part) -> Markup:
    said = "; ".join(
        f"{form}: columns {', '.join(column.sort for column in columns)}"
        for form, columns in found.given.items()
    )
    chart = figure(
        f"What each sense gives. {said}.",
        lambda width: _draw(found, width),
        "Ones under a filter of ones, so that each number counts the pixels that were read, plus the bias "
        "of 0.5. Deep blue: the same as the slice. Orange: mixed with zeros. Pale blue: divided by the "
        "share that was read. Grey: no pixel.",
    )
    return section("senses", "Three senses of “the first three columns”", chart)


def _draw(found: Part, width: int) -> tuple[int, list[Child]]:
    wide = width > 500
    cell = 21.0 if wide else 30.0
    gap = 24
    drawn: list[Child] = []
    left, top = 0.0, 30.0
    blocks: list[tuple[str, list[tuple[list[str], str]]]] = [
        ("input 10x10", [(["1"] * SIDE, "full" if column < COLUMNS else "idle") for column in range(SIDE)])
    ]
    for form in FORMS:
        columns = found.given[form]
        blocks.append(
            (f"{form} {len(columns[0].values)}x{len(columns)}", [_cells(column) for column in columns])
        )
    for title, block in blocks:
        tall = len(block[0][0])
        span = len(block) * cell
        if left and left + span > width:
            left, top = 0.0, top + SIDE * cell + 64
        drawn.append(text(left, top - 10, title, "label"))
        for number, (values, kind) in enumerate(block):
            for row in range(tall):
                drawn.append(box(left + number * cell, top + row * cell, cell, cell, f"cell {kind}"))
                drawn.append(
                    text(
                        left + (number + 0.5) * cell,
                        top + (row + 0.66) * cell,
                        values[row],
                        "number",
                        "middle",
                    )
                )
        left += max(span, 76) + gap
    return round(top + SIDE * cell + 8), drawn


def _cells(column: Column) -> tuple[list[str], str]:
    return [f"{value:.1f}" for value in column.values.tolist()], KINDS[column.sort]


def _which(found: Part) -> Markup:
    rows = [
        [
            form,
            CALLED[form],
            f"{len(columns[0].values)}x{len(columns)}",
            {
                "slice": "only the region matters from here on",
                "mask": "the map must keep its size, and zeros mean “nothing there”",
                "partial": "the map must keep its size and its scale, as with missing pixels",
            }[form],
        ]
        for form, columns in found.given.items()
    ]
    listing = table(["Form", "In words", "Gives", "When"], rows)
    code = tag("pre", 'RegionConv2d(channels, filters, (3, 3), region=(0, 0, 3, 10), form="slice")')
    said = "All three are layers of Convworks; the region is left, top, right and bottom edge in pixels, half-open."
    return section("which", "Which to take", listing, tag("p", said), code)
