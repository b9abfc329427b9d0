"""Every topic: a page that is whole, asks for nothing and says in words what it draws; lines; plain values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from convworks.errors import RecipeError
from convworks.explanation.material import picture
from convworks.report import demonstrations
from convworks.report.demonstrations import TOPICS
from convworks.report.demonstrations.frame import Demonstration, demonstrate

SLOW = {"colour", "nin", "pooling", "relu", "vanishing"}


def marked(names: Iterable[str]) -> list[object]:
    return [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in names]


VOID = {"meta", "img", "br", "wbr"}


class Whole(HTMLParser):
    """Reads a page, and holds that every tag is closed and every picture is said."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.said = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "img":
            assert given["alt"]
            self.said += 1
        if tag == "svg" and given.get("aria-hidden") != "true":
            assert given["role"] == "img"
            assert given["aria-label"]
            self.said += 1
        for name in ("src", "href"):
            assert (given.get(name) or "#").startswith(("#", "data:image/webp;base64,"))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def held(shown: Demonstration) -> str:
    page = shown.html()
    reader = Whole()
    reader.feed(page)
    assert reader.open == []
    assert reader.said >= 1
    assert "<script" not in page
    assert "default-src &#x27;none&#x27;" in page
    assert not re.search(r"\b(nan|inf)\b", re.sub(r"base64,[^\"]+", "", page))
    for name in shown.parts:
        assert f">{name}</a>" in page
    assert len(page) < 1_500_000
    assert 5 <= len(shown.lines) <= 15
    assert all(len(line) <= 140 for line in shown.lines)
    json.dumps(dict(shown.document), allow_nan=False)
    return page


@pytest.mark.parametrize("topic", marked(TOPICS))
def test_a_topic_is_a_whole_page_with_its_lines_and_numbers(topic: str) -> None:
    held(demonstrate(topic))


@pytest.mark.parametrize("topic", marked(name for name, each in TOPICS.items() if each.takes_image))
def test_a_topic_that_takes_a_picture_shows_that_picture(topic: str) -> None:
    image = np.ascontiguousarray(picture(300)[:, :270])
    assert held(demonstrate(topic, image)) != demonstrate(topic).html()


def test_the_topics_are_the_modules_beside_the_frame() -> None:
    folder = Path(demonstrations.__file__).parent
    frame = {"__init__", "chart", "frame", "tiles"}
    assert {file.stem for file in folder.glob("*.py")} - frame == set(TOPICS)


def test_a_topic_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match="pooling"):
        demonstrate("poling")


def test_a_picture_for_a_topic_that_takes_none_is_refused() -> None:
    with pytest.raises(RecipeError, match='"region" is not shown on a picture'):
        demonstrate("region", picture(64))


def test_in_a_notebook_the_page_is_a_frame_of_its_own() -> None:
    frame = demonstrate("region")._repr_html_()
    assert frame.startswith("<iframe srcdoc=")
    assert "&lt;svg" in frame
