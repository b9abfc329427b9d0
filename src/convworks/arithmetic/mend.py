"""The smallest single changes that make a layer fit, each tried on the whole net before it is offered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from convworks.arithmetic.changes import FARTHEST, changes, put, put_in
from convworks.arithmetic.notation import write_layer
from convworks.arithmetic.shape import fit
from convworks.arithmetic.spec import Concat, Layer, Linear, Net, Pair, Pool, Residual, Volume
from convworks.arithmetic.values import replace
from convworks.arithmetic.walk import Row, Walk, walk
from convworks.arithmetic.window import Grade
from convworks.errors import NetError

MOST = 3
"""Fixes offered for one finding."""
MOST_TRIED = 60
"""Changes tried on the whole net for one finding."""
LARGEST = 4096
"""The largest side of an input that is proposed, in pixels."""

GRADE_WORDS: dict[Grade, str] = {
    "fits": "fits",
    "padding unread": "loses padding only",
    "skips": "skips pixels",
    "unread": "leaves pixels unread",
    "impossible": "is impossible",
}


class Fix(NamedTuple):
    """One change: in words, what the layer then gives, what that changes further on, and the whole net.

    `net` is None for a net that was written as code.
    """

    change: str
    output: Volume
    downstream: str
    net: Net | None

    def __str__(self) -> str:
        return f"{self.change} gives {self.output}" + (f"; {self.downstream}" if self.downstream else "")


class _Change(NamedTuple):
    """A candidate: the field that it moves, how far, in words, the net then, and the layer's place there."""

    field: str
    distance: int
    words: str
    net: Net
    place: str


def fixes(net: Net, followed: Walk, row: Row) -> tuple[Fix, ...]:
    """Up to three of the smallest changes after which the layer fits; the smallest of each field first.

    Where there are some, only those that leave no other layer worse off.
    """
    unread = _unread(followed)
    clean: list[Fix] = []
    whole: list[Fix] = []
    partly: list[Fix] = []
    for change in _candidates(net, row)[:MOST_TRIED]:
        changed, after = _followed(change.net, change.place)
        fix = _checked(change._replace(net=changed), followed, after, row)
        if fix is not None:
            (partly if after.error else whole if _unread(after) - unread else clean).append(fix)
        if len(clean) == MOST:
            break
    return tuple((clean or whole or partly)[:MOST])


def _unread(followed: Walk) -> set[str]:
    """The places of the layers that leave part of their input unread."""
    return {row.place for row in followed.rows if row.grade == "unread"}


def _candidates(net: Net, row: Row) -> list[_Change]:
    """Changes worth trying: of the layer itself, nearest first; then of what comes before it."""
    own = [
        _Change(field=field, distance=distance, words=words, net=put(net, row.place, layer), place=row.place)
        for field, distance, words, layer in changes(row.layer, row.input)
        if _fits(layer, row)
    ]
    near = sorted([*own, *_inside(net, row)], key=lambda change: change.distance)
    first: dict[str, _Change] = {}
    for change in near:
        first.setdefault(change.field, change)
    rest = [change for change in near if first[change.field] is not change]
    return [*first.values(), *rest, *_without_pool(net, row), *_other_input(net, row)]


def _fits(layer: Layer, row: Row) -> bool:
    try:
        return fit(layer, row.input).grade in _good(row)
    except NetError:
        return False


def _good(row: Row) -> tuple[Grade, ...]:
    """The grades that mend a row; one whose stride is larger than its filter may go on skipping."""
    slides = row.fit.slides if row.fit is not None else None
    skips = slides is not None and any(slid.window.stride > slid.window.reach for slid in slides)
    return ("fits", "skips") if skips else ("fits",)


def _followed(net: Net, place: str) -> tuple[Net, Walk]:
    """The net followed, its later linear layers rewritten for what they now get."""
    after = walk(net)
    while after.error is not None:
        last = after.rows[-1]
        if not isinstance(last.layer, Linear) or last.place == place:
            break
        net = put(net, last.place, replace(last.layer, inputs=last.input.elements))
        after = walk(net)
    return net, after


def _checked(change: _Change, before: Walk, after: Walk, row: Row) -> Fix | None:
    """The change as a fix; None where the layer still does not fit, or a net that could be no longer can."""
    mended = next((there for there in after.rows if there.place == change.place), None)
    if mended is None or mended.output is None or (after.error and not before.error):
        return None
    if mended.grade not in _good(row) and (row.fit is not None or mended.grade == "unread"):
        return None
    comparable = change.place == row.place
    return Fix(
        change=change.words,
        output=mended.output,
        downstream=_downstream(before, after, row) if comparable else "",
        net=change.net,
    )


def _downstream(before: Walk, after: Walk, row: Row) -> str:
    """What the change does to the layers behind the one that it mends."""
    said: list[str] = []
    olds = {old.place: old for old in before.rows}
    reached = False
    for new in after.rows:
        old = olds.get(new.place)
        if reached and new.error is not None:
            said.append(f"then layer {new.place} ({write_layer(new.layer)}) is impossible")
        elif reached and old is not None and old.fit is not None and new.grade != old.grade:
            said.append(f"then layer {new.place} ({write_layer(new.layer)}) {GRADE_WORDS[new.grade]}")
        elif reached and isinstance(new.layer, Linear) and old is not None and new.input != old.input:
            said.append(_linear_words(new, new.layer, old))
        reached = reached or new.place == row.place
    return "; ".join(said[:3])


def _linear_words(new: Row, layer: Linear, old: Row) -> str:
    now, before = new.input.elements, old.input.elements
    if layer.inputs:
        return f"then layer {new.place} is Linear({now}, {layer.features})"
    more = f" ({new.parameters - old.parameters:+,} parameters)" if old.fit is not None else ""
    return f"then layer {new.place} reads {now:,} numbers, not {before:,}{more}"


def _inside(net: Net, row: Row) -> Iterator[_Change]:
    """Changes of one number of one layer inside the branches of a join that cannot be."""
    layer = row.layer
    if row.fit is not None or not isinstance(layer, Residual | Concat):
        return
    for place, part, volume in _leaves(layer, row.input):
        for field, distance, words, changed in changes(part, volume):
            join = put_in((layer,), [1, *(int(step) for step in place.split("."))], changed)[0]
            if _fits(join, row):
                at = f"{row.place}.{place}"
                yield _Change(
                    field=field,
                    distance=distance,
                    words=f"{words} in layer {at}",
                    net=put(net, at, changed),
                    place=row.place,
                )


def _leaves(layer: Layer, volume: Volume) -> Iterator[tuple[str, Layer, Volume]]:
    """The plain layers inside a join, by their place in it, each with its input."""
    for row in walk(Net(layers=(layer,), input=volume)).rows:
        if row.place != "1" and not isinstance(row.layer, Residual | Concat):
            yield row.place.removeprefix("1."), row.layer, row.input


def _without_pool(net: Net, row: Row) -> Iterator[_Change]:
    """The net without the last pooling before a layer that no longer has room."""
    if row.fit is not None:
        return
    at = int(row.place.split(".")[0]) - 1
    for index in range(at - 1, -1, -1):
        if isinstance(net.layers[index], Pool):
            words = f"leaving out layer {index + 1} ({write_layer(net.layers[index])})"
            without = (*net.layers[:index], *net.layers[index + 1 :])
            first, dot, rest = row.place.partition(".")
            place = f"{int(first) - 1}{dot}{rest}"
            yield _Change(
                field="layers", distance=0, words=words, net=replace(net, layers=without), place=place
            )
            return


def _other_input(net: Net, row: Row) -> Iterator[_Change]:
    """The net on the nearest other input sizes."""
    height, width = net.input.height, net.input.width
    if net.input.flat:
        return
    if row.fit is not None:
        for step in range(1, 4 * FARTHEST + 1):
            for by in (-step, step):
                if height + by > 0 and width + by > 0:
                    yield _input(net, row, (height + by, width + by))
        return
    side = max(height, width)
    for wanted in (_all_possible, _row_possible):
        enough = next((side << more for more in (1, 2, 3) if wanted(net, row, side << more)), LARGEST + 1)
        if enough <= LARGEST:
            least = _least(net, row, side, enough, wanted)
            yield from (_input(net, row, (least + more, least + more)) for more in range(FARTHEST))
            return


def _least(net: Net, row: Row, too_small: int, enough: int, wanted: Callable[[Net, Row, int], bool]) -> int:
    """The side of the smallest square input on which it is as wanted."""
    while enough - too_small > 1:
        middle = (too_small + enough) // 2
        if wanted(net, row, middle):
            enough = middle
        else:
            too_small = middle
    return enough


def _all_possible(net: Net, row: Row, side: int) -> bool:
    return _followed(_input(net, row, (side, side)).net, row.place)[1].error is None


def _row_possible(net: Net, row: Row, side: int) -> bool:
    after = _followed(_input(net, row, (side, side)).net, row.place)[1]
    return any(there.place == row.place and there.fit is not None for there in after.rows)


def _input(net: Net, row: Row, size: Pair) -> _Change:
    volume = replace(net.input, height=size[0], width=size[1])
    return _Change(
        field="input",
        distance=0,
        words=f"an input of {volume}",
        net=replace(net, input=volume),
        place=row.place,
    )
