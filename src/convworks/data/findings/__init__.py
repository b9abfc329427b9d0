"""From the facts of all images to what their owner should know, most urgent first, each with a next step.

One module a subject, each with a function `findings(seen)`: files, copies, balance, boxes, masks, belonging and
shortcuts.
"""

from __future__ import annotations

from dataclasses import replace

from convworks.data.findings import balance, belonging, boxes, copies, files, masks, shortcuts
from convworks.data.findings.seen import Copies, Seen, learned
from convworks.events import Finding

__all__ = ["Copies", "Seen", "brief", "findings", "learned"]

NAMED = 20
"""Files, and pairs of them, that a short form of a finding names."""

_URGENCY = {"error": 0, "warning": 1, "note": 2}
_SUBJECTS = (files, copies, belonging, boxes, masks, balance, shortcuts)


def findings(seen: Seen) -> tuple[Finding, ...]:
    """What was seen: errors first, then warnings, then notes."""
    seen = replace(seen, records=list(seen.records))
    said = [finding for subject in _SUBJECTS for finding in subject.findings(seen)]
    return tuple(sorted(said, key=lambda finding: _URGENCY[finding.level]))


def brief(finding: Finding) -> Finding:
    """The finding with the first of its files and pairs only, as a run keeps it; `count` says how many there are."""
    return replace(finding, files=finding.files[:NAMED], pairs=finding.pairs[:NAMED])
