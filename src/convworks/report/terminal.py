"""The run as a person watches it: one plain line an epoch, and the problems repeated at the end.

The stream of events goes through unchanged, so that whoever drives the run reads it too.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, TextIO

from convworks.events import EpochEnded, Event, Finished, Progress, encode
from convworks.report import wording

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

TAG = 8  # columns before the text of a line
FINDING = 11  # the same for a finding, whose tag is an epoch
WIDEST = 100  # columns
DOING = {
    "audit": "Looking at the pictures",
    "features": "Through the frozen net",
    "proposals": "Where to look",
    "drift": "How far it moved",
}
COLOURS = {"! ": "\x1b[33m", "x ": "\x1b[31m"}  # yellow, red
PLAIN = "\x1b[0m"


def watch(events: Iterable[Event], out: TextIO | None = None) -> Iterator[Event]:
    """Yields the events as they come and says each on `out` (None: standard output).

    Only a real terminal without NO_COLOR gets colour and a live progress line. The problems are repeated
    before the files worth looking at, and also where the stream breaks off. Whoever leaves early closes
    `events` too.
    """
    stream = out or sys.stdout
    lively = _is_lively(stream)
    problems: dict[str, str] = {}
    with contextlib.ExitStack() as closing:
        closing.callback(_recall, problems, stream, lively)
        live = closing.enter_context(_Live(stream)) if lively else None
        closing.enter_context(_closed(events))
        for event in events:
            if isinstance(event, Progress):
                if live:
                    live.show(event)
                yield event
                continue
            if live:
                live.hide()
            if found := wording.problem(event):
                problems[found[0]] = found[1]
            if isinstance(event, Finished):
                _recall(problems, stream, lively)
            if isinstance(event, EpochEnded):
                _write(wording.epoch(event) + "\n", stream)
            for tag, text in wording.entries(event):
                _say(tag, text, stream, lively)
            yield event


def json_lines(events: Iterable[Event], out: TextIO | None = None) -> Iterator[Event]:
    """Yields the events as they come and writes each but `Progress` as the line of `events.jsonl`."""
    stream = out or sys.stdout
    with _closed(events):
        for event in events:
            if not isinstance(event, Progress):
                stream.write(encode(event, time.time()) + "\n")
                stream.flush()
            yield event


@contextlib.contextmanager
def _closed(events: Iterable[Event]) -> Generator[None, None, None]:
    """Closes a generator on the way out, so that a run that is left early lets go of its folder at once."""
    try:
        yield
    finally:
        if isinstance(events, Generator):
            events.close()


def _recall(problems: dict[str, str], out: TextIO, lively: bool) -> None:
    """Says the problems once, at the end."""
    if problems:
        _write("Problems\n", out)
    for text in problems.values():
        _say("", text, out, lively)
    problems.clear()


def _say(tag: str, text: str, out: TextIO, lively: bool) -> None:
    """Writes a tagged text, broken into lines with a hanging indent; the mark of a problem in colour."""
    tag, text = wording.harmless(tag), wording.harmless(text)
    margin = FINDING if tag.startswith("epoch") else max(TAG, len(tag) + 1)
    marked = text[:2] in ("! ", "- ", "x ")
    shown = textwrap.fill(
        text,
        min(shutil.get_terminal_size().columns, WIDEST),
        initial_indent=f"{tag:<{margin}}",
        subsequent_indent=" " * (margin + 2 * marked),
        break_long_words=False,
        break_on_hyphens=False,
    )
    if lively and (colour := COLOURS.get(text[:2])):
        shown = f"{shown[:margin]}{colour}{text[0]}{PLAIN}{shown[margin + 1 :]}"
    _write(shown + "\n", out)


def _write(text: str, out: TextIO) -> None:
    """Writes what the stream's encoding can hold; the rest as escapes, "±" as "+/-"."""
    encoding = out.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.replace("±", "+/-").encode(encoding, "backslashreplace").decode(encoding)
    out.write(text)
    out.flush()


def _is_lively(out: TextIO) -> bool:
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class _Live:
    """A progress line, drawn over itself and taken away before anything else is written; loads rich."""

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.bar: Bar | None = None
        self.drawn = 0.0

    def __enter__(self) -> _Live:
        return self

    def __exit__(self, *_: object) -> None:
        self.hide()

    def show(self, event: Progress) -> None:
        """Draws the line, at most ten times a second."""
        now = time.monotonic()
        if self.bar and now - self.drawn < 0.1:
            return
        self.drawn = now
        left = f"{wording.duration(event.remaining)} left" if event.remaining >= 0 else ""
        if self.bar is None:
            self.bar = _bar(self.out)
            self.bar.start()
            self.bar.add_task(
                DOING.get(event.stage) or wording.harmless(event.stage),
                completed=event.done,
                total=event.total,
                left=left,
            )
        else:
            self.bar.update(self.bar.task_ids[0], completed=event.done, total=event.total, left=left)
            self.bar.refresh()

    def hide(self) -> None:
        """Takes the line away."""
        if self.bar:
            self.bar.stop()
            self.bar = None


def _bar(out: TextIO) -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as RichBar

    return RichBar(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[left]}", markup=False),
        console=Console(file=out, highlight=False),
        auto_refresh=False,
        transient=True,
    )
