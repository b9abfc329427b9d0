"""Pictures and maps as tiles: a map of one sign on a ramp from dark to light, a map of two signs in two "
"hues."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from convworks.report.markup import Child, Markup, tag

RAMP = ("#0c1320", "#123a70", "#1f6fbe", "#7fb8ee", "#fdf3dc")
NEGATIVE, ZERO, POSITIVE = "#8a3a05", "#f4f1ec", "#0a4a8c"
NEAR_NEGATIVE, NEAR_POSITIVE = "#e39a5c", "#6aa9e9"
SIDE = 176  # pixels of a tile

Pixels = UInt8[np.ndarray, "h w 3"]
Map = Float[np.ndarray, "h w"]


def ramp(values: Map, low: float, high: float) -> Pixels:
    """A map in one hue, the lowest darkest; lightness rises evenly."""
    return _coloured((values - low) / max(high - low, 1e-12), RAMP)


def signed(values: Map, reach: float) -> Pixels:
    """A map of two signs: orange below 0, pale at 0, blue above; full at -reach and reach."""
    hues = (NEGATIVE, NEAR_NEGATIVE, ZERO, NEAR_POSITIVE, POSITIVE)
    return _coloured((values / max(reach, 1e-12) + 1) / 2, hues)


def data(pixels: Pixels, *, enlarge: int = 1, lossless: bool = True) -> str:
    """The pixels as an address that needs no file; `enlarge` repeats each pixel so many times a side."""
    if enlarge > 1:
        pixels = pixels.repeat(enlarge, 0).repeat(enlarge, 1)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", lossless=lossless, quality=82, method=4)
    return f"data:image/webp;base64,{base64.b64encode(out.getvalue()).decode()}"


def photo(pixels: Pixels, most: int = 2 * SIDE) -> str:
    """A picture as an address, no larger than `most` pixels a side."""
    scale = most / max(pixels.shape[:2])
    if scale < 1:
        size = (max(round(pixels.shape[1] * scale), 1), max(round(pixels.shape[0] * scale), 1))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return data(pixels, lossless=False)


def tile(
    address: str, said: str, caption: Child, *, size: tuple[int, int] = (1, 1), over: Sequence[Child] = ()
) -> Markup:
    """One picture with its caption; `over` is drawn on it, in a frame of `size` (width, height)."""
    width, height = size
    if over:
        shown = tag(
            "svg",
            tag("image", href=address, width=width, height=height),
            *over,
            viewBox=f"0 0 {width} {height}",
            role="img",
            aria_label=said,
        )
    else:
        shown = tag("img", src=address, alt=said, decoding="async")
    return tag("li", shown, tag("p", caption))


def tiles(*children: Markup, kind: str = "") -> Markup:
    """Tiles beside each other."""
    return tag("ul", *children, class_=f"tiles {kind}".strip())


def outline(mask: Bool[np.ndarray, "h w"], kind: str = "outline") -> Markup:
    """The edge of a mask as a line, in the mask's own pixels."""
    found, _ = cv2.findContours(
        mask.astype(np.uint8).repeat(4, 0).repeat(4, 1), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    paths = [
        "M" + "L".join(f"{x / 4 + 0.125:g} {y / 4 + 0.125:g}" for x, y in points[:, 0]) + "Z"
        for points in found
    ]
    return tag("path", d="".join(paths), class_=kind)


def contour(values: Map, level: float) -> Markup:
    """Where a map crosses `level`, as a line."""
    return outline(values >= level, "contour")


def ring(x: float, y: float, radius: float) -> Markup:
    """A ring around a place, seen on any ground."""
    return tag(
        "g",
        tag("circle", cx=x, cy=y, r=radius, class_="ring under"),
        tag("circle", cx=x, cy=y, r=radius, class_="ring"),
    )


def _coloured(share: Map, hues: Sequence[str]) -> Pixels:
    anchors = np.array([[int(hue[i : i + 2], 16) for i in (1, 3, 5)] for hue in hues], np.float64)
    places = np.linspace(0, 1, len(hues))
    clipped = np.clip(share, 0, 1)
    return (
        np.stack([np.interp(clipped, places, anchors[:, i]) for i in range(3)], -1).round().astype(np.uint8)
    )
