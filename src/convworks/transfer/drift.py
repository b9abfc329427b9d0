"""Do the first layers change after unfreezing? (A reader's question under the guide.) How far each stage moved.

Two measures: how far its weights went, and how alike what it says of the same pictures still is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call

from convworks.backbones.contract import Backbone

PICTURES = 48
"""Training pictures on which a stage is compared with what it was."""


def relative_change(before: Sequence[Tensor], after: Sequence[Tensor]) -> float:
    """|after - before| / |before| in the L2 norm over all of a stage's weights; 0 exactly where none changed.

    >>> import torch
    >>> relative_change([torch.tensor([3.0, 4.0])], [torch.tensor([3.0, 4.5])])
    0.1
    """
    moved = sum(
        float((new.detach().double() - old.detach().double()).square().sum())
        for old, new in zip(before, after, strict=True)
    )
    length = sum(float(old.detach().double().square().sum()) for old in before)
    if moved == 0:
        return 0.0
    return float(np.sqrt(moved / length)) if length else float("inf")


def similarity(before: Float[np.ndarray, "n d"], after: Float[np.ndarray, "n e"]) -> float:
    """Linear CKA of two sets of features of the same n pictures, in [0, 1]: 1 where they are equal up to a rotation
    and a scale; NaN where one of them tells no picture from another.

    With fewer pictures than features it errs towards 1. Source: Kornblith et al. 1905.00414, section 3.
    """
    first, second = _gram(before), _gram(after)
    length = np.linalg.norm(first) * np.linalg.norm(second)
    return float(min((first * second).sum() / length, 1.0)) if length else float("nan")


def _gram(features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
    """The inner products between centred rows: for n pictures smaller than the products between channels."""
    centred = features.astype(np.float64) - features.mean(0, dtype=np.float64)
    return centred @ centred.T


def changes(before: Mapping[str, Tensor], after: Mapping[str, Tensor], stages: int) -> tuple[float, ...]:
    """The `relative_change` of each of a net's stages, by its parameters' names ("stages.3.conv.weight").

    A stage of which `before` holds nothing is frozen: 0.
    """
    names: list[list[str]] = [[] for _ in range(stages)]
    for name in before:
        names[int(name.split(".")[1])].append(name)
    return tuple(
        relative_change([before[name] for name in inside], [after[name] for name in inside])
        for inside in names
    )


def outputs(
    backbone: Backbone, before: Mapping[str, Tensor], after: Mapping[str, Tensor], first: int
) -> Callable[[Float[Tensor, "n c h w"]], list[Float[Tensor, "n _"]]]:
    """What gives, for pictures, the pooled outputs of the stages from `first` on: with the weights `before`, then
    with those `after`. The stages before `first` are the same to both and run once."""

    def compute(x: Tensor) -> list[Tensor]:
        for stage in list(backbone.stages)[:first]:
            x = stage(x)
        found: list[Tensor] = []
        for weights in (before, after):
            given: list[Tensor] = functional_call(backbone, dict(weights), (x, first))
            found += [value.float().mean((2, 3)) for value in given]
        return found

    return compute


def similarities(columns: Sequence[Float[np.ndarray, "n _"]], first: int) -> tuple[float, ...]:
    """The `similarity` of each stage from what `outputs` gave; 1 for the `first` stages, which are frozen."""
    half = len(columns) // 2
    return (1.0,) * first + tuple(map(similarity, columns[:half], columns[half:]))


def sentence(stages: Sequence[tuple[str, float, float]], kept: str) -> str:
    """What was measured of (name, change, similarity) from the input on, in words; `kept` names what the model is."""
    frozen = [name for name, change, _ in stages if change == 0]
    moved = [stage for stage in stages if stage[1] > 0]
    if not moved:
        return "No stage moved."
    most = max(moved, key=lambda stage: stage[1])
    shown = [stage for stage in moved if stage in (moved[0], most, moved[-1])]
    told = [
        f'"{name}" moved by {_share(change)} and is {alike:.2f} alike' for name, change, alike in shown[:1]
    ]
    told += [f'"{name}" {_share(change)}, {alike:.2f}' for name, change, alike in shown[1:]]
    stayed = f"{_through(frozen)} did not move. " if frozen else ""
    said = f"{stayed}{'; '.join(told)} (1: says the same of your pictures)."
    return said if kept != "probe" else f"{said} The probe was kept, so the model has none of this."


def _through(names: Sequence[str]) -> str:
    return f'"{names[0]}"' if len(names) == 1 else f'"{names[0]}" to "{names[-1]}"'


def _share(change: float) -> str:
    return f"{100 * change:.1f} %" if change >= 0.001 else f"{100 * change:.2g} %"
