"""One way from a picture to what a net reads, used by the library, the command line, the server and the export."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from convworks.augmentation import colour, plan
from convworks.augmentation.resample import Interpolation
from convworks.data.bands import Ranges, picture
from convworks.data.decode import MAX_PIXELS, decode
from convworks.data.pixels import resized
from convworks.geometry.boxes import Size
from convworks.recipe.options import Resize


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """What a model does to a picture before it looks: part of the model, saved with it.

    The short side is first brought to `side` pixels, as training keeps its images; then `resize` brings the picture
    to `shape` (height, width), or to `size` x `size` where that is (0, 0); then each value v in 0..255 becomes
    (v / 255 - mean) / deviation. `bands`, where there are any, are the values of each band of a file that become 0
    and 255; without them, files are read as pictures in red, green and blue.

    `learned` is the (height, width) of a middling picture of those that it learned from, (0, 0) where nobody knows,
    and `common` the side of a large object that is common in them, in their pixels: what tiles have to share.
    """

    size: int
    side: int
    resize: Resize
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    interpolation: Interpolation = "bicubic"
    shape: Size = (0, 0)
    bands: Ranges = ()
    learned: Size = (0, 0)
    common: float = 0.0

    @property
    def scale(self) -> float:
        """The share of their own size at which the pictures that it learned from were seen; 1 where nobody knows."""
        height, width = self.learned
        return min(self.seen[0] / height, self.seen[1] / width) if height and width else 1.0

    @property
    def seen(self) -> Size:
        """Height and width of what the net sees."""
        return self.shape if self.shape != (0, 0) else (self.size, self.size)

    @property
    def channels(self) -> int:
        """How many numbers a pixel has."""
        return len(self.mean)

    def read(self, path: Path, *, max_pixels: int = MAX_PIXELS) -> UInt8[np.ndarray, "h w c"]:
        """The picture of a file, decoded no larger than needed, short side `side`. Raises DecodeError."""
        if self.bands:
            return self.kept(picture(path, self.bands, max_pixels))
        return self.kept(decode(path, at_least=self.side, max_pixels=max_pixels).image)

    def kept(self, image: UInt8[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "h2 w2 c"]:
        """The picture as training keeps it: short side `side`."""
        return resized(image, self.side)

    def frame(self, image: UInt8[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "h2 w2 c"]:
        """What the net will see of a picture of any size."""
        return plan.apply_image(self.drawn((image.shape[0], image.shape[1])), image)

    def drawn(self, size_in: Size) -> plan.Drawn:
        """How a picture of `size_in` (height, width) is brought to what the net sees."""
        return plan.fixed(size_in, self.seen, self.resize, self.interpolation)

    def normalise(self, frame: UInt8[np.ndarray, "h w c"]) -> Float[np.ndarray, "c h w"]:
        """A frame as the numbers that the net reads."""
        return colour.normalise(frame, self.mean, self.deviation, None).transpose(2, 0, 1)

    def __call__(self, image: UInt8[np.ndarray, "h w c"]) -> Float[np.ndarray, "c h2 w2"]:
        """All of it, for a decoded picture."""
        return self.normalise(self.frame(self.kept(image)))
