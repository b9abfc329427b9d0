"""What a file says of how it was made is read from its header, and a damaged header says nothing."""

from __future__ import annotations

import io

import pytest
from PIL import ExifTags, Image

from convworks.data.traces import Traces, quality, traces


def file(format: str = "JPEG", **options: object) -> bytes:
    place = io.BytesIO()
    Image.new("RGB", (24, 24), (90, 120, 30)).save(place, format, **options)
    return place.getvalue()


@pytest.mark.parametrize("given", [1, 10, 25, 49, 50, 60, 75, 90, 95, 100])
def test_the_encoders_quality_is_told_by_its_tables(given: int) -> None:
    assert abs(traces(file(quality=given)).quality - given) <= (3 if given < 10 else 0)


def test_other_formats_have_none() -> None:
    assert traces(file("PNG")) == Traces() == traces(file("WEBP"))


def test_tables_of_another_encoder_are_taken_for_the_most_alike() -> None:
    assert quality([1] * 64) == 100 and quality([255] * 64) == 1


def test_camera_program_and_time_are_read() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Canon\0", "EOS 5D "
    exif[ExifTags.Base.Software] = "GIMP"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2024:05:01 10:20:30"
    found = traces(file(exif=exif))
    assert (found.camera, found.software) == ("Canon EOS 5D", "GIMP")
    assert found.taken == 1_714_558_830


@pytest.mark.parametrize("time", ["0000:00:00 00:00:00", "yesterday", ""])
def test_a_time_that_is_none_is_none(time: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.DateTime] = time
    assert traces(file(exif=exif)).taken == 0


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"GIF89a", file()[:30]])
def test_damaged_files_say_nothing(data: bytes) -> None:
    assert traces(data) == Traces()
