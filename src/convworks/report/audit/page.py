"""The page of an audit: verdict, how much of what, a wall of images, findings with their pictures, sizes, notes."""

from __future__ import annotations

from convworks.data.audit import Audit
from convworks.data.names import shown
from convworks.data.overview import Overview, overview
from convworks.report.audit.classes import classes
from convworks.report.audit.findings import found
from convworks.report.audit.shots import shots
from convworks.report.audit.sizes import sizes
from convworks.report.audit.wall import wall
from convworks.report.audit.words import KINDS
from convworks.report.markup import Markup, join, section, table, tag
from convworks.report.page import page
from convworks.report.wording import count, sentence

LISTED = 300
"""Files set aside that are named."""


def build(audit: Audit) -> str:
    """What an audit found as one HTML page of at most about 3 MB; it works offline and without scripts."""
    seen = overview(audit)
    pictures = shots(audit)
    # The wall and the findings first, before the rest spends what pictures may weigh.
    looks, told = wall(audit.dataset.records, pictures), found(audit.findings, pictures)
    parts = {
        "Classes": classes(seen),
        "Look": looks,
        "Findings": told,
        "Sizes": sizes(audit, seen),
        "Reading": _reading(audit),
    }
    return page(
        f"{shown(audit.dataset.root.name)}: Convworks audit",
        _header(audit, seen),
        {name: part for name, part in parts.items() if part},
        of="audit",
        skip="Skip to the verdict",
        styles=("shots.css",),
    )


def _header(audit: Audit, seen: Overview) -> Markup:
    dataset = audit.dataset
    name = shown(dataset.root.resolve().name)
    what = KINDS.get(
        dataset.task, "several labels an image" if dataset.task == "multilabel" else "one label an image"
    )
    urgent = [finding for finding in audit.findings if finding.level != "note"]
    verdict = (
        f"{count(len(urgent), 'thing needs', 'things need')} attention."
        if urgent
        else "Nothing needs attention."
    )
    number = count(len(dataset.classes), "class", "classes")
    lead = (
        f"{count(seen.images, 'usable image')} in {number}, with {what}, read as {dataset.source}. "
        "Look at the pictures below: only you know whether they show what they should."
    )
    links = [
        tag("li", tag("a", sentence(shown(finding.said)), href=f"#found-{place}"), class_=finding.level)
        for place, finding in enumerate(audit.findings)
        if finding.level != "note"
    ]
    return tag(
        "header",
        tag("p", f"{name} · Is my data what I think it is?", class_="kicker"),
        tag("h1", verdict),
        tag("p", lead, class_="lead"),
        tag("ul", links, class_="urgent") if links else "",
    )


def _reading(audit: Audit) -> Markup:
    """How the files were understood, and what was left out."""
    dataset = audit.dataset
    notes = [tag("li", sentence(shown(note))) for note in dataset.notes]
    aside = dataset.set_aside
    parts = [
        tag(
            "p",
            f"The files of {shown(str(dataset.root))} were read as {dataset.source}, and none was written to.",
        ),
        tag("ul", notes) if notes else "",
    ]
    if aside:
        rows = [[shown(file.path), shown(file.reason)] for file in aside[:LISTED]]
        rest = tag("p", f"And {len(aside) - LISTED:,} more.") if len(aside) > LISTED else ""
        listing = table(
            ["File", "Why"],
            rows,
            caption=f"{count(len(aside), 'file or annotation', 'files or annotations')} set aside",
        )
        parts.append(join(listing, rest))
    return section("reading", "How it was read", *parts)
