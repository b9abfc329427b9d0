"""One way from a picture to what a net reads, used by the library, the command line, the server and the export."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from convworks.augmentation import colour, plan
from convworks.augmentation.resample import Interpolation
from convworks.data.decode import MAX_PIXELS, decode
from convworks.data.pixels import resized
from convworks.recipe.options import Resize


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """What a model does to a picture before it looks: part of the model, saved with it.

    The short side is first brought to `side` pixels, as training keeps its images; then `resize` brings the picture
    to `size` x `size`; then each value v in 0..255 becomes (v / 255 - mean) / deviation.
    """

    size: int
    side: int
    resize: Resize
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    interpolation: Interpolation = "bicubic"

    def read(self, path: Path, *, max_pixels: int = MAX_PIXELS) -> UInt8[np.ndarray, "h w 3"]:
        """The picture of a file, decoded no larger than needed, short side `side`. Raises DecodeError."""
        return self.kept(decode(path, at_least=self.side, max_pixels=max_pixels).image)

    def kept(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h2 w2 3"]:
        """The picture as training keeps it: short side `side`."""
        return resized(image, self.side)

    def frame(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "s s 3"]:
        """The square that the net will see of a picture of any size."""
        height, width = image.shape[:2]
        drawn = plan.fixed((height, width), (self.size, self.size), self.resize, self.interpolation)
        return plan.apply_image(drawn, image)

    def normalise(self, frame: UInt8[np.ndarray, "s s 3"]) -> Float[np.ndarray, "3 s s"]:
        """A frame as the numbers that the net reads."""
        return colour.normalise(frame, self.mean, self.deviation, None).transpose(2, 0, 1)

    def __call__(self, image: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "3 s s"]:
        """All of it, for a decoded picture."""
        return self.normalise(self.frame(self.kept(image)))
