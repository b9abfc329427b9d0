"""Small parts of one another, on request: where to look, the features of the pretrained net say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float

from convworks import backbones
from convworks.augmentation.preprocess import Preprocessing
from convworks.data import small_parts
from convworks.data.audit import Audit
from convworks.data.decode import decode
from convworks.data.duplicates import brightness
from convworks.data.findings.small_parts import findings
from convworks.events import Finding
from convworks.training.features import in_turn, pooled

NET = "efficientnet-lite0"
SIDE = 384
"""The short side that pictures are decoded at, at least."""

Progress = Callable[[int, int], None]


def resembling(
    found: Audit, *, net: str = NET, max_pixels: int, progress: Progress | None = None
) -> tuple[Finding, ...]:
    """What is to be said of the audited images that show a part of one another too small for the audit itself.

    Every image runs through `net` once. Raises WeightsError where its weights cannot be had.
    """
    dataset = found.dataset
    told = features(found, net=net, max_pixels=max_pixels, progress=progress)

    def read(row: int) -> np.ndarray:
        path = dataset.root / dataset.records[row].path
        return brightness(decode(path, at_least=SIDE, max_pixels=max_pixels).image)

    return tuple(findings(found.seen, small_parts.parts(read, told, found.groups)))


def features(
    found: Audit, *, net: str, max_pixels: int, progress: Progress | None
) -> Float[np.ndarray, "n d"]:
    """The last stage's features of each image, averaged over its positions."""
    torch.manual_seed(0)
    backbone = backbones.create(net, "default" if net == NET else "none")
    backbone.eval()
    expects, dataset = backbone.expects, found.dataset
    prepare = Preprocessing(
        size=expects.size,
        side=expects.size,
        resize="squash",
        mean=expects.mean,
        deviation=expects.deviation,
        interpolation=expects.interpolation,
    )
    compute, kept = pooled(backbone, last=True), [np.zeros((0, backbone.info[-1].channels), np.float32)]
    for part in in_turn(len(dataset.records)):
        paths = [dataset.root / dataset.records[row].path for row in part.tolist()]
        frames = np.stack([prepare(prepare.read(path, max_pixels=max_pixels)) for path in paths])
        with torch.inference_mode():
            (column,) = compute(torch.from_numpy(frames).contiguous(memory_format=torch.channels_last))
        kept.append(column.numpy())
        if progress is not None:
            progress(int(part[-1]) + 1, len(dataset.records))
    return np.concatenate(kept)
