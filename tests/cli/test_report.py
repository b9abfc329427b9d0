"""`convworks report`: says where the page lies, refuses what is no run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from convworks.cli.main import main


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "events.jsonl").write_text("", encoding="utf-8")
    return tmp_path


def test_it_writes_the_page_and_says_where(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run)]) == 0
    assert capsys.readouterr().out.startswith(str(run / "report.html"))
    assert (run / "report.html").is_file()


def test_json_names_the_file_and_its_size(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = run / "there.html"
    assert main(["report", str(run), "--to", str(target), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"report": str(target), "bytes": target.stat().st_size}


def test_a_folder_that_is_no_run_is_a_mistake_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(tmp_path / "nowhere")]) == 2
    assert "does not exist" in capsys.readouterr().err
