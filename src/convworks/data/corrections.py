"""What an owner corrects without touching a file: images left out, given another class, or kept together.

Corrections lie in a TOML file beside the data, not in it: `pets.corrections.toml` for `pets/`. Reading a data set
honours it, and says so.

    exclude = ["cat/12.png"]
    group_by = "name"                        # `seq1_0001.jpg`: or a regular expression with one (group)

    [relabel]
    "dog/small.jpg" = "cat"                  # where several may be: ["cat", "dog"]

    [group]
    "patient 12" = ["cat/3.png", "cat/4.png"]
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from convworks.data.names import count, few, shown
from convworks.data.record import DataSet, Record
from convworks.errors import DataError, nearest
from convworks.files import write_whole

SUFFIX = ".corrections.toml"
BY_NAME = "name"
"""What `group_by` says where names of files tell the groups: see `group_of`."""

_KEYS = ("exclude", "relabel", "group", "group_by")
_MOST_BYTES = 64 << 20
_COUNTER = re.compile(r"[ _.\-]+[A-Za-z]{0,8}[ _.\-]?[0-9]{1,8}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrections:
    """Paths to leave out, path -> class or classes, path -> group, and how names of files tell a group ("": do not)."""

    exclude: frozenset[str] = frozenset()
    relabel: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict[str, "str | tuple[str, ...]"])
    group: Mapping[str, str] = field(default_factory=dict[str, str])
    group_by: str = ""


def beside(root: Path) -> Path:
    """Where the corrections of the data at `root` lie.

    >>> beside(Path("/data/pets")).as_posix()
    '/data/pets.corrections.toml'
    """
    place = root.absolute() if root.name not in ("", "..") else root.resolve()
    return place.with_name(place.name + SUFFIX)


def group_of(path: str) -> str:
    """The group that a file's name tells: a part with a number in it, before a counter; "" where there is none.

    >>> group_of("a/patient12_slice03.png"), group_of("Seq05VD_f0090.jpg"), group_of("cat-12.jpg")
    ('patient12', 'Seq05VD', '')
    """
    stem = PurePosixPath(path).stem
    counter = _COUNTER.search(stem)
    group = stem[: counter.start()] if counter else ""
    return group if any("0" <= char <= "9" for char in group) else ""


def read(path: Path) -> Corrections:
    """The corrections in a file. Raises DataError that names the file, the key, and what belongs there."""
    name = shown(str(path))
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(
                f"{name} is too large for corrections.", expected=f"at most {_MOST_BYTES >> 20} MB"
            )
        told = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise DataError(f"There is no {name}.", fix="give the file with corrections") from None
    except OSError as error:
        raise DataError(f"{name} cannot be read ({error.strerror or error}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{name} is not TOML: {shown(str(error))}.") from None
    for key in told:
        if key not in _KEYS:
            guess = nearest(key, _KEYS)
            raise DataError(
                f'{name} has an unknown key "{shown(key)}".',
                expected=f"{few(_KEYS, 4)}",
                fix=f'did you mean "{guess}"?' if guess else "",
            )
    return Corrections(
        exclude=frozenset(_names(told.get("exclude", []), f"{name}: exclude")),
        relabel=_relabelled(told.get("relabel", {}), name),
        group=_grouped(told.get("group", {}), name),
        group_by=_pattern(told.get("group_by", ""), name),
    )


def write(corrections: Corrections, path: Path) -> None:
    """Writes a file that `read` gives back, whole or not at all."""
    import tomli_w

    groups: dict[str, list[str]] = {}
    for image, group in sorted(corrections.group.items()):
        groups.setdefault(group, []).append(image)
    told: dict[str, Any] = {
        "exclude": sorted(corrections.exclude),
        "group_by": corrections.group_by,
        "relabel": {
            image: label if isinstance(label, str) else list(label)
            for image, label in sorted(corrections.relabel.items())
        },
        "group": groups,
    }
    write_whole(path, tomli_w.dumps({key: value for key, value in told.items() if value}).encode("utf-8"))


def applied(dataset: DataSet, corrections: Corrections, *, name: str) -> DataSet:
    """The data set as corrected, with a note that counts what was done.

    `name` is that of the file, for messages. A class of which nothing is left is dropped. Raises DataError for
    a path or a class that the data set does not have, and where records have no class to be changed.
    """
    _known(dataset, corrections, name)
    records: list[Record] = []
    done: Counter[str] = Counter()
    groups: set[str] = set()
    for record in dataset.records:
        if record.path in corrections.exclude:
            done["excluded"] += 1
            continue
        record = _relabel(record, corrections, done)
        group = corrections.group.get(record.path) or _group(record, corrections.group_by)
        if group:
            record = dataclasses.replace(record, group=group)
            groups.add(group)
            done["grouped"] += 1
        records.append(record)
    lost = _shown(dataset.records) - _shown(records)
    said = [
        f"{done['excluded']:,} left out" if done["excluded"] else "",
        f"{done['relabelled']:,} given another class" if done["relabelled"] else "",
        f"{done['grouped']:,} in {count(len(groups), 'group')}" if groups else "",
    ]
    what = ", ".join(filter(None, said)) or "nothing changed"
    gone = f"; nothing is left of {few(sorted(lost))}" if lost else ""
    return dataclasses.replace(
        dataset,
        records=records,
        classes=tuple(one for one in dataset.classes if one not in lost),
        notes=(*dataset.notes, f"Corrections in {shown(name)}: {what}{gone}."),
    )


def _shown(records: Iterable[Record]) -> set[str]:
    names: set[str] = set()
    for record in records:
        names.update((record.label, *record.labels, *(box.name for box in record.boxes)))
    return names - {""}


def _relabel(record: Record, corrections: Corrections, done: Counter[str]) -> Record:
    label = corrections.relabel.get(record.path)
    if label is None:
        return record
    done["relabelled"] += 1
    if isinstance(label, tuple):
        return dataclasses.replace(record, labels=label)
    boxes = tuple(dataclasses.replace(box, name=label) for box in record.boxes)
    return dataclasses.replace(record, label=label, boxes=boxes)


def _group(record: Record, group_by: str) -> str:
    if not group_by:
        return ""
    if group_by == BY_NAME:
        return group_of(record.path)
    match = re.fullmatch(group_by, record.path)
    return (match[1] or "") if match else ""


def _known(dataset: DataSet, corrections: Corrections, name: str) -> None:
    paths = {record.path for record in dataset.records} | {file.path for file in dataset.set_aside}
    named = (*corrections.exclude, *corrections.relabel, *corrections.group)
    if stray := sorted(path for path in dict.fromkeys(named) if path not in paths):
        alike = [path for path in paths if PurePosixPath(path).name == PurePosixPath(stray[0]).name]
        guess = nearest(stray[0], alike or sorted(paths)[:10_000]) or (alike[0] if alike else "")
        raise DataError(
            f"{shown(name)} names {count(len(stray), 'image')} that the data set does not have: {few(stray)}.",
            expected="paths relative to the data's root, as `convworks audit --json` writes them",
            fix=f"did you mean {shown(guess)}?" if guess else "",
        )
    several = dataset.task == "multilabel"
    for path, label in corrections.relabel.items():
        given = (label,) if isinstance(label, str) else label
        if isinstance(label, str) == several or dataset.task not in (
            "classification",
            "multilabel",
            "localization",
        ):
            wanted = {"multilabel": "a list of classes", "detection": "", "segmentation": ""}.get(
                dataset.task, "one class"
            )
            raise DataError(
                f"{shown(name)}: relabel cannot change {shown(path)}, an image for {dataset.task}.",
                expected=wanted or "images that have one class each",
            )
        for one in given:
            if one not in dataset.classes:
                guess = nearest(one, dataset.classes)
                raise DataError(
                    f'{shown(name)}: there is no class "{shown(one)}" for {shown(path)}.',
                    expected=f"one of {few(dataset.classes, 8)}",
                    fix=f'did you mean "{shown(guess)}"?' if guess else "",
                )


def _names(value: object, place: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise DataError(f"{shown(place)} is not a list of names.", expected='["cat/1.jpg", "cat/2.jpg"]')
    return [str(one) for one in value]


def _table(value: object, place: str, expected: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{shown(place)} is not a table.", expected=expected)
    return {str(key): one for key, one in value.items()}


def _relabelled(value: object, name: str) -> dict[str, str | tuple[str, ...]]:
    place = f"{name}: [relabel]"
    found: dict[str, str | tuple[str, ...]] = {}
    for path, label in _table(value, place, '"dog/small.jpg" = "cat"').items():
        if isinstance(label, str) and label:
            found[path] = label
        else:
            found[path] = tuple(_names(label, f"{place} {path}"))
    return found


def _grouped(value: object, name: str) -> dict[str, str]:
    place = f"{name}: [group]"
    found: dict[str, str] = {}
    for group, paths in _table(value, place, '"patient 12" = ["cat/3.png", "cat/4.png"]').items():
        for path in _names(paths, f"{place} {group}"):
            if found.setdefault(path, group) != group:
                raise DataError(f"{place} has {shown(path)} in two groups: {few([found[path], group])}.")
    return found


def _pattern(value: object, name: str) -> str:
    if isinstance(value, str):
        try:
            if not value or value == BY_NAME or re.compile(value).groups == 1:
                return value
        except re.error:
            pass
    raise DataError(
        f"{name}: group_by is not a regular expression with one (group).",
        expected=f'"{BY_NAME}", or such as "(patient[0-9]+)_.*"; it has to match a whole path',
    )
