"""A module's own code, run once on a tensor that has a size and no numbers."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from convworks.arithmetic.spec import Plain, Volume
from convworks.errors import NetError
from convworks.layers.tracing.calling import raised_at
from convworks.layers.tracing.keeping import Memory
from convworks.layers.tracing.kernels import first_line
from convworks.layers.tracing.mode import Watching
from convworks.layers.tracing.recorder import Operator, Recorder, Stopped
from convworks.layers.tracing.value import entering


class Followed(NamedTuple):
    """A module followed on one image of `input`, up to where it ends or cannot be.

    `outputs` are the shapes of what it gives, for one image; `unused` are parameters that no operator read, and
    how many numbers each holds; `unfinished` says that following ended before the net did; `memory` are the
    bytes at each operator.
    """

    module: nn.Module
    input: Volume
    operators: tuple[Operator, ...]
    outputs: tuple[tuple[int, ...], ...]
    unused: dict[str, int]
    unfinished: bool
    memory: Memory

    @property
    def last_map(self) -> Operator | None:
        """The last operator whose result still has height or width, and a field; None where there is none."""
        return next((operator for operator in reversed(self.operators) if operator.sees_a_part), None)


def follow(
    module: nn.Module,
    volume: Volume,
    changed: Mapping[int, Plain] | None = None,
    *,
    lenient: bool = False,
) -> Followed:
    """The module followed, with other layers in some places; `lenient` rewrites weights for what they get."""
    parts = named_parts(module)
    recorder = Recorder(parts, changed, lenient=lenient)
    picture = torch.empty(1, volume.channels, volume.height, volume.width, dtype=_dtype(parts), device="meta")
    recorder.put(picture, entering(volume))
    outputs: tuple[Tensor, ...] = ()
    with _evaluating(parts), torch.inference_mode():
        try:
            outputs = tuple(_tensors(run_without_numbers(module, picture, recorder)))
        except Stopped as stopped:
            known = stopped.known
        except Exception as error:
            if error is recorder.fault:
                raise
            known = True
            _raised(recorder, error)
        else:
            known = True
    return Followed(
        module=module,
        input=volume,
        operators=tuple(recorder.operators),
        outputs=tuple(tuple(output.shape) for output in outputs),
        unused=dict(recorder.unused),
        unfinished=not known,
        memory=Memory(recorder),
    )


def run_without_numbers(module: nn.Module, picture: Tensor, recorder: Recorder) -> Any:
    """The module's own code, on a tensor that has a size and no numbers."""
    with Watching(recorder):
        return module(picture)


def _raised(recorder: Recorder, error: Exception) -> None:
    """Note what the module's own code raised, where it did."""
    words = first_line(error)
    name = type(error).__name__
    said = words if words.startswith(name) else f"{name}: {words}"
    stopped = Stopped(NetError(f"the code stops with {said}"), known=True)
    recorder.stop("", [], stopped, raised_at(error))


def named_parts(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """The module and all within it, each once and with its path, a part before its own parts.

    PyTorch's own way passes each part up through a generator a level.

    >>> [path for path, _ in named_parts(nn.Sequential(nn.Sequential(nn.ReLU()), nn.Tanh()))]
    ['', '0', '0.0', '1']
    """
    found: dict[int, tuple[str, nn.Module]] = {}
    ahead = [("", module)]
    while ahead:
        path, part = ahead.pop()
        if id(part) in found:
            continue
        found[id(part)] = path, part
        own = vars(part)["_modules"]
        if own:
            prefix = f"{path}." if path else ""
            ahead += [
                (f"{prefix}{name}", child) for name, child in reversed(own.items()) if child is not None
            ]
    return list(found.values())


def _dtype(parts: Iterable[tuple[str, nn.Module]]) -> torch.dtype:
    """What the module's weights are made of, and its input too."""
    weights = (weight for _, part in parts for weight in vars(part)["_parameters"].values())
    return next(
        (weight.dtype for weight in weights if weight is not None and weight.dtype.is_floating_point),
        torch.float32,
    )


def _tensors(value: Any) -> list[Tensor]:
    """The tensors that a module gives, however they are packed."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        return [tensor for item in value.values() for tensor in _tensors(item)]
    if isinstance(value, list | tuple):
        return [tensor for item in value for tensor in _tensors(item)]
    return []


@contextmanager
def _evaluating(parts: Iterable[tuple[str, nn.Module]]) -> Generator[None]:
    """Every part in evaluation mode, and afterwards as it was."""
    learning = [part for _, part in parts if part.training]
    for part in learning:
        vars(part)["training"] = False  # a module's own way of setting an attribute takes a while
    try:
        yield
    finally:
        for part in learning:
            vars(part)["training"] = True
