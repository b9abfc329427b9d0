"""The report of a realistic run: whole, safe, self-contained, small, and honest about what is not there."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

from convworks import events
from convworks.errors import RunError
from convworks.evaluation.result import Evaluation
from convworks.report.html import build, write

VOID = {"meta", "img", "link", "br", "col", "wbr"}


def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("written_run", Path(__file__).with_name("written_run.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Page(HTMLParser):
    """Reads a page strictly: every element is closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def every(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.tags if name in attributes]


@pytest.fixture(scope="module")
def made() -> ModuleType:
    return maker()


@pytest.fixture(scope="module")
def run(made: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.write_run(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def html(run: Path) -> str:
    return build(run)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


@pytest.fixture
def bare(made: ModuleType, tmp_path: Path) -> Path:
    """A run whose images are not there."""
    return made.write_run(tmp_path, each=12, paint=False)


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def reworded(run: Path, change: dict[str, object]) -> None:
    values = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
    (run / "evaluation.json").write_text(json.dumps(values | change), encoding="utf-8")


def test_the_verdict_comes_first_with_interval_and_chance(page: Page, run: Path) -> None:
    evaluation = Evaluation.read(run / "evaluation.json")
    assert f"Right on {evaluation.right} of 200 images it has never seen." in page.text
    verdict = page.text.index("it has never seen")
    assert verdict < page.text.index("guessing gives 25 %") < page.text.index("What to know")
    assert "Overfitting since epoch 7" in page.text


@pytest.mark.parametrize(
    "title",
    [
        "Score",
        "Worst mistakes",
        "What is taken for what",
        "A fair sample",
        "How it learned",
        "How near your data is to what the net knows",
        "Which candidate was kept",
        "Can its probabilities be believed?",
        "2 files or annotations set aside",
        "Which images did what",
        "The command",
        "The choices that matter",
        "The machine",
        "What this does not tell",
    ],
)
def test_every_part_is_there(page: Page, title: str) -> None:
    assert title in page.text


def test_file_names_are_text_and_never_markup(html: str, page: Page) -> None:
    assert "script" not in {tag for tag, _ in page.tags}
    assert "alert(1)" in page.text
    assert "circle/17<b>.jpg" in page.text
    assert "<script" not in html


def test_nothing_is_asked_of_the_network_and_no_script_may_run(html: str, page: Page) -> None:
    assert not re.search(r"https?:|//[a-z]|url\(|@import", re.sub(r'src="data:[^"]*"', "", html))
    assert {source.partition(",")[0] for source in page.every("src")} == {"data:image/webp;base64"}
    assert all(link.startswith("#") for link in page.every("href"))
    style = html.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = next(value for value in page.every("content") if value.startswith("default-src 'none'"))
    assert f"style-src 'sha256-{digest}'" in policy
    assert not page.every("style"), "a style attribute would be against the policy"


def test_every_link_leads_somewhere_and_no_id_is_there_twice(page: Page) -> None:
    ids = page.every("id")
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in page.every("href")} <= set(ids)
    assert set(page.every("aria-labelledby")) <= set(ids)


def test_every_picture_has_words_and_every_chart_too(page: Page) -> None:
    assert all(attributes["alt"] for tag, attributes in page.tags if tag == "img")
    charts = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert charts
    assert all(chart.get("aria-label") or chart.get("aria-hidden") for chart in charts)


def test_each_number_of_the_confusion_table_leads_to_that_many_images(html: str, run: Path) -> None:
    table = Evaluation.read(run / "evaluation.json").confusion
    for truth in range(4):
        for answer in range(4):
            found = re.search(rf'id="cell-{truth}-{answer}".*?Back to the table', html, re.DOTALL)
            assert (found is not None) == bool(table[truth, answer])
            if found:
                assert found[0].count("<img") == table[truth, answer]


def test_it_weighs_less_than_3_mb_with_200_images(html: str) -> None:
    assert html.count("<img") >= 200
    assert len(html.encode()) < 3_000_000


def test_writing_changes_no_image_and_leaves_no_other_file(run: Path) -> None:
    before = hashes(run.parent.parent)
    path = write(run)
    assert path == run / "report.html"
    after = hashes(run.parent.parent)
    assert after.pop(str(path))
    before.pop(str(path), None)
    assert after == before


def test_it_can_be_written_elsewhere(bare: Path, tmp_path: Path) -> None:
    assert write(bare, tmp_path / "sent.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_images_that_are_gone_are_said(bare: Path) -> None:
    page = Page(build(bare))
    assert "48 pictures cannot be shown" in page.text
    assert "img" not in {tag for tag, _ in page.tags}


def test_a_path_that_leaves_the_data_is_not_followed(made: ModuleType, tmp_path: Path) -> None:
    run = made.write_run(tmp_path, each=2)
    shutil.copy(tmp_path / "data" / "circle" / "circle-000.png", tmp_path / "secret.png")
    values = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
    reworded(run, {"paths": ["../secret.png", str(tmp_path / "secret.png"), *values["paths"][2:]]})
    assert "2 pictures cannot be shown" in Page(build(run)).text


def test_a_run_that_was_not_measured_says_so(bare: Path) -> None:
    (bare / "evaluation.json").unlink()
    kept = [
        line
        for line in (bare / "events.jsonl").read_text(encoding="utf-8").splitlines()
        if not line.startswith(('{"event": "Scored"', '{"event": "Finished"'))
    ]
    stopped = events.encode(events.Interrupted(signal="SIGTERM", command="convworks train --resume x"), 0.0)
    (bare / "events.jsonl").write_text("\n".join([*kept, stopped, '{"event": "cut sho']), encoding="utf-8")
    page = Page(build(bare))
    assert "This run was interrupted before it was measured." in page.text
    assert "convworks train --resume x" in page.text
    assert "How it learned" in page.text


def test_the_smallest_run_is_still_a_report(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text("", encoding="utf-8")
    assert "This run has not been measured." in Page(build(tmp_path)).text


def test_epochs_that_a_resumed_run_said_twice_are_shown_once(bare: Path) -> None:
    log = bare / "events.jsonl"
    text = log.read_text(encoding="utf-8")
    again = [line for line in text.splitlines() if '"EpochEnded"' in line][-3:]
    log.write_text(text + "\n".join(again) + "\n", encoding="utf-8")
    assert "The 12 epochs as a table" in Page(build(bare)).text


def test_a_score_on_images_that_chose_is_marked_in_the_headline(bare: Path) -> None:
    reworded(bare, {"chosen_on": "tuning"})
    log = bare / "events.jsonl"
    kept = [line for line in log.read_text(encoding="utf-8").splitlines() if '"event": "Scored"' not in line]
    log.write_text("\n".join(kept), encoding="utf-8")
    page = Page(build(bare))
    assert "of 48 images that also chose it." in page.text
    assert "expect less on new ones" in page.text


def test_a_model_that_learned_nothing_is_told_so_first(made: ModuleType, tmp_path: Path) -> None:
    text = Page(build(made.write_run(tmp_path, each=12, paint=False, skill=1.0))).text
    assert "It has not been shown to know anything" in text
    assert text.index("It may have learned nothing") < text.index("Overfitting since")


def test_a_model_that_is_worse_than_knowing_nothing_is_told_so_too(made: ModuleType, tmp_path: Path) -> None:
    text = Page(build(made.write_run(tmp_path, each=12, paint=False, skill=0.0))).text
    assert "That is worse than knowing nothing: guessing gives 25 %." in text


def test_many_classes_are_listed_by_their_mistakes(bare: Path) -> None:
    many = [f"class {index:02}" for index in range(40)]
    shares = [[1.0 if column == (row * 7) % 40 else 0.0 for column in range(40)] for row in range(48)]
    reworded(bare, {"classes": many, "probabilities": shares, "truth": [row % 40 for row in range(48)]})
    page = Page(build(bare))
    assert "With 40 classes, the most frequent mistakes." in page.text
    assert sum(link.startswith("#cell-") for link in page.every("href")) == 30


def test_all_right_is_said(bare: Path) -> None:
    values = json.loads((bare / "evaluation.json").read_text(encoding="utf-8"))
    reworded(bare, {"probabilities": [[float(k == truth) for k in range(4)] for truth in values["truth"]]})
    assert "There are none: all 48 images were answered right." in Page(build(bare)).text


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"has no events\.jsonl"):
        build(tmp_path)
    with pytest.raises(RunError, match="does not exist"):
        build(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["evaluation.json", "model.json"])
@pytest.mark.parametrize("text", ["{", '{"classes": 3}'])
def test_a_damaged_file_is_named(bare: Path, name: str, text: str) -> None:
    (bare / name).write_text(text, encoding="utf-8")
    if name == "model.json" and text != "{":
        return
    with pytest.raises(RunError, match=f"{name} is damaged"):
        build(bare)
