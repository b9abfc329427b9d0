"""Images and masks brought to where a format keeps them; the owner's files are only read."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path


def copy(source: Path, destination: Path, wanted: str, taken: set[str]) -> str:
    """Copies a file to `wanted`, a POSIX path inside `destination`, and returns the path that it got.

    Where another file of this writing has the name, a number stands before it; `taken` is what there is, and grows.
    """
    folder, slash, name = wanted.rpartition("/")
    target = next(
        free
        for free in (f"{folder}{slash}{number}-{name}" if number else wanted for number in itertools.count())
        if free not in taken
    )
    taken.add(target)
    (destination / folder).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, destination / target)
    return target
