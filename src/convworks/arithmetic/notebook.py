"""A net in a notebook: its picture and its table as static HTML, without scripts, in light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from convworks.arithmetic.svg import element

SCOPE = "convworks-net"
STYLE = (
    f".{SCOPE}{{font:14px/1.45 ui-sans-serif,system-ui,sans-serif;font-variant-numeric:tabular-nums;max-width:960px}}"
    f".{SCOPE} .narrow{{display:none}}"
    f"@media (max-width:700px){{.{SCOPE} .wide{{display:none}}.{SCOPE} .narrow{{display:block}}}}"
    f".{SCOPE} .scroll{{overflow-x:auto}}"
    f".{SCOPE} table{{border-collapse:collapse;margin:12px 0;font:inherit}}"
    f".{SCOPE} th,.{SCOPE} td{{padding:3px 14px 3px 0;text-align:right;white-space:pre;background:none}}"
    f".{SCOPE} .left{{text-align:left}}"
    f".{SCOPE} tbody tr{{border-top:1px solid rgb(128 128 128/.3)}}"
    f".{SCOPE} thead th{{font-weight:500;opacity:.75}}"
    f".{SCOPE} p{{margin:4px 0;max-width:700px}}"
    f".{SCOPE} pre{{white-space:pre-wrap;margin:10px 0;padding:0 0 0 12px;border-left:3px solid #c9580f}}"
)


def page(
    drawn: tuple[str, str] | None,
    cells: Sequence[Sequence[str]],
    left: set[int],
    totals: Sequence[str],
    findings: Sequence[str],
) -> str:
    """The picture in two widths (the style shows one) where there is one, the table, and what is said under it.

    `cells` are headings and rows as text; the columns in `left` are set to the left, the others to the right.
    """
    head, *rows = cells
    table = element(
        "table",
        element("thead", _row(head, left, "th")),
        element("tbody", *(_row(row, left, "td") for row in rows)),
    )
    return element(
        "div",
        element("style", STYLE),
        *(
            element("div", one, class_=name)
            for one, name in zip(drawn or (), ("wide", "narrow"), strict=False)
        ),
        element("div", table, class_="scroll"),
        *(element("p", escape(said)) for said in totals if said),
        *(element("pre", escape(said)) for said in findings),
        class_=SCOPE,
    )


def _row(cells: Sequence[str], left: set[int], name: str) -> str:
    parts = [
        element(name, escape(said) or "&#8203;", class_="left" if column in left else None)
        for column, said in enumerate(cells)
    ]
    return element("tr", *parts)
