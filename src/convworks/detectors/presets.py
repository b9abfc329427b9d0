"""The history of two-stage detectors, a value each: what changed from one to the next is what differs here."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from convworks.detectors.two_stage import System
from convworks.regions import multi_region as views
from convworks.regions import pooling


def aligned(maps: Tensor, boxes: Tensor, rows: Tensor, scale: float) -> Tensor:
    """RoI align to 7 x 7."""
    return pooling.aligned(maps, boxes, rows, scale=scale)


def pooled(maps: Tensor, boxes: Tensor, rows: Tensor, scale: float) -> Tensor:
    """RoI pooling to 7 x 7."""
    return pooling.pooled(maps, boxes, rows, scale=scale)


def pyramid(maps: Tensor, boxes: Tensor, rows: Tensor, scale: float) -> Tensor:
    """Grids of 6, 3, 2 and 1 bins a side."""
    return pooling.pyramid_pooled(maps, boxes, rows, scale=scale)


def ten_views(maps: Tensor, boxes: Tensor, rows: Tensor, scale: float) -> Tensor:
    """The box, its parts and its surroundings, 4 x 4 each."""
    return views.multi_region(maps, boxes, rows, scale=scale, size=4)


PRESETS: Mapping[str, System] = {
    # Selective search, one map a picture, grids over each region.
    "spp": System(source="selective search", read=pyramid),
    # One grid, everything learned together.
    "fast_rcnn": System(source="selective search", read=pooled),
    # The boxes come from the map as well.
    "faster_rcnn": System(source="region network", read=aligned),
    # On maps of several strides, so that small objects keep their cells and large ones are seen whole.
    "faster_rcnn_pyramid": System(
        source="region network", read=aligned, pyramid=True, scales=(32.0, 64.0, 128.0, 256.0, 512.0)
    ),
    # The same boxes in every picture: the regression makes up for it.
    "rcnn_minus_r": System(source="clusters", read=pyramid),
    # Ten views of each region, read again where it moved to, and a vote.
    "multi_region": System(source="selective search", read=ten_views, rounds=2, vote=0.5),
}
"""By name; an expert changes one with `dataclasses.replace`."""
