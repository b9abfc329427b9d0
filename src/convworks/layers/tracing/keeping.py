"""What training keeps of each operator until the way back: the derivative of a product needs its factors.

A layer that the arithmetic knows keeps what the arithmetic says; of any other operator PyTorch is asked, on tensors
without numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from convworks.arithmetic.cost import kept
from convworks.layers.tracing.call import Call, tensors_in
from convworks.layers.tracing.recorder import Operator, Recorder


class Saved(NamedTuple):
    """Which of the tensors that an operator reads are kept, whether what it gives is, and further `extra` bytes."""

    read: tuple[bool, ...]
    result: bool = False
    extra: int = 0


class Hollow(NamedTuple):
    """A tensor as an operator meets it: its size, how it lies in memory, and whether something before it learns."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype
    learns: bool


NOTHING = {"add", "cat", "flatten", "mean", "sub", "sum"}
"""Operators whose derivative needs none of the numbers."""
READ = {"gelu", "group_norm", "hardswish", "instance_norm", "layer_norm", "silu"}
"""Operators that keep what they read first, whose derivative depends on it."""
GIVEN = {"log_softmax", "sigmoid", "softmax", "tanh"}
"""Operators that keep what they give, of which their derivative is made."""


def with_kept(recorder: Recorder, operators: Sequence[Operator]) -> tuple[tuple[Operator, ...], int]:
    """The operators with the bytes that training keeps because of each, and those that it keeps of the input.

    A tensor that several operators keep is counted once, where it was made. What depends on no learned number keeps
    nothing; nor are the weights counted, which are there anyway.
    """
    learning, held, made, extra = set[int](), set[int](), dict[int, int](), dict[int, int | None]()
    for number, (call, result) in recorder.steps.items():
        read, root = call.tensors, recorder.root(result)
        made.setdefault(root, number)
        learns = [recorder.root(x) in learning or recorder.is_learned(x) for x in read]
        if not any(learns):
            continue
        learning.add(root)
        saved = _saved(operators[number], call, result, learns)
        extra[number] = saved.extra if saved is not None else None
        if saved is not None:
            held |= {
                recorder.root(x)
                for x, keeps in zip(read, saved.read, strict=True)
                if keeps and id(x) in recorder.values
            }
            held |= {root} if saved.result else set()
    return _counted(recorder, operators, extra, held, made)


def _counted(
    recorder: Recorder,
    operators: Sequence[Operator],
    extra: Mapping[int, int | None],
    held: set[int],
    made: Mapping[int, int],
) -> tuple[tuple[Operator, ...], int]:
    """The bytes of the tensors that are `held`, at the operators that made them."""
    bytes_of = {number: extra.get(number, 0) for number in range(len(operators))}
    entered = 0
    for root in held:
        tensor = recorder.tensors[root]
        size = tensor.numel() * tensor.element_size()
        maker = made.get(root)
        if maker is None:
            entered += size
        else:
            before = bytes_of[maker]
            bytes_of[maker] = before + size if before is not None else None
    found = (operator._replace(kept=bytes_of[number]) for number, operator in enumerate(operators))
    return tuple(found), entered


def _saved(operator: Operator, call: Call, result: Tensor, learns: Sequence[bool]) -> Saved | None:
    """What training keeps of an operator; None where that is unknown."""
    none = (False,) * len(learns)
    first = (True, *none[1:])
    if operator.call == "linear":
        return Saved(read=first if any(learns[1:]) else none)
    if operator.layer is not None and operator.input is not None and operator.output is not None:
        keeps = kept(operator.layer, operator.input)
        images = max(1, result.numel() // operator.output.elements)
        return Saved(read=first if keeps.input else none, result=keeps.output, extra=images * keeps.extra)
    name = operator.call
    if name in NOTHING:
        return Saved(read=none)
    if name in GIVEN:
        return Saved(read=none, result=True)
    if name in READ and not call.in_place:
        return Saved(read=first)
    if name == "attention":
        return Saved(read=tuple(number < 3 for number in range(len(learns))), result=True)
    return asked(call, learns)


def asked(call: Call, learns: Sequence[bool]) -> Saved | None:
    """What PyTorch keeps of a call when it is made on tensors without numbers; None where it cannot be made.

    >>> x = torch.empty(2, 3, device="meta")
    >>> asked(Call(torch.ops.aten.mul.Tensor, "mul", (x, x), {}, (x, x)), (True, False))
    Saved(read=(False, True), result=False, extra=0)
    """
    learned = {id(x) for x, one in zip(call.tensors, learns, strict=True) if one}
    args = _described(call.args, learned)
    kwargs = tuple((name, _described(value, learned)) for name, value in call.kwargs.items())
    try:
        return _asked(call.operator, args, kwargs)
    except TypeError:  # an argument that cannot be remembered
        return None


@lru_cache(maxsize=4096)
def _asked(operator: Any, args: tuple[Any, ...], kwargs: tuple[tuple[str, Any], ...]) -> Saved | None:
    found: list[Tensor] = []
    with torch.inference_mode(False), torch.enable_grad():
        given = [_made(value) for value in args]
        named = {name: _made(value) for name, value in kwargs}
        read = [*tensors_in(given), *tensors_in(named.values())]
        try:
            with saved_tensors_hooks(lambda x: (found.append(x), x)[1], lambda x: x):
                result = operator(*given, **named)
        except (RuntimeError, NotImplementedError):
            return None
    result = result[0] if isinstance(result, list | tuple) else result
    if not isinstance(result, Tensor):
        return None
    kept_by = {_memory(x): x for x in found}
    own = [_memory(x) for x in read]
    output = _memory(result)
    extra = sum(
        x.untyped_storage().nbytes()
        for memory, x in kept_by.items()
        if memory not in own and memory != output
    )
    return Saved(
        read=tuple(memory in kept_by for memory in own),
        result=output in kept_by and output not in own,
        extra=extra,
    )


def _memory(x: Tensor) -> int:
    return x.untyped_storage()._cdata


def _described(value: Any, learned: set[int]) -> Any:
    """An argument with its tensors described."""
    if isinstance(value, Tensor):
        learns = id(value) in learned and value.is_floating_point()
        return Hollow(tuple(value.shape), value.stride(), value.dtype, learns)
    return tuple(_described(item, learned) for item in value) if isinstance(value, list | tuple) else value


def _made(value: Any) -> Any:
    """An argument with tensors without numbers in place of their descriptions."""
    if isinstance(value, Hollow):
        x = torch.empty_strided(value.shape, value.stride, dtype=value.dtype, device="meta")
        # No leaf: an operator that writes into its input may not write into one.
        return x.requires_grad_().clone() if value.learns else x
    return [_made(item) for item in value] if isinstance(value, tuple) else value
