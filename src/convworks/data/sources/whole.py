"""From single records to a data set to learn from: what every source of image classes must see to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from convworks.data.names import few, shown, twins
from convworks.data.packed import pack
from convworks.data.record import DataSet, Record, SetAside, Split
from convworks.errors import DataError, nearest

_ORDER: dict[Split, int] = {"train": 0, "": 0, "val": 1, "test": 2}


def classified(
    root: Path,
    source: str,
    records: Iterable[Record],
    *,
    set_aside: Iterable[SetAside] = (),
    notes: Sequence[str] = (),
    one_class: str = "add images that show something else",
) -> DataSet:
    """The data set of labelled `records`, sorted by split, class and path.

    Raises DataError for fewer than two classes to learn (with the fix `one_class`), and for a class of val or
    test that train does not have. A class that val or test lack, and names that look alike, are notes.
    """
    ordered = pack(records).ordered(lambda record: (_ORDER[record.split], record.label, record.path))
    counts: Counter[tuple[Split, str]] = Counter((record.split, record.label) for record in ordered)
    split_given = any(split for split, _ in counts)
    learned = sorted({label for split, label in counts if _ORDER[split] == 0})
    if not learned:
        raise DataError(
            f"{shown(str(root))} holds images of val or test, but none of train.",
            fix="name the images to learn from train",
        )
    for split, label in counts:
        if label not in learned:
            guess = nearest(label, learned)
            raise DataError(
                f'{split} has a class "{shown(label)}" that train does not have.',
                expected=f"only classes of train: {few(learned, 8)}",
                fix=(f'rename it to "{shown(guess)}", or ' if guess else "")
                + f'give train images of "{shown(label)}", or move those of {split} out of the data',
            )
    if len(learned) == 1:
        raise DataError(
            f'{shown(str(root))} holds one class: "{shown(learned[0])}".',
            expected="images of at least two classes",
            fix=one_class,
        )
    return DataSet(
        root=root,
        source=source,
        task="classification",
        classes=tuple(learned),
        records=ordered,
        set_aside=tuple(sorted(set_aside, key=lambda file: file.path)),
        notes=(*notes, *(_absent(counts, learned) if split_given else ()), *_alike(learned)),
    )


def _absent(counts: Counter[tuple[Split, str]], learned: list[str]) -> Iterable[str]:
    held_out: tuple[Split, ...] = ("val", "test")
    for split in held_out:
        absent = [label for label in learned if not counts[split, label]]
        if absent and len(absent) < len(learned):
            yield f"Not in {split}, so never measured there: {few(absent, 8)}."


def _alike(learned: list[str]) -> Iterable[str]:
    for names in twins(learned):
        yield f"Classes whose names differ only in case or accents: {few(names)}. They stay apart."
