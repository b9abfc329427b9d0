"""Reading a notation from left to right; what cannot be read is said with its place drawn under the text."""

from __future__ import annotations

import re
from typing import Any, NamedTuple, NoReturn

from convworks.arithmetic.grammar import (
    VALUED,
    WORDED,
    Form,
    by_word,
    defaults,
    read_whole,
    texts,
    usual,
)
from convworks.arithmetic.spec import Concat, Layer, Residual
from convworks.errors import NetError, nearest

MOST_LAYERS = 10_000
DEEPEST = 40

TOKEN = re.compile(r"\s*(?:(?P<mark>[()|*])|(?P<number>[0-9]+(?=\s*\*))|(?P<word>[^\s()|*,]+)|(?P<comma>,))")
# A word's letters (l2pool and globall2 hold a digit), then what follows them.
NAME = re.compile(r"l2pool|globall2|[A-Za-z_]+")
# The numbers directly after a word: 3x5-16, 0.5, 5e-1.
NUMBERS = re.compile(r"[0-9.x-]*(?:e-?[0-9]+)?")
OPTION = re.compile(r"(op|from|[spdgm])([0-9][0-9x+]*)|(same|tfsame|nobias|ceil|nocount|bilinear)")


class Token(NamedTuple):
    """A mark, a number before `*`, or a word, and where it begins."""

    kind: str
    text: str
    at: int


class Reader:
    """A notation being read from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.position = 0
        self.count = 0

    @property
    def here(self) -> Token | None:
        """The token to be read next."""
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def take(self, mark: str) -> bool:
        """Whether the next token is this mark; if so it is read."""
        taken = self.here is not None and self.here.kind == "mark" and self.here.text == mark
        self.position += taken
        return taken

    def row(self, depth: int) -> tuple[Layer, ...]:
        """Layers up to a closing mark or the end."""
        layers: list[Layer] = []
        while self.here and not (self.here.kind == "mark" and self.here.text in ")|"):
            token = self.here
            if depth > DEEPEST:
                self.wrong(token, f"more than {DEEPEST} brackets inside each other", "fewer")
            if token.kind == "number":
                layers += self.repeated(token, depth)
            elif token.kind == "mark":
                self.wrong(token, f'"{token.text}" without anything before it', "a layer")
            else:
                layers.append(self.layer(token, depth))
                self.counted(token, 1)
        return tuple(layers)

    def counted(self, token: Token, more: int) -> None:
        """Keep the number of layers within bounds."""
        self.count += more
        if self.count > MOST_LAYERS:
            self.wrong(token, f"more than {MOST_LAYERS:,} layers", "fewer")

    def repeated(self, token: Token, depth: int) -> tuple[Layer, ...]:
        """`3*(...)`: the layers in the brackets, so many times."""
        try:
            times = read_whole(token.text)
        except ValueError as error:
            self.wrong(token, f'"{token.text[:20]}" is too large', str(error))
        if not times:
            self.wrong(token, "0 times", "at least 1")
        self.position += 1
        self.take("*")
        if not self.take("("):
            self.wrong(
                self.here or token, "a repetition without brackets", f'"(" as in {times}*(conv3-16 relu)'
            )
        before = self.count
        layers = self.row(depth + 1)
        self.close(token)
        if not layers:
            self.wrong(token, "brackets with nothing in them", "at least one layer")
        self.counted(token, (self.count - before) * (times - 1))
        return layers * times

    def close(self, opened: Token) -> None:
        """The closing bracket."""
        if not self.take(")"):
            found = f'"{self.here.text}" here' if self.here else "no closing bracket"
            self.wrong(self.here or opened, found, '")"')

    def layer(self, token: Token, depth: int) -> Layer:
        """One layer with its options or branches."""
        name, form = self.form(token)
        if form.kind is Residual or form.kind is Concat:
            return self.joined(token, form, name, depth)
        values: dict[str, Any] = dict(form.settles)
        given: set[str] = set()
        self.head(token, form, name, values, given)
        self.position += 1
        while self.here and self.here.kind in ("word", "comma"):
            if self.here.kind == "word" and not self.options(self.here, form, values, given):
                break
            self.position += 1
        unwritten = {field: value for field, value in usual(form, values).items() if field not in values}
        try:
            return form.kind(**unwritten, **values)
        except NetError as error:
            self.wrong(token, error.found.rstrip("."), error.expected)

    def form(self, token: Token) -> tuple[str, Form]:
        """The word that a token begins with, and its form."""
        match = NAME.match(token.text.lower())
        name = match[0] if match else token.text
        known = by_word()
        if name not in known:
            if OPTION.fullmatch(token.text.lower()) or name in (*VALUED, *WORDED):
                self.wrong(token, f'the option "{token.text[:40]}" follows no layer that takes it', "a layer")
            guess = nearest(name[:40], [*known, *WORDED])
            fix = f'did you mean "{guess}"?' if guess else ""
            self.wrong(token, f'there is no layer "{name[:40]}"', "one of " + ", ".join(_ours()), fix)
        return name, known[name]

    def head(self, token: Token, form: Form, name: str, values: dict[str, Any], given: set[str]) -> None:
        """What follows the word directly: 5-16 in conv5-16, and options that are written without a space."""
        rest = token.text[len(name) :].lower()
        numbers = NUMBERS.match(rest)
        cut = numbers.end() if numbers else 0
        tail = rest[cut:]
        head, _, channels = rest[:cut].partition("-") if form.channels else (rest[:cut], "", "")
        for field, text in ((form.head, head), (form.channels, channels)):
            if not field:
                if text:
                    self.wrong(token, f'"{name}" is followed by "{text[:20]}"', f"{name} alone")
                continue
            if not text and field in defaults(form.kind):
                continue
            try:
                values[field] = texts(form, field)[0](text)
            except ValueError as error:
                what = f'the {field} of "{token.text[:40]}"'
                found = f"{what} cannot be read" if text else f"{what}: missing"
                self.wrong(token, found, str(error), _example(form))
        if tail:
            at = token.at + len(token.text) - len(tail)
            self.options(Token("word", tail, at), form, values, given, must=True)

    def options(
        self, token: Token, form: Form, values: dict[str, Any], given: set[str], *, must: bool = False
    ) -> bool:
        """Read options out of one word (s2, p1, or s2p1); False where the word is none, and must be none."""
        text, at = token.text.lower(), 0
        while at < len(text):
            match = OPTION.match(text, at)
            if not match:
                if not must and not at:
                    return False
                self.wrong(token, f'"{token.text[:40]}" is no option', self.allowed(form))
            field, value = (VALUED[match[1]], match[2]) if match[1] else WORDED[match[3]]
            if field not in form.options:
                self.wrong(token, f'"{form.words[0]}" takes no "{match[0]}"', self.allowed(form))
            if field in given:
                self.wrong(token, f"{field} is given twice", "once")
            given.add(field)
            try:
                values[field] = texts(form, field)[0](value) if match[1] else value
            except ValueError as error:
                self.wrong(token, f'"{match[0]}" cannot be read', str(error))
            at = match.end()
        return True

    def allowed(self, form: Form) -> str:
        """The options of a form, in words."""
        valued = [f"{letter} ({field})" for letter, field in VALUED.items() if field in form.options]
        worded = [word for word, (field, _) in WORDED.items() if field in form.options]
        options = ", ".join(valued + worded)
        return f"{form.words[0]} takes {options}" if options else f"{form.words[0]} alone"

    def joined(self, token: Token, form: Form, name: str, depth: int) -> Layer:
        """`res(...)` or `cat(...)`, its branches apart by `|`."""
        if token.text.lower() != name:
            self.wrong(token, f'"{token.text[:40]}" is no layer', f"{name}(...)")
        self.position += 1
        if not self.take("("):
            self.wrong(self.here or token, f'"{name}" without brackets', _example(form))
        branches = [self.row(depth + 1)]
        while self.take("|"):
            branches.append(self.row(depth + 1))
        self.close(token)
        if form.kind is Concat:
            return Concat(branches=tuple(branches))
        if len(branches) > 2:
            self.wrong(token, f"{len(branches)} branches in a sum", "a body and at most one shortcut")
        return Residual(body=branches[0], shortcut=branches[1] if len(branches) == 2 else ())

    def wrong(self, token: Token, found: str, expected: str = "", fix: str = "") -> NoReturn:
        """Raise NetError with the place drawn under the text."""
        start = max(0, token.at - 40)
        shown = _printable(self.text[start : token.at + 30])
        pointer = " " * (token.at - start) + "^" * max(1, min(len(token.text), 30))
        place = f"Character {token.at + 1}: {_printable(found)}.\n  {shown}\n  {pointer}"
        raise NetError(place, expected=expected, fix=fix)


def _printable(text: str) -> str:
    """The text with a blank for what a terminal would not print, or would obey."""
    return "".join(mark if mark.isprintable() else " " for mark in text)


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    at = 0
    while match := TOKEN.match(text, at):
        kind = match.lastgroup or "word"
        tokens.append(Token(kind, match[kind], match.start(kind)))
        at = match.end()
    return tokens


def _ours() -> list[str]:
    """Each form's own word, once."""
    return sorted({form.words[0] for form in by_word().values()})


def _example(form: Form) -> str:
    """How a layer of this form is written."""
    if form.kind is Residual or form.kind is Concat:
        return f"write {form.words[0]}(conv3-16 p1 relu)"
    numbers = {
        "kernel": "3",
        "features": "10",
        "channels": "16",
        "widths": "16-16",
        "size": "7",
        "factor": "2",
    }
    head = numbers.get(form.head, "0.5") if form.head else ""
    return f"write {form.words[0]}{head}" + (f"-{numbers[form.channels]}" if form.channels else "")
