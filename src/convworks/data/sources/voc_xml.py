"""One annotation file of VOC, read with care: no document type, no entities, every object checked by itself."""

from __future__ import annotations

import codecs
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal, DecimalException
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from convworks.data.names import shown
from convworks.data.record import BoxNote
from convworks.data.sources.confine import Refused
from convworks.data.sources.objects import Box, edges

MOST_BYTES = 2 << 20
MOST_FAULTS = 1_000
"""More than the objects of one image need, and more than are worth naming one by one."""

STATED = "corners from 1, inclusive"
"""What our own files say of their corners, in <source><annotation>."""

_DECLARED = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_FLAGS = {"1", "true", "yes"}


@dataclass(slots=True)
class Annotation:
    """What one file says: objects in half-open pixel edges, and what of it could not be used, in words.

    `zero` says that a corner lies in [0, 1), so that the file counts from 0; `unread` counts what is not read.
    """

    filename: str = ""
    size: tuple[int, int] = (0, 0)
    stated: bool = False
    objects: list[BoxNote] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)
    zero: bool = False


def parse(data: bytes, base: int) -> Annotation:
    """The annotation in a file's bytes, whose corners count from `base`. Raises Refused."""
    top = _tree(_text(data))
    if top.tag != "annotation":
        raise Refused(f"<{shown(top.tag)[:40]}> where <annotation> belongs")
    found = Annotation(
        filename=_said(top, "filename"), stated=_said(top, "source/annotation") == STATED, size=_size(top)
    )
    for number, thing in enumerate(top.iterfind("object"), start=1):
        name = _said(thing, "name")
        try:
            found.objects.append(_object(thing, name, 1 if found.stated else base, found))
        except Refused as refusal:
            found.faults.append(f"object {number}{f' ({shown(name)[:60]})' if name else ''}: {refusal}")
            if len(found.faults) > MOST_FAULTS:
                raise Refused(
                    f"more than {MOST_FAULTS:,} objects cannot be used; {found.faults[0]}"
                ) from None
    return found


def written(filename: str, size: tuple[int, int], objects: tuple[BoxNote, ...]) -> str:
    """The text of an annotation file: corners are counted from 1, and the last pixel belongs to the box.

    Raises Refused for a name that XML cannot hold.
    """
    lines = [
        "<annotation>",
        f"\t<filename>{_escaped(filename)}</filename>",
        f"\t<source>\n\t\t<annotation>{STATED}</annotation>\n\t</source>",
    ]
    if size != (0, 0):
        lines.append(
            f"\t<size>\n\t\t<width>{size[0]}</width>\n\t\t<height>{size[1]}</height>\n"
            "\t\t<depth>3</depth>\n\t</size>"
        )
    for one in objects:
        x0, y0, x1, y1 = (Decimal(repr(float(edge))) for edge in one.box)
        corners = {"xmin": x0 + 1, "ymin": y0 + 1, "xmax": x1, "ymax": y1}
        said = "\n".join(f"\t\t\t<{tag}>{_number(value)}</{tag}>" for tag, value in corners.items())
        lines.append(
            f"\t<object>\n\t\t<name>{_escaped(one.name)}</name>\n\t\t<difficult>{int(one.difficult)}</difficult>\n"
            f"\t\t<bndbox>\n{said}\n\t\t</bndbox>\n\t</object>"
        )
    return "\n".join([*lines, "</annotation>", ""])


def _text(data: bytes) -> str:
    if len(data) > MOST_BYTES:
        raise Refused(f"{len(data) >> 20} MB, more than any annotation needs")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    else:
        declared = _DECLARED.match(data.removeprefix(codecs.BOM_UTF8))
        encoding = declared[1].decode("ascii").lower() if declared else "utf-8"
    try:
        return data.decode("utf-8-sig" if encoding in ("utf-8", "utf8") else encoding)
    except (UnicodeDecodeError, LookupError):
        raise Refused(f"its bytes are not {encoding.upper()}, as it says") from None


def _tree(text: str) -> ElementTree.Element:
    """The elements of a text that declares neither a document type nor an entity."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise Refused("it declares a document type or entities, which annotations do not need")
    try:
        return ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))
    except ElementTree.ParseError as error:
        line, column = error.position
        what = str(error).partition(":")[0]
        raise Refused(f"not XML: {what}, line {line}, column {column + 1}") from None
    except ValueError as error:
        raise Refused(f"not XML: {shown(str(error))[:80]}") from None


def _size(top: ElementTree.Element) -> tuple[int, int]:
    try:
        width, height = (int(float(_said(top, f"size/{side}"))) for side in ("width", "height"))
    except (ValueError, OverflowError):
        return (0, 0)
    return (width, height) if 0 < width < 1 << 31 and 0 < height < 1 << 31 else (0, 0)


def _object(thing: ElementTree.Element, name: str, base: int, found: Annotation) -> BoxNote:
    if not name:
        raise Refused("no name")
    if thing.find("bndbox") is None:
        raise Refused("no bndbox")
    low_x, low_y, high_x, high_y = (_corner(thing, tag) for tag in ("xmin", "ymin", "xmax", "ymax"))
    if not found.stated and (low_x == high_x or low_y == high_y):
        raise Refused(f"no area: x {low_x} to {high_x}, y {low_y} to {high_y}")
    box: Box = (float(low_x - base), float(low_y - base), float(high_x), float(high_y))
    edges(box)
    found.zero |= 0 <= low_x < 1 or 0 <= low_y < 1
    for unread in ("part", "polygon", "segmentation"):
        found.unread[unread] += thing.find(unread) is not None
    found.unread["truncated"] += _said(thing, "truncated").lower() in _FLAGS
    return BoxNote(name=name, box=box, difficult=_said(thing, "difficult").lower() in _FLAGS)


def _corner(thing: ElementTree.Element, tag: str) -> Decimal:
    said = _said(thing, f"bndbox/{tag}")
    if not said:
        raise Refused(f"no {tag}")
    try:
        value = float(said)
        if len(said) <= 60 and math.isfinite(value) and abs(value) < 1e9:
            return Decimal(said)
    except (ValueError, DecimalException):
        pass
    raise Refused(f'{tag} "{shown(said)[:40]}" is not a number of pixels')


def _said(top: ElementTree.Element, path: str) -> str:
    return (top.findtext(path) or "").strip()


def _number(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _escaped(text: str) -> str:
    if re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", text):
        raise Refused(f'XML cannot hold the name "{shown(text)}"')
    return escape(text, {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"})
