"""`convworks convert` as people use it: on real files, through the real command line."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from convworks.cli.main import main
from convworks.data import sources


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic set for each task."""
    root = tmp_path_factory.mktemp("sets")
    for task in ("localization", "detection", "segmentation"):
        words = [
            "sample-data",
            str(root / task),
            "--task",
            task,
            "--count",
            "10",
            "--style",
            "shapes",
            "--workers",
            "1",
        ]
        assert main([*words, "--size", "48x40", "--json"]) == 0
    return root


def digest(root: Path) -> str:
    """One hash of all names, times and bytes below a folder."""
    whole = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        whole.update(f"{path.relative_to(root)} {path.stat().st_mtime_ns} ".encode())
        whole.update(path.read_bytes() if path.is_file() else b"")
    return whole.hexdigest()


def said(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = main(["convert", *map(str, words)])
    output = capsys.readouterr()
    return code, output.out, output.err


def test_what_is_read_changed_and_written_is_said(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = digest(data)
    code, out, err = said(capsys, data / "detection", "--to", "yolo", tmp_path / "yolo")
    assert code == 0 and err == ""
    lines = out.splitlines()
    assert lines[0] == f"Read    {data / 'detection'} as coco."
    assert any(line.startswith("Change  ") and "traced as outlines" in line for line in lines)
    assert lines[-1].startswith(f"Wrote   {tmp_path / 'yolo'} as yolo: 10 images, 3 classes, ")
    assert digest(data) == before
    assert sources.find(tmp_path / "yolo") == "yolo"


def test_a_loss_is_refused_in_words_and_then_done_as_asked(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = said(capsys, data / "detection", "--to", "csv", tmp_path / "csv")
    assert code == 2 and out == "" and err.startswith("Error: csv cannot hold all that")
    assert "masks become boxes" in err and "--lossy" in err and len(err.splitlines()) <= 6
    code, out, _ = said(capsys, data / "detection", "--to", "csv", tmp_path / "csv", "--lossy")
    assert code == 0 and "Lost    " in out


def test_machines_read_json(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, data / "localization", "--to", "voc", tmp_path / "voc", "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["source"], told["target"], told["images"], told["objects"]) == ("csv", "voc", 10, 10)
    assert told["destination"] == str(tmp_path / "voc") and told["lost"] == [] and len(told["classes"]) == 3


def test_from_masks_to_objects_and_back(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, data / "segmentation", "--to", "coco", tmp_path / "coco")[0] == 0
    assert said(capsys, tmp_path / "coco", "--to", "masks", tmp_path / "masks")[0] == 0
    assert len(sources.read(tmp_path / "masks").records) == 10


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("nowhere", "--to", "coco", "out"), "There is no nowhere"),
        ((".", "--to", "coca", "out"), "did you mean coco?"),
        ((".", "--to", "coco"), "needs DST"),
        ((".", "out"), "needs --to"),
        ((".", "--to", "coco", "out", "--source", "jolo"), 'did you mean "yolo"?'),
        ((".", "--to", "coco", "out", "--lossi"), "did you mean --lossy?"),
    ],
)
def test_mistakes_name_the_fix(
    words: tuple[str, ...],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = said(capsys, *words)
    assert code == 2 and expected in err and len(err.splitlines()) <= 6
