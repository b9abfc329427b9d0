"""Tensors from a file that someone else wrote: safetensors, or a PyTorch state dict read without running it.

A pickle can name any code. Here it is read with `weights_only`, which refuses all but plain containers and
tensors, and what comes out is kept only where it is a tensor; there is no way round for a file that needs
more.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from convworks.errors import WeightsError

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
LARGEST = 16 * 2**30
_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model", "module", "params")


def read(path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors in a .safetensors, .pt, .pth, .bin or .ckpt file, by name, and the sha256 of the file.

    Raises WeightsError for no such file, another kind, one too large or damaged, or one with more than
    tensors.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise WeightsError(
            f"{path} is no file of weights that can be read.",
            expected=f"one that ends in {', '.join(SUFFIXES)}",
        )
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise WeightsError(f"{path} has {size / 1e9:.0f} GB.", expected=f"at most {LARGEST / 1e9:.0f} GB")
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"The weights {path} cannot be read: {error.strerror}.") from error
    digest = hashlib.sha256(content).hexdigest()
    reader = parsed if path.suffix.lower() == ".safetensors" else unpickled
    return reader(content, str(path)), digest


def parsed(content: bytes, where: str) -> dict[str, Tensor]:
    """The tensors in the bytes of a safetensors file; `where` names it in an error."""
    try:
        return safetensors.torch.load(content)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise WeightsError(
            f"{where} is not a whole safetensors file: {error}.", fix="fetch or save it again"
        ) from error


def unpickled(content: bytes, where: str) -> dict[str, Tensor]:
    """The tensors in the bytes of a PyTorch file that holds a state dict, perhaps inside a checkpoint."""
    _refuse_packed(content, where)
    try:
        with warnings.catch_warnings(action="ignore"):  # of what it then refuses, or of how old the file is
            document = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{where} holds more than tensors, so it was not opened: a pickle can run code.",
            expected="a plain state dict",
            fix="where you trust it, save its state_dict() as safetensors and use that file",
        ) from error
    except Exception as error:  # the reader of a damaged file fails in many ways; each means the same
        raise WeightsError(f"{where} is damaged or no PyTorch file: {_first_line(error)}.") from error
    return _tensors_of(document, where)


def _refuse_packed(content: bytes, where: str) -> None:
    """Raises WeightsError for a zip that unpacks to more than it has: PyTorch stores its entries plain."""
    if not content.startswith(b"PK"):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise WeightsError(f"{where} is damaged: {error}.", fix="fetch or save it again") from error
    if unpacked > len(content):
        raise WeightsError(
            f"{where} would unpack from {len(content)} to {unpacked} bytes.",
            expected="a file as PyTorch writes it, with nothing compressed",
        )


def _tensors_of(document: Any, where: str) -> dict[str, Tensor]:
    """The largest mapping of names to tensors: the document itself, or what checkpoints keep it under."""
    candidates = [document]
    if isinstance(document, Mapping):
        candidates = [document[name] for name in _WRAPPERS if name in document] + candidates
    for candidate in candidates:
        if isinstance(candidate, Mapping):
            found = {
                str(name).removeprefix("module."): value.detach()
                for name, value in candidate.items()
                if isinstance(value, Tensor) and value.layout is torch.strided and not value.is_quantized
            }
            if found:
                return found
    raise WeightsError(f"{where} holds no tensors by name.", expected="a state dict: names and tensors")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
