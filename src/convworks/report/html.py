"""A run as one HTML file: it works offline and without scripts, asks the network for nothing, and prints."""

from __future__ import annotations

from pathlib import Path

from convworks.files import write_whole
from convworks.report.markup import Markup, join, tag
from convworks.report.page import page
from convworks.report.sections.augmentation import augmentation
from convworks.report.sections.calibration import calibration
from convworks.report.sections.cards import mistakes, samples
from convworks.report.sections.confusion import confusion
from convworks.report.sections.curves import curves
from convworks.report.sections.data import data
from convworks.report.sections.detection import box_classes, box_mistakes, box_score
from convworks.report.sections.drift import drift
from convworks.report.sections.instances import mask_classes, mask_score, worst_masks
from convworks.report.sections.label_mistakes import label_mistakes, label_samples, mixed_up
from convworks.report.sections.label_score import by_class, label_score
from convworks.report.sections.limits import limits
from convworks.report.sections.recipe import recipe
from convworks.report.sections.score import score
from convworks.report.sections.segmentation import (
    outline_classes,
    outline_confusion,
    outline_score,
    stride_cost,
    worst_outlines,
)
from convworks.report.sections.transfer import transfer
from convworks.report.sections.verdict import header
from convworks.report.story import Story, read
from convworks.report.wording import count


def build(run: Path) -> str:
    """The report of a run folder as HTML; raises RunError where the folder holds no run.

    It reads the run folder, and of the user's images only the ones that it shows, small.
    """
    story = read(run)
    # The walls first, before the rest spends what pictures may weigh.
    wall = (
        label_mistakes(story)
        if story.labels
        else worst_outlines(story) or worst_masks(story) or box_mistakes(story) or mistakes(story)
    )
    sample = label_samples(story) if story.labels else samples(story)
    shown = augmentation(story)
    parts = {
        "Score": label_score(story)
        if story.labels
        else outline_score(story) or mask_score(story) or box_score(story) or score(story),
        "Classes": by_class(story) or outline_classes(story) or mask_classes(story) or box_classes(story),
        "Mistakes": wall,
        "Confusion": mixed_up(story) if story.labels else outline_confusion(story) or confusion(story),
        "Stride": stride_cost(story),
        "Sample": sample,
        "Learning": curves(story),
        "Transfer": transfer(story),
        "Drift": drift(story),
        "Probabilities": calibration(story),
        "Data": data(story),
        "Augmentation": shown,
        "Recipe": recipe(story),
        "Limits": limits(story),
    }
    there = {name: part for name, part in parts.items() if part}
    return _page(story, header(story), there)


def write(run: Path, to: Path | None = None) -> Path:
    """Writes the report (to `report.html` in the run folder), whole or not at all, and returns its path.

    Raises RunError where the folder holds no run, StorageError where the page cannot be written.
    """
    target = to or run / "report.html"
    write_whole(target, build(run).encode("utf-8"))
    return target


def _page(story: Story, head: Markup, parts: dict[str, Markup]) -> str:
    name = str(story.model.get("name") or story.run.name)
    title = f"{name}: Convworks report"
    return page(
        title,
        join(head, _gone(story)),
        parts,
        of="report",
        skip="Skip to the verdict",
        styles=("shots.css",) if story.scenes else (),
    )


def _gone(story: Story) -> Markup:
    if not story.album.missing:
        return Markup()
    said = (
        f"{count(len(story.album.missing), 'picture')} cannot be shown: the image files are not where they were "
        f"({story.album.root})."
    )
    return tag("p", said, class_="gone")
