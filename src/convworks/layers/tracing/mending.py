"""The smallest changes that mend a layer of a module, each tried by following the whole module again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from convworks.arithmetic.changes import FARTHEST, changes
from convworks.arithmetic.mend import GRADE_WORDS, LARGEST, MOST, Fix
from convworks.arithmetic.shape import fit
from convworks.arithmetic.spec import Linear, Plain, TransposedConv, Volume
from convworks.arithmetic.values import replace
from convworks.arithmetic.window import Grade
from convworks.errors import NetError
from convworks.layers.tracing.follow import Followed, follow
from convworks.layers.tracing.recorder import Operator
from convworks.layers.tracing.words import label

WORK = 6000
"""Operators that are followed again for one finding, at most about: large nets get fewer tries."""


class _Change(NamedTuple):
    """A candidate: the number that it moves, how far, in words, and either the layer or the input then."""

    field: str
    distance: int
    words: str
    layer: Plain | None = None
    input: Volume | None = None


def fixes(before: Followed, operator: Operator) -> tuple[Fix, ...]:
    """Up to three of the smallest changes after which the operator fits; the smallest of each number first.

    Where there are some, only those that leave no other layer worse off.
    """
    unread = _unread(before)
    clean: list[Fix] = []
    whole: list[Fix] = []
    partly: list[Fix] = []
    tries = max(2, WORK // max(1, len(before.operators)))
    for change in _candidates(before, operator):
        if tries <= 0 or len(clean) == MOST:
            break
        tries -= 1
        after = _changed(before, operator, change)
        mended = _mended(before, after, operator)
        if mended is None:
            continue
        found = Fix(
            change=change.words,
            output=mended,
            downstream=_downstream(before, after, operator) if change.input is None else "",
            net=None,
        )
        bad = after.operators[-1].error is not None
        (partly if bad else whole if _unread(after) - unread else clean).append(found)
    return tuple((clean or whole or partly)[:MOST])


def _changed(before: Followed, operator: Operator, change: _Change) -> Followed:
    """The module followed again after a change; linear layers behind it are rewritten for what they now get."""
    layers = dict.fromkeys(_places(before, operator), change.layer) if change.layer is not None else {}
    return follow(before.module, change.input or before.input, layers, lenient=True)


def _places(before: Followed, operator: Operator) -> list[int]:
    """Where the same part of the module is used: what is changed in one place is changed in all of them."""
    part = before.module.get_submodule(operator.path) if operator.path else None
    alone = part is not None and not any(True for _ in part.children())
    return [
        other.place
        for other in before.operators
        if (other.path, other.call, other.layer) == (operator.path, operator.call, operator.layer)
        and (alone or other.location == operator.location)
    ]


def _candidates(before: Followed, operator: Operator) -> Iterator[_Change]:
    """Changes worth trying, the smallest of each number first, then the next ones, then other inputs."""
    layer, volume = operator.layer, operator.input
    if layer is not None and volume is not None and _is_written_wrong(operator):
        yield _Change("weights", 0, _rewritten(operator, layer, volume))
        return
    if isinstance(layer, Linear):
        return
    if layer is not None and volume is not None:
        near = sorted(
            (
                _Change(field, distance, words, layer=changed)
                for field, distance, words, changed in changes(layer, volume)
                if isinstance(changed, Plain) and _fits(changed, volume, operator)
            ),
            key=lambda change: change.distance,
        )
        first: dict[str, _Change] = {}
        for change in near:
            first.setdefault(change.field, change)
        yield from first.values()
        yield from (change for change in near if first[change.field] is not change)
    yield from _other_inputs(before, operator)


def _is_written_wrong(operator: Operator) -> bool:
    """Whether its weights are for other numbers than it gets."""
    return operator.error is not None and operator.error.fix.startswith("write ")


def _rewritten(operator: Operator, layer: Plain, volume: Volume) -> str:
    if isinstance(layer, Linear):
        return f"Linear({volume.channels if not volume.flat else volume.elements}, {layer.features})"
    return operator.error.fix.removeprefix("write ") if operator.error else ""


def _fits(layer: Plain, volume: Volume, operator: Operator) -> bool:
    try:
        return fit(layer, volume).grade in _good(operator)
    except NetError:
        return False


def _good(operator: Operator) -> tuple[Grade, ...]:
    """The grades that mend an operator; one whose stride is larger than its filter may go on skipping."""
    slides = operator.fit.slides if operator.fit is not None else None
    skips = slides is not None and any(slid.window.stride > slid.window.reach for slid in slides)
    return ("fits", "skips") if skips else ("fits",)


def _other_inputs(before: Followed, operator: Operator) -> Iterator[_Change]:
    """The nearest other input sizes, or larger ones where there is no room."""
    height, width = before.input.height, before.input.width
    if operator.error is None:
        steps = [by for step in range(1, 4 * FARTHEST + 1) for by in (-step, step)]
        sides = [(height + by, width + by) for by in steps if min(height, width) + by > 0]
    elif isinstance(operator.layer, TransposedConv | Linear) or operator.layer is None:
        sides = []
    else:
        side = max(height, width)
        sides = [(side * 2**more, side * 2**more) for more in (1, 2, 3) if side * 2**more <= LARGEST]
    for rows, columns in sides:
        volume = replace(before.input, height=rows, width=columns)
        yield _Change("input", 0, f"an input of {volume}", input=volume)


def _mended(before: Followed, after: Followed, operator: Operator) -> Volume | None:
    """What the operator gives then; None where it still does not fit, or a net that could be no longer can."""
    if len(after.operators) < operator.place:
        return None
    there = after.operators[operator.place - 1]
    broke = after.operators[-1].error is not None and before.operators[-1].error is None
    if there.error is not None or there.output is None or broke or there.call != operator.call:
        return None
    if there.grade not in _good(operator) and (operator.error is None or there.grade == "unread"):
        return None
    return there.output


def _unread(before: Followed) -> set[int]:
    return {operator.place for operator in before.operators if operator.grade == "unread"}


def _downstream(before: Followed, after: Followed, operator: Operator) -> str:
    """What the change does to the layers behind the one that it mends."""
    said: list[str] = []
    olds = {old.place: old for old in before.operators}
    for new in after.operators[operator.place :]:
        old = olds.get(new.place)
        if new.error is not None:
            said.append(f"then layer {new.place} ({label(new)}) is impossible")
        elif isinstance(new.layer, Linear) and (old is None or old.error or old.input != new.input):
            said.append(f"then layer {new.place} is {label(new)}")
        elif old is not None and old.error is None and new.grade != old.grade:
            said.append(f"then layer {new.place} ({label(new)}) {GRADE_WORDS[new.grade]}")
    return "; ".join(said[:3])
