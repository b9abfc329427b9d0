"""HTML that what it says cannot break: all that is not markup made here is escaped, file names above all."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

VOID = {"br", "img", "link", "meta", "col", "wbr"}


class Markup(str):
    """Text that is already HTML; plain strings are escaped wherever they meet it."""

    __slots__ = ()


Child = str | Markup | Iterable["Child"]


def join(*children: Child) -> Markup:
    """The children one after the other, plain strings escaped.

    >>> join("a < b", tag("b", "c"))
    'a &lt; b<b>c</b>'
    """
    return Markup("".join(_text(child) for child in children))


def tag(name: str, /, *children: Child, **attributes: str | float | bool | None) -> Markup:
    """One element. `class_` is `class`, `_` is `-`; True is a bare attribute, None and False are left out.

    >>> tag("a", "<script>", href="#x", class_="cell")
    '<a href="#x" class="cell">&lt;script&gt;</a>'
    """
    said = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Markup(f"<{name}{said}>")
    return Markup(f"<{name}{said}>{join(*children)}</{name}>")


def _text(child: Child) -> str:
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return html.escape(visible(child))
    return "".join(_text(inner) for inner in child)


def _attribute(key: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    said = f"{value:g}" if isinstance(value, float) else html.escape(visible(str(value)))
    return f' {name}="{said}"'


def visible(text: str) -> str:
    r"""The text with what HTML forbids, or what turns the direction of the rest, spelt out.

    >>> print(visible("a\x00b"))
    a\x00b
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in " \n\t\xa0" else ascii(character)[1:-1]
        for character in text
    )


def table(
    heads: Sequence[str], rows: Iterable[Sequence[Child]], *, caption: Child = "", numbers: Iterable[int] = ()
) -> Markup:
    """A table whose first column heads its rows; columns in `numbers` are set to the right."""
    right = set(numbers)

    def cell(name: str, index: int, child: Child, scope: str | None = None) -> Markup:
        return tag(name, child, scope=scope, class_="number" if index in right else None)

    head = tag("tr", [cell("th", i, name, "col") if name else tag("td") for i, name in enumerate(heads)])
    body = [
        tag("tr", [cell("td" if i else "th", i, child, None if i else "row") for i, child in enumerate(row)])
        for row in rows
    ]
    return tag(
        "div",
        tag("table", tag("caption", caption) if caption else "", tag("thead", head), tag("tbody", body)),
        class_="scroll",
        tabindex="0",
        role="group",
        aria_label=f"Table: {', '.join(name for name in heads if name)}",
    )


def section(name: str, title: str, *children: Child) -> Markup:
    """A part of the page with its heading, reachable as `#name`."""
    heading = tag("h2", title, id=f"{name}-title")
    return tag("section", heading, *children, id=name, aria_labelledby=f"{name}-title")


def folded(summary: Child, *children: Child) -> Markup:
    """What only some want to read: opened by a click, without a script."""
    return tag("details", tag("summary", summary), *children)


def percent(share: float) -> str:
    r"""A share in whole per cent, never broken over two lines.

    >>> percent(0.9074)
    '91\xa0%'
    """
    return f"{100 * share:.0f}\xa0%" if share == share else "unknown"
