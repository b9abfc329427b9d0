"""What a file says of how it was made: its encoder's quality, the camera, the program, the time.

A net can tell images by such traces, where they go along with the class; so an audit looks for them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from PIL import ExifTags, Image

from convworks.data.decode import FORMATS
from convworks.data.quiet import listening

_LUMINANCE = np.array(
    [
        *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55),
        *(14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62),
        *(18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
        *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
    ]
)
"""The table of ITU-T T.81, annex K, from which most encoders scale theirs."""


def _sum(quality: int) -> int:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return int(np.clip((_LUMINANCE * scale + 50) // 100, 1, 255).sum())


_SUMS = np.array([_sum(quality) for quality in range(1, 101)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """How a file says it was made.

    `quality` is 1 to 100 on the scale of the IJG's encoder, 0 for what is no JPEG. `taken` is the time of the camera's
    clock in seconds (as if it were UTC), 0 where it is not told; `camera` and `software` are "" then.
    """

    quality: int = 0
    camera: str = ""
    software: str = ""
    taken: float = 0.0


def traces(data: bytes) -> Traces:
    """The traces in the bytes of an image file; none of a damaged one.

    >>> file = io.BytesIO()
    >>> Image.new("RGB", (16, 16)).save(file, "JPEG", quality=83)
    >>> traces(file.getvalue()).quality
    83
    """
    with listening():
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                tables = getattr(image, "quantization", None) or {}
                exif = image.getexif()
                within = exif.get_ifd(ExifTags.IFD.Exif) if exif else {}
        except Exception:  # whatever Pillow's parsing ran into; decoding says what of it concerns the owner
            return Traces()
    words = {name: _word(exif.get(name)) for name in (_MAKE, _MODEL, _SOFTWARE)}
    return Traces(
        quality=quality(tables[0]) if 0 in tables else 0,
        camera=f"{words[_MAKE]} {words[_MODEL]}".strip(),
        software=words[_SOFTWARE],
        taken=_time(_word(within.get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime))),
    )


_MAKE, _MODEL, _SOFTWARE = ExifTags.Base.Make, ExifTags.Base.Model, ExifTags.Base.Software


def quality(table: list[int]) -> int:
    """The quality, 1 to 100, at which the IJG's encoder has the luminance table most like `table`."""
    return int(np.abs(_SUMS - sum(table)).argmin()) + 1


def _word(value: object) -> str:
    return value.replace("\0", "").strip() if isinstance(value, str) else ""


def _time(text: str) -> float:
    try:
        return datetime.strptime(text[:19], "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
