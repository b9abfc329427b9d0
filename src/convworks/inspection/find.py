"""A net by what stands on the command line: a notation, a part of a Python file, or a name of timm's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from convworks.errors import NetError, nearest, unknown

if TYPE_CHECKING:
    from torch import nn

    from convworks.arithmetic.spec import Layer

Size = tuple[int, int, int]
"""Height, width and channels."""
LOOKS_LIKE_A_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*[0-9_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)?")


class Found(NamedTuple):
    """The layers of a notation, or a module and the input that it was made for (None where it does not say)."""

    layers: tuple[Layer, ...] | None = None
    module: nn.Module | None = None
    input: Size | None = None


def find(text: str) -> Found:
    """The net that `text` names: a notation, FILE.py:NAME, timm:NAME, or a bare name of timm's.

    A Python file is run, as importing it would; a net of timm's has no weights. Raises NetError.
    """
    path, colon, name = text.rpartition(":")
    if text.startswith(("timm:", "timm/")):
        return of_timm(text[5:])
    if not (colon and path.endswith(".py")):
        path, name = text, ""
    if path.endswith(".py"):
        from pathlib import Path

        from convworks.inspection.file import of_file

        return Found(module=of_file(Path(path), name))
    from convworks.arithmetic.notation import parse

    try:
        return Found(layers=parse(text))
    except NetError:
        if not LOOKS_LIKE_A_NAME.fullmatch(text) or not is_like_timm(text):
            raise
    return of_timm(text)


def is_like_timm(name: str) -> bool:
    """Whether timm has a net of this name, or of one that is nearly the same."""
    import timm

    architecture = name.partition(".")[0]
    return timm.is_model(architecture) or nearest(architecture, timm.list_models()) is not None


def of_timm(name: str) -> Found:
    """A net of timm's without weights, on no device, and its own input; raises NetError for no such name."""
    import timm
    import torch

    architecture = name.partition(".")[0]
    if not timm.is_model(architecture):
        raise unknown("net in timm", architecture, timm.list_models(), NetError)
    with torch.device("meta"):
        try:
            module: Any = timm.create_model(name, pretrained=False)
        except (RuntimeError, ValueError) as error:
            raise NetError(f"timm cannot make {name}: {error}") from None
    size: Any = getattr(module, "pretrained_cfg", {}).get("input_size")
    return Found(module=module, input=(size[1], size[2], size[0]) if size else None)
