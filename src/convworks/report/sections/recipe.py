"""What was done, why, and how to do it again: command, recipe with reasons, net, machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from convworks.events import RateLowered, RecipeSettled, WeightsLoaded
from convworks.recipe.options import flat, knobs
from convworks.report.choices import reasoned, setting
from convworks.report.markup import Child, Markup, folded, join, section, table, tag
from convworks.report.story import Story
from convworks.report.wording import rate_lowered


def recipe(story: Story) -> Markup:
    """The section: always there, with what is known."""
    return section(
        "recipe",
        "What was done, and how to repeat it",
        _command(story),
        _choices(story),
        _net(story),
        _setbacks(story),
        _machine(story.model),
    )


def _command(story: Story) -> Markup:
    command = story.model.get("command")
    if not command:
        return Markup()
    return join(tag("h3", "The command"), tag("pre", tag("code", str(command)), tabindex="0"))


def _choices(story: Story) -> Markup:
    settled = story.last(RecipeSettled)
    values: Mapping[str, Any] = flat(story.recipe) if story.recipe else settled.values if settled else {}
    reasons = dict(settled.why) if settled else {}
    if story.recipe:
        reasons |= story.recipe.reasons
    if not values:
        return Markup()
    why = reasoned(values, reasons)
    known = knobs()
    every = [
        [name, setting(value), str(known[name].metadata["said"]) if name in known else ""]
        for name, value in values.items()
    ]
    chosen = table(["Choice", "Value", "Why"], why) if why else ""
    heads = ["Option", "Value", "What it does"]
    return join(
        tag("h3", "The choices that matter"), chosen, folded(f"All {len(every)} options", table(heads, every))
    )


def _net(story: Story) -> Markup:
    loaded = story.last(WeightsLoaded)
    card = _mapping(story.model.get("weights"))
    size = _mapping(story.model.get("input"))
    facts: list[tuple[str, str]] = []
    if loaded:
        facts += [("Net", loaded.backbone), ("Parameters", f"{loaded.parameters:,}")]
    if card or loaded:
        source = card.get("source") or (loaded.source if loaded else "")
        licence = card.get("licence") or (loaded.licence if loaded else "")
        facts += [("Weights", f"{card.get('name', '')} from {source}".strip()), ("Licence", str(licence))]
    if card.get("sha256"):
        facts.append(("SHA-256", str(card["sha256"])))
    if size:
        facts.append(("Input", "; ".join(f"{key} {_plain(value)}" for key, value in size.items())))
    if not facts:
        return Markup()
    notes = [tag("li", note) for note in loaded.notes] if loaded else []
    return join(
        tag("h3", "The net"),
        _facts(facts),
        tag("ul", notes) if notes else "",
        _layers(story.model.get("network")),
    )


def _layers(network: Any) -> Child:
    rows = [
        [str(row.get("layer", "")), str(_plain(row.get("output", ""))), f"{row.get('parameters', 0):,}"]
        for row in network or ()
        if isinstance(row, Mapping)
    ]
    if not rows:
        return ""
    listing = table(["Layer", "Output", "Parameters"], rows, numbers=(2,))
    return folded(f"Its {len(rows)} layers", listing)


def _setbacks(story: Story) -> Markup:
    lowered = story.every(RateLowered)
    if not lowered:
        return Markup()
    items = [tag("li", f"Epoch {event.epoch}: {rate_lowered(event)}") for event in lowered]
    return join(tag("h3", "What went wrong on the way"), tag("ul", items))


def _machine(model: Mapping[str, Any]) -> Markup:
    environment, versions = _mapping(model.get("environment")), _mapping(model.get("versions"))
    facts = [(key.replace("_", " ").capitalize(), str(value)) for key, value in environment.items()]
    facts += [(key, str(value)) for key, value in versions.items()]
    if not facts:
        return Markup()
    return join(tag("h3", "The machine"), _facts(facts))


def _facts(facts: Sequence[tuple[str, str]]) -> Markup:
    return tag("dl", [tag("div", tag("dt", key), tag("dd", value)) for key, value in facts])


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _plain(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        between = " × " if all(isinstance(item, int) for item in value) else ", "
        return between.join(_plain(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
