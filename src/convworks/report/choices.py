"""The choices of a recipe in words: the few that matter for a terminal, all with their reasons for a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MATTER = {
    "transfer.mode": "{}",
    "data.input_size": "{} px",
    "optimiser.epochs": "{} epochs",
    "optimiser.batch": "batches of {}",
    "optimiser.learning_rate": "learning rate {}",
    "compute.precision": "{}",
}
DECIDED = "you said so"


def brief(values: Mapping[str, Any], why: Mapping[str, str]) -> list[str]:
    """A line for each choice that matters, in a fixed order, and one for all that the owner decided.

    >>> brief({"optimiser.epochs": 16, "seed": 7}, {"optimiser.epochs": "few images", "seed": "you said so"})
    ['16 epochs: few images', 'you said: seed 7']
    """
    lines = [
        f"{phrase.format(setting(values.get(name)))}: {why[name]}"
        for name, phrase in MATTER.items()
        if name in why and why[name] != DECIDED
    ]
    decided = [f"{knob(name)} {setting(values.get(name))}" for name, said in why.items() if said == DECIDED]
    return lines + ([f"you said: {', '.join(decided)}"] if decided else [])


def reasoned(values: Mapping[str, Any], why: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(choice, value, reason) of all that have one; choices with the same reason share a row.

    >>> reasoned({"a.b": 1, "a.c": True}, {"a.b": "timed", "a.c": "timed"})
    [('b, c', '1, on', 'timed')]
    """
    by_reason: dict[str, list[str]] = {}
    for name, said in why.items():
        by_reason.setdefault(said, []).append(name)
    return [
        (", ".join(map(knob, names)), ", ".join(setting(values.get(name)) for name in names), said)
        for said, names in by_reason.items()
    ]


def knob(name: str) -> str:
    """The name of a recipe's knob in words.

    >>> knob("optimiser.learning_rate")
    'learning rate'
    """
    return name.rpartition(".")[2].replace("_", " ")


def setting(value: Any) -> str:
    """The value of a knob in words.

    >>> setting(True), setting(0.0003), setting("auto"), setting(None)
    ('on', '0.0003', 'auto', '')
    """
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else f"{value}"
