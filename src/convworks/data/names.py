"""Names as people gave them: shown without surprises, compared as an eye compares them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence


def shown(name: str) -> str:
    """`name` on one line, with control, direction and undecodable characters written out.

    >>> shown("two\\nlines"), shown("caf\\udce9.jpg"), shown("chat noir é.jpg")
    ('two\\\\nlines', 'caf\\\\udce9.jpg', 'chat noir é.jpg')
    """
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return "".join(
        char.encode("unicode_escape").decode("ascii") if unicodedata.category(char) in hidden else char
        for char in name
    )


def writable(name: str) -> bool:
    """Whether `name` can be written as UTF-8; file names of other bytes reach Python as lone surrogates."""
    return not any("\ud800" <= char <= "\udfff" for char in name)


def twins(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Names that an eye, or a Mac, takes for one: equal but for case or for how accents are composed.

    >>> twins(["Cat", "cat", "dog"])
    [('Cat', 'cat')]
    """
    alike: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        alike.setdefault(unicodedata.normalize("NFC", name).casefold().strip(), []).append(name)
    return [tuple(group) for group in alike.values() if len(group) > 1]


def few(names: Sequence[str], most: int = 3) -> str:
    """The first `most` names, and how many more there are.

    >>> few(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    first = ", ".join(shown(name) for name in names[:most])
    return f"{first} and {len(names) - most} more" if len(names) > most else first


def count(number: int, noun: str, plural: str = "") -> str:
    """A number and its noun.

    >>> count(1, "image"), count(2, "class", "classes")
    ('1 image', '2 classes')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
