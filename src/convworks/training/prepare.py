"""From a folder to what training needs: every image decoded once, measured, and given its part."""

from __future__ import annotations

import dataclasses
import math
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from convworks.data import audit, bands, decode, measure, sources, split
from convworks.data.asked import asked
from convworks.data.audit import Audit
from convworks.data.bands import Scaling
from convworks.data.cache import ImageCache
from convworks.data.load import shows
from convworks.data.pixels import Paths, PixelStore
from convworks.data.record import DataSet, classes_of
from convworks.data.scenes import SceneStore
from convworks.data.settled import settled
from convworks.data.sources.csv_labels import cell
from convworks.errors import DataError, RunError
from convworks.evaluation.calibration import Truth
from convworks.evaluation.labels import baseline
from convworks.evaluation.uncertainty import chance, majority
from convworks.events import DataFound, SplitMade
from convworks.recipe.fingerprint import Fingerprint
from convworks.recipe.options import DataOptions

Part = Literal["learn", "tune", "measure"]
SAMPLED = 200  # headers that are read for the sizes of a set
SCENES = ("localization", "detection", "segmentation", "instances")
"""Tasks whose answers have a place in the picture."""
MEMORY = 0.3  # share of the free memory that pictures may fill


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """The usable images: class ids by record, and which positions learn, choose and measure.

    `learn`, `tune` and `measure` are positions in `audit.dataset.records`, and so in `store`, and in `scenes`, which is
    there where answers have a place in the picture; then labels are -1. `shows` says of each class whether an image
    shows it, where it may show several; then labels are -1 too. `bands` says how files are read that hold others than
    red, green and blue.
    """

    audit: Audit
    labels: Int[np.ndarray, "n"]
    learn: Int[np.ndarray, "l"]
    tune: Int[np.ndarray, "t"]
    measure: Int[np.ndarray, "m"]
    store: PixelStore
    fingerprint: Fingerprint
    how: str
    scenes: SceneStore | None = None
    shows: Bool[np.ndarray, "n k"] | None = None
    bands: Scaling | None = None

    @property
    def truth(self) -> Truth:
        """What each image shows: its class, or of every class whether it is there."""
        return self.labels if self.shows is None else self.shows

    def targets(self, rows: Int[np.ndarray, "r"]) -> dict[str, Tensor]:
        """What some images show, as a task of whole pictures learns it."""
        if self.shows is None:
            return {"label": torch.from_numpy(self.labels[rows])}
        return {"shows": torch.from_numpy(self.shows[rows].astype(np.float32))}

    @property
    def dataset(self) -> DataSet:
        """The records that can be used."""
        return self.audit.dataset

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.audit.dataset.classes

    def paths(self, rows: Int[np.ndarray, "r"]) -> tuple[str, ...]:
        """The paths of some images, relative to the data's root."""
        return tuple(self.dataset.records[row].path for row in rows.tolist())

    def counts(self, rows: Int[np.ndarray, "r"]) -> dict[str, int]:
        """How many of some images there are of each class; where an image shows several, how many show each."""
        found = Counter(name for names in self.shown(rows) for name in names)
        return {name: found[name] for name in self.classes}

    def shown(self, rows: Int[np.ndarray, "r"]) -> list[frozenset[str]]:
        """The classes that each of some images shows."""
        return [frozenset(classes_of(self.dataset.records[row])) for row in rows.tolist()]


def median_short_side(dataset: DataSet) -> float:
    """The median short side in pixels, from the headers of up to `SAMPLED` images spread over the set."""
    chosen = dataset.records[:: max(1, len(dataset.records) // SAMPLED)]
    sides: list[int] = []
    for record in chosen:
        try:
            sides.append(min(decode.header(dataset.root / record.path).size))
        except DataError:
            continue
    return float(np.median(sides)) if sides else 0.0


def prepare(
    dataset: DataSet,
    options: DataOptions,
    *,
    side: int,
    seed: int,
    workers: int,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Decodes, measures and divides a data set; pictures are kept with a short side of at most `side` pixels.

    Raises DataError where too little is left to learn from and to measure with.
    """
    store = PixelStore(
        Paths(len(dataset.records), lambda row: dataset.root / dataset.records[row].path),
        side,
        int(MEMORY * free_memory()),
        max_pixels=options.max_pixels,
        cache=ImageCache(),
    )
    found = audit.scan(
        dataset,
        workers=workers,
        progress=progress,
        at_least=side,
        keep=store.put,
        max_pixels=options.max_pixels,
    )
    usable = found.dataset
    ids = {name: place for place, name in enumerate(usable.classes)}
    labels = np.array([ids.get(record.label, -1) for record in usable.records], np.int64)
    showing = None
    if usable.task == "multilabel":
        showing = np.array([shows(record, ids) for record in usable.records]).reshape(-1, len(ids))
    learn, tune, measured, how = _parts(found, options, seed)
    _enough(usable, labels if showing is None else showing, learn, measured)
    kept, scaling, scenes = store.select(found.positions.tolist()), None, None
    if any(" bands of " in fact.mode for fact in found.facts):
        scaling, kept = _banded(found, learn, side, options.max_pixels, kept)
    if usable.task in SCENES:
        ranges, room = scaling.ranges if scaling else (), int(MEMORY * free_memory())
        scenes = SceneStore(usable, ids, side, room, bands=ranges, max_pixels=options.max_pixels)
    return Prepared(
        audit=found,
        labels=labels,
        learn=learn,
        tune=tune,
        measure=measured,
        store=kept,
        fingerprint=measure.fingerprint(found),
        how=how,
        scenes=scenes,
        shows=showing,
        bands=scaling,
    )


def found(prepared: Prepared) -> DataFound:
    """What was read, as an event."""
    dataset = prepared.dataset
    sides = sorted(min(fact.width, fact.height) for fact in prepared.audit.facts)
    return DataFound(
        root=str(dataset.root),
        source=dataset.source,
        task=dataset.task,
        counts=prepared.counts(np.arange(len(dataset.records))),
        short_sides=(sides[0], sides[len(sides) // 2], sides[-1]),
        set_aside=tuple((file.path, file.reason) for file in dataset.set_aside),
        notes=dataset.notes,
        copies=prepared.fingerprint.copies,
        total=0 if dataset.task == "classification" else len(dataset.records),
    )


def divided(prepared: Prepared) -> SplitMade:
    """How the images were divided, as an event."""
    guess = chance(len(prepared.classes))
    name, share = majority(prepared.counts(prepared.learn), prepared.counts(prepared.measure))
    if prepared.shows is not None:
        guess, name, share = baseline(prepared.shows[prepared.measure]), "", math.nan
    if prepared.scenes is not None:  # a place is not guessed right
        guess, name, share = math.nan, "", math.nan
    return SplitMade(
        train=len(prepared.learn),
        tuning=len(prepared.tune),
        held_out=len(prepared.measure),
        how=prepared.how,
        chance=guess,
        majority=share,
        majority_class=name,
    )


def manifest(prepared: Prepared) -> dict[str, Any]:
    """What a run learned from, for `data.json`: each image's path, class, part and content."""
    part = {row: name for name in ("learn", "tune", "measure") for row in getattr(prepared, name).tolist()}
    return {
        "root": str(prepared.dataset.root),
        "classes": list(prepared.classes),
        "images": [
            [record.path, record.label or cell(record.labels), part.get(row, ""), fact.hashes.file.hex()]
            for row, (record, fact) in enumerate(
                zip(prepared.dataset.records, prepared.audit.facts, strict=True)
            )
        ],
    }


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What changed between two manifests, in words: images gone, new, of another class, of other content."""
    said: list[str] = []
    if before["classes"] != now["classes"]:
        said.append(f"the classes were {', '.join(before['classes'])}; they are {', '.join(now['classes'])}")
    old = {path: (label, digest) for path, label, _, digest in before["images"]}
    new = {path: (label, digest) for path, label, _, digest in now["images"]}
    kinds = {
        "gone": sorted(old.keys() - new.keys()),
        "new": sorted(new.keys() - old.keys()),
        "of another class": sorted(path for path in old.keys() & new.keys() if old[path][0] != new[path][0]),
        "changed": sorted(path for path in old.keys() & new.keys() if old[path][1] != new[path][1]),
    }
    for kind, paths in kinds.items():
        if paths:
            more = f", and {len(paths) - 3} more" if len(paths) > 3 else ""
            said.append(f"{len(paths)} images {kind}: {', '.join(paths[:3])}{more}")
    return said


def refuse_changes(run: Path, before: dict[str, Any], now: dict[str, Any], *, accepted: bool = False) -> None:
    """Raises RunError naming what changed since the run began; of what is `accepted`, only other classes."""
    changed = differences(before, now)
    if before["classes"] != now["classes"]:
        raise RunError(
            f"The data of {run} changed since it began: {'; '.join(changed)}.",
            fix="restore it, or start a new run: a net that has begun cannot change its classes",
        )
    if changed and not accepted:
        raise RunError(
            f"The data of {run} changed since it began: {'; '.join(changed)}.",
            fix="restore it, or start a new run; --accept-change goes on with what is there now",
        )


def as_before(prepared: Prepared, before: dict[str, Any]) -> Prepared:
    """The same images, each in the part that it had before, known by its content or its path.

    A new one that is a copy of an old one joins it, so that nothing measures that was learned from.
    """
    exact = {(path, digest): part for path, _, part, digest in before["images"]}
    by_path = {path: part for path, _, part, _ in before["images"]}
    learned_last = sorted(before["images"], key=lambda image: image[2] == "learn")
    by_content = {digest: part for _, _, part, digest in learned_last}
    now = manifest(prepared)["images"]
    old = [
        exact.get((path, digest)) or by_content.get(digest) or by_path.get(path) for path, _, _, digest in now
    ]
    of_group = {
        group: part for group, part in zip(prepared.audit.together.tolist(), old, strict=True) if part
    }
    parts = np.array(
        [
            was or of_group.get(group) or drawn
            for was, group, (_, _, drawn, _) in zip(old, prepared.audit.together.tolist(), now, strict=True)
        ]
    )
    learn, tune, measured = (np.flatnonzero(parts == name) for name in ("learn", "tune", "measure"))
    _enough(prepared.dataset, prepared.truth, learn, measured)
    return dataclasses.replace(prepared, learn=learn, tune=tune, measure=measured)


def free_memory() -> int:
    """Bytes of memory that are free now; 4 GB where the system does not say."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 4 << 30


def read(root: Path, source: str = "auto", task: str = "") -> DataSet:
    """The data set in a folder or a file, read as the format `source`, for `task`.

    Raises DataError for what is none, or does not serve that task.
    """
    return asked(settled(sources.read(root, source=source)), task)


def _parts(
    found: Audit, options: DataOptions, seed: int
) -> tuple[Int[np.ndarray, "l"], Int[np.ndarray, "t"], Int[np.ndarray, "m"], str]:
    records = found.dataset.records
    splits = np.array([record.split or "train" for record in records])
    rows = np.arange(len(records))

    def part(of: Int[np.ndarray, "r"], share: float, key: int) -> np.ndarray:
        return split.of_records([records[row] for row in of.tolist()], found.together[of], share, key)

    learn = rows[splits == "train"]
    given = [name for name in ("test", "val") if (splits == name).any()]
    if given:
        measured = rows[splits == given[0]]
        how = f"{given[0]}/ measures"
    else:
        out = part(learn, options.holdout, seed)
        measured, learn = learn[out], learn[~out]
        kept = "copies and groups" if any(record.group for record in records) else "copies"
        how = f"drawn by seed {seed}, {kept} kept on one side"
    if len(given) == 2:
        tune = rows[splits == "val"]
        return learn, tune, measured, f"{how}, val/ chooses"
    chosen = part(learn, options.tuning, seed + 1)
    tune, learn = learn[chosen], learn[~chosen]
    return learn, tune, measured, f"{how}, seed {seed} draws what chooses" if given else how


def _banded(
    found: Audit, learn: Int[np.ndarray, "l"], side: int, max_pixels: int, pictures: PixelStore
) -> tuple[Scaling | None, PixelStore]:
    """How files of several bands are scaled, by those that learn, and a store that reads all of them so.

    The `pictures` as they are where no file says more than a gray picture. Raises DataError where files differ.
    """
    records, root = found.dataset.records, found.dataset.root
    first = bands.layout(decode.read(root / records[0].path, max_pixels=max_pixels), max_pixels)
    if first is not None and not first.several:
        return None, pictures
    kinds = Counter(fact.mode for fact in found.facts)
    usual = kinds.most_common(1)[0][0]
    if len(kinds) > 1:
        odd, other = next(
            (record.path, fact.mode)
            for record, fact in zip(records, found.facts, strict=True)
            if fact.mode != usual
        )
        raise DataError(
            f"{odd} is {other}; {kinds[usual]} of {len(records)} images are {usual}.",
            fix="give all images the same bands, in the same units, or leave this one out",
        )
    scaling = bands.measured([root / records[row].path for row in learn.tolist()], max_pixels)
    store = PixelStore(
        Paths(len(records), lambda row: root / records[row].path),
        side,
        int(MEMORY * free_memory()),
        max_pixels=max_pixels,
        read=lambda path: bands.picture(path, scaling.ranges, max_pixels),
    )
    return scaling, store


def _enough(
    dataset: DataSet,
    truth: Truth,
    learn: Int[np.ndarray, "l"],
    measured: Int[np.ndarray, "m"],
) -> None:
    seen = truth[learn]
    known = set(np.flatnonzero(seen.any(0)).tolist() if seen.ndim == 2 else seen.tolist())
    missing = [name for place, name in enumerate(dataset.classes) if place not in known]
    if missing and dataset.task in ("classification", "multilabel"):
        raise DataError(
            f"There is nothing to learn {', '.join(missing[:5])} from.",
            fix="add images of it, or leave the class out",
        )
    if not len(measured):
        raise DataError(
            f"No image of {dataset.root} is left to measure with.",
            fix="add images, or a val/ folder; a class needs two pictures that are not copies of each other",
        )
