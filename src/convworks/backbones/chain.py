"""What a net calls, in which order, and whether the calls form a chain: each fed by the one before it alone.

A net that is a chain is a row of modules; the row gives what the net gives, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn


@dataclass(slots=True, eq=False)
class Call:
    """One call of a module: the only tensor that it was given, the map that it gave, and the calls inside it.

    `source` or `result` is None where that was not one tensor of four dimensions.
    """

    name: str
    module: nn.Module
    source: Tensor | None
    result: Tensor | None = None
    inside: list[Call] = field(default_factory=list)


def calls_of(
    net: nn.Module, forward: Callable[[Tensor], Any], x: Float[Tensor, "n c h w"]
) -> tuple[list[Call], Any]:
    """The calls that `forward(x)` makes of the modules of `net`, with those inside each, and its result."""
    root = Call("", net, x)
    with _recorded(net, root):
        result = forward(x)
    return root.inside, result


def is_chain(calls: Sequence[Call], source: Tensor | None, result: Any) -> bool:
    """Whether the first call reads `source`, each other the one before it, and the last gives `result`.

    >>> is_chain([], None, None)
    False
    """
    if not calls or len({id(call.module) for call in calls}) != len(calls):
        return False
    passed = source
    for call in calls:
        if call.source is None or call.result is None or call.source is not passed:
            return False
        passed = call.result
    return passed is result


def expanded(call: Call) -> list[Call]:
    """The calls inside a Sequential in which the map shrinks more than once, expanded too; else the call."""
    inside = call.inside
    if not (isinstance(call.module, nn.Sequential) and is_chain(inside, call.source, call.result)):
        return [call]
    sizes = {tuple(step.source.shape[2:]) for step in inside if step.source is not None}
    sizes |= {tuple(step.result.shape[2:]) for step in inside if step.result is not None}
    return [part for step in inside for part in expanded(step)] if len(sizes) > 2 else [call]


def grouped(calls: Sequence[Call], most: int = 12) -> list[list[Call]]:
    """A chain cut into stages, at most `most` where the map shrinks less often than that.

    Each block is a stage, with what shrinks the map before it; blocks of equal maps and channels are one.
    Convolutions that stand alone go together until the map shrinks; what has no filters goes with what it
    follows.
    """
    groups: list[list[Call]] = []
    for call in calls:
        joins = bool(groups) and not _shrinks(call) and _goes_with(call, groups[-1], len(groups))
        groups[-1:] = [[*groups[-1], call]] if joins else [*groups[-1:], [call]]
    if len(groups) <= most:
        return groups
    merged: list[list[Call]] = []
    for group in groups:
        joins = bool(merged) and not any(_shrinks(call) for call in group)
        merged[-1:] = [[*merged[-1], *group]] if joins else [*merged[-1:], group]
    return merged


def _goes_with(call: Call, group: list[Call], number: int) -> bool:
    """Whether a call that keeps the map's size belongs to the stage before it, the `number`-th."""
    filters = filters_of(call.module)
    blocks = any(filters_of(earlier.module) > 1 for earlier in group)
    if filters == 0:
        return True
    if filters == 1:
        return not blocks
    return _channels(call) == _channels(group[-1]) if blocks else number > 1


def _shrinks(call: Call) -> bool:
    return call.source is None or call.result is None or call.source.shape[2:] != call.result.shape[2:]


def _channels(call: Call) -> int:
    return 0 if call.result is None else call.result.shape[1]


def filters_of(module: nn.Module) -> int:
    """How many convolutions, linear layers and the like there are in `module`."""
    return sum(value.ndim > 1 for value in module.parameters())


@contextmanager
def _recorded(net: nn.Module, root: Call) -> Generator[None]:
    """Hooks on every module below `net` that hang its calls under `root`, taken off at the end."""
    open_calls = [root]
    handles: list[Any] = []

    def entered(name: str) -> Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], None]:
        def hook(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            alone = len(given) == 1 and all(value is None for value in named.values())
            only = given[0] if alone else None
            call = Call(name, module, _as_map(only))
            open_calls[-1].inside.append(call)
            open_calls.append(call)

        return hook

    def left(module: nn.Module, given: tuple[Any, ...], result: Any) -> None:
        open_calls.pop().result = _as_map(result)

    for name, module in net.named_modules():
        if module is not net:
            handles.append(module.register_forward_pre_hook(entered(name), with_kwargs=True))
            handles.append(module.register_forward_hook(left))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _as_map(value: Any) -> Tensor | None:
    return value if isinstance(value, Tensor) and value.ndim == 4 else None
