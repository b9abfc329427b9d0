"""A checkpoint: everything that a run needs to go on as if it had never stopped, in one file with its own hash.

It is a safetensors file whose header carries the plain state as JSON and a sha256 over all of it, so that a flipped
bit is found when it is read. Writing goes through `files.write_whole`; the last two are kept.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from convworks.errors import ModelFileError
from convworks.files import sweep, write_whole

KEPT = 2
PATTERN = "checkpoint-*.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """Where a run was: `tensors` by name, and `state`, plain numbers and strings."""

    tensors: Mapping[str, Tensor]
    state: Mapping[str, Any]


def save(folder: Path, number: int, checkpoint: Checkpoint) -> Path:
    """Writes checkpoint `number`, whole or not at all, then removes all but the last `KEPT`.

    Raises StorageError where it cannot be written; the earlier ones are intact then.
    """
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in checkpoint.tensors.items()}
    state = json.dumps(checkpoint.state, sort_keys=True)
    digest = _digest(tensors, state)
    path = folder / f"checkpoint-{number:08d}.safetensors"
    write_whole(path, save_tensors(tensors, metadata={"state": state, "sha256": digest}))
    for old in sorted(folder.glob(PATTERN))[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def read(path: Path) -> Checkpoint:
    """The checkpoint in a file; raises ModelFileError where it is damaged."""
    try:
        content = path.read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        metadata = json.loads(content[8 : 8 + length])["__metadata__"]
        tensors = load_tensors(content)
        state, digest = metadata["state"], metadata["sha256"]
    except (OSError, SafetensorError, struct.error, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ModelFileError(f"{path} is damaged and cannot be read.") from error
    if _digest(tensors, state) != digest:
        raise ModelFileError(f"{path} is damaged: its content does not match its hash.")
    return Checkpoint(tensors=tensors, state=json.loads(state))


def latest(folder: Path) -> tuple[Checkpoint | None, str]:
    """The newest checkpoint of a folder that is whole, and what was found on the way ("" where nothing was)."""
    sweep(folder)
    note = ""
    for path in sorted(folder.glob(PATTERN), reverse=True):
        try:
            return read(path), note
        except ModelFileError as error:
            note = f"{error.found} Going on from what was before it."
    return None, note


def _digest(tensors: Mapping[str, Tensor], state: str) -> str:
    found = hashlib.sha256(state.encode())
    for name, value in sorted(tensors.items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        found.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
