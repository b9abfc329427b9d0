"""The run folder: what a run leaves behind, who may write to it, and what it was made from.

recipe.toml        the recipe that repeats it, every "auto" settled
events.jsonl       what training said
data.json          the images it learned from: path, class, part and hash of each
model.safetensors  model.json  evaluation.json  report.html
checkpoints/       where it was, for `--resume`
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from convworks.errors import ConvworksError, RunError
from convworks.events import Event, Progress, encode
from convworks.files import refusal, sweep, write_whole
from convworks.recipe import options
from convworks.recipe.options import Recipe
from convworks.training.team import Team

T = TypeVar("T")
LOCK, LOG, RECIPE, DATA = "run.lock", "events.jsonl", "recipe.toml", "data.json"


@dataclass(eq=False)
class Run:
    """A run folder that this process alone may write to, until `close`."""

    folder: Path
    lock: IO[str] | None = None

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints lie."""
        return self.folder / "checkpoints"

    def say(self, events: Generator[Event, None, T]) -> Generator[Event, None, T]:
        """Yields the events and appends each, but for Progress, to `events.jsonl`, flushed line by line.

        Returns what they return.
        """
        path = self.folder / LOG
        try:
            log = path.open("a", encoding="utf-8")
        except OSError as error:
            raise refusal(path, error) from error
        with log:
            if path.stat().st_size and not _ends_whole(path):
                log.write("\n")
            while True:
                try:
                    event = next(events)
                except StopIteration as end:
                    return end.value
                if not isinstance(event, Progress):
                    try:
                        log.write(encode(event, time.time()) + "\n")
                        log.flush()
                    except OSError as error:
                        raise refusal(path, error) from error
                yield event

    def write_recipe(self, recipe: Recipe) -> None:
        """Keeps the recipe as it is settled so far."""
        write_whole(self.folder / RECIPE, options.write(recipe).encode())

    def write_data(self, described: Any) -> None:
        """Keeps what the run learned from."""
        write_whole(self.folder / DATA, json.dumps(described, ensure_ascii=False).encode())

    def read_data(self) -> Any:
        """What the run learned from; raises RunError where that is missing or damaged."""
        path = self.folder / DATA
        try:
            return json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise RunError(
                f"{path} cannot be read: {error}.", fix="start the run anew, in another folder"
            ) from error

    def close(self) -> None:
        """Let others write to the folder."""
        if self.lock is not None:
            (self.folder / LOCK).unlink(missing_ok=True)
            self.lock.close()
            self.lock = None


def start(folder: Path) -> Run:
    """A new run in `folder`, which must not hold one; raises RunError where it does."""
    if (folder / RECIPE).exists():
        raise RunError(
            f"{folder} holds a run already.",
            fix=f"go on with it: convworks train --resume {folder}; or name another with --run",
        )
    return _locked(folder)


def resume(folder: Path) -> Run:
    """The run in `folder`, to go on with; raises RunError where there is none."""
    if not (folder / RECIPE).is_file():
        near = (
            [path.parent.name for path in folder.parent.glob(f"*/{RECIPE}")] if folder.parent.is_dir() else []
        )
        raise RunError(
            f"{folder} holds no run: there is no {RECIPE}.",
            fix=f"runs beside it: {', '.join(sorted(near)[:6])}" if near else "name a run folder",
        )
    return _locked(folder)


def free_folder(parent: Path, name: str) -> Path:
    """`parent/name`, or `parent/name-2` and so on where that is taken; `name` made safe for a folder.

    >>> free_folder(Path("runs"), "my pets!").name
    'my-pets'
    """
    safe = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run"
    candidate, number = parent / safe, 2
    while candidate.exists():
        candidate, number = parent / f"{safe}-{number}", number + 1
    return candidate


def _locked(folder: Path) -> Run:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise refusal(folder / LOCK, error) from error
    if not _take(lock, folder / LOCK):
        lock.seek(0)
        owner = lock.read().strip() or "another process"
        lock.close()
        raise RunError(
            f"{folder} is being written to by {owner}.", fix="wait for it, or name another with --run"
        )
    lock.truncate(0)
    lock.write(f"process {os.getpid()}")
    lock.flush()
    sweep(folder)
    return Run(folder, lock)


def _take(lock: IO[str], path: Path) -> bool:
    """Whether the lock is ours now; it is given back by the system when this process ends, however it ends."""
    with contextlib.suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return os.path.samestat(
                os.fstat(lock.fileno()), path.stat()
            )  # else its owner has just removed it
        except OSError:
            return False
    return True


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def opened(folder: Path, team: Team, *, new: bool) -> Run | None:
    """The run folder, for the leader; the others wait for its word."""
    held: Run | None = None
    error: ConvworksError | None = None
    if team.leads:
        try:
            held = start(folder) if new else resume(folder)
        except ConvworksError as refusal:
            error = refusal
    told = team.from_leader(None if error is None else (type(error), error.found, error.fix))
    if told is not None:
        kind, found, fix = told
        raise kind(found, fix=fix)
    return held
