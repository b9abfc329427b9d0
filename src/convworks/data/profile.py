"""Colour profiles (ICC) of files: colours that are not meant as sRGB are brought to sRGB, perceptually."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

from PIL import Image, ImageCms

PROFILED = "colour profile: brought to sRGB"
DAMAGED = "colour profile cannot be used: colours taken as sRGB"

_SPACES = {"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK", "LAB": "Lab "}


def to_srgb(image: Image.Image, profile: bytes) -> tuple[Image.Image, str]:
    """`image` (mode L, RGB, CMYK or LAB) as RGB in sRGB, and a note, "" where nothing was to be done."""
    try:
        transform = _transform(profile, image.mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image.convert("RGB"), DAMAGED
    if transform is None:
        return image.convert("RGB"), ""
    return ImageCms.applyTransform(image, transform) or image.convert("RGB"), PROFILED


def lab_to_srgb(image: Image.Image) -> Image.Image:
    """An image in CIE L*a*b* as RGB in sRGB."""
    return ImageCms.applyTransform(image, _from_lab()) or image.convert("RGB")


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From the profile to sRGB; None where it is sRGB, or meant for other numbers than the image holds."""
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    core: Any = opened.profile
    if core.xcolor_space != _SPACES.get(mode) or "sRGB" in (core.profile_description or ""):
        return None
    return ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), mode, "RGB")


@lru_cache(maxsize=1)
def _from_lab() -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
    )
