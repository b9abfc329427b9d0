"""A folder a class: what is read, what is set aside, and what is said of every odd thing a folder can hold."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import pytest

from convworks.data import sources
from convworks.data.record import DataSet
from convworks.errors import DataError


def put(root: Path, *names: str) -> Path:
    """Empty files of these names: a source opens no image."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


def pets(root: Path) -> Path:
    return put(root, "cat/1.jpg", "cat/2.jpg", "dog/1.jpg")


def counted(dataset: DataSet) -> Counter[tuple[str, str]]:
    return Counter((record.split, record.label) for record in dataset.records)


def reasons(dataset: DataSet) -> dict[str, str]:
    return {file.path: file.reason for file in dataset.set_aside}


def refused(root: Path) -> DataError:
    with pytest.raises(DataError) as raised:
        sources.read(root)
    assert len(str(raised.value).splitlines()) <= 6
    return raised.value


def test_a_folder_is_a_class(tmp_path: Path) -> None:
    read = sources.read(pets(tmp_path))
    assert (read.source, read.task, read.classes) == ("folder", "classification", ("cat", "dog"))
    assert [record.path for record in read.records] == ["cat/1.jpg", "cat/2.jpg", "dog/1.jpg"]
    assert {record.split for record in read.records} == {""}
    assert read.notes == () and read.set_aside == ()


@pytest.mark.parametrize(
    "names", [("train", "val", "test"), ("Training", "valid", "testing"), ("TRAIN", "Validation", "Test")]
)
def test_split_folders_are_known_by_their_usual_names(tmp_path: Path, names: tuple[str, str, str]) -> None:
    for split in names:
        pets(tmp_path / split)
    read = sources.read(tmp_path)
    assert counted(read) == Counter(
        {(split, label): n for split in ("train", "val", "test") for label, n in (("cat", 2), ("dog", 1))}
    )
    assert any(names[1] in note for note in read.notes)


def test_a_class_of_trains_beside_others_is_a_class(tmp_path: Path) -> None:
    read = sources.read(put(tmp_path, "bus/1.jpg", "train/1.jpg", "train/steam/2.jpg"))
    assert read.classes == ("bus", "train")
    assert len(read.records) == 3


def test_train_alone_is_a_split_to_be_made(tmp_path: Path) -> None:
    pets(tmp_path / "train")
    assert counted(sources.read(tmp_path)) == {("train", "cat"): 2, ("train", "dog"): 1}


def test_a_class_that_only_val_has_is_an_error_that_names_it_and_the_likely_typo(tmp_path: Path) -> None:
    pets(tmp_path / "train")
    put(tmp_path, "val/cat/9.jpg", "val/dgo/9.jpg")
    error = refused(tmp_path)
    assert '"dgo"' in error.found and "val" in error.found
    assert '"dog"' in error.fix


def test_a_class_of_val_in_another_case_is_an_error_not_a_new_class(tmp_path: Path) -> None:
    pets(tmp_path / "train")
    put(tmp_path, "val/Cat/9.jpg", "val/dog/9.jpg")
    assert '"cat"' in refused(tmp_path).fix


def test_a_class_that_val_lacks_is_a_note(tmp_path: Path) -> None:
    pets(tmp_path / "train")
    put(tmp_path, "val/cat/9.jpg")
    read = sources.read(tmp_path)
    assert read.classes == ("cat", "dog")
    assert any("Not in val" in note and "dog" in note for note in read.notes)


def test_two_names_of_one_split_are_an_error(tmp_path: Path) -> None:
    for split in ("train", "val", "valid"):
        pets(tmp_path / split)
    assert "val, valid" in refused(tmp_path).found


def test_val_without_train_is_an_error(tmp_path: Path) -> None:
    pets(tmp_path / "val")
    pets(tmp_path / "test")
    assert "no train/" in refused(tmp_path).found


def test_a_folder_beside_the_splits_is_named_as_not_read(tmp_path: Path) -> None:
    pets(tmp_path / "train")
    pets(tmp_path / "val")
    pets(tmp_path / "extra")
    read = sources.read(tmp_path)
    assert len(read.records) == 6
    assert any("extra" in note and "Not read" in note for note in read.notes)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    assert "No images" in refused(tmp_path).found


def test_a_folder_without_images_says_what_it_holds(tmp_path: Path) -> None:
    put(tmp_path, "a/notes.txt", "b/table.xls")
    assert ".txt, .xls" in refused(tmp_path).found


def test_images_without_class_folders_say_how_to_arrange_them(tmp_path: Path) -> None:
    error = refused(put(tmp_path, "1.jpg", "2.jpg"))
    assert "1.jpg (lies in no class folder) and 1 more" in error.found
    assert "folder a class" in error.fix and "CSV" in error.fix


def test_one_class_is_an_error(tmp_path: Path) -> None:
    assert 'one class: "cat"' in refused(put(tmp_path, "cat/1.jpg")).found


def test_one_folder_too_high_names_the_folder_to_give(tmp_path: Path) -> None:
    assert str(tmp_path / "pets") in refused(put(tmp_path, "pets/cat/1.jpg", "pets/dog/1.jpg")).fix


def test_a_class_folder_without_an_image_is_an_error_that_names_it(tmp_path: Path) -> None:
    (pets(tmp_path) / "emu").mkdir()
    assert "emu" in refused(tmp_path).found


def test_a_class_of_one_image_is_read(tmp_path: Path) -> None:
    assert counted(sources.read(pets(tmp_path)))["", "dog"] == 1


def test_classes_are_sorted_character_by_character(tmp_path: Path) -> None:
    assert sources.read(put(tmp_path, "2/a.png", "10/a.png", "1/a.png")).classes == ("1", "10", "2")


def test_classes_that_differ_only_in_case_stay_apart_and_are_named(tmp_path: Path) -> None:
    put(tmp_path, "Cat/1.jpg", "cat/1.jpg")
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system does not tell Cat from cat")
    read = sources.read(tmp_path)
    assert read.classes == ("Cat", "cat")
    assert any("Cat, cat" in note for note in read.notes)


def test_nested_folders_belong_to_their_class_and_are_named(tmp_path: Path) -> None:
    read = sources.read(put(pets(tmp_path), "cat/2021/a.jpg", "cat/2022/b.jpg"))
    assert counted(read)["", "cat"] == 4
    assert any("cat/2021, cat/2022" in note for note in read.notes)


def test_hidden_files_and_the_clutter_of_systems_are_counted_only(tmp_path: Path) -> None:
    put(pets(tmp_path), "cat/._1.jpg", ".git/x.png", "cat/Thumbs.db", "__MACOSX/cat/1.jpg")
    read = sources.read(tmp_path)
    assert len(read.records) == 3
    assert "4 hidden files and folders skipped." in read.notes


def test_files_that_are_no_images_are_counted_and_named(tmp_path: Path) -> None:
    read = sources.read(put(pets(tmp_path), "README.md", "cat/1.xml", "cat/2.xml"))
    (note,) = read.notes
    assert (
        note.startswith("3 files skipped") and "2 .xml (cat/1.xml, cat/2.xml)" in note and "README.md" in note
    )


def test_images_of_kinds_that_are_not_read_are_set_aside_with_a_way_out(tmp_path: Path) -> None:
    assert "JPEG or PNG" in reasons(sources.read(put(pets(tmp_path), "cat/phone.HEIC")))["cat/phone.HEIC"]


@pytest.mark.parametrize(
    "name",
    ["two\nlines.jpg", "a b.jpg", "قطة.jpg", "\u202egpj.exe.jpg", "🐈.JPG", "é" * 125 + ".jpg", "x.JPG"],
)
def test_any_name_a_file_system_allows_is_read(tmp_path: Path, name: str) -> None:
    read = sources.read(put(pets(tmp_path), f"dog/{name}", f"{name}s/1.png"))
    assert f"dog/{name}" in [record.path for record in read.records]
    assert f"{name}s" in read.classes
    assert not any("\n" in note or "\u202e" in note for note in read.notes)


def test_a_name_that_is_no_utf8_is_set_aside(tmp_path: Path) -> None:
    pets(tmp_path)
    try:
        (tmp_path / "cat" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    read = sources.read(tmp_path)
    assert len(read.records) == 3
    assert reasons(read) == {"cat/caf\\udce9.jpg": "its name is not valid UTF-8; rename it"}


def test_a_dangling_link_is_set_aside(tmp_path: Path) -> None:
    (pets(tmp_path) / "cat" / "gone.jpg").symlink_to("nowhere.jpg")
    assert reasons(sources.read(tmp_path)) == {"cat/gone.jpg": "a link to nothing"}


def test_a_link_to_itself_is_set_aside(tmp_path: Path) -> None:
    link = pets(tmp_path) / "cat" / "me.jpg"
    link.symlink_to(link)
    assert reasons(sources.read(tmp_path)) == {"cat/me.jpg": "a link to nothing"}


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    pets(tmp_path)
    (tmp_path / "cat" / "up").symlink_to("..")
    (tmp_path / "dog" / "more").mkdir()
    (tmp_path / "dog" / "more" / "a").symlink_to("../more2")
    (tmp_path / "dog" / "more2").mkdir()
    (tmp_path / "dog" / "more2" / "b").symlink_to("../more")
    read = sources.read(tmp_path)
    assert len(read.records) == 3
    assert reasons(read)["cat/up"] == "a link to a folder that holds it"


@pytest.mark.parametrize("folder", [False, True])
def test_a_link_that_leads_out_is_not_followed(tmp_path: Path, folder: bool) -> None:
    secret = put(tmp_path / "secret", "1.jpg")
    root = pets(tmp_path / "data")
    (root / "cat" / "out").with_suffix("" if folder else ".jpg").symlink_to(
        secret if folder else secret / "1.jpg"
    )
    read = sources.read(root)
    assert len(read.records) == 3
    assert list(reasons(read).values()) == ["a link that leads out of the data's folder"]


def test_a_link_inside_the_data_is_followed(tmp_path: Path) -> None:
    (pets(tmp_path) / "dog" / "same.jpg").symlink_to("../cat/1.jpg")
    assert counted(sources.read(tmp_path))["", "dog"] == 2


def test_a_root_that_is_a_link_is_fine(tmp_path: Path) -> None:
    pets(tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    assert len(sources.read(tmp_path / "link").records) == 3


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_named_like_an_image_is_set_aside(tmp_path: Path) -> None:
    os.mkfifo(pets(tmp_path) / "cat" / "pipe.jpg")
    assert reasons(sources.read(tmp_path)) == {"cat/pipe.jpg": "not a file"}


def test_a_folder_without_permission_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(pets(tmp_path), "cat/locked/3.jpg")
    really = os.scandir

    def guarded(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return really(path)

    monkeypatch.setattr(os, "scandir", guarded)
    read = sources.read(tmp_path)
    assert len(read.records) == 3
    assert reasons(read) == {"cat/locked": "no permission to read this folder"}


def test_a_mistyped_folder_names_its_neighbour(tmp_path: Path) -> None:
    pets(tmp_path / "pets")
    error = refused(tmp_path / "pest")
    assert str(tmp_path / "pest") in error.found
    assert str(tmp_path / "pets") in error.fix


def test_an_address_is_never_a_download(tmp_path: Path) -> None:
    assert "address" in refused(Path("https://example.org/pets.zip")).found


def test_an_archive_is_to_be_unpacked(tmp_path: Path) -> None:
    assert "unpack" in refused(put(tmp_path, "pets.zip") / "pets.zip").fix


def test_an_unknown_source_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='did you mean "folder"'):
        sources.read(pets(tmp_path), source="folders")


def test_four_times_the_files_are_listed_in_no_more_than_eight_times_as_long(tmp_path: Path) -> None:
    def seconds(count: int) -> float:
        for label in ("cat", "dog"):
            (tmp_path / str(count) / label).mkdir(parents=True)
            for number in range(count // 2):
                os.close(os.open(tmp_path / str(count) / label / f"{number}.jpg", os.O_CREAT | os.O_WRONLY))
        times: list[float] = []
        for _ in range(3):
            began = time.process_time()
            assert len(sources.read(tmp_path / str(count)).records) == count
            times.append(time.process_time() - began)
        return min(times)

    few, many = seconds(1000), seconds(4000)
    assert many < 8 * few
