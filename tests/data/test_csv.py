"""A table of path,label: variants that are read, lines that are set aside, mistakes that are said with their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from convworks.data import sources
from convworks.data.record import DataSet
from convworks.errors import DataError


def table(root: Path, text: str | bytes, name: str = "labels.csv") -> Path:
    """A table beside four empty images: i/1.jpg to i/4.jpg."""
    (root / "i").mkdir(exist_ok=True)
    for number in range(1, 5):
        (root / f"i/{number}.jpg").write_bytes(b"")
    path = root / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def found(dataset: DataSet) -> list[tuple[str, str, str]]:
    return [(record.path, record.label, record.split) for record in dataset.records]


def reasons(dataset: DataSet) -> dict[str, str]:
    return {file.path: file.reason for file in dataset.set_aside}


def refused(root: Path) -> DataError:
    with pytest.raises(DataError) as raised:
        sources.read(root)
    assert len(str(raised.value).splitlines()) <= 6
    return raised.value


PLAIN = "path,label\ni/1.jpg,cat\ni/2.jpg,dog\n"
READ = [("i/1.jpg", "cat", ""), ("i/2.jpg", "dog", "")]


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.rstrip("\n"),
        PLAIN.replace("\ni/2", "\n\n , \ni/2"),
        PLAIN.replace(",", " , "),
        PLAIN.replace("i/", "i\\"),
        PLAIN.replace("i/1", "./i//1"),
        '"path","label"\n"i/1.jpg","cat"\n"i/2.jpg","dog"\n',
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.encode("utf-16"),
    ],
    ids=[
        "plain",
        "crlf",
        "semicolon",
        "tab",
        "no-end",
        "blank",
        "spaces",
        "backslash",
        "dots",
        "quoted",
        "bom",
        "utf-16",
    ],
)
def test_tables_as_programs_write_them_read_alike(tmp_path: Path, text: str | bytes) -> None:
    assert found(sources.read(table(tmp_path, text))) == READ


@pytest.mark.parametrize("header", ["filename,class", "Image,LABEL", "file_path;category", "img\tclass_name"])
def test_other_words_in_the_header_are_understood_and_said(tmp_path: Path, header: str) -> None:
    delimiter = next(mark for mark in ",;\t" if mark in header)
    lines = PLAIN.split("\n", 1)[1].replace(",", delimiter)
    read = sources.read(table(tmp_path, f"{header}\n{lines}"))
    assert found(read) == READ
    assert any(header.split(delimiter)[0].lower() in note for note in read.notes)


def test_columns_may_stand_anywhere_and_unused_ones_are_named(tmp_path: Path) -> None:
    read = sources.read(table(tmp_path, "id,label,width,path\n7,cat,3,i/1.jpg\n8,dog,3,i/2.jpg\n"))
    assert found(read) == READ
    assert "Columns not used: id, width." in read.notes


def test_a_split_column_is_read(tmp_path: Path) -> None:
    text = "path,label,split\ni/1.jpg,cat,train\ni/2.jpg,dog,\ni/3.jpg,cat,Valid\ni/4.jpg,dog,TEST\n"
    read = sources.read(table(tmp_path, text))
    assert [split for _, _, split in found(read)] == ["train", "train", "val", "test"]


def test_a_folder_with_one_table_is_read_by_it_and_says_so(tmp_path: Path) -> None:
    table(tmp_path, "a,b\n1,2\n", "other.csv")
    table(tmp_path, PLAIN)
    read = sources.read(tmp_path)
    assert read.source == "csv" and found(read) == READ and read.root == tmp_path
    assert "Read from labels.csv" in read.notes[0]


def test_a_folder_with_two_tables_is_not_guessed_at(tmp_path: Path) -> None:
    table(tmp_path, PLAIN, "a.csv")
    table(tmp_path, PLAIN, "b.csv")
    with pytest.raises(DataError, match=r"a\.csv, b\.csv"):
        sources.read(tmp_path, source="csv")


def test_a_table_of_something_else_leaves_a_folder_a_folder(tmp_path: Path) -> None:
    table(tmp_path, "epoch,loss\n1,2\n", "log.csv")
    (tmp_path / "j").mkdir()
    (tmp_path / "j" / "1.png").write_bytes(b"")
    assert sources.find(tmp_path) == "folder"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("i/9.jpg,cat", "line 4: no such file"),
        ("i/3.jpg,", "line 4: no label"),
        ("i/3.jpg", "line 4: no label"),
        ("i,cat", "line 4: not a file"),
    ],
)
def test_a_line_that_names_no_labelled_image_is_set_aside(tmp_path: Path, line: str, reason: str) -> None:
    read = sources.read(table(tmp_path, f"{PLAIN}{line}\n"))
    assert found(read) == READ
    assert list(reasons(read).values()) == [reason]


def test_an_unknown_split_is_set_aside_with_its_word(tmp_path: Path) -> None:
    text = "path,label,split\ni/1.jpg,cat,train\ni/2.jpg,dog,train\ni/3.jpg,dog,fold7\n"
    assert '"fold7"' in reasons(sources.read(table(tmp_path, text)))["i/3.jpg"]


def test_a_repeated_line_counts_once(tmp_path: Path) -> None:
    read = sources.read(table(tmp_path, PLAIN + "i/2.jpg,dog\n"))
    assert found(read) == READ
    assert "1 line repeated another and counted once." in read.notes


def test_an_image_with_two_labels_is_set_aside_with_both_lines(tmp_path: Path) -> None:
    read = sources.read(table(tmp_path, PLAIN + "i/3.jpg,cat\ni/3.jpg,dog\n"))
    assert found(read) == READ
    assert reasons(read) == {"i/3.jpg": 'line 4 says "cat", line 5 says "dog"'}


def test_an_image_in_train_and_val_is_set_aside(tmp_path: Path) -> None:
    text = "path,label,split\ni/1.jpg,cat,train\ni/2.jpg,dog,train\ni/3.jpg,cat,train\ni/3.jpg,cat,val\n"
    assert "in val" in reasons(sources.read(table(tmp_path, text)))["i/3.jpg"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["path", "-"]),
        ("i/1.jpg,cat\ni/2.jpg,dog\n", ["path", "i/1.jpg, cat"]),
        ("path,colour\ni/1.jpg,red\n", ["label", "path, colour"]),
        ("path,label\n", ["No line"]),
        ("path,label\nx/1.jpg,cat\n", ["No line", "x/1.jpg", "no such file"]),
        ('path,label\ni/1.jpg,"cat\n', ["line 2"]),
        (b"path,label\ni/1.jpg,caf\xe9\n", ["line 2", "UTF-8"]),
        ("path,label\ni/1.jpg,cat\ni/1.jpg,dog\n", ["two labels"]),
        ("path,label\ni/1.jpg,cat\n", ['one class: "cat"']),
        ("path,label,split\ni/1.jpg,cat,train\ni/2.jpg,dog,train\ni/3.jpg,emu,val\n", ["val", '"emu"']),
        ("path,label,split\ni/1.jpg,cat,val\ni/2.jpg,dog,val\n", ["none of train"]),
    ],
)
def test_a_table_that_cannot_be_used_says_why_and_where(
    tmp_path: Path, text: str | bytes, words: list[str]
) -> None:
    error = refused(table(tmp_path, text))
    assert all(word in error.found for word in words), error.found
    assert error.fix
