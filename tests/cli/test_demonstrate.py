"""`convworks demonstrate`: the list of topics, the page, JSON, and mistakes."""

import json
from pathlib import Path

import pytest

from convworks.cli.main import main
from convworks.report.demonstrations import TOPICS


def test_without_a_topic_it_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demonstrate"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in out] == list(TOPICS)
    assert all(each.said in line for line, each in zip(out, TOPICS.values(), strict=True))
    assert main(["demonstrate", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(TOPICS)


def test_a_topic_is_said_and_written_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demonstrate", "region"]) == 0
    out = capsys.readouterr().out
    assert "mask     8x8: 9.5 6.5 3.5 0.5 0.5 0.5 0.5 0.5" in out
    assert "region.html: open it in a browser" in out
    assert (tmp_path / "region.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_json_holds_the_numbers_and_out_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "deep.html"
    assert main(["demonstrate", "boxes", "--out", str(page), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["topic"] == "boxes"
    assert document["page"] == str(page)
    assert len(document["tellings"]) == 5
    assert page.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["poolin"], "pooling"),
        (["region", "--image", "{image}"], "is not shown on a picture"),
        (["pointwise", "--image", "gone.png"], "gone.png"),
    ],
)
def test_a_mistake_is_said_in_a_few_lines_and_exit_2(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    image = tmp_path / "grey.png"
    Image.new("RGB", (64, 64), (90, 90, 90)).save(image)
    out = ["--out", str(tmp_path / "page.html")]
    assert main(["demonstrate", *(word.format(image=image) for word in words), *out]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.strip().splitlines()) <= 6
    assert not (tmp_path / "page.html").exists()
