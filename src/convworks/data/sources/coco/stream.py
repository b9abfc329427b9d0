"""A JSON object read entry by entry, so that a million annotations are never all there at once."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Collection, Generator, Iterator
from pathlib import Path
from typing import Any

from convworks.data.names import shown
from convworks.errors import DataError

_SPACE = re.compile(r"[ \t\n\r]*")
_MOST_KEPT = 1 << 20


class _Numbers(dict[str, float]):
    """Each spelling of a number once: coordinates repeat, and a float is four times its place in a tuple."""

    def __missing__(self, text: str) -> float:
        value = float(text)
        if len(self) < _MOST_KEPT:
            self[text] = value
        return value


def entries(path: Path, keys: Collection[str]) -> Iterator[tuple[str, Any]]:
    """(key, entry) of every entry of the lists called `keys`, in the file's order; the rest is passed over.

    Raises DataError where the file cannot be read, is no JSON object, has one of `keys` twice or as anything but
    a list, or nests too deeply; with the line wherever there is one.
    """
    text = _text(path)
    decode = json.JSONDecoder(parse_float=_Numbers().__getitem__, object_pairs_hook=_once).raw_decode
    try:
        yield from _walk(text, decode, keys)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{shown(str(path))}, line {error.lineno}, column {error.colno}: not JSON ({_lower(error.msg)}).",
            fix="write the file again; it may have been cut short" if error.pos >= len(text.rstrip()) else "",
        ) from None
    except RecursionError:
        raise DataError(f"{shown(str(path))}: nested too deeply to be annotations.") from None
    except ValueError as error:
        raise DataError(f"{shown(str(path))}: {_lower(shown(str(error)))}.") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'an entry has the key "{twice[:80]}" twice')
    return found


def _walk(text: str, decode: Any, keys: Collection[str]) -> Iterator[tuple[str, Any]]:
    seen: set[str] = set()
    at = _expect(text, _skip(text, 0), "{", "an object with images, annotations and categories")
    if text[at : at + 1] == "}":
        _end(text, at + 1)
        return
    while True:
        key, at = decode(text, at)
        if not isinstance(key, str):
            raise json.JSONDecodeError("expected a key in quotation marks", text, at)
        at = _expect(text, _skip(text, at), ":", '":"')
        if key not in keys:
            at = decode(text, at)[1]
        elif key in seen:
            raise ValueError(f'it has the key "{key}" twice')
        else:
            seen.add(key)
            at = yield from _list(text, at, decode, key)
        at = _skip(text, at)
        if text[at : at + 1] == "}":
            _end(text, at + 1)
            return
        at = _expect(text, at, ",", '"," or "}"')


def _list(text: str, at: int, decode: Any, key: str) -> Generator[tuple[str, Any], None, int]:
    """The entries of the list that begins at `at`; returns where it ends."""
    at = _expect(text, at, "[", f'a list as "{key}"')
    if text[at : at + 1] == "]":
        return at + 1
    while True:
        entry, at = decode(text, at)
        yield key, entry
        at = _skip(text, at)
        if text[at : at + 1] == "]":
            return at + 1
        at = _expect(text, at, ",", '"," or "]"')


def _skip(text: str, at: int) -> int:
    """Where the next thing after white space begins."""
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _expect(text: str, at: int, char: str, said: str) -> int:
    """Where what follows `char` begins, which must stand at `at`."""
    if text[at : at + 1] != char:
        raise json.JSONDecodeError(f"expected {said}", text, at)
    return _skip(text, at + 1)


def _end(text: str, at: int) -> None:
    if _skip(text, at) < len(text):
        raise json.JSONDecodeError("more after the end", text, at)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{shown(str(path))} cannot be read ({error.strerror}).") from None
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{shown(str(path))}, line {line}: not UTF-8.", fix="save it as UTF-8") from None


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
