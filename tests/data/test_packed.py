"""Packed records are the records that were packed: one by one, sorted, selected, on disk, in other processes."""

from __future__ import annotations

import dataclasses
import multiprocessing
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convworks.data import packed, rows
from convworks.data.packed import opened, pack
from convworks.data.record import BoxNote, Record
from convworks.errors import DataError

TEXT = st.text(st.characters(codec=None), max_size=12)
NUMBER = st.floats(allow_nan=False)
WHOLE = st.integers(-(2**63), 2**63 - 1)
NOTES = st.builds(
    BoxNote,
    name=TEXT,
    box=st.tuples(NUMBER, NUMBER, NUMBER, NUMBER),
    polygons=st.lists(st.lists(NUMBER, max_size=7).map(tuple), max_size=3).map(tuple),
    runs=st.lists(WHOLE | st.integers(0, 2**32 - 1), max_size=4).map(tuple),
    points=st.lists(st.tuples(NUMBER, NUMBER, WHOLE), max_size=3).map(tuple),
    crowd=st.booleans(),
    difficult=st.booleans(),
)
RECORDS = st.builds(
    Record,
    path=TEXT | st.lists(TEXT, max_size=4).map("/".join),
    label=TEXT,
    labels=st.lists(TEXT, max_size=3).map(tuple),
    split=st.sampled_from(["train", "val", "test", ""]),
    boxes=st.lists(NOTES, max_size=3).map(tuple),
    mask=TEXT,
    instances=TEXT,
    group=TEXT,
    size=st.tuples(WHOLE, WHOLE),
)


def pictures(count: int) -> list[Record]:
    return [
        Record(path=f"{number % 7}/{number * 31 % count:05}.jpg", label=str(number % 7))
        for number in range(count)
    ]


@given(st.lists(RECORDS, max_size=6))
@settings(max_examples=60)
def test_every_field_survives_exactly(records: list[Record]) -> None:
    assert list(pack(records)) == records
    assert [pack(records)[place] for place in range(-len(records), 0)] == records
    assert pickle.loads(pickle.dumps(pack(records))) == records


@given(st.lists(RECORDS, max_size=4))
@settings(max_examples=25)
def test_words_that_find_no_room_stand_in_the_rows(records: list[Record]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "_HERE", 2)
        made = pack(records)
        assert list(made) == records
        assert len(made._words) <= 2


def test_a_new_field_of_a_record_must_find_its_place_in_a_row() -> None:
    fields = [field.name for kind in (Record, BoxNote) for field in dataclasses.fields(kind)]
    assert fields == [
        *("path", "label", "labels", "split", "boxes", "mask", "instances", "group", "size"),
        *("name", "box", "polygons", "runs", "points", "crowd", "difficult"),
    ]


def test_a_file_holds_the_same(tmp_path: Path) -> None:
    note = BoxNote(
        name="é", box=(0.1, -1e300, 3, 4), polygons=((1.5, 2),), runs=(3, 2**40), points=((1, 2, 2),)
    )
    records = [*pictures(50), Record(path="\udce9/\n.jpg", labels=("a", "b"), boxes=(note,), size=(4, 5))]
    pack(records).save(tmp_path / "records")
    again = opened(tmp_path / "records")
    assert again == records
    assert pickle.loads(pickle.dumps(again[3:9])) == records[3:9]


def test_what_was_selected_is_saved_in_its_order(tmp_path: Path) -> None:
    records = pictures(30)
    pack(records)[::-3].save(tmp_path / "records")
    assert opened(tmp_path / "records") == records[::-3]


def test_a_sequence_like_any_other() -> None:
    records = pictures(20)
    made = pack(records)
    assert made == records and made != records[:-1] and made != [*records[:-1], records[0]]
    assert (made[4], made[-1], len(made)) == (records[4], records[-1], 20)
    assert made[2:11:3] == records[2:11:3] and made[5:][::-1][2:4] == records[5:][::-1][2:4]
    assert records[7] in made and made.index(records[7]) == 7
    assert made.take([3, 3, 1]) == [records[3], records[3], records[1]]
    assert pack(made) is made and pack([]) == []
    for place in (20, -21):
        with pytest.raises(IndexError):
            made[place]


@pytest.mark.parametrize("run", [1, 3, 7, 100])
def test_sorting_in_runs_is_sorting(run: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "_RUN", run)
    records = pictures(50)

    def key(record: Record) -> str:
        return record.label

    once = pack(records).ordered(key)
    assert once == sorted(records, key=key)
    assert once.ordered(key) == once
    assert pack(records).ordered(lambda record: record.path) == sorted(
        records, key=lambda record: record.path
    )
    assert pack([]).ordered(key) == []


def test_a_row_is_small() -> None:
    records = [Record(path=f"train/class_{n % 10}/{n:08}.jpg", label=f"class_{n % 10}") for n in range(1000)]
    made = pack(records)
    assert len(made._data) == 1000 * (9 + len("00000000.jpg"))


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_another_process_reads_them(method: str, tmp_path: Path) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this system")
    records = pictures(20)
    pack(records).save(tmp_path / "records")
    context: Any = multiprocessing.get_context(method)
    with context.Pool(1) as pool:
        for given_ in (opened(tmp_path / "records"), pack(records)):
            assert pool.apply(list, (given_,)) == records


def test_a_changed_byte_anywhere_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "records"
    pack(pictures(3)).save(path)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        with pytest.raises(DataError, match="cannot be opened"):
            opened(path)
    for length in (0, 1, packed._HEADER.size, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match="cannot be opened"):
            opened(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing here"):
        opened(tmp_path / "nothing here")


@pytest.mark.parametrize(
    "record",
    [
        Record(path="a.jpg", size=(2**63, 1)),
        Record(path="a.jpg", boxes=(BoxNote(name="", box=(0, 0, 1, 10**400)),)),
        Record(path="a.jpg", boxes=(BoxNote(name="", box=(0, 0, 1, 1), runs=(0, 2**64)),)),
    ],
)
def test_a_number_that_does_not_fit_is_refused_with_the_file(record: Record) -> None:
    with pytest.raises(DataError, match=r"^a\.jpg: .*far too large"):
        pack([record])
