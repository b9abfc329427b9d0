"""Calls written as Python, laid out as ruff and black would."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

WIDTH = 88
"""Letters on a line, as those tools have it unless told otherwise."""


class Call(NamedTuple):
    """A call with its arguments; `open` puts each on a line of its own, `note` follows as a comment."""

    name: str
    arguments: tuple[Code, ...] = ()
    open: bool = False
    note: str = ""


Code: TypeAlias = "str | Call"


def call(name: str, *arguments: object, **named: object) -> Call:
    """A call of values; those that are text already are taken as code.

    >>> written(call("nn.Conv2d", 3, 16, 5, padding=(2, 1), bias=False))
    'nn.Conv2d(3, 16, 5, padding=(2, 1), bias=False)'
    """
    given = [*map(_code, arguments), *(f"{key}={_code(value)}" for key, value in named.items())]
    return Call(name, tuple(given))


def written(code: Code, indent: int = 0, before: str = "", after: str = "") -> str:
    """The code from a column on, with what stands before and after it; on several lines where it must be."""
    margin = " " * indent
    note = f"  # {code.note}" if isinstance(code, Call) and code.note else ""
    line = f"{margin}{before}{flat(code)}{after}"
    closed = isinstance(code, str) or not opens(code)
    if closed and len(line) + len(note) <= WIDTH:
        return line + note
    said = f"{margin}#{note[3:]}\n" if note else ""
    if isinstance(code, str) or (closed and len(line) <= WIDTH):
        return said + line
    inner = ", ".join(map(flat, code.arguments))
    if closed and indent + 4 + len(inner) <= WIDTH:
        body = f"{margin}    {inner}"
    else:
        body = "\n".join(written(argument, indent + 4, after=",") for argument in code.arguments)
    return f"{said}{margin}{before}{code.name}(\n{body}\n{margin}){after}"


def opens(code: Code) -> bool:
    """Whether a call, or one within it, has its arguments on lines of their own."""
    return isinstance(code, Call) and (code.open or any(map(opens, code.arguments)))


def flat(code: Code) -> str:
    """The code on one line."""
    return code if isinstance(code, str) else f"{code.name}({', '.join(map(flat, code.arguments))})"


def _code(value: object) -> Code:
    return value if isinstance(value, str | Call) else repr(value)
