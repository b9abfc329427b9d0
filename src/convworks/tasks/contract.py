"""What a task is: a frozen value of functions, so that `replace(task, loss=mine)` is how an expert changes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from convworks.backbones.contract import Stage
from convworks.data.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A sum and what to divide it by: `total / weight` is the mean over a batch, however it was cut into parts."""

    total: Tensor
    weight: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a net is to say of an image, as functions.

    - `head(info, classes, dropout)` is the module that reads the outputs of all stages.
    - `target(record, ids)` gives plain numbers by name, from which a batch's tensors are stacked.
    - `loss(outputs, targets, progress)` with `progress` in [0, 1] of the training.
    - `decode(outputs, names)` gives one prediction an image.
    """

    name: str
    head: Callable[[Sequence[Stage], int, float], nn.Module]
    target: Callable[[Record, Mapping[str, int]], Mapping[str, Any]]
    loss: Callable[[Tensor, Mapping[str, Tensor], float], Loss]
    decode: Callable[[Tensor, Sequence[str]], list[Any]]
