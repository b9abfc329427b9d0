"""What was measured of a ladder, as plain values, and the file that keeps them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from convworks.errors import RunError
from convworks.files import write_whole
from convworks.samples import Detection, Found
from convworks.studies.rungs import Name, Work

FILE, FORMAT = "ladder.json", 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What a ladder is climbed with: how many pictures learn, tune and measure, their frame in pixels, and how long.

    `proposals` are the boxes of selective search looked at in a picture, `passes` those of the heads over all pictures,
    `epochs` the default's, `stride` the pixels of a cell of the map that regions are read from.
    """

    learn: int
    tune: int
    measure: int
    height: int
    width: int
    proposals: int
    passes: int
    epochs: int
    backbone: str
    stride: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What was measured of a step. AP is COCO's over IoU .5 to .95, `low` and `high` its 95 % interval by bootstrap.

    `seconds` are the median of a picture, `proposing` the part of it that selective search took; `training` are the
    seconds of learning, `preparing` the part of it that boxes, maps and features took. `learning` is what was computed
    to learn, `looking` what was for all measured pictures. `covered` is the share of the objects that a proposal of
    selective search overlaps by IoU .5, NaN where there are none. `found` is the answer for the example.
    """

    rung: Name
    ap: float
    ap50: float
    low: float
    high: float
    seconds: float
    proposing: float
    training: float
    preparing: float
    covered: float
    learning: Work
    looking: Work
    found: Detection


@dataclass(frozen=True, slots=True, kw_only=True)
class Climb:
    """A ladder as far as it was climbed: the data, what was settled, the rows in the order of the history.

    `example` is a measured picture by its path, `annotated` what is in it; `asked` is what the ladder was asked for.
    """

    root: str
    classes: tuple[str, ...]
    settled: Settled
    example: str
    annotated: Detection
    rows: tuple[Row, ...]
    asked: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """All of it for JSON, numbers that are not known as null; `from_dict` reads it back."""
        rows = [asdict(row) | {"found": row.found.to_dict()} for row in self.rows]
        plain = [{name: _known(value) for name, value in row.items()} for row in rows]
        told = {"asked": dict(self.asked), "annotated": self.annotated.to_dict(), "rows": plain}
        return {"format": FORMAT} | asdict(self) | told

    @staticmethod
    def from_dict(told: Mapping[str, Any]) -> Climb:
        """The ladder of `to_dict`."""
        return Climb(
            root=told["root"],
            classes=tuple(told["classes"]),
            settled=Settled(**told["settled"]),
            example=told["example"],
            annotated=_detection(told["annotated"]),
            rows=tuple(_row(row) for row in told["rows"]),
            asked=told["asked"],
        )


def kept(out: Path, asked: Mapping[str, Any]) -> Climb | None:
    """The ladder in a folder, None where there is none; raises RunError where it is another than what is `asked`."""
    path = out / FILE
    if not path.is_file():
        return None
    try:
        ladder = Climb.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} cannot be read: {error}.", fix="name another folder with --out") from error
    now = json.loads(json.dumps(asked))
    if other := [name for name in now if dict(ladder.asked).get(name) != now[name]]:
        raise RunError(
            f"{out} holds a ladder with another {' and '.join(other)}.", fix="name another folder with --out"
        )
    return ladder


def keep(out: Path, ladder: Climb) -> None:
    """Writes the ladder, whole or not at all."""
    write_whole(out / FILE, json.dumps(ladder.to_dict(), indent=1, ensure_ascii=False).encode())


def _row(told: Mapping[str, Any]) -> Row:
    values: dict[str, Any] = {name: math.nan if value is None else value for name, value in told.items()}
    values["learning"], values["looking"] = Work(**told["learning"]), Work(**told["looking"])
    values["found"] = _detection(told["found"])
    return Row(**values)


def _detection(told: Mapping[str, Any]) -> Detection:
    found = tuple(
        Found(name=one["class"], probability=one["probability"], box=tuple(one["box"]))
        for one in told["found"]
    )
    return Detection(found=found, size=tuple(told["size"]))


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
