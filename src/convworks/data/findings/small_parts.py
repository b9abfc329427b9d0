"""Pictures that show a small part of another one: what they do to a score, where they are across a split."""

from __future__ import annotations

from collections.abc import Iterator

from convworks.data.crops import Crops
from convworks.data.findings.seen import WORDS, Seen, about
from convworks.data.names import count
from convworks.data.record import Split
from convworks.events import Finding

_WHY = "what a net has learned of a picture it knows of a part of it too"


def findings(seen: Seen, found: Crops) -> Iterator[Finding]:
    """One for each two splits that share pictures so, and one for pictures of the same split."""
    together: dict[tuple[Split, Split], list[tuple[int, int]]] = {}
    for part, whole in zip(found.part.tolist(), found.whole.tolist(), strict=True):
        first, second = (part, whole) if _place(seen, part) <= _place(seen, whole) else (whole, part)
        key = (_ORDER[_place(seen, first)], _ORDER[_place(seen, second)])
        together.setdefault(key, []).append((first, second))
    for (one, other), pairs in sorted(together.items()):
        named = [(seen.records[left].path, seen.records[right].path) for left, right in pairs]
        if one == other:
            yield about(
                "parts",
                "note",
                f"{count(len(pairs), 'pair of images shows', 'pairs of images show')} the same, one of them a smaller "
                "part of it.",
                pairs=named,
                why="copies count twice in what is learned",
            )
        else:
            shown = len({left for left, _ in pairs})
            yield about(
                "parts",
                "warning",
                f"{count(shown, f'{WORDS[one]} image shows', f'{WORDS[one]} images show')} what a {WORDS[other]} image "
                "shows, one of the two a smaller part of it: a score on them says too much.",
                pairs=named,
                why=_WHY,
                action=f"remove them from {one}, or give both the same group in the corrections",
            )


_ORDER: tuple[Split, ...] = ("test", "val", "train")


def _place(seen: Seen, row: int) -> int:
    return _ORDER.index(seen.records[row].split or "train")
