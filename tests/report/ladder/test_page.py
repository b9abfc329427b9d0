"""The page says what was measured, draws each step, escapes what it shows, and lives without its pictures."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convworks.report.ladder import words
from convworks.report.ladder.page import build
from convworks.samples import Detection, Found
from convworks.studies.rows import Climb, Row, Settled
from convworks.studies.rungs import Name, Work

SPENT: dict[Name, float] = {"rcnn": 1.5, "spp": 0.9, "fast": 0.8, "faster": 0.08, "default": 0.05}
WORK: dict[Name, Work] = {
    "rcnn": Work(crops=2000, proposals=2000),
    "spp": Work(maps=10, reads=2000, proposals=2000),
    "fast": Work(maps=10, reads=2000, proposals=2000),
    "faster": Work(maps=10, reads=1500, proposals=1500),
    "default": Work(maps=10),
}


def row(rung: Name, ap: float) -> Row:
    proposes = rung in ("rcnn", "spp", "fast")
    found = Found(name="a<b", probability=0.75, box=(4, 4, 40, 30))
    return Row(
        rung=rung,
        ap=ap,
        ap50=ap + 0.2,
        low=ap - 0.05,
        high=ap + 0.05,
        seconds=SPENT[rung],
        proposing=0.6 if proposes else 0.0,
        training=95.0,
        preparing=60.0 if rung != "default" else 0.0,
        covered=0.75 if proposes else float("nan"),
        learning=WORK[rung],
        looking=WORK[rung],
        found=Detection(found=(found, replace(found, probability=0.5)), size=(80, 60)),
    )


@pytest.fixture
def climb(tmp_path: Path) -> Climb:
    picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "x<y.png")
    return Climb(
        root=str(tmp_path),
        classes=("a<b", "c"),
        settled=Settled(
            learn=30,
            tune=8,
            measure=10,
            height=96,
            width=128,
            proposals=200,
            passes=8,
            epochs=6,
            backbone="efficientnet-lite0",
            stride=16,
            threads=1,
        ),
        example="x<y.png",
        annotated=Detection(found=(Found(name="c", probability=1.0, box=(8, 8, 30, 30)),), size=(80, 60)),
        rows=tuple(row(rung, 0.2 + 0.05 * place) for place, rung in enumerate(SPENT)),
        asked={},
    )


class Nested(HTMLParser):
    """Fails where a tag is closed that is not open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_step_is_told_drawn_and_shown(climb: Climb) -> None:
    html = build(climb)
    parser = Nested()
    parser.feed(html)
    assert not parser.open
    assert html.count("data:image/webp") == 6
    for rung in SPENT:
        assert words.BY_NAME[rung].title in html
        assert words.sentences(rung)[0].partition("`")[0] in html
    assert html.count('class="rung"') == 5
    assert "30 times as quick" in html and "Each step is quicker" in html
    assert "cover 75% of the objects" in html
    assert "200 times" in html and "150 times" in html
    assert "a<b" not in html and "x<y" not in html
    assert not re.search(r"<script|https?://(?!arxiv\.org)", html)


def test_a_step_that_is_slower_is_said_to_be_and_one_step_alone_is_a_page(climb: Climb) -> None:
    slow = replace(climb, rows=(climb.rows[0], replace(climb.rows[1], seconds=3.0)))
    html = build(slow)
    assert "2.0 times as slow" in html and "not every step is quicker" in html
    alone = build(replace(climb, rows=climb.rows[4:]))
    assert "Accuracy against time" not in alone and "cover" not in alone


def test_a_picture_that_is_gone_is_said(climb: Climb) -> None:
    html = build(replace(climb, example="gone.png"))
    assert "file not there" in html and "data:image/webp" not in html


def test_the_table_has_a_line_a_step_and_what_one_picture_took(climb: Climb) -> None:
    head, *lines = words.table(climb)
    assert len({len(line) for line in (head, *lines)}) == 1
    assert lines[0].split()[:4] == ["R-CNN", "0.200", "0.150-0.250", "0.400"]
    assert lines[0].split()[-3:] == ["200", "-", "-"]
    assert lines[3].split()[-3:] == ["-", "1", "150"]
    assert "1 min 35 s" in lines[1]
