"""Names in a data set's folders: which files are images, which annotation lies beside which, and free new names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from convworks.data.sources import suffixes
from convworks.data.sources.confine import Root


def folders(root: Root, folder: str = "") -> dict[str, str]:
    """Visible folders in `folder` (relative to the root, "" for the root itself): lower-case name -> path."""
    return {name.lower(): joined(folder, name) for name, inside in _entries(root, folder) if inside}


def files(root: Root, folder: str, ending: str = "") -> list[str]:
    """Visible files in `folder` whose suffix is `ending` ("": any), as sorted paths relative to the root."""
    return [
        joined(folder, name)
        for name, inside in _entries(root, folder)
        if not inside and (not ending or suffixes.suffix(name) == ending)
    ]


def below(root: Root, folder: str) -> Iterator[str]:
    """Visible files in `folder` and in the folders below it; links to folders are not followed."""
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        for name, inside in _entries(root, here):
            path = joined(here, name)
            if not inside:
                yield path
            elif not Path(root.path, path).is_symlink():
                waiting.append(path)


def images(paths: Iterable[str]) -> dict[str, list[str]]:
    """Path without its suffix -> images of that name, sorted."""
    found: dict[str, list[str]] = {}
    for path in sorted(paths):
        if suffixes.suffix(path) in suffixes.READ:
            found.setdefault(stem(path), []).append(path)
    return found


def stem(path: str) -> str:
    """A path without the suffix of its file.

    >>> stem("a.b/c.d.jpg"), stem("a.b/c")
    ('a.b/c.d', 'a.b/c')
    """
    folder, slash, name = path.rpartition("/")
    return folder + slash + (name.rpartition(".")[0] or name)


def joined(*parts: str) -> str:
    """The parts of a path that are not empty, with slashes between."""
    return "/".join(part for part in parts if part)


def free(path: str, taken: set[str]) -> str:
    """A file name for the image at `path` on whose stem, in any case, no other stands; it is added to `taken`.

    Control characters, which lists of names cannot hold, become "_".

    >>> taken = set()
    >>> free("a/1.jpg", taken), free("b/1.png", taken)
    ('1.jpg', '1-1.png')
    """
    name = re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]", "_", path.rpartition("/")[2])
    number, candidate = 0, name
    while stem(candidate).lower() in taken:
        number += 1
        candidate = f"{number}-{name}"
    taken.add(stem(candidate).lower())
    return candidate


def _entries(root: Root, folder: str) -> list[tuple[str, bool]]:
    """Visible names in a folder, sorted, and whether each is a folder; nothing where it leads out or is none."""
    place = os.path.realpath(f"{root.path}/{folder}")
    if not root.holds(place):
        return []
    try:
        with os.scandir(place) as entries:
            return sorted((one.name, one.is_dir()) for one in entries if not suffixes.hidden(one.name))
    except OSError:
        return []
