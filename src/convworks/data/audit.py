"""Every image decoded once before anything is learned: what cannot be read is set aside, the rest is known.

The owner's files are read, never written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from convworks.data import crops, duplicates, maps
from convworks.data.decode import MAX_PIXELS, decode_bytes, read
from convworks.data.facts import Facts, border, is_gray
from convworks.data.findings import Copies, Seen, findings, learned
from convworks.data.names import count, few, shown
from convworks.data.packed import pack
from convworks.data.patience import twice
from convworks.data.quiet import listening
from convworks.data.record import DataSet, MaskCode, Record, SetAside, classes_of
from convworks.data.traces import traces
from convworks.errors import DataError, DecodeError
from convworks.events import Finding

MOST_UNREADABLE = 0.05
"""Above this share of unreadable images something is wrong with the whole set ..."""
FEW = 20
"""... unless it has no more images than this."""

_CHUNK = 256

Keep = Callable[[int, UInt8[np.ndarray, "h w 3"]], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Audit:
    """A data set without its unreadable files, and what is known of each record, in the same order.

    `positions` are those of the records in the data set that was scanned. Copies of any kind (`copies` tells them
    apart) have one number in `groups`: the position of the first of them. In `together` so have the records
    of one group that the data set or its corrections name: they belong on one side of a split.
    """

    dataset: DataSet
    positions: Int[np.ndarray, "n"]
    facts: tuple[Facts, ...]
    seen: Seen
    together: Int[np.ndarray, "n"]
    findings: tuple[Finding, ...]

    @property
    def copies(self) -> Copies:
        """Which of the images are copies, and of what kind."""
        return self.seen.copies

    @property
    def groups(self) -> Int[np.ndarray, "n"]:
        """For each record the position of the first one that is a copy of it, its own where there is none."""
        return self.copies.groups

    @property
    def same(self) -> Int[np.ndarray, "n"]:
        """The same for equal files."""
        return self.copies.same


def scan(
    dataset: DataSet,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
    at_least: int = 0,
    keep: Keep | None = None,
    max_pixels: int = MAX_PIXELS,
    stop: bool = True,
) -> Audit:
    """Decodes each image once, in `workers` threads, and measures it; unreadable files move to `set_aside`.

    `keep(position, image)` gets each image as it is decoded, from any of the threads; `at_least`, where not
    0, lets JPEGs come smaller, with a short side of at least that. `progress(done, total)` is called from the
    caller's thread. Raises DataError when more than `MOST_UNREADABLE` of over `FEW` images, or all of a
    class, cannot be read; with `stop=False` that is a finding.
    """

    def look(numbered: tuple[int, Record]) -> Facts | str:
        position, record = numbered
        path = dataset.root / record.path
        try:
            return twice(
                path,
                lambda: _facts(dataset.root, record, dataset.masks, position, at_least, keep, max_pixels),
            )
        except DecodeError as error:
            return error.found.removeprefix(f"{shown(str(path))}: ")

    positions: list[int] = []
    facts: list[Facts] = []
    aside: list[SetAside] = []
    for position, result in enumerate(_each(look, enumerate(dataset.records), workers)):
        if isinstance(result, Facts):
            positions.append(position)
            facts.append(result)
        else:
            aside.append(SetAside(path=dataset.records[position].path, reason=result))
        if progress is not None:
            progress(position + 1, len(dataset.records))
    usable = dataclasses.replace(
        dataset,
        records=pack(dataset.records).take(positions),
        set_aside=tuple(sorted((*dataset.set_aside, *aside), key=lambda file: file.path)),
    )
    error = _ruined(dataset, usable, aside)
    if error and stop:
        raise error
    copies = _copies(facts, workers)
    seen = Seen(dataset=usable, records=usable.records, facts=facts, unreadable=aside, copies=copies)
    said = findings(seen)
    if error:
        said = (Finding(code="ruined", level="error", said=error.found, action=error.fix), *said)
    return Audit(
        dataset=usable,
        positions=np.array(positions, np.int64),
        facts=tuple(facts),
        seen=seen,
        together=_together(usable.records, copies.groups),
        findings=said,
    )


def _copies(facts: Sequence[Facts], workers: int) -> Copies:
    """Which images are copies, from equal files to parts of one another."""
    hashes = [one.hashes for one in facts]
    near = duplicates.groups(hashes)
    thumbnails = np.array([one.thumbnail for one in facts], np.uint8).reshape(-1, crops.SIDE, crops.SIDE)
    parts = crops.crops(thumbnails, workers=workers)
    own = np.arange(len(facts))
    return Copies(
        same=duplicates.groups(hashes, near=False),
        alike=duplicates.groups(hashes, mirrored=False),
        near=near,
        groups=duplicates.joined(len(facts), [(own, near), (parts.part, parts.whole)]),
        crops=parts,
    )


def _together(records: Sequence[Record], groups: Int[np.ndarray, "n"]) -> Int[np.ndarray, "n"]:
    """Copies, and records of one named group, under the number of the first of them."""
    first: dict[str, int] = {}
    named = [
        first.setdefault(record.group, position) if record.group else position
        for position, record in enumerate(records)
    ]
    own = np.arange(len(groups))
    return duplicates.joined(len(groups), [(own, groups), (own, np.array(named, np.int64))])


def _facts(
    root: Path,
    record: Record,
    masks: MaskCode | None,
    position: int,
    at_least: int,
    keep: Keep | None,
    max_pixels: int,
) -> Facts:
    """The facts of one record's files. Raises DecodeError where its image cannot be read."""
    path = root / record.path
    data = read(path, max_pixels=max_pixels)
    decoded = decode_bytes(data, str(path), at_least=at_least, max_pixels=max_pixels)
    gray = duplicates.brightness(decoded.image)
    small = duplicates.shrunk(gray)
    facts = Facts(
        width=decoded.size[0],
        height=decoded.size[1],
        bytes=len(data),
        mode=decoded.mode,
        format=decoded.format,
        gray=is_gray(decoded.image),
        notes=decoded.notes,
        hashes=duplicates.brief(small, data),
        thumbnail=crops.thumbnail(small),
        border=border(gray),
        traces=traces(data),
        map=maps.look(root / record.mask, masks, max_pixels=max_pixels) if record.mask else None,
        turn=decoded.turn,
    )
    if keep is not None:
        keep(position, decoded.image)
    return facts


def _each(
    look: Callable[[tuple[int, Record]], Facts | str], items: Iterator[tuple[int, Record]], workers: int
) -> Iterator[Facts | str]:
    """Results in order; threads suffice, because decoding, hashing and resizing run outside Python's lock."""
    with ExitStack() as stack:
        stack.enter_context(listening())
        run: Callable[..., Iterable[Facts | str]] = map
        if workers > 1:
            pool = ThreadPoolExecutor(workers, thread_name_prefix="audit")
            stack.callback(pool.shutdown, cancel_futures=True)
            run = pool.map
        while chunk := list(islice(items, _CHUNK)):
            yield from run(look, chunk)


def _ruined(before: DataSet, after: DataSet, aside: list[SetAside]) -> DataError | None:
    """The reason not to go on, where too much cannot be read."""
    total = len(before.records)
    first = few([f"{shown(file.path)} ({file.reason})" for file in aside], 2)
    if lost := sorted(_to_learn(before) - _to_learn(after)):
        return DataError(
            f"No readable image to learn from in {few(lost)}: {first}.",
            fix="replace the files, or leave the class out",
        )
    if total and not after.records:
        return DataError(f"No image can be read: {first}.", fix="replace the files")
    if total > FEW and len(aside) > MOST_UNREADABLE * total:
        return DataError(
            f"{len(aside):,} of {count(total, 'image')} cannot be read: {first}.",
            expected=f"at most {MOST_UNREADABLE:.0%}",
            fix="replace or remove them; `convworks audit` lists them all",
        )
    return None


def _to_learn(dataset: DataSet) -> set[str]:
    return {name for record in dataset.records if learned(record) for name in classes_of(record)}
