"""What the findings are drawn from, and how one is written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from convworks.data.crops import Crops
from convworks.data.facts import Facts
from convworks.data.names import few
from convworks.data.record import DataSet, Record, SetAside, Split
from convworks.events import Finding, Level

Groups = Int[np.ndarray, "n"]
"""For each record the position of the first one that it belongs to."""

WORDS: dict[Split, str] = {"train": "training", "val": "validation", "test": "test", "": "training"}
"""A split in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Copies:
    """Which images are copies: `groups` of any kind, and narrower ones.

    `same` files; `alike`, encoded or scaled anew; `near`, mirrored ones too; all of these and parts of one another in
    `groups`. `crops` are the pairs of which one shows a part of the other.
    """

    same: Groups
    alike: Groups
    near: Groups
    groups: Groups
    crops: Crops

    def kind(self, one: int, other: int) -> str:
        """What the copy `one` of `other` is, in words."""
        for groups, word in (
            (self.same, "the same file"),
            (self.alike, "encoded or scaled anew"),
            (self.near, "mirrored"),
        ):
            if groups[one] == groups[other]:
                return word
        return "a part"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """The usable records with the facts of each, the files that cannot be read, and which images are copies."""

    dataset: DataSet
    records: Sequence[Record]
    facts: Sequence[Facts]
    unreadable: Sequence[SetAside]
    copies: Copies


def learned(record: Record) -> bool:
    """Whether an image is there to learn from."""
    return record.split in ("train", "")


def about(
    code: str,
    level: Level,
    said: str,
    *,
    files: Sequence[str] = (),
    pairs: Sequence[tuple[str, str]] = (),
    number: int = 0,
    evidence: str = "",
    why: str = "",
    action: str = "",
    values: Mapping[str, Any] | None = None,
) -> Finding:
    """A finding about `files`, or about `pairs` of them; its evidence names the first few unless it is given."""
    told = [f"{one} = {other}" for one, other in pairs] or list(files)
    return Finding(
        code=code,
        level=level,
        said=said,
        evidence=evidence or few(told),
        why=why,
        action=action,
        count=number or len(pairs) or len(files),
        files=tuple(files) or tuple(dict.fromkeys(one for one, _ in pairs)),
        pairs=tuple(pairs),
        values=dict(values or {}),
    )
