"""`cw.audit`: every image of a data set looked at once; what was found, as lines, as plain values and as a page."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from convworks.data import sources
from convworks.data.audit import Audit, scan
from convworks.data.decode import MAX_PIXELS
from convworks.data.settled import settled
from convworks.errors import DataError
from convworks.events import Finding
from convworks.report.audit import words
from convworks.report.audit.page import build
from convworks.report.page import framed, outside, write_outside

LEVELS = ("error", "warning", "note")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Audited:
    """What an audit found. Printed it is lines, in a notebook a page with the pictures."""

    found: Audit

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What its owner should know, the gravest first."""
        return self.found.findings

    @property
    def attention(self) -> bool:
        """Whether a finding is a warning or worse."""
        return any(finding.level != "note" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, with every file named."""
        return words.document(self.found)

    def html(self) -> str:
        """One page that holds its pictures, and works offline and without scripts."""
        return build(self.found)

    def write(self, page: str | Path) -> Path:
        """Writes the page, whole or not at all, and returns where it lies.

        Raises RecipeError for a place inside the data's own folder, StorageError where it cannot be written.
        """
        return write_outside(self.html(), Path(page), self.found.dataset)

    def __str__(self) -> str:
        return "\n".join(words.lines(self.found))

    def _repr_html_(self) -> str:
        return framed(self.html(), "Audit of the data")


def audit(
    data: str | Path,
    *,
    source: str = "auto",
    corrections: str | Path | None = None,
    workers: int = 0,
    max_pixels: int = MAX_PIXELS,
    page: str | Path | None = None,
    features: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Audited:
    """Looks at every image of a data set once; the owner's files are not written to.

    `workers` are threads, 0 for one a core; `page` is where to write what was found as HTML, if anywhere; larger
    images than `max_pixels` are refused. With `features` small parts of one another are looked for too, by the features
    of the pretrained net. Raises DataError where nothing can be read as a data set, RecipeError for
    a page inside the data's folder.
    """
    dataset = sources.read(
        Path(data), source=source, corrections=None if corrections is None else Path(corrections)
    )
    if page is not None:
        outside(Path(page), dataset)
    problem: tuple[Finding, ...] = ()
    try:
        dataset = settled(dataset, max_pixels=max_pixels)
    except DataError as error:
        problem = (Finding(code="masks", level="error", said=error.found, action=error.fix),)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = scan(dataset, workers=workers or cores, progress=progress, max_pixels=max_pixels, stop=False)
    small: tuple[Finding, ...] = ()
    if features:
        from convworks.report.audit.resemblance import resembling

        small = resembling(found, max_pixels=max_pixels, progress=progress)
    said = sorted((*problem, *found.findings, *small), key=lambda one: LEVELS.index(one.level))
    done = Audited(found=replace(found, findings=tuple(said)))
    if page is not None:
        done.write(page)
    return done
