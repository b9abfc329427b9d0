"""The page of an audit: one small file that holds its pictures, names every fault, and works without scripts."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convworks as cw
from convworks.data.record import Record, classes_of
from convworks.errors import RecipeError
from convworks.events import Finding
from convworks.report.audit import findings as shown_findings
from convworks.report.audit.audited import Audited
from convworks.report.audit.shots import shots
from convworks.report.audit.wall import by_turns

CHANCE = np.random.default_rng(0)


def photo(path: Path, size: tuple[int, int] = (64, 48)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    small = Image.fromarray(CHANCE.integers(0, 256, (6, 8, 3), np.uint8))
    small.resize(size, Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "pets <i>"
    for split in ("train", "val"):
        for label in ("cat", "dog & co"):
            for number in range(4):
                photo(root / split / label / f"{number}.png", (64, 48) if split == "train" else (80, 60))
    (root / "val/cat/copy.png").write_bytes((root / "train/cat/0.png").read_bytes())
    (root / "train/cat/<b>.png").write_bytes(b"x")
    return root


@pytest.fixture(scope="module")
def audited(faulty: Path) -> Audited:
    return cw.audit(faulty)


class Outline(HTMLParser):
    """The tags of a page, ids, links within it, headings in order, and pictures without words."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.headings: list[int] = []
        self.tags: set[str] = set()
        self.wordless = 0
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.add(tag)
        if values.get("id"):
            self.ids.append(str(values["id"]))
        if tag == "a":
            self.links.append(str(values["href"]))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "img":
            self.wordless += not values.get("alt")
            self.outside += [] if str(values["src"]).startswith("data:image/webp") else [str(values["src"])]


def outline(page: str) -> Outline:
    read = Outline()
    read.feed(page)
    return read


def test_a_page_is_whole_linked_and_without_scripts(audited: Audited) -> None:
    page = audited.html()
    read = outline(page)
    assert (
        not read.tags & {"script", "iframe", "link", "object"} and read.outside == [] and read.wordless == 0
    )
    assert len(read.ids) == len(set(read.ids))
    assert all(link.startswith("#") and link[1:] in read.ids for link in read.links)
    assert read.headings[0] == 1 and read.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(read.headings, read.headings[1:], strict=False))
    assert len(page.encode()) < 3_000_000


def test_every_finding_is_there_with_why_and_what_to_do(audited: Audited) -> None:
    page = audited.html()
    for finding in audited.findings:
        assert finding.said.removesuffix(".").replace("&", "&amp;") in page
    assert "1 of 9 validation images is a copy of training images" in page
    assert "Why it matters." in page and "What to do." in page
    assert "2 things need attention." in page


def test_names_cannot_break_the_page(audited: Audited) -> None:
    page = audited.html()
    assert "<i>" not in page and "<b>.png" not in page
    assert "pets &lt;i&gt;" in page and "dog &amp; co" in page and "&lt;b&gt;.png" in page


def test_pairs_stand_side_by_side(audited: Audited) -> None:
    leak = next(finding for finding in audited.findings if finding.code == "leak")
    html = shown_findings.found([leak], shots(audited.found))
    assert html.count('class="pair"') == 1 and html.count("<img") == 2
    assert "val/cat/copy.png" in html and "train/cat/0.png" in html


def test_many_files_are_sampled_and_all_named_up_to_a_limit(audited: Audited) -> None:
    paths = tuple(record.path for record in audited.found.dataset.records)
    finding = Finding(code="x", level="note", said="Many.", files=paths * 40, count=40 * len(paths))
    html = shown_findings.found([finding], shots(audited.found))
    assert html.count("<img") == shown_findings.IMAGES
    assert html.count("<code>") == shown_findings.LISTED and "and 380 more" in html


def test_no_finding_is_said_too(audited: Audited) -> None:
    assert "Nothing" in shown_findings.found([], shots(audited.found))


def test_a_page_is_not_written_into_the_data(faulty: Path, tmp_path: Path) -> None:
    before = sorted(faulty.rglob("*"))
    with pytest.raises(RecipeError, match="own folder"):
        cw.audit(faulty, page=faulty / "sub" / "audit.html")
    found = cw.audit(faulty, page=tmp_path / "audit.html")
    assert (tmp_path / "audit.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert sorted(faulty.rglob("*")) == before
    assert found.attention and "2 classes, read as folder" in str(found)
    assert found._repr_html_().startswith("<iframe srcdoc=")


def test_the_same_data_gives_the_same_page(audited: Audited, faulty: Path) -> None:
    assert cw.audit(faulty).html() == audited.html()


def test_the_wall_takes_turns_between_classes() -> None:
    records = [
        Record(path=f"{name}{n}", label=name) for name, many in (("a", 50), ("b", 3)) for n in range(many)
    ]
    first = list(by_turns(records))
    assert [path[0] for path in first[:6]] == ["a", "b"] * 3 and sorted(first) == sorted(
        r.path for r in records
    )
    assert first != list(by_turns(records, seed=1)) and classes_of(records[0]) == ("a",)


def test_masks_without_a_list_of_classes_are_looked_at_first(tmp_path: Path) -> None:
    root = tmp_path / "masks"
    for number in range(4):
        photo(root / "images" / f"{number}.png")
        mask = np.zeros((48, 64), np.uint8)
        mask[10:30, 10 + number : 40] = 255
        (root / "masks").mkdir(exist_ok=True)
        Image.fromarray(mask).save(root / "masks" / f"{number}.png")
    found = cw.audit(root)
    assert found.found.dataset.classes == ("background", "object")
    page = found.html()
    assert "Share of the pixels" in page and ">object</li>" in page and ">background</li>" not in page


def test_masks_that_are_no_maps_are_a_finding_and_no_failure(tmp_path: Path) -> None:
    root = tmp_path / "masks"
    for number in range(3):
        photo(root / "images" / f"{number}.png")
        (root / "masks").mkdir(exist_ok=True)
        noise = CHANCE.integers(0, 256, (48, 64, 3), np.uint8)
        Image.fromarray(noise).save(root / "masks" / f"{number}.png")
    found = cw.audit(root)
    assert found.findings[0].code == "masks" and found.findings[0].level == "error" and found.attention
    assert found.html()


@pytest.mark.packs
@pytest.mark.parametrize("pack", ["bccd", "camvid", "one_animal", "ants_bees"])
def test_real_sets_have_a_small_page(pack: str, packs: Path) -> None:
    page = cw.audit(packs / pack).html()
    assert len(page.encode()) < 3_000_000
    read = outline(page)
    assert read.wordless == 0 and read.tags & {"svg"} and "look" in read.ids
