"""What every demonstration is: a claim of the guide, the answer in lines, the figures, and the same as "
"plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import UInt8

from convworks.errors import RecipeError, unknown
from convworks.report.demonstrations import TOPICS
from convworks.report.markup import Markup, tag
from convworks.report.page import framed, page

Picture = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration:
    """One topic shown.

    `quote` is what the guide or a reader under it says; `title` the finding and `lead` what stands behind it; `lines`
    are for a terminal, `parts` the sections of the page by name, `document` the numbers.
    """

    title: str
    quote: str
    lead: str
    lines: tuple[str, ...]
    parts: Mapping[str, Markup]
    document: Mapping[str, Any]

    def html(self) -> str:
        """The demonstration as one HTML page."""
        head = tag(
            "header",
            tag("blockquote", tag("p", self.quote)),
            tag("h1", self.title),
            tag("p", self.lead, class_="lead"),
        )
        return page(
            f"{self.title} Convworks",
            head,
            self.parts,
            of="demonstration",
            skip="Skip to the finding",
            styles=("demonstrations.css",),
        )

    def _repr_html_(self) -> str:
        return framed(self.html(), self.title)


def demonstrate(topic: str, image: Picture | None = None) -> Demonstration:
    """Shows a topic of TOPICS; on `image` (HWC uint8 RGB) where the topic can be shown on a picture.

    Raises RecipeError for a topic that there is not, or that takes no picture; WeightsError where the topic needs
    the pretrained net and its package is not installed.
    """
    if topic not in TOPICS:
        raise unknown("topic", topic, TOPICS)
    if image is not None and not TOPICS[topic].takes_image:
        able = ", ".join(name for name, each in TOPICS.items() if each.takes_image)
        raise RecipeError(f'"{topic}" is not shown on a picture.', expected=f"one of {able}")
    module = import_module(f"convworks.report.demonstrations.{topic}")
    show: Callable[[Picture | None], Demonstration] = module.demonstrate
    return show(image)
