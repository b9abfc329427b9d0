"""The two files of a model: written whole or not at all, sealed by hashes, refused where they are damaged.

`model.safetensors` holds the weights, `model.json` everything else that predicting needs. Reading executes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from convworks.errors import ModelFileError
from convworks.files import write_whole

FORMAT = 1
FACTS, WEIGHTS = "model.json", "model.safetensors"
SEAL = "seal"  # the hash of all else in model.json: a class, a mean or a size that was changed is noticed


def write(folder: Path, state: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Writes the weights, then the facts with the hash of the weights and their own."""
    content = save_tensors({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()})
    write_whole(folder / WEIGHTS, content)
    whole = {**facts, "format": FORMAT, "sha256": hashlib.sha256(content).hexdigest()}
    write_whole(folder / FACTS, json.dumps({**whole, SEAL: seal(whole)}, indent=1).encode())


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The facts and the weights; raises ModelFileError where one is missing, damaged or of a later version."""
    facts = _facts(folder)
    try:
        content = (folder / WEIGHTS).read_bytes()
    except OSError as error:
        raise ModelFileError(
            f"{folder / WEIGHTS} cannot be read: {error.strerror}.", fix="train again"
        ) from error
    if hashlib.sha256(content).hexdigest() != facts["sha256"]:
        raise ModelFileError(
            f"{folder / WEIGHTS} is damaged: it is not the file that {FACTS} describes.",
            fix=f"restore it from a copy, or write it again: convworks train --resume {folder}",
        )
    try:
        return facts, load_tensors(content)
    except SafetensorError as error:
        raise ModelFileError(f"{folder / WEIGHTS} is no safetensors file; nothing in it was run.") from error


def seal(facts: Mapping[str, Any]) -> str:
    """The hash of all that `model.json` says."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _facts(place: Path) -> dict[str, Any]:
    path = place / FACTS
    if not path.is_file():
        raise ModelFileError(
            f"{place} holds no model: there is no {FACTS}.",
            fix="name the folder of a finished run; `convworks train --resume` finishes one",
        )
    try:
        facts = json.loads(path.read_bytes())
        version = facts["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{path} cannot be read: it is not the description of a model.") from error
    if version != FORMAT:
        raise ModelFileError(
            f"{path} has format {version}; this version of Convworks reads format {FORMAT}.",
            fix="upgrade Convworks, or load the model with the version that wrote it",
        )
    if facts.pop(SEAL, "") != seal(facts):
        raise ModelFileError(
            f"{path} was changed after it was written: it does not match its own hash.",
            fix="restore it from a copy, or write it again: convworks train --resume " + str(place),
        )
    return facts
