"""`cw.ladder`: from R-CNN to the default on one's own pictures, as lines, a table, plain values and a page."""

from __future__ import annotations

import shlex
import sys
import textwrap
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convworks.events import Progress
from convworks.files import write_whole
from convworks.recipe import options as knobs
from convworks.report.ladder import words
from convworks.report.ladder.page import build
from convworks.report.page import framed, outside
from convworks.studies import ladder as studies
from convworks.studies.ladder import MINUTES, Said
from convworks.studies.rows import Climb, Row
from convworks.training import prepare

PAGE = "ladder.html"
SAID_EVERY = 0.25
"""Of a part of the work, after which a line says how far it is, where nobody sees it move."""

WIDEST = 100  # columns

Watch = Callable[[Iterator[Said]], Iterator[Said]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ladder:
    """A ladder that was climbed, and the folder that keeps it. Printed it is a table, in a notebook a page."""

    climb: Climb
    out: Path

    @property
    def rows(self) -> tuple[Row, ...]:
        """What was measured of each step, in the order of the history."""
        return self.climb.rows

    @property
    def page(self) -> Path:
        """Where the page lies."""
        return self.out / PAGE

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        return self.climb.to_dict()

    def html(self) -> str:
        """One page that holds its pictures, and works offline and without scripts."""
        return build(self.climb)

    def __str__(self) -> str:
        return "\n".join([*words.table(self.climb), words.verdict(self.climb)])

    def _repr_html_(self) -> str:
        return framed(self.html(), "The ladder of detectors")


def ladder(
    data: str | Path,
    *,
    out: str | Path | None = None,
    minutes: float = MINUTES,
    rungs: Sequence[str] = (),
    watch: Watch | None = None,
    **options: Any,
) -> Ladder:
    """From R-CNN to the default on a set of boxes: one split, one frozen body, one measure.

    The steps (`rungs`: rcnn, spp, fast, faster, default; all unless said) go into the folder `out`, by default runs/
    and the data's name with "-ladder"; those that it holds are not measured again. `minutes` is about how long it may
    take: with less time, fewer pictures. `options` are knobs of `Recipe` (`backbone="vgg-small"`, `seed=1`); `watch`
    gets what happens as it comes (by default it is printed).

    Raises a ConvworksError that says what was wrong with the data or an option; KeyboardInterrupt where it was
    stopped.
    """
    given = {knobs.find(name.replace("__", ".")): value for name, value in options.items()}
    given = {name: knobs.checked(name, value) for name, value in given.items()}
    made: list[Ladder | None] = []

    def through() -> Generator[Said]:
        made.append((yield from said(data, out=out, minutes=minutes, rungs=rungs, given=given)))

    for _ in (watch or printed)(through()):
        pass
    if not made or made[0] is None:
        raise KeyboardInterrupt
    return made[0]


def said(
    data: str | Path,
    *,
    out: str | Path | None,
    minutes: float,
    rungs: Sequence[str],
    given: dict[str, Any],
    command: str = "",
) -> Generator[Said, None, Ladder | None]:
    """All that `ladder` does, as the stream of what happens; the page is written in the end."""
    dataset = prepare.read(Path(data), str(given.get("data.source", "auto")))
    folder = Path(out) if out is not None else Path("runs") / f"{dataset.root.resolve().name}-ladder"
    outside(folder / PAGE, dataset)
    command = command or shlex.join(["convworks", "ladder", str(data), "--out", str(folder)])
    climb = yield from studies.climbed(dataset, folder, given, minutes=minutes, rungs=rungs, command=command)
    if climb is None:
        return None
    made = Ladder(climb=climb, out=folder)
    write_whole(made.page, made.html().encode("utf-8"))
    return made


def printed(stream: Iterator[Said]) -> Iterator[Said]:
    """Yields what happens and says it in lines; how far it is moves in a terminal, and is a line at times elsewhere."""
    lively, stage, next_at = sys.stdout.isatty(), "", 0.0
    for one in stream:
        if isinstance(one, Progress):
            text = words.progress(one)
            if lively:
                print(f"\r  {text}\x1b[K", end="", flush=True)
            elif one.stage != stage or one.done >= next_at or one.done == one.total:
                stage, next_at = one.stage, one.done + SAID_EVERY * one.total
                print(f"  {text}", flush=True)
        elif text := words.line(one):
            broken = textwrap.fill(text, WIDEST, subsequent_indent="  ", break_on_hyphens=False)
            print(f"\r\x1b[K{broken}" if lively else broken, flush=True)
        yield one
