"""Where to look is found once for each picture, whoever asks, in this run and the next."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from convworks.regions.proposals import Proposals, unscored
from convworks.regions.remembered import Remembered


class Counted:
    """A source that counts how often it is asked; its boxes depend on the image."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, image: np.ndarray) -> Proposals:
        self.asked += 1
        return unscored(np.array([[0.0, 0, image[0, 0, 0], 9]]))


def picture(value: int, size: tuple[int, int] = (8, 6)) -> np.ndarray:
    return np.full((*size, 3), value, np.uint8)


def test_one_picture_is_looked_at_once_in_all_runs(tmp_path: Path) -> None:
    source = Counted()
    first = Remembered(source=source, name="test", folder=tmp_path)
    boxes = first(picture(4))
    assert boxes.tolist() == [[0, 0, 4, 9]]
    first(picture(4).copy())
    assert first(picture(5)).tolist() == [[0, 0, 5, 9]]
    again = Remembered(source=source, name="test", folder=tmp_path)
    assert np.array_equal(again(picture(4)), boxes)
    assert source.asked == 2
    assert Remembered(source=source, name="other", folder=tmp_path)(picture(4)).shape == (1, 4)
    assert source.asked == 3, "other settings, other boxes"


def test_a_picture_of_another_shape_is_another_one() -> None:
    remembered = Remembered(source=Counted(), name="test", folder=Path("unused"))
    assert remembered.key(picture(4, (8, 6))) != remembered.key(picture(4, (6, 8)))


def test_a_damaged_file_is_found_again(tmp_path: Path) -> None:
    source = Counted()
    Remembered(source=source, name="test", folder=tmp_path)(picture(4))
    [file] = (tmp_path / "test").iterdir()
    file.write_bytes(file.read_bytes()[:-3])
    assert Remembered(source=source, name="test", folder=tmp_path)(picture(4)).tolist() == [[0, 0, 4, 9]]
    assert source.asked == 2


def test_where_nothing_can_be_written_it_still_answers(tmp_path: Path) -> None:
    source = Counted()
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    remembered = Remembered(source=source, name="test", folder=blocked)
    assert [len(remembered(picture(value))) for value in (1, 2, 1)] == [1, 1, 1]
    assert source.asked == 2


def test_what_was_written_longest_ago_goes_first(tmp_path: Path) -> None:
    import os

    remembered = Remembered(source=Counted(), name="test", folder=tmp_path, most_files=2)
    for value in (1, 2, 3):
        remembered(picture(value))
        os.utime(tmp_path / "test" / f"{remembered.key(picture(value))}.npy", (value, value))
    assert remembered.sweep() == 1
    left = {path.stem for path in (tmp_path / "test").iterdir()}
    assert left == {remembered.key(picture(2)), remembered.key(picture(3))}
