"""The net of an earlier run of one's own: which one it was, and its weights without the head."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from torch import Tensor

from convworks.backbones import tensors
from convworks.errors import WeightsError

FACTS, WEIGHTS, PREFIX = "model.json", "model.safetensors", "backbone."


def is_run(path: Path) -> bool:
    """Whether `path` is the folder of a run: it says what its net is."""
    return (path / FACTS).is_file()


def net_of(path: Path) -> str:
    """The name of the backbone of the run in `path`; raises WeightsError where model.json does not say."""
    name = _facts(path).get("backbone")
    if not isinstance(name, str):
        raise WeightsError(f"{path / FACTS} does not say which backbone it belongs to.")
    return name


def licence_of(path: Path) -> str:
    """The licence of the weights that the run started from, "not stated" where that is unknown."""
    card = _facts(path).get("weights")
    licence = card.get("licence") if isinstance(card, dict) else None
    return licence if isinstance(licence, str) else "not stated"


def state(path: Path) -> tuple[dict[str, Tensor], str]:
    """The backbone's tensors of the run in `path`, without their prefix, and the sha256 of their file.

    Raises WeightsError where the file is missing, damaged, or holds no backbone.
    """
    file = path / WEIGHTS
    try:
        content = file.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"The run {path} has no weights to start from: {file} cannot be read ({error.strerror}).",
            fix="finish that run, or name another",
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    written = _facts(path).get("sha256")
    if isinstance(written, str) and written != digest:
        raise WeightsError(
            f"{file} is damaged: its sha256 is not the one that {FACTS} holds.",
            fix="restore the file, or retrain",
        )
    found = {
        name.removeprefix(PREFIX): value
        for name, value in tensors.parsed(content, str(file)).items()
        if name.startswith(PREFIX)
    }
    if not found:
        raise WeightsError(f'{file} holds no backbone: no name in it begins with "{PREFIX}".')
    return found, digest


def _facts(path: Path) -> dict[str, Any]:
    file = path / FACTS
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{file} cannot be read: {error}.") from error
    if not isinstance(document, dict):
        raise WeightsError(f"{file} is not a description of a model.")
    return document
