"""What takes long is computed once and kept on disk, picture by picture, with the seconds that it took."""

from __future__ import annotations

import io
import shutil
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convworks.files import write_whole

Arrays = Mapping[str, np.ndarray]
SECONDS = "seconds"


@dataclass(frozen=True, slots=True)
class Shelf:
    """A folder of arrays by name: a study that was killed takes from it what it had computed."""

    folder: Path

    def taken(self, name: str, make: Callable[[], Arrays]) -> tuple[Arrays, float]:
        """The arrays of a name, and the seconds that `make` took for them; made and kept where they are not there."""
        path = self.folder / f"{name}.npz"
        if (kept := _read(path)) is not None:
            return kept, float(kept[SECONDS])
        began = time.perf_counter()
        made = make()
        seconds = time.perf_counter() - began
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, **made, **{SECONDS: np.array(seconds)})
        write_whole(path, content.getvalue())
        return made, seconds

    def below(self, name: str) -> Shelf:
        """A shelf of its own inside this one."""
        return Shelf(self.folder / name)

    def clear(self) -> None:
        """Forget all of it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _read(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of a file, None where there is none, or a damaged one."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:
            return {name: kept[name] for name in kept.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile):
        return None
