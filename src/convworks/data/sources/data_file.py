"""The data file of YOLO sets, `data.yaml`: the part of YAML that such files use, and nothing that does anything.

Keys with scalars, lists and maps, in blocks or in brackets; comments and quotes. Only the keys asked for are read:
whatever stands under another (`download:`) is passed over unread. Anchors, tags, aliases, text blocks and all else
that YAML can do is refused, with its line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from convworks.data.names import shown
from convworks.data.sources.confine import Refused

MOST_CHARACTERS = 1 << 19
_DEEPEST = 4

Value = str | list[Any] | dict[str, Any]
"""A scalar as its text, a list of values, or a map of values."""

_QUOTED = r'"(?:[^"\\]|\\.)*+"|' + r"'(?:[^']|'')*+'"
_CODE = re.compile(rf"(?:(?<=[\s\[{{,:])|^)(?:{_QUOTED})|(?:\s|^)#")
_KEY = re.compile(rf"({_QUOTED}|[^\s\"'\[\]{{}},&*!|>%@`#:-][^:#\"'\[\]{{}}]*+):(?:\s+(.*))?$", re.DOTALL)
_ITEM = re.compile(
    rf"\s*+((?:[^,\[\]{{}}\"'\s:][^,\[\]{{}}\"':]*+:\s++)?(?:{_QUOTED})|[^,\[\]{{}}\"'\s][^,\[\]{{}}]*+)?\s*+(,|$)",
    re.DOTALL,
)
_BRACKETS = {"[": "]", "{": "}"}
_FORBIDDEN = "&*!|>%@`[]{}\"'"

Line = tuple[int, int, str]
"""Number, indentation and what stands there."""


def parse(text: str, keys: frozenset[str]) -> tuple[dict[str, Value], list[str]]:
    """The values of those of `keys` that the text has, and the other keys. Raises Refused with the line.

    >>> parse("names: [cat, dog]  # two\\ntrain: images", frozenset({"names", "train"}))
    ({'names': ['cat', 'dog'], 'train': 'images'}, [])
    """
    if len(text) > MOST_CHARACTERS:
        raise Refused("more than a data file needs (512 KB)")
    found: dict[str, Value] = {}
    others: list[str] = []
    for (number, _, line), block in _blocks(text):
        key, rest = _split(number, line)
        if key in found or key in others:
            raise Refused(f"line {number}: {shown(key)} stands twice")
        if key not in keys:
            others.append(key)
        else:
            found[key] = _value(number, rest, block, 1)
    return found, others


def _blocks(text: str) -> Iterator[tuple[Line, list[Line]]]:
    """Each line at the margin with the lines that belong to it."""
    head: Line | None = None
    block: list[Line] = []
    close = ""
    for number, raw in enumerate(text.split("\n"), start=1):
        line = _code(raw)
        bare = line.lstrip(" ")
        if not bare or (bare.rstrip() == "---" and head is None):
            continue
        here = (number, len(line) - len(bare), bare)
        belongs = here[1] > 0 or bare == "-" or bare.startswith("- ") or close
        if close and bare.endswith(close):
            close = ""
        if not belongs:
            if head:
                yield head, block
            head, block = here, []
            value = bare.partition(":")[2].lstrip()
            close = _BRACKETS.get(value[:1], "")
            close = "" if close and value.endswith(close) else close
        elif head is None:
            raise Refused(f"line {number}: indented, and under no key")
        else:
            block.append(here)
    if head:
        yield head, block


def _code(raw: str) -> str:
    """A line without its comment and the spaces at its end."""
    for found in _CODE.finditer(raw):
        if found[0].endswith("#") and found[0].strip() == "#":
            raw = raw[: found.start()]
            break
    return raw.rstrip()


def _split(number: int, line: str) -> tuple[str, str]:
    found = _KEY.match(line)
    if not found:
        raise Refused(f'line {number}: "{shown(line)[:60]}" is not "key: value"')
    return _scalar(number, found[1].strip()), (found[2] or "").strip()


def _value(number: int, rest: str, block: list[Line], depth: int) -> Value:
    """What stands behind a key: on its own line, in brackets over several, or in the block below."""
    if rest.startswith(("[", "{")):
        return _bracketed(number, " ".join([rest, *(line for _, _, line in block)]))
    if not rest:
        return _block(block, depth) if block else ""
    scalar = _scalar(number, rest)
    if block:
        raise Refused(f"line {block[0][0]}: goes on where line {number} holds a value already")
    return scalar


def _block(lines: list[Line], depth: int) -> Value:
    first, indent, start = lines[0]
    if depth > _DEEPEST:
        raise Refused(f"line {first}: nested too deeply")
    is_list = start == "-" or start.startswith("- ")
    values: list[Value] = []
    named: dict[str, Value] = {}
    at = 0
    while at < len(lines):
        number, here, line = lines[at]
        if here != indent or (line == "-" or line.startswith("- ")) != is_list:
            raise Refused(f"line {number}: indented unlike line {first}")
        end = at + 1
        while end < len(lines) and (
            lines[end][1] > indent
            or (not is_list and lines[end][1] == indent and lines[end][2][:2] in ("-", "- "))
        ):
            end += 1
        inner = lines[at + 1 : end]
        if is_list:
            values.append(_value(number, line[1:].strip(), inner, depth + 1))
        else:
            key, rest = _split(number, line)
            if key in named:
                raise Refused(f"line {number}: {shown(key)} stands twice")
            named[key] = _value(number, rest, inner, depth + 1)
        at = end
    return values if is_list else named


def _bracketed(number: int, text: str) -> Value:
    """A list or a map of scalars in brackets."""
    close = _BRACKETS[text[0]]
    if not text.endswith(close):
        raise Refused(f"line {number}: a bracket that is not closed")
    inside, at = text[1:-1].strip(), 0
    items: list[str] = []
    while at < len(inside):
        item = _ITEM.match(inside, at)
        if not item or item.end() == at:
            raise Refused(f'line {number}: "{shown(inside[at:])[:40]}" in brackets is not read')
        items.append((item[1] or "").strip())
        at = item.end()
    if close == "]":
        return [_scalar(number, item) for item in items]
    return dict(_pair(number, item) for item in items)


def _pair(number: int, item: str) -> tuple[str, str]:
    key, rest = _split(number, item)
    return key, _scalar(number, rest)


def _scalar(number: int, text: str) -> str:
    if text.startswith('"'):
        try:
            value = json.loads(text, strict=False)
        except ValueError:
            value = None
        if isinstance(value, str):
            return value
        raise Refused(f"line {number}: quotation marks that do not match, or an escape that is not read")
    if text.startswith("'"):
        if not re.fullmatch(r"'(?:[^']|'')*+'", text, re.DOTALL):
            raise Refused(f"line {number}: quotation marks that do not match")
        return text[1:-1].replace("''", "'")
    if (text and text[0] in _FORBIDDEN) or ": " in text or text.startswith("- "):
        raise Refused(f'line {number}: "{shown(text)[:60]}" is more of YAML than a data file needs')
    return "" if text in ("~", "null") else text
