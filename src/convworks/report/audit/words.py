"""What an audit found, in lines for a person and as plain values for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from convworks.data.audit import Audit
from convworks.data.names import count, few, shown
from convworks.data.overview import Overview, Part, overview

KINDS = {
    "detection": "boxes",
    "instances": "outlines of objects",
    "localization": "one box an image",
    "segmentation": "masks",
}
"""What a task beside classification is about, in words."""


def document(found: Audit) -> dict[str, Any]:
    """All that was found as plain values for JSON, with every file named."""
    dataset, seen = found.dataset, overview(found)
    members: dict[int, list[str]] = {}
    for record, group in zip(dataset.records, found.groups.tolist(), strict=True):
        members.setdefault(group, []).append(record.path)
    parts = [asdict(part) for part in seen.parts]
    return {
        "root": str(dataset.root),
        "source": dataset.source,
        "task": dataset.task,
        "images": seen.images,
        "classes": list(dataset.classes),
        "counts": {part.split or "all": dict(part.by_class) for part in seen.parts},
        "parts": parts,
        "short_sides": dict(zip(("smallest", "median", "largest"), seen.short_sides, strict=True)),
        "objects": asdict(seen.objects) if seen.objects else None,
        "gray": seen.gray,
        "notes": list(dataset.notes),
        "findings": [
            {name: value for name, value in asdict(finding).items() if name != "epoch"}
            for finding in found.findings
        ],
        "set_aside": [{"path": file.path, "reason": file.reason} for file in dataset.set_aside],
        "copies": [paths for paths in members.values() if len(paths) > 1],
    }


def lines(found: Audit) -> list[str]:
    """What was found, for a person: the data in a few lines, then a line a finding with its files below it."""
    dataset, seen = found.dataset, overview(found)
    about = KINDS.get(dataset.task, "several labels an image" if dataset.task == "multilabel" else "")
    said = [
        f"Data    {shown(str(dataset.root))}: {count(seen.images, 'usable image')}, "
        f"{count(len(dataset.classes), 'class', 'classes')}{f', {about}' if about else ''}, read as {dataset.source}."
    ]
    said += [_part(part) for part in seen.parts]
    small, median, large = seen.short_sides
    said.append(f"Sizes   short side {small} to {large} px, median {median}; {seen.gray:,} without colour.")
    said += _objects(seen)
    said += [f"Note    {note}" for note in dataset.notes]
    for finding in found.findings:
        mark = {"note": "-", "warning": "!", "error": "x"}[finding.level]
        said.append(f"  {mark} {finding.said}")
        said += [f"      {finding.evidence}"] if finding.evidence else []
        said += [f"      Why: {finding.why}."] if finding.why and finding.level != "note" else []
        said += [f"      Next: {finding.action}."] if finding.action else []
    return said


def _part(part: Part) -> str:
    """How much of each class there is in a split: pixels where they are told, else objects, else images."""
    start = f"{part.split.capitalize() or 'Counts':<8}{part.images:,}"
    if part.pixels:
        shares = {name: f"{share:.1%}" for name, share in part.pixels.items()}
        return f"{start} images, pixels: {_few(shares)}."
    if part.objects:
        return f"{start} images, {sum(part.objects.values()):,} objects: {_few(part.objects)}."
    return f"{start}: {_few(part.by_class)}."


def _few(values: Mapping[str, int | str]) -> str:
    told = [f"{name} {value if isinstance(value, str) else f'{value:,}'}" for name, value in values.items()]
    return few(told, 12)


def _objects(seen: Overview) -> list[str]:
    if seen.objects is None:
        return []
    (least, usual, most), (small, median, large) = seen.objects.an_image, seen.objects.side
    return [
        f"Objects {least:.0f} to {most:.0f} an image, median {usual:.0f}; {small:.0f} to {large:.0f} px wide and high, "
        f"median {median:.0f}, {seen.objects.share[1]:.0%} of the short side."
    ]
