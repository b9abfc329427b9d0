"""What training keeps of each operator until the way back: the derivative of a product needs its factors.

A layer that the arithmetic knows keeps what the arithmetic says; of any other operator PyTorch is asked, on tensors
without numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from convworks.arithmetic.cost import kept
from convworks.arithmetic.spec import Plain, Volume
from convworks.layers.tracing.call import META, Call, tensors_in
from convworks.layers.tracing.recorder import Operator, Recorder


class Saved(NamedTuple):
    """Which of the tensors that an operator reads are kept, whether what it gives is, and further `extra` bytes."""

    read: tuple[int, ...] = ()
    result: bool = False
    extra: int = 0


class Hollow(NamedTuple):
    """A tensor as an operator meets it: its size, how it lies in memory, and whether something before it learns."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype
    learns: bool


NONE, FIRST, RESULT = Saved(), Saved(read=(0,)), Saved(result=True)
NOTHING = {"add", "cat", "flatten", "mean", "sub", "sum"}
"""Operators whose derivative needs none of the numbers."""
READ = {"gelu", "group_norm", "hardswish", "instance_norm", "layer_norm", "silu"}
"""Operators that keep what they read first, whose derivative depends on it."""
GIVEN = {"log_softmax", "sigmoid", "softmax", "tanh"}
"""Operators that keep what they give, of which their derivative is made."""


class Memory:
    """The bytes of one image at each operator, worked out when they are first asked for.

    A tensor that several operators keep is counted once, where it was made. What depends on no learned number keeps
    nothing; nor are the weights counted, which are there anyway.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    @cached_property
    def live(self) -> list[int]:
        """What is alive while each operator runs."""
        return _alive(self.recorder)

    @property
    def kept(self) -> list[int | None]:
        """What training keeps because of each operator until the way back; None where that is unknown."""
        return self._kept[0]

    @property
    def input_kept(self) -> int:
        """What training keeps of the image itself."""
        return self._kept[1]

    @cached_property
    def _kept(self) -> tuple[list[int | None], int]:
        return _kept(self.recorder)


def _kept(recorder: Recorder) -> tuple[list[int | None], int]:
    """The bytes that training keeps because of each operator, and those of the image."""
    roots, operators, learned = recorder.roots, recorder.operators, recorder.learned
    learning, held, made = set[int](), set[int](), dict[int, int]()
    kept_by: list[int | None] = [0] * len(operators)
    for number, (call, result) in recorder.steps.items():
        root = roots.get(id(result), id(result))
        made.setdefault(root, number)
        learns = [id(x) in learned or roots.get(id(x), id(x)) in learning for x in call.tensors]
        if True not in learns:
            continue
        learning.add(root)
        saved = _saved(operators[number], call, result, learns)
        kept_by[number] = None if saved is None else saved.extra
        if saved is not None:
            kept = [id(call.tensors[place]) for place in saved.read]
            held.update(roots.get(key, key) for key in kept if key in recorder.values)
            if saved.result:
                held.add(root)
    entered = 0
    for root in held:
        size, maker = _size(recorder, root), made.get(root)
        if maker is None:
            entered += size
        elif (before := kept_by[maker]) is not None:
            kept_by[maker] = before + size
    return kept_by, entered


def _alive(recorder: Recorder) -> list[int]:
    """The bytes that are alive while each operator runs: from where a tensor is made to where it is read last."""
    first, last = dict[int, int](), dict[int, int]()
    values, roots = recorder.values, recorder.roots
    for number, (call, result) in recorder.steps.items():
        for x in (*call.tensors, result):
            key = id(x)
            if key in values:
                root = roots.get(key, key)
                first.setdefault(root, number)
                last[root] = number
    for root, number in recorder.uses:
        first[root] = min(first.get(root, number), number)
        last[root] = max(last.get(root, number), number)
    change = [0] * (len(recorder.operators) + 2)
    for root, number in first.items():
        size = _size(recorder, root)
        change[number] += size
        change[last[root] + 1] -= size
    return list(accumulate(change))[: len(recorder.operators)]


def _size(recorder: Recorder, root: int) -> int:
    """The bytes of a tensor; none of a parameter's, which are there anyway."""
    return recorder.tensors[root].nbytes if root in recorder.tensors else 0


def _saved(operator: Operator, call: Call, result: Tensor, learns: Sequence[bool]) -> Saved | None:
    """What training keeps of an operator; None where that is unknown."""
    if operator.call == "linear":
        return FIRST if True in learns[1:] else NONE
    if operator.layer is not None and operator.input is not None and operator.output is not None:
        saved = _known(operator.layer, operator.input)
        images = result.numel() // operator.output.elements if saved.extra else 1
        return saved if images == 1 else saved._replace(extra=images * saved.extra)
    name = operator.call
    if name in NOTHING:
        return NONE
    if name in GIVEN:
        return RESULT
    if name in READ and not call.in_place:
        return FIRST
    if name == "attention":
        return Saved(read=(0, 1, 2), result=True)
    return asked(call, learns)


@lru_cache(maxsize=4096)
def _known(layer: Plain, input: Volume) -> Saved:
    """What the arithmetic says of a layer, for one image."""
    keeps = kept(layer, input)
    return Saved(read=(0,) if keeps.input else (), result=keeps.output, extra=keeps.extra)


def asked(call: Call, learns: Sequence[bool]) -> Saved | None:
    """What PyTorch keeps of a call when it is made on tensors without numbers; None where it cannot be made.

    >>> x, y = torch.empty(2, 3, device="meta"), torch.empty(2, 3, device="meta")
    >>> asked(Call(torch.ops.aten.mul.Tensor, "mul", (x, y), {}, (x, y)), (True, False))
    Saved(read=(1,), result=False, extra=0)
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
        except (RuntimeError, NotImplementedError, IndexError, ValueError, TypeError):
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
        read=tuple(place for place, memory in enumerate(own) if memory in kept_by),
        result=output in kept_by and output not in own,
        extra=extra,
    )


def _memory(x: Tensor) -> int:
    return x.untyped_storage()._cdata  # pyright: ignore[reportPrivateUsage]


def _described(value: Any, learned: set[int]) -> Any:
    """An argument with its tensors described."""
    if isinstance(value, Tensor):
        learns = id(value) in learned and value.is_floating_point()
        return Hollow(tuple(value.shape), value.stride(), value.dtype, learns)
    return tuple(_described(item, learned) for item in value) if isinstance(value, list | tuple) else value


def _made(value: Any) -> Any:
    """An argument with tensors without numbers in place of their descriptions."""
    if isinstance(value, Hollow):
        x = torch.empty_strided(value.shape, value.stride, dtype=value.dtype, device=META)
        # No leaf: an operator that writes into its input may not write into one.
        return x.requires_grad_().clone() if value.learns else x
    return [_made(item) for item in value] if isinstance(value, tuple) else value
