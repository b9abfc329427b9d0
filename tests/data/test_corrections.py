"""Corrections beside the data are read strictly, honoured by reading, and said aloud."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convworks.data import corrections, sources
from convworks.data.corrections import Corrections, applied, beside, group_of, read, write
from convworks.data.record import BoxNote, DataSet, Record
from convworks.errors import DataError


def pets(root: Path) -> Path:
    for label in ("cat", "dog"):
        (root / "pets" / label).mkdir(parents=True)
        for number in range(3):
            pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(root / "pets" / label / f"{number}.png")
    return root / "pets"


def dataset(task: str = "classification", records: list[Record] | None = None) -> DataSet:
    given = records or [
        Record(path=f"{name}/{n}.png", label=name) for name in ("cat", "dog") for n in range(3)
    ]
    return DataSet(root=Path("x"), source="test", task=task, classes=("cat", "dog"), records=given)  # type: ignore[arg-type]


def test_reading_honours_the_file_beside_the_data_and_says_so(tmp_path: Path) -> None:
    root = pets(tmp_path)
    beside(root).write_text(
        'exclude = ["cat/1.png"]\n[relabel]\n"dog/0.png" = "cat"\n[group]\none = ["cat/0.png", "dog/0.png"]\n'
    )
    found = sources.read(root)
    labels = {record.path: record.label for record in found.records}
    assert labels == {
        "cat/0.png": "cat",
        "cat/2.png": "cat",
        "dog/0.png": "cat",
        "dog/1.png": "dog",
        "dog/2.png": "dog",
    }
    assert [record.path for record in found.records if record.group == "one"] == ["cat/0.png", "dog/0.png"]
    assert found.notes[-1] == (
        "Corrections in pets.corrections.toml: 1 left out, 1 given another class, 2 in 1 group."
    )


def test_a_file_that_is_named_is_read_instead(tmp_path: Path) -> None:
    root = pets(tmp_path)
    beside(root).write_text('exclude = ["cat/1.png"]')
    other = tmp_path / "other.toml"
    other.write_text('exclude = ["dog/1.png", "dog/2.png"]')
    assert len(sources.read(root, corrections=other).records) == 4
    assert len(sources.read(root).records) == 5
    with pytest.raises(DataError, match=r"There is no .*none\.toml"):
        sources.read(root, corrections=tmp_path / "none.toml")


def test_without_corrections_nothing_is_said(tmp_path: Path) -> None:
    assert not any("orrections" in note for note in sources.read(pets(tmp_path)).notes)


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    made = Corrections(
        exclude=frozenset({"a\nb.png", "é.png"}),
        relabel={"x.png": "cat", "y.png": ("cat", "dog")},
        group={"p.png": "patient 1", "q.png": "patient 1", "r.png": "2"},
        group_by="([a-z]+)_.*",
    )
    write(made, tmp_path / "c.toml")
    assert read(tmp_path / "c.toml") == made
    write(Corrections(), tmp_path / "c.toml")
    assert read(tmp_path / "c.toml") == Corrections()


def test_a_class_of_which_nothing_is_left_is_dropped() -> None:
    relabel = {f"dog/{n}.png": "cat" for n in range(3)}
    found = applied(dataset(), Corrections(relabel=relabel), name="c.toml")
    assert found.classes == ("cat",) and "nothing is left of dog" in found.notes[-1]


def test_groups_come_from_names_or_from_a_pattern() -> None:
    records = [Record(path=f"p{n // 2}_slice{n}.png", label="cat") for n in range(4)]
    by_name = applied(dataset(records=records), Corrections(group_by="name"), name="c")
    assert [record.group for record in by_name.records] == ["p0", "p0", "p1", "p1"]
    by_pattern = applied(dataset(records=records), Corrections(group_by=r".*slice([01])\.png"), name="c")
    assert [record.group for record in by_pattern.records] == ["0", "1", "", ""]


def test_several_labels_and_the_class_of_one_box_are_changed() -> None:
    several = dataset("multilabel", [Record(path="a.png", labels=("cat",))])
    assert applied(several, Corrections(relabel={"a.png": ("cat", "dog")}), name="c").records[0].labels == (
        "cat",
        "dog",
    )
    box = BoxNote(name="cat", box=(0, 0, 5, 5))
    one = dataset(
        "localization", [Record(path="a.png", label="cat", boxes=(box,)), Record(path="b.png", label="dog")]
    )
    changed = applied(one, Corrections(relabel={"a.png": "dog"}), name="c").records[0]
    assert changed.label == "dog" and changed.boxes[0].name == "dog"


@pytest.mark.parametrize(
    ("task", "made", "words"),
    [
        (
            "classification",
            Corrections(exclude=frozenset({"cat/11.png"})),
            ["1 image", "did you mean cat/1.png?"],
        ),
        ("classification", Corrections(relabel={"0.png": "cat"}), ["did you mean "]),
        (
            "classification",
            Corrections(relabel={"cat/0.png": "dgo"}),
            ['no class "dgo"', 'did you mean "dog"?'],
        ),
        ("classification", Corrections(relabel={"cat/0.png": ("cat", "dog")}), ["one class"]),
        ("multilabel", Corrections(relabel={"cat/0.png": "cat"}), ["a list of classes"]),
        ("detection", Corrections(relabel={"cat/0.png": "cat"}), ["images that have one class each"]),
    ],
)
def test_what_the_data_set_does_not_have_is_named_with_the_nearest(
    task: str, made: Corrections, words: list[str]
) -> None:
    with pytest.raises(DataError) as raised:
        applied(dataset(task), made, name="c.toml")
    assert all(word in str(raised.value) for word in words) and "c.toml" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("exclude = [", "not TOML"),
        ('exlude = ["a"]', 'did you mean "exclude"?'),
        ('exclude = "a"', "not a list of names"),
        ("exclude = [1]", "not a list of names"),
        ('relabel = ["a"]', "not a table"),
        ('[relabel]\n"a" = 3', "not a list of names"),
        ('[group]\none = ["a"]\ntwo = ["a"]', "in two groups: one, two"),
        ('group_by = "("', "regular expression"),
        ('group_by = "a.*"', "regular expression"),
        ("group_by = 3", "regular expression"),
    ],
)
def test_a_file_that_says_something_else_is_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(DataError) as raised:
        read(tmp_path / "c.toml")
    assert words in str(raised.value) and "c.toml" in str(raised.value)


def test_names_tell_groups_only_where_a_number_comes_before_the_counter() -> None:
    assert [
        group_of(f"{name}.png") for name in ("v1_f02", "a_1", "1_2", "x1-y2", "12", "IMG_20240101_120000")
    ] == [*("v1", "", "1", "x1", "", "IMG_20240101")]


def test_a_long_name_takes_no_time() -> None:
    assert group_of("a1_" * 20_000 + "x.png") == ""


def test_its_place_is_beside_the_data_whatever_the_data_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert beside(Path("labels.csv")) == tmp_path / "labels.csv.corrections.toml"
    assert beside(Path()) == tmp_path.with_name(tmp_path.name + corrections.SUFFIX)
