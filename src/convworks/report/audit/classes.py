"""How much there is of each class, split by split: pixels where they are told, else objects, else images."""

from __future__ import annotations

from collections.abc import Mapping

from convworks.data.overview import Overview, Part
from convworks.report.drawing import meter
from convworks.report.markup import Child, Markup, folded, percent, section, table, tag
from convworks.report.wording import count

SHOWN = 40
"""Classes that are listed before the table is folded away."""


def classes(seen: Overview) -> Markup:
    """The section, with a table whose columns are the splits."""
    images = {_name(part): f"{part.images:,}" for part in seen.parts}
    said = ", ".join(f"{number} in {name}" for name, number in images.items()) if len(images) > 1 else ""
    intro = tag(
        "p",
        f"{count(seen.images, 'image')}: {said}." if said else f"{count(seen.images, 'image')}, not divided.",
    )
    blocks: list[Child] = [_table("Images that show it", [part.by_class for part in seen.parts], seen.parts)]
    if any(part.objects for part in seen.parts):
        blocks.append(_table("Objects", [part.objects for part in seen.parts], seen.parts))
    if any(part.pixels for part in seen.parts):
        shares = [part.pixels for part in seen.parts]
        blocks.append(_table("Share of the pixels", shares, seen.parts, shares=True))
    return section("classes", "How much of what", intro, *blocks)


def _name(part: Part) -> str:
    return part.split or "all"


def _table(
    title: str,
    values: list[Mapping[str, int]] | list[Mapping[str, float]],
    parts: tuple[Part, ...],
    *,
    shares: bool = False,
) -> Markup:
    names = sorted({name for value in values for name in value})
    if not names:
        return Markup()
    rows: list[list[Child]] = []
    most = max(value.get(name, 0) for value in values for name in names) or 1
    for name in names:
        row: list[Child] = [name]
        for value in values:
            amount = value.get(name, 0)
            row += [_share(amount) if shares else f"{amount:,}", meter(amount / most, "one")]
        rows.append(row)
    heads = ["Class", *(head for part in parts for head in (_name(part).capitalize(), ""))]
    listing = table(heads, rows, caption=title, numbers=range(1, 2 * len(parts), 2))
    return listing if len(names) <= SHOWN else folded(f"{title}, each of {len(names)} classes", listing)


def _share(amount: float) -> str:
    return percent(amount) if amount >= 0.01 or amount == 0 else f"{100 * amount:.2g}\xa0%"
