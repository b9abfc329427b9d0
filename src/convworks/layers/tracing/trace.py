"""`trace`: a module followed operator by operator on an input that has a size and no numbers."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from convworks.arithmetic.spec import Plain, Volume
from convworks.errors import NetError
from convworks.layers.tracing.kernels import first_line
from convworks.layers.tracing.mode import Watching
from convworks.layers.tracing.recorder import Recorder, Stopped, raised_at
from convworks.layers.tracing.traced import Traced
from convworks.layers.tracing.value import entering


def trace(module: nn.Module, input: tuple[int, int, int]) -> Traced:
    """The module followed on one image of (height, width, channels), as it is when it predicts.

    Its code runs once, on tensors without numbers: nothing is computed, and neither weights nor statistics change.
    A net that cannot be is no error here: the operator where it ends says why.

    >>> net = nn.Sequential(nn.Conv2d(3, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(3136, 10))
    >>> traced = trace(net, input=(32, 32, 3))
    >>> print(traced.output, traced.parameters, [operator.call for operator in traced.operators])
    10 32586 ['conv2d', 'relu', 'max_pool2d', 'flatten', 'linear']
    """
    height, width, channels = input
    return followed(module, Volume(height=height, width=width, channels=channels))


def followed(
    module: nn.Module,
    volume: Volume,
    changed: Mapping[int, Plain] | None = None,
    *,
    lenient: bool = False,
) -> Traced:
    """The module followed, with other layers in some places; `lenient` rewrites weights for what they get."""
    recorder = Recorder(module, changed, lenient=lenient)
    picture = torch.empty(
        1, volume.channels, volume.height, volume.width, dtype=_dtype(module), device="meta"
    )
    recorder.put(picture, entering(volume))
    outputs: tuple[Tensor, ...] = ()
    with _evaluating(module), _paths(recorder), torch.inference_mode():
        try:
            outputs = tuple(_tensors(run_without_numbers(module, picture, recorder)))
        except Stopped as stopped:
            known = stopped.known
        except Exception as error:
            known = True
            _raised(recorder, error)
        else:
            known = True
    return Traced(
        module=module,
        input=volume,
        operators=recorder.finished(),
        outputs=tuple(tuple(output.shape) for output in outputs),
        unused=dict(recorder.unused),
        unfinished=not known,
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


def _dtype(module: nn.Module) -> torch.dtype:
    """What the module's weights are made of, and its input too."""
    kinds = (weight.dtype for weight in module.parameters() if weight.dtype.is_floating_point)
    return next(kinds, torch.float32)


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
def _evaluating(module: nn.Module) -> Generator[None]:
    """Every part in evaluation mode, and afterwards as it was."""
    learning = [part for part in module.modules() if part.training]
    for part in learning:
        part.training = False
    try:
        yield
    finally:
        for part in learning:
            part.training = True


@contextmanager
def _paths(recorder: Recorder) -> Generator[None]:
    """The path of the module that is running now lies on top of the recorder's stack."""
    stack, paths = recorder.stack, recorder.modules

    def entered(part: nn.Module, given: Any) -> None:
        stack.append(paths.get(id(part), ""))

    def left(part: nn.Module, given: Any, result: Any) -> None:
        stack.pop()

    hooks = nn.modules.module
    handles = [
        hooks.register_module_forward_pre_hook(entered),
        hooks.register_module_forward_hook(left, always_call=True),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
