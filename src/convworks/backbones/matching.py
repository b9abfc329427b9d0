"""Which tensor of a file is which of a net: by shape, and by any of the names under which it is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

# What other tools put before the names of a net that is part of something larger.
PREFIXES = ("", "backbone.", "model.", "encoder.", "net.", "backbone.body.")
# A counter that batch norm keeps and evaluation does not read; files may lack it.
COUNTER = "num_batches_tracked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a file gave a net: `pairs` (the net's name -> the file's), what was `missing` and what `unused`.

    `clashing` are names that the file has with another shape, each as "name (3, 3) for (5, 5)".
    """

    pairs: Mapping[str, str]
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    clashing: tuple[str, ...]

    @property
    def share(self) -> float:
        """The share of the net's tensors that were filled, in [0, 1]."""
        return len(self.pairs) / max(1, len(self.pairs) + len(self.missing))

    def __str__(self) -> str:
        """In one line: how many were filled, what is still random, what was left out."""
        said = f"{len(self.pairs)} of {len(self.pairs) + len(self.missing)} tensors"
        if self.missing:
            said += f"; still random: {_listed(self.missing)}"
        if self.unused:
            said += f"; left out: {_listed(self.unused)}"
        return said


def match(
    own: Mapping[str, Tensor], given: Mapping[str, Tensor], namings: Sequence[Mapping[str, str]] = ()
) -> Match:
    """Pair the net's tensors `own` with those `given`, by the naming that pairs the most.

    Each of `namings` says under which name others keep each of the net's tensors; its own names are tried
    first.
    """
    best: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for naming in ({name: name for name in own}, *namings):
        for prefix in PREFIXES:
            named = {name: prefix + theirs for name, theirs in naming.items() if prefix + theirs in given}
            pairs = {name: key for name, key in named.items() if given[key].shape == own[name].shape}
            if (len(pairs), len(named)) > (len(best[0]), len(best[1])):
                best = pairs, named
    pairs, named = best
    return Match(
        pairs=pairs,
        missing=tuple(name for name in own if name not in pairs and not name.endswith(COUNTER)),
        unused=tuple(key for key in given if key not in set(named.values())),
        clashing=tuple(
            f"{key} {tuple(given[key].shape)} for {tuple(own[name].shape)}"
            for name, key in named.items()
            if name not in pairs
        ),
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
