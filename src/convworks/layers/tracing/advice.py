"""What is to be said of a module that was followed: the arithmetic's findings, and what following alone can show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from convworks.arithmetic.advice import (
    Finding,
    gravest_first,
    is_unremarkable,
    nothing_nonlinear,
    of_row,
    scales,
)
from convworks.arithmetic.straight import Straight, behind, is_wasted
from convworks.layers.tracing.follow import Followed
from convworks.layers.tracing.mending import fixes
from convworks.layers.tracing.recorder import Operator
from convworks.layers.tracing.words import row_of, where

NAMED = 3
"""How many of a kind are named."""


def advise(followed: Followed, objects: Sequence[float] = ()) -> list[Finding]:
    """All findings, the gravest first, then from the input on; `objects` are sizes in pixels of the input."""
    found = [finding for operator in followed.operators for finding in _of_operator(followed, operator)]
    found += _straight(followed)
    found += _unknown(followed)
    found += _unused(followed)
    last = followed.last_map
    if last is not None and last.fields is not None:
        gathered = last.place != len(followed.operators) or last.reach == "all"
        found += scales(where(last), last.fields, objects, gathered=gathered)
    return gravest_first(found)


def _of_operator(followed: Followed, operator: Operator) -> Iterator[Finding]:
    if operator.error is not None and followed.unfinished:
        return
    if not operator.odd and operator.error is None and is_unremarkable(operator.layer, operator.grade):
        return
    row = row_of(operator)
    if row is not None:
        yield from of_row(row, where(operator), lambda: fixes(followed, operator))
    elif operator.error is not None:
        yield Finding(
            level="error",
            code="impossible" if operator.call else "raised",
            where=where(operator),
            what=operator.error.found,
            why=operator.error.expected and f"expected: {operator.error.expected}",
            fix=operator.error.fix,
        )
    if operator.odd:
        yield Finding(
            level="note",
            code="uneven-join",
            where=where(operator),
            what=operator.odd,
            why="units at the same place of its inputs then look at places of the picture that drift apart",
        )


def _straight(followed: Followed) -> Iterator[Finding]:
    """Linear operators that are as one with a linear one before them, of which nothing else reads."""
    readers = Counter(source for operator in followed.operators for source in operator.sources)
    last: dict[int, Straight | None] = {}
    for operator in followed.operators:
        layer, input, output, sources = operator.layer, operator.input, operator.output, operator.sources
        before = last.get(sources[0]) if len(sources) == 1 and readers[sources[0]] == 1 else None
        place = str(operator.place)
        if layer is None or input is None or output is None:
            last[operator.place] = before if operator.call == "flatten" else None
            continue
        if before is not None and is_wasted(before, layer, output):
            yield nothing_nonlinear(where(operator), place, before.place)
        last[operator.place] = behind(before, place, layer, input, output)


def _unknown(followed: Followed) -> Iterator[Finding]:
    """What could not be followed."""
    if followed.unfinished:
        last = followed.operators[-1]
        yield Finding(
            level="warning",
            code="unknown",
            where=where(last),
            what=f"{last.error.found if last.error else 'it cannot be followed'}; what comes behind it is unknown",
            why="",
        )
    blind = [
        operator for operator in followed.operators if operator.reach == "unknown" and operator.error is None
    ]
    if blind:
        first = blind[0]
        yield Finding(
            level="note",
            code="field-unknown",
            where=where(first),
            what="from here on it is unknown what a unit sees"
            if len(blind) > 1
            else "it is unknown what its units see",
            why=f"nothing is known of how {first.call} moves the picture's rows and columns",
        )
    costly = [operator for operator in followed.operators if operator.multiply_adds is None]
    if costly:
        yield Finding(
            level="note",
            code="cost-unknown",
            where=where(costly[0]),
            what=f"the multiply-adds of {_named([operator.call for operator in costly])} are unknown",
            why="",
        )


def _unused(followed: Followed) -> Iterator[Finding]:
    """Parameters that no operator read."""
    if not followed.unused or followed.unfinished or (followed.operators and followed.operators[-1].error):
        return
    total = sum(followed.unused.values())
    yield Finding(
        level="note",
        code="unused",
        where=_named(list(followed.unused)),
        what=f"{total:,} parameters are not read when the net predicts",
        why="what only training uses, such as a second classifier, is meant so; a layer that was forgotten is not",
    )


def _named(names: Sequence[str]) -> str:
    """The first few of some names."""
    unlike = list(dict.fromkeys(names))
    more = f" and {len(unlike) - NAMED} more" if len(unlike) > NAMED else ""
    return ", ".join(unlike[:NAMED]) + more
