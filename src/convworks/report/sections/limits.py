"""What the report does not say: the limits of a score, in words."""

from __future__ import annotations

import math

from convworks.evaluation.uncertainty import half_width
from convworks.events import DataFound, Scored
from convworks.report.markup import Markup, section, tag
from convworks.report.story import Story
from convworks.report.wording import count


def limits(story: Story) -> Markup:
    """The section, empty without a score."""
    scored, found = story.measured or story.scored, story.last(DataFound)
    if scored is None or scored.of == 0:
        return Markup()
    known = f"The net knows {count(len(story.classes), 'class', 'classes')} and no other"
    said = [
        "The score holds for images made like these. Another camera, season, place or person behind it may bring "
        "it down, and nothing here measures by how much.",
        f"{known}: an image of something else is still given one of these names."
        if story.measured is None
        else f"{known}: it says nothing of what else a picture shows.",
    ]
    if isinstance(scored, Scored):
        points = round(100 * half_width(scored.of))
        said.append(
            f"With {count(scored.of, 'image')}, differences below about {2 * points} points between two models may be "
            "luck. Compare them on the same images, picture by picture."
        )
    elif math.isfinite(scored.low):
        points = round(50 * (scored.high - scored.low))
        said.append(
            f"With {count(scored.of, 'image')}, the score is known to about ±{points} points: smaller differences "
            "between two models may be luck."
        )
    if scored.chosen_on == "tuning":
        said.append(
            "The images that measure also chose, so the score flatters. Only new images can tell by how much."
        )
    if found and found.copies:
        said.append(
            f"{count(found.copies, 'copy was', 'copies were')} found and kept on one side of the split. Pictures of "
            "one scene that look different are not found, and would flatter the score."
        )
    if found and found.set_aside:
        said.append(
            f"{count(len(found.set_aside), 'file or annotation', 'files or annotations')} set aside took no part: "
            "the score says nothing about files like them."
        )
    return section("limits", "What this does not tell", tag("ul", [tag("li", line) for line in said]))
