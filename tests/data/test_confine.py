"""Paths that data names stay inside the data's folder, however they try to leave it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from convworks.data.sources import csv
from convworks.data.sources.confine import Refused, Root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data folder, data/a/1.jpg, beside a file that must not be reached, secret/1.jpg, and links to it."""
    for folder in ("data/a", "secret"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "1.jpg").write_bytes(b"")
    (tmp_path / "data-twin").mkdir()
    (tmp_path / "data-twin" / "1.jpg").write_bytes(b"")
    data = tmp_path / "data"
    (data / "a" / "out.jpg").symlink_to("../../secret/1.jpg")
    (data / "out").symlink_to("../secret")
    (data / "twin").symlink_to("../data-twin")
    (data / "a" / "in.jpg").symlink_to("1.jpg")
    os.link(tmp_path / "secret" / "1.jpg", data / "a" / "hard.jpg")
    return data


WAYS_OUT = [
    "../secret/1.jpg",
    "a/../../secret/1.jpg",
    "..\\secret\\1.jpg",
    "/etc/passwd",
    "C:\\Windows\\win.ini",
    "c:secret/1.jpg",
    "\\\\server\\share\\1.jpg",
    "//server/share/1.jpg",
    "a/out.jpg",
    "out/1.jpg",
    "twin/1.jpg",
    "a/1.jpg\0.png",
    "%2e%2e/secret/1.jpg",
    "a/%2e%2e/%2e%2e/secret/1.jpg",
    "a/caf\udce9.jpg",
    "",
    ".",
    "a",
]


@pytest.mark.parametrize("name", WAYS_OUT)
def test_no_path_leads_out(root: Path, name: str) -> None:
    with pytest.raises(Refused) as refusal:
        Root(root).find(name)
    assert str(refusal.value)


@pytest.mark.parametrize("name", ["a/1.jpg", "./a//1.jpg", "a\\1.jpg", "a/in.jpg", "a/hard.jpg"])
def test_paths_inside_are_found(root: Path, name: str) -> None:
    assert Root(root).find(name) == name.replace("\\", "/").replace("//", "/").removeprefix("./")


def test_a_backslash_in_a_real_name_is_kept(root: Path) -> None:
    (root / "a\\b.jpg").write_bytes(b"")
    assert Root(root).find("a\\b.jpg") == "a\\b.jpg"


def test_a_table_that_points_outside_names_each_line(root: Path) -> None:
    (root / "a" / "2.jpg").write_bytes(b"")
    ways = [way for way in WAYS_OUT if way and "\0" not in way and "\udce9" not in way]
    lines = "\n".join(f'"{way}",cat' for way in ways)
    (root / "labels.csv").write_text(f"path,label\na/1.jpg,cat\na/2.jpg,dog\n{lines}\n")
    read = csv.read(root / "labels.csv")
    assert [record.path for record in read.records] == ["a/1.jpg", "a/2.jpg"]
    assert len(read.set_aside) == len(ways)
    assert all(file.reason.startswith("line ") for file in read.set_aside)


def test_a_nul_in_a_table_is_refused_by_line(root: Path) -> None:
    (root / "a" / "2.jpg").write_bytes(b"")
    (root / "labels.csv").write_bytes(b"path,label\na/1.jpg,cat\na/2.jpg,dog\na/1.jpg\0.png,cat\n")
    (aside,) = csv.read(root / "labels.csv").set_aside
    assert "line 4" in aside.reason and "NUL" in aside.reason
