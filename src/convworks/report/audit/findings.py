"""What an audit found, the gravest first: why it matters, what to do, and the images themselves."""

from __future__ import annotations

from collections.abc import Sequence

from convworks.data.names import shown
from convworks.events import Finding
from convworks.report.audit.shots import Shots
from convworks.report.markup import Markup, folded, join, section, tag
from convworks.report.wording import count, sentence

WORDS = {"error": "Error", "warning": "Warning", "note": "Note"}
PAIRS, IMAGES = 6, 8
"""Pairs of images, or images, that are shown of a finding."""
LISTED = 300
"""Files that are named of a finding."""


def found(findings: Sequence[Finding], shots: Shots) -> Markup:
    """The section of all findings."""
    if not findings:
        return section(
            "found", "What was found", tag("p", "Nothing: no check has anything to say of this set.")
        )
    pictures = {id(finding): _pictures(finding, shots) for finding in findings}
    items = [_one(place, finding, pictures[id(finding)]) for place, finding in enumerate(findings)]
    return section("found", "What was found", *items)


def _one(place: int, finding: Finding, pictures: Markup) -> Markup:
    level = tag("span", WORDS[finding.level], class_="level")
    parts = [tag("h3", level, " ", sentence(shown(finding.said)), id=f"found-{place}")]
    if finding.why:
        parts.append(tag("p", tag("b", "Why it matters. "), _capital(finding.why)))
    if finding.action:
        parts.append(tag("p", tag("b", "What to do. "), _capital(finding.action), class_="step"))
    if finding.evidence and not pictures:
        parts.append(tag("p", sentence(finding.evidence), class_="evidence"))
    parts += [pictures, _listed(finding)]
    return tag("article", *parts, class_=f"found {finding.level}", aria_labelledby=f"found-{place}")


def _pictures(finding: Finding, shots: Shots) -> Markup:
    """Pairs side by side, or the first images that are concerned; empty where no file of theirs is an image."""
    if finding.pairs:
        return tag(
            "ul",
            [
                tag("li", tag("ul", shots.card(one), shots.card(other), class_="pair"))
                for one, other in finding.pairs[:PAIRS]
            ],
            class_="pairs",
        )
    known = [path for path in finding.files if path in shots.records]
    if not known:
        return Markup()
    return tag("ul", [shots.card(path) for path in _spread(known)], class_="shots")


def _spread(paths: Sequence[str]) -> Sequence[str]:
    """Some of the paths, from the first to the last."""
    if len(paths) <= IMAGES:
        return paths
    return [paths[round(place * (len(paths) - 1) / (IMAGES - 1))] for place in range(IMAGES)]


def _listed(finding: Finding) -> Markup:
    """Every file by name, folded away, where pictures do not show them all."""
    told: list[Markup]
    if finding.pairs:
        told = [join(shown(one), " = ", shown(other)) for one, other in finding.pairs]
        most = PAIRS
    else:
        told, most = [join(shown(path)) for path in finding.files], 0 if finding.count > IMAGES else IMAGES
    if len(told) <= most or not told:
        return Markup()
    more = [tag("li", f"and {len(told) - LISTED:,} more")] if len(told) > LISTED else []
    kind = "pair" if finding.pairs else "file"
    return folded(
        f"All {count(len(told), kind)}" if len(told) > 1 else "The file",
        tag("ul", [tag("li", tag("code", one)) for one in told[:LISTED]], more, class_="listed"),
    )


def _capital(text: str) -> str:
    return sentence(text[:1].upper() + text[1:])
