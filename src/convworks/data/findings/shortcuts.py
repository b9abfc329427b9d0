"""Properties of the files, not of what they show, that alone tell the class, or the split.

For every property and class a small table is learned (which values speak for the class) and tried on images left out,
whole groups of copies together. What counts is by how much it is right more often than a guess that does not look: the
share of the class that it finds, less that of the others that it takes for it. Such tables are many, so one that is
learned from half of the images also has to be right on the other half more often than chance allows: for all tables
together in `FALSE` of the data sets.

Source: blind guesses are right by the hypergeometric distribution (Fisher 1935); many tests after Bonferroni.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64
from scipy.stats import hypergeom

from convworks.data.facts import Facts
from convworks.data.findings.seen import WORDS, Seen, about, learned
from convworks.data.names import few, shown
from convworks.data.record import Record
from convworks.events import Finding

TELLS = 0.6
"""The share of a class found, less that of the others taken for it, from which on a property tells the class."""
FALSE = 0.002
"""Of data sets in which a property and the class have nothing to do with each other, the share that is accused."""
LEAST = 10
"""A class of fewer images says nothing of what its files have in common."""
FOLDS = 6
BINS = 32

_HIDDEN = {"file name", "date"}
"""What a net cannot see; it says that images of a class have one source."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Property:
    """One property of all images: the bin of each, and each bin in words."""

    name: str
    bins: Int64[np.ndarray, "n"]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A class that a property tells: the share of it that is found, that of the others taken for it, and how."""

    name: str
    found: float
    taken: float
    n: int
    values: str

    @property
    def gain(self) -> float:
        """0 for a guess that does not look, 1 where the property tells all."""
        return self.found - self.taken


def findings(seen: Seen) -> Iterator[Finding]:
    """Properties that tell the class of the images to learn from, and those that tell a given split."""
    rows = [row for row, record in enumerate(seen.records) if learned(record) and record.label]
    if rows:
        labels = [seen.records[row].label for row in rows]
        yield from _said(seen, rows, labels, "class")
    splits = [record.split for record in seen.records]
    if len(set(splits)) > 1:
        yield from _said(seen, list(range(len(splits))), splits, "split")


def _said(
    seen: Seen, rows: Sequence[int], targets: Sequence[str], what: Literal["class", "split"]
) -> Iterator[Finding]:
    records, facts = [seen.records[row] for row in rows], [seen.facts[row] for row in rows]
    found = properties(records, facts)
    groups = seen.copies.groups[np.array(rows, np.int64)]
    for one, told in told_by(found, targets, groups):
        best = told[0]
        hidden = one.name in _HIDDEN
        name = WORDS[best.name] if what == "split" else shown(best.name)  # pyright: ignore[reportArgumentType]
        more = f", and {few([shown(other.name) for other in told[1:]])} as well" if len(told) > 1 else ""
        yield about(
            "shortcut" if what == "class" else "split-shift",
            "note" if hidden or (what == "split") else "warning",
            f"The {one.name} alone tells {name} from the rest: {best.found:.0%} of it and {best.taken:.0%} of the "
            f"others have {best.values}{more}.",
            number=best.n,
            why=_why(hidden, what),
            action=_action(hidden, what),
            values={
                "property": one.name,
                what: best.name,
                "found": best.found,
                "taken": best.taken,
                "values": best.values,
                "told": {other.name: other.gain for other in told},
            },
        )


def _why(hidden: bool, what: str) -> str:
    if what == "split":
        return (
            "what measures was made otherwise than what is learned from, so that a score says less of either"
        )
    if hidden:
        return "a net does not see it, but images of one source have more in common than their class"
    return "a net learns what is easiest: it may tell the files, and fail on images made otherwise"


def _action(hidden: bool, what: str) -> str:
    if what == "split":
        return "draw both from one source, or say so beside the score"
    if hidden:
        return "make sure that every class comes from every source"
    return "bring all images to one form (crop, size, encoder), or collect each class the same way"


def told_by(
    found: Sequence[Property], targets: Sequence[str], groups: Int64[np.ndarray, "n"]
) -> list[tuple[Property, list[Told]]]:
    """The properties that tell one of the targets or more, those that tell best first."""
    names, codes = np.unique(np.array(targets), return_inverse=True)
    sizes = np.bincount(codes)
    tried = np.flatnonzero((sizes >= LEAST) & (len(codes) - sizes >= LEAST))
    if not len(tried):
        return []
    folds = _folds(groups)
    chance = FALSE / max(1, len(found) * len(tried))
    said: list[tuple[Property, list[Told]]] = []
    for one in found:
        told = [
            result
            for target in tried.tolist()
            if (result := _tell(one, codes == target, folds, str(names[target]), chance)) is not None
        ]
        if told:
            said.append((one, sorted(told, key=lambda each: -each.gain)))
    return sorted(said, key=lambda each: -each[1][0].gain)


def _folds(groups: Int64[np.ndarray, "n"]) -> Int64[np.ndarray, "n"]:
    """A fold for each group, drawn from its number."""
    ids, inverse = np.unique(groups, return_inverse=True)
    order = np.random.default_rng(0).permutation(len(ids))
    return (order % FOLDS)[inverse].astype(np.int64)


def _tell(
    one: Property, is_it: np.ndarray, folds: Int64[np.ndarray, "n"], name: str, chance: float
) -> Told | None:
    """Whether the values of a property tell the images of a class from the others."""
    cells = folds * len(one.words) + one.bins
    shape = (FOLDS, len(one.words))
    every = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
    these = np.bincount(cells[is_it], minlength=shape[0] * shape[1]).reshape(shape)
    speaks = _speaks(these.sum(0) - these, every.sum(0) - every)
    n, size = len(is_it), int(is_it.sum())
    guessed, right = int(every[speaks].sum()), int(these[speaks].sum())
    found, taken = right / size, (guessed - right) / (n - size)
    if found - taken < TELLS or _luck(these, every) > chance:
        return None
    values = [
        word for word, speak in zip(one.words, _speaks(these.sum(0), every.sum(0)), strict=True) if speak
    ]
    return Told(name=name, found=found, taken=taken, n=size, values=_range(values))


def _luck(these: np.ndarray, every: np.ndarray) -> float:
    """The chance to do as well on half of the folds with what the other half says, were labels drawn blindly."""
    halves = slice(None, FOLDS // 2), slice(FOLDS // 2, None)
    least = 0.5
    for known, tried in (halves, halves[::-1]):
        speaks = _speaks(these[known].sum(0), every[known].sum(0))
        ours, all_ = these[tried].sum(0), every[tried].sum(0)
        right, guessed = int(ours[speaks].sum()), int(all_[speaks].sum())
        least = min(least, float(hypergeom.sf(right - 1, int(all_.sum()), int(ours.sum()), guessed)))
    return 2 * least


def _speaks(these: np.ndarray, every: np.ndarray) -> np.ndarray:
    """Bins in which the class is more frequent than it is among all."""
    return these * every.sum(-1, keepdims=True) > every * these.sum(-1, keepdims=True)


def _range(words: Sequence[str]) -> str:
    """Values in words: a few by name, of many the first and the last."""
    return few(words, 4) if len(words) <= 4 else f"{words[0]} ... {words[-1]}"


def properties(records: Sequence[Record], facts: Sequence[Facts]) -> list[Property]:
    """What files are told by beside their content; those that all images share are left out."""
    numbers: dict[str, tuple[list[float], str]] = {
        "width": ([fact.width for fact in facts], "{:.0f} px"),
        "height": ([fact.height for fact in facts], "{:.0f} px"),
        "aspect": ([round(fact.width / fact.height, 2) for fact in facts], "{:.2f}"),
        "size of the file": ([fact.bytes for fact in facts], "{:,.0f} bytes"),
        "bytes a pixel": ([fact.bytes / (fact.width * fact.height) for fact in facts], "{:.2f}"),
        "encoder's quality": ([fact.traces.quality for fact in facts], "{:.0f}"),
        "brightness": ([fact.brightness for fact in facts], "{:.0f}"),
        "contrast": ([fact.contrast for fact in facts], "{:.0f}"),
        "border": ([round(fact.border, 3) for fact in facts], "{:.1%} of a side"),
    }
    words: dict[str, list[str]] = {
        "colour": [("in colour", "without colour")[fact.gray] for fact in facts],
        "format": [f"{fact.format} {fact.mode}" for fact in facts],
        "camera": [fact.traces.camera or "none told" for fact in facts],
        "program": [fact.traces.software or "none told" for fact in facts],
        "date": [_day(fact.traces.taken) for fact in facts],
        "file name": [prefix(record) for record in records],
    }
    found = [_counted(name, np.array(values, np.float64), form) for name, (values, form) in numbers.items()]
    found += [_named(name, values) for name, values in words.items()]
    return [one for one in found if len(one.words) > 1]


def _counted(name: str, values: Float64[np.ndarray, "n"], form: str) -> Property:
    """Each value its own bin where there are few, else bins of as many images each, the tails finer."""
    distinct = np.unique(values)
    if len(distinct) > BINS:
        shares = np.concatenate([[0, 0.005, 0.01, 0.02], np.arange(1, BINS) / BINS, [0.98, 0.99, 0.995]])
        distinct = np.unique(np.quantile(values, shares, method="lower"))
    bins = np.searchsorted(distinct, values, side="right") - 1
    last = [
        values[bins == place].max() if (bins == place).any() else low for place, low in enumerate(distinct)
    ]
    said = [
        form.format(low)
        if form.format(low) == form.format(high)
        else f"{form.format(low)} to {form.format(high)}"
        for low, high in zip(distinct.tolist(), last, strict=True)
    ]
    return Property(name=name, bins=bins, words=tuple(said))


def _named(name: str, values: Sequence[str]) -> Property:
    """The most frequent words, and the rest as one."""
    common = [word for word, _ in Counter(values).most_common(256)]
    number = {word: place for place, word in enumerate(common)}
    bins = np.array([number.get(word, len(common)) for word in values], np.int64)
    rest = ("others",) if (bins == len(common)).any() else ()
    return Property(name=name, bins=bins, words=(*(shown(word) for word in common), *rest))


def _day(taken: float) -> str:
    return datetime.fromtimestamp(taken, UTC).strftime("%Y-%m-%d") if taken else "none told"


def prefix(record: Record) -> str:
    """How the name of a file begins, up to its first digit; "" where that is only the class again.

    >>> prefix(Record(path="cat/IMG_0031.jpg", label="cat")), prefix(Record(path="cat/cat.31.jpg", label="cat"))
    ('IMG_', '')
    """
    start = re.split(r"[0-9]", PurePosixPath(record.path).stem, maxsplit=1)[0]
    plain, label = (re.sub(r"[\W_]", "", text).casefold() for text in (start, record.label))
    return "" if plain and (plain in label or label in plain) else start
