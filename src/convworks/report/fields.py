"""What one unit sees, drawn on the user's own picture: the theoretical field as a box, the effective one as heat."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from convworks.arithmetic.spec import Net, Pair
from convworks.arithmetic.svg import LETTER, LINE, Picture, broken, element, words
from convworks.data.decode import decode
from convworks.errors import NetError
from convworks.explanation.fields import MASS, Seen, seen_in_net

MARGIN, GAP = 20.0, 24.0
LARGEST = 460.0
"""Pixels of the longer side of a panel, at most."""
STORED = 480
"""Pixels of the longer side of the pictures that are kept in the file, at most."""
WARM = np.array([232, 119, 34], np.float32)
"""The one colour of the heat; how much of it lies over the grey picture says how much moves the unit."""


def see(
    net: Net, path: Path, *, layer: int | str | None = None, unit: Pair | None = None, width: int = 720
) -> tuple[str, Seen]:
    """The figure of what a unit of a designed net sees of the picture in a file, and what it shows as values.

    The picture is brought to the net's input. Raises DecodeError for the file, NetError where the net, the layer or
    the unit cannot be, or the input has neither 1 nor 3 channels.
    """
    import torch

    volume = net.input
    if volume.channels not in (1, 3):
        raise NetError(
            f"The net reads {volume.channels} channels; a picture has 3, or 1 in grey.",
            expected="an input of 3 channels, or 1",
        )
    image = decode(path).image
    shown = cv2.resize(image, (volume.width, volume.height), interpolation=cv2.INTER_AREA)
    values = shown if volume.channels == 3 else cv2.cvtColor(shown, cv2.COLOR_RGB2GRAY)[..., None]
    x = torch.from_numpy(values.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None].contiguous()
    found = seen_in_net(net, x, layer=layer, unit=unit)
    return fields_svg(image, found, width), found


def fields_svg(image: UInt8[np.ndarray, "h w 3"], found: Seen, width: int = 720) -> str:
    """The picture twice, `width` pixels wide at most: with the two fields outlined, and in grey with the heat.

    `image` is the picture of which the net saw a resized copy; the fields are drawn in its own proportions.
    """
    picture = Picture(f"What {found.name} sees at ({found.unit[0]}, {found.unit[1]})", str(found), str(width))
    height, across = image.shape[:2]
    beside = width >= 560
    room = (width - 2 * MARGIN - (GAP if beside else 0)) / (2 if beside else 1)
    scale = min(room / across, LARGEST / height, LARGEST / across)
    size = across * scale, height * scale
    y = MARGIN + 10
    y = _lines(picture, picture.title, y, width, "head", 1.2) + 6
    panels = (
        ("the theoretical and the effective field", _webp(image)),
        ("what moves it, and how much", _heated(image, found.effective)),
    )
    for number, (said, data) in enumerate(panels):
        left = MARGIN + (size[0] + GAP if beside and number else 0)
        top = y + (size[1] + GAP + LINE if number and not beside else 0)
        picture.add(words(left, top + 8, said, "strong"))
        _panel(picture, found, data, (left, top + LINE + 2), size, outlined=not number)
    y += (LINE + 2 + size[1]) * (1 if beside else 2) + (0 if beside else GAP - 2) + 26
    y = _key(picture, found, y, width)
    end = _lines(picture, str(found), y, width, "soft", 1.04)
    used = 2 * MARGIN + size[0] * (2 if beside else 1) + (GAP if beside else 0)
    return picture.document(max(min(width, 560), min(width, used)), end + 4)


def _panel(
    picture: Picture,
    found: Seen,
    data: str,
    at: tuple[float, float],
    size: tuple[float, float],
    *,
    outlined: bool,
) -> None:
    """One picture at a place, with the unit's fields over it."""
    (x, y), (width, height) = at, size
    rows, columns = found.effective.shape
    across, down = width / columns, height / rows
    picture.add(element("image", x=x, y=y, width=width, height=height, href=data, preserveAspectRatio="none"))
    left, top, right, bottom = found.clipped
    box = {
        "x": x + left * across,
        "y": y + top * down,
        "width": (right - left) * across,
        "height": (bottom - top) * down,
    }
    picture.add(element("rect", **box, class_="halo"), element("rect", **box, class_="box"))
    if outlined:
        path = _outline(found.core(), (x, y), (across, down))
        if path:
            picture.add(element("path", d=path, class_="halo"), element("path", d=path, class_="second"))


def _key(picture: Picture, found: Seen, y: float, width: int) -> float:
    """What the lines and the heat mean; returns where the next line goes."""
    entries = (
        ("box", "all that can reach the unit" + (" (where it must be, about)" if not found.exact else "")),
        ("second", f"where {MASS:.0%} of what moves it lies"),
        ("heat", "the stronger, the more it moves the unit"),
    )
    for kind, said in entries:
        if kind == "heat":
            for step in range(4):
                cell = {"x": MARGIN + 1 + 4.5 * step, "y": y - 11, "width": 4.5, "height": 14}
                picture.add(element("rect", **cell, class_="warm", fill_opacity=0.15 + 0.28 * step))
        else:
            picture.add(element("rect", x=MARGIN + 1, y=y - 11, width=18, height=14, class_=kind))
        for part in broken(said, int((width - 2 * MARGIN - 30) / LETTER)):
            picture.add(words(MARGIN + 30, y, part))
            y += LINE + 5
    return y + 2


def _lines(picture: Picture, said: str, y: float, width: int, kind: str, size: float) -> float:
    for part in broken(said, int((width - 2 * MARGIN) / (size * LETTER))):
        picture.add(words(MARGIN, y, part, kind))
        y += LINE + 1
    return y


def _outline(core: Bool[np.ndarray, "h w"], at: tuple[float, float], scale: tuple[float, float]) -> str:
    """The borders of a mask as a path, once it is closed over its smallest holes."""
    side = max(3, round(0.03 * (core.sum() ** 0.5)) * 2 + 1)
    around = side // 2 + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    padded = np.pad(core.astype(np.uint8), around)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, kernel) if core.sum() > 40 else closed
    mask = opened if opened.any() else closed
    mask = np.repeat(np.repeat(mask, 2, 0), 2, 1)
    contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    parts: list[str] = []
    for contour in contours:
        points = (contour.reshape(-1, 2) + 0.5) / 2 - around
        said = "L".join(f"{at[0] + px * scale[0]:.1f} {at[1] + py * scale[1]:.1f}" for px, py in points)
        parts.append(f"M{said}Z")
    return "".join(parts)


def _heated(image: UInt8[np.ndarray, "h w 3"], effective: Float[np.ndarray, "h2 w2"]) -> str:
    """The picture in pale grey under the effective field, smoothed a little, by the square root of its strength."""
    stored = _stored(image)
    grey = cv2.cvtColor(stored, cv2.COLOR_RGB2GRAY).astype(np.float32)
    pale = (40 + 0.55 * grey)[..., None].repeat(3, 2)
    smooth = cv2.GaussianBlur(effective.astype(np.float32), (0, 0), max(0.6, min(effective.shape) / 150))
    strength = np.sqrt(np.asarray(smooth, np.float32) / max(float(smooth.max()), 1e-12), dtype=np.float32)
    spread = cv2.resize(strength, stored.shape[1::-1], interpolation=cv2.INTER_LINEAR).clip(0, 1)[..., None]
    return _webp((pale * (1 - spread) + WARM * spread).round().clip(0, 255).astype(np.uint8))


def _stored(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h2 w2 3"]:
    """The picture as large as it is kept; a small one is enlarged by whole pixels."""
    height, width = image.shape[:2]
    scale = STORED / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(
        cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST), np.uint8
    )


def _webp(image: UInt8[np.ndarray, "h w 3"]) -> str:
    """A picture as an address that holds it."""
    out = io.BytesIO()
    Image.fromarray(_stored(image)).save(out, "WEBP", quality=72, method=4)
    return f"data:image/webp;base64,{base64.b64encode(out.getvalue()).decode()}"
