"""Operators without a rule: PyTorch's own shape functions give their sizes; what their units see is not guessed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from convworks.errors import NetError
from convworks.layers.tracing.call import Call
from convworks.layers.tracing.recorder import Recorder, Stopped
from convworks.layers.tracing.value import lost

BY_NUMBERS = {
    "_local_scalar_dense",
    "allclose",
    "argwhere",
    "bincount",
    "equal",
    "is_nonzero",
    "item",
    "masked_select",
    "nms",
    "nonzero",
    "nonzero_numpy",
    "unique_consecutive",
    "unique_dim",
    "_unique",
    "_unique2",
}
"""Operators whose result, or its size, depends on the numbers in a tensor."""
COSTLY = {"bilinear", "cdist", "deform_conv2d", "gru", "lstm", "rnn_relu", "rnn_tanh", "_trilinear"}
"""Operators that multiply, and whose multiply-adds have no rule here."""


def kernel(recorder: Recorder, call: Call, *, note: bool = True) -> Any:
    """The call as PyTorch does it on tensors without numbers; with `note`, as an operator that is not followed."""
    if call.name in BY_NUMBERS:
        raise Stopped(
            NetError(
                f"{call.name}: what happens next depends on the numbers in a tensor, so it cannot be followed"
            ),
            known=False,
        )
    args = [hollow(recorder, value) for value in call.args]
    kwargs = {name: hollow(recorder, value) for name, value in call.kwargs.items()}
    try:
        result = call.operator(*args, **kwargs)
    except NotImplementedError as error:
        raise Stopped(NetError(f"{call.name} cannot be followed: {first_line(error)}"), known=False) from None
    except (RuntimeError, IndexError, ValueError, TypeError) as error:
        raise refused(call, error) from None
    if note:
        noted(recorder, call, result)
    return result


def noted(recorder: Recorder, call: Call, result: Any) -> None:
    """Note an operator of which only the sizes are known."""
    read = call.tensors
    values = [recorder.values[id(tensor)] for tensor in read if id(tensor) in recorder.values]
    results = [
        value
        for value in (result if isinstance(result, list | tuple) else (result,))
        if isinstance(value, Tensor)
    ]
    if not values or not results:
        return
    first, *others = results
    costs = None if call.name in COSTLY else 0
    recorder.add(call.name, call, first, lost(values[0], first.shape), multiply_adds=costs)
    for other in others:
        recorder.put(other, lost(values[0], other.shape))


def hollow(recorder: Recorder, value: Any) -> Any:
    """An argument with every tensor in it replaced by one of the same kind without numbers."""
    if isinstance(value, Tensor):
        if value.device.type == "meta":
            return value
        if is_lazy(value):
            raise Stopped(
                NetError("a parameter of it has no size before the module has run once", fix="run it once"),
                known=False,
            )
        return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="meta")
    if isinstance(value, list | tuple):
        return type(value)([hollow(recorder, item) for item in value])
    return torch.device("meta") if isinstance(value, torch.device) else value


def refused(call: Call, error: Exception) -> Stopped:
    """The end of following at what PyTorch refuses, in its own words."""
    words = first_line(error)
    if "meta" in words.lower() or "aten::" in words:
        return Stopped(NetError(f"{call.name} cannot be followed: {words}"), known=False)
    return Stopped(NetError(words[:1].lower() + words[1:]), known=True)


def first_line(error: BaseException) -> str:
    """The first line of an error's message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
