"""One call of an operator, as PyTorch's dispatcher makes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

META = torch.device("meta")


class Call(NamedTuple):
    """An operator, its name without namespace and overload ("conv2d"), what it was given, and the tensors in that."""

    operator: Any
    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    tensors: Sequence[Tensor] = ()

    def given(self, place: int, name: str, default: Any = None) -> Any:
        """The argument at a place of the operator's schema, or by its name."""
        if len(self.args) > place:
            return self.args[place]
        return self.kwargs.get(name, default)

    @property
    def in_place(self) -> bool:
        """Whether it writes into its first argument."""
        return self.name.endswith("_") and not self.name.endswith("__")


def tensors_in(values: Iterable[Any]) -> list[Tensor]:
    """The tensors among arguments, also those in lists."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found += tensors_in(value)
    return found


def empty(shape: Sequence[int], like: Tensor) -> Tensor:
    """A tensor without numbers in it, of the same kind as another."""
    return torch.empty(shape, dtype=like.dtype, device=META)


def without_numbers(x: Tensor, kind: torch.dtype | None = None) -> Tensor:
    """A tensor without numbers in it, laid out as another one is."""
    if x.is_contiguous():
        return torch.empty(x.shape, dtype=kind or x.dtype, device=META)
    return torch.empty_like(x, dtype=kind, device=META)


def positive(dimension: int, dimensions: int) -> int:
    """A dimension counted from the front."""
    return dimension + dimensions if dimension < 0 else dimension


def listed(dimensions: Any, count: int) -> list[int]:
    """Dimensions from an argument that may be one, several, or none for all."""
    if dimensions is None or dimensions == [] or dimensions == ():
        return list(range(count))
    chosen = [dimensions] if isinstance(dimensions, int) else dimensions
    return [positive(int(dimension), count) for dimension in chosen]
