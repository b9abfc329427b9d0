"""Pictures as static SVG, written by hand: escaped, without scripts, light and dark, with their text equivalent.

A picture carries its own ground, so that it is legible on any page. Where the page has the colours of the report
(`--ground`, `--ink`, `--blue`, ...) those are taken. Colour never says anything alone: a hatch, a dash or a label
says it too.
"""

from __future__ import annotations

from html import escape
from zlib import crc32

LINE = 15.0
"""Pixels between two lines of text."""
LETTER = 6.1
"""About the width of a letter of 12 pixels; a label is given so much room."""

_LIGHT = {
    "ground": "#fbfaf8",
    "ink": "#1b1e23",
    "quiet": "#5a616b",
    "rule": "#d9d5cd",
    "blue": "#0f5fae",
    "orange": "#a8480a",
    "grey": "#6b7280",
}
_DARK = {
    "ground": "#131518",
    "ink": "#e8e6e1",
    "quiet": "#a3a9b3",
    "rule": "#3a3f47",
    "blue": "#74b4ff",
    "orange": "#ffab66",
    "grey": "#9aa1ab",
}


def _colours(values: dict[str, str]) -> str:
    return ";".join(f"--c-{name}:var(--{name},{value})" for name, value in values.items())


STYLE = (
    f".convworks{{{_colours(_LIGHT)};color-scheme:light dark}}"
    f"@media (prefers-color-scheme:dark){{.convworks{{{_colours(_DARK)}}}}}"
    ".convworks{font:12px/1.25 ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue','Noto Sans',"
    "'Liberation Sans',Arial,sans-serif;font-variant-numeric:tabular-nums;max-width:100%;height:auto}"
    ".convworks text{fill:var(--c-ink);font-size:12px}"
    ".convworks .strong{font-weight:650}"
    ".convworks .soft{fill:var(--c-quiet)}"
    ".convworks .alert{fill:var(--c-orange);font-weight:650}"
    ".convworks .head{font-size:14px;font-weight:650}"
    ".convworks .ground{fill:var(--c-ground)}"
    ".convworks .edge{fill:none;stroke:var(--c-ink);stroke-width:1;stroke-linejoin:round}"
    ".convworks .thin{fill:none;stroke:var(--c-grey);stroke-width:1}"
    ".convworks .rule{fill:none;stroke:var(--c-rule);stroke-width:1}"
    ".convworks .way{fill:none;stroke:var(--c-grey);stroke-width:1.25}"
    ".convworks .tip{fill:var(--c-grey)}"
    ".convworks .arc{fill:none;stroke:var(--c-blue);stroke-width:1.5}"
    ".convworks .first{fill:none;stroke:var(--c-blue);stroke-width:2.5;stroke-linejoin:round}"
    ".convworks .second{fill:none;stroke:var(--c-orange);stroke-width:2.5;stroke-dasharray:6 4}"
    ".convworks .filter{fill:var(--c-orange);fill-opacity:.28;stroke:var(--c-orange);stroke-width:1.25}"
    ".convworks .ray{fill:none;stroke:var(--c-orange);stroke-width:1;stroke-dasharray:3 3}"
    ".convworks .blue{fill:var(--c-blue)}"
    ".convworks .grey{fill:var(--c-grey)}"
    ".convworks .none{fill:none}"
    ".convworks .wash1{fill-opacity:.14}"
    ".convworks .wash2{fill-opacity:.28}"
    ".convworks .wash3{fill-opacity:.46}"
    ".convworks .cell{stroke:var(--c-ground);stroke-width:1}"
    ".convworks .outside{fill:none;stroke:var(--c-grey);stroke-width:1;stroke-dasharray:2 2}"
    ".convworks .faint{fill:none;stroke:var(--c-grey);stroke-width:1;stroke-dasharray:1 4}"
    ".convworks .hatch{stroke:var(--c-orange);stroke-width:1.6}"
    ".convworks .sparse{stroke:var(--c-grey);stroke-width:1.4}"
    ".convworks .fenced{stroke:var(--c-rule);stroke-width:1}"
    ".convworks .framed{stroke:var(--c-orange);stroke-width:1}"
    ".convworks .warm{fill:#e87722}"
    ".convworks .halo{fill:none;stroke:#fff;stroke-opacity:.75;stroke-width:5;stroke-linejoin:round}"
    ".convworks .box{fill:none;stroke:#0f5fae;stroke-width:2.5;stroke-linejoin:round}"
    ".convworks .chip{fill:var(--c-ground);stroke:var(--c-grey);stroke-width:1}"
)
"""The style sheet of every picture; all its rules keep within `.convworks`."""


def element(name: str, *children: str, **attributes: str | float | None) -> str:
    """One element around markup; `class_` is `class`, `_` is `-`, None is left out, values are escaped.

    >>> element("rect", x=1.28, class_="a & b")
    '<rect x="1.3" class="a &amp; b"/>'
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{said}>{''.join(children)}</{name}>" if children else f"<{name}{said}/>"


def words(x: float, y: float, said: str, kind: str | None = None, anchor: str = "start") -> str:
    """A line of text whose baseline starts, centres or ends at a point."""
    return element("text", escape(said), x=x, y=y, class_=kind, text_anchor=anchor)


def polygon(points: list[tuple[float, float]], kind: str, fill: str | None = None) -> str:
    """A closed shape."""
    said = " ".join(f"{_value(x)},{_value(y)}" for x, y in points)
    return element("polygon", points=said, class_=kind, fill=fill)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def arrow(x1: float, x2: float, y: float) -> list[str]:
    """A short way from left to right with its tip."""
    tip = [(x2, y), (x2 - 6, y - 3.5), (x2 - 6, y + 3.5)]
    return [line(x1, y, x2 - 5, y, "way"), polygon(tip, "tip")]


def rectangles(places: list[tuple[float, float]], side: float, kind: str, fill: str | None = None) -> str:
    """Squares of one kind as one path; empty where there are none."""
    if not places:
        return ""
    size = _value(side)
    path = "".join(f"M{_value(x)} {_value(y)}h{size}v{size}h-{size}z" for x, y in places)
    return element("path", d=path, class_=kind, fill=fill)


def broken(said: str, most: int) -> list[str]:
    """Text in lines of at most `most` letters, broken at blanks where it can be.

    >>> broken("conv7-64 s2 p3 nobias", 14)
    ['conv7-64 s2 p3', 'nobias']
    """
    lines = [""]
    for word in said.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def cut(said: str, most: int) -> str:
    """Text of at most `most` letters, its end left out where it is longer."""
    return said if len(said) <= most else f"{said[: most - 1]}…"


class Picture:
    """A picture while it is drawn: `hatch` and `sparse` are fills for its shapes, `parts` what it holds."""

    def __init__(self, title: str, description: str, salt: str = "") -> None:
        self.title, self.description = title, description
        self.name = f"c{crc32(f'{title}{description}{salt}'.encode()):08x}"
        self.hatch, self.sparse = f"url(#{self.name}-hatch)", f"url(#{self.name}-sparse)"
        self.parts: list[str] = []

    def add(self, *parts: str) -> None:
        """Draw parts over what is there."""
        self.parts += parts

    def document(self, width: float, height: float) -> str:
        """The whole picture as one SVG element, which is also a file."""
        return element(
            "svg",
            element("title", escape(self.title), id=f"{self.name}-title"),
            element("desc", escape(self.description), id=f"{self.name}-said"),
            element("style", STYLE),
            element("defs", self._pattern("hatch", 5), self._pattern("sparse", 8)),
            element("rect", width=width, height=height, rx=8, class_="ground"),
            *self.parts,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {_value(width)} {_value(height)}",
            width=width,
            height=height,
            class_="convworks",
            role="img",
            aria_labelledby=f"{self.name}-title {self.name}-said",
        )

    def _pattern(self, kind: str, step: int) -> str:
        """Slanting lines, `step` pixels apart."""
        return element(
            "pattern",
            element("path", d=f"M-1 1l2 -2M0 {step}L{step} 0M{step - 1} {step + 1}l2 -2", class_=kind),
            id=f"{self.name}-{kind}",
            width=step,
            height=step,
            patternUnits="userSpaceOnUse",
        )


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.1f}".removesuffix(".0")
