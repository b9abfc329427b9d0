"""From an audited data set to the plain numbers from which a recipe is proposed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from convworks.data.audit import Audit
from convworks.data.record import classes_of
from convworks.recipe.aims import by_class
from convworks.recipe.fingerprint import Fingerprint


def fingerprint(audit: Audit) -> Fingerprint:
    """Sizes, balance and copies of the usable images to learn from; given val and test are left out."""
    records = audit.dataset.records
    rows = [row for row, record in enumerate(records) if record.split in ("train", "")]
    shared = audit.dataset.task != "classification"
    counts = Counter(name for row in rows for name in classes_of(records[row]))
    named = [
        (one.name, math.sqrt((x1 - x0) * (y1 - y0)))
        for row in rows
        for one in records[row].boxes
        for x0, y0, x1, y1 in (one.box,)
        if x1 > x0 and y1 > y0
    ]
    widths = [audit.facts[row].width for row in rows]
    heights = [audit.facts[row].height for row in rows]
    sizes = np.bincount(audit.groups, minlength=1)
    return Fingerprint(
        task=audit.dataset.task,
        counts={name: counts[name] for name in audit.dataset.classes},
        widths=_percentiles(widths),
        heights=_percentiles(heights),
        short_sides=_percentiles([min(size) for size in zip(widths, heights, strict=True)]),
        gray=sum(audit.facts[row].gray for row in rows) / max(1, len(rows)),
        copies=sum(int(sizes[audit.groups[row]]) > 1 for row in rows),
        objects=_percentiles([size for _, size in named]),
        by_class=by_class(named),
        split="given" if any(record.split in ("val", "test") for record in records) else "made",
        total=len(rows) if shared else 0,
    )


def _percentiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The 10th percentile, the median and the 90th percentile; zeros of nothing."""
    if not values:
        return (0.0, 0.0, 0.0)
    low, median, high = np.percentile(values, (10, 50, 90)).tolist()
    return (low, median, high)
