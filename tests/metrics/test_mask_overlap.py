"""The twelve numbers of COCO on masks are those of the published evaluation, and masks overlap as their pixels do."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convworks.data.raster import to_runs
from convworks.metrics import average_precision as ap
from convworks.metrics.mask_overlap import overlaps, shared, stretches
from convworks.metrics.matches import coco_rows
from convworks.samples import COUNTED, CROWD

STORED = json.loads((Path(__file__).parent / "coco_mask_numbers.json").read_text())
"""Seeds of random sets with the twelve numbers that pycocotools gives for them, -1 for unknown."""
SIZE = (160, 200)


def blob(draw: np.random.Generator) -> np.ndarray:
    """An ellipse somewhere, from a single pixel to most of the picture, perhaps with a hole or in two parts."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    middle = (int(draw.integers(0, SIZE[0])), int(draw.integers(0, SIZE[1])))
    high, wide = draw.choice([1, 5, 25, 110]) * draw.uniform(0.3, 1, 2)
    mask = ((y - middle[0]) / high) ** 2 + ((x - middle[1]) / wide) ** 2 <= 1
    if draw.random() < 0.3:
        mask[:, middle[1]] = False
    return mask


def random_set(seed: int) -> tuple[int, list[dict[str, Any]]]:
    """Pictures with crowds, equal scores, perfect and poor masks, no objects, no finds, and empty masks."""
    draw = np.random.default_rng(seed)
    classes, pictures = int(draw.integers(1, 4)), []
    for _ in range(int(draw.integers(1, 7))):
        g, n = int(draw.integers(0, 7)), int(draw.integers(0, 12))
        truth = [blob(draw) for _ in range(g)]
        truth = [mask for mask in truth if mask.any()]
        names = draw.integers(0, classes, len(truth))
        found: list[np.ndarray] = []
        labels = draw.integers(0, classes, n)
        for place in range(n):
            if truth and draw.random() < 0.8:
                near = int(draw.integers(len(truth)))
                step = draw.integers(-2, 3, 2) * int(draw.integers(0, 3))
                found.append(np.roll(truth[near], tuple(step.tolist()), (0, 1)))
                labels[place] = names[near] if draw.random() < 0.8 else labels[place]
            else:
                found.append(blob(draw))
        pictures.append(
            {
                "truth": truth,
                "names": names,
                "aside": np.where(draw.random(len(truth)) < 0.2, CROWD, COUNTED),
                "found": found,
                "labels": labels,
                "scores": draw.integers(0, 20, n) / 20,
            }
        )
    return classes, pictures


def ours(classes: int, pictures: list[dict[str, Any]]) -> np.ndarray:
    evidence: list[Any] = []
    for one in pictures:
        truth, found = (stretches([to_runs(mask) for mask in one[name]]) for name in ("truth", "found"))
        shares = overlaps(found, truth, one["aside"] == CROWD)
        evidence.append(
            coco_rows(
                one["scores"], one["labels"], found.areas, shares, one["names"], one["aside"], truth.areas
            )
        )
    numbers = ap.twelve(ap.table(evidence, classes))
    return np.nan_to_num(np.array(list(numbers.values())), nan=-1)


def theirs(classes: int, pictures: list[dict[str, Any]]) -> np.ndarray:
    """The same by pycocotools."""
    mask_tools = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed here")
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    objects: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for place, one in enumerate(pictures, 1):
        for mask, name, aside in zip(one["truth"], one["names"], one["aside"], strict=True):
            objects.append(
                {
                    "id": len(objects) + 1,
                    "image_id": place,
                    "category_id": int(name),
                    "iscrowd": int(aside == CROWD),
                    "area": float(mask.sum()),
                    "bbox": [0, 0, 1, 1],
                    "segmentation": mask_tools.encode(np.asfortranarray(mask, np.uint8)),
                }
            )
        for mask, name, score in zip(one["found"], one["labels"], one["scores"], strict=True):
            rle = mask_tools.encode(np.asfortranarray(mask, np.uint8))
            results.append(
                {"image_id": place, "category_id": int(name), "score": float(score), "segmentation": rle}
            )
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        height, width = SIZE
        images = [{"id": place, "height": height, "width": width} for place in range(1, len(pictures) + 1)]
        truth.dataset = {
            "images": images,
            "annotations": objects,
            "categories": [{"id": name, "name": str(name)} for name in range(classes)],
            "info": {},
        }
        truth.createIndex()
        if results:
            said = truth.loadRes(results)
        else:
            said = COCO()
            said.dataset = {**truth.dataset, "annotations": []}
            said.createIndex()
        evaluation = COCOeval(truth, said, "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return np.array(evaluation.stats)


@pytest.mark.parametrize("stored", STORED, ids=lambda one: str(one["seed"]))
def test_the_twelve_numbers_of_masks_are_those_of_the_published_evaluation(stored: dict[str, Any]) -> None:
    np.testing.assert_allclose(ours(*random_set(stored["seed"])), stored["numbers"], atol=1e-6)


def test_sixty_random_sets_of_masks_are_counted_as_pycocotools_counts_them() -> None:
    for seed in range(1_000, 1_060):
        given = random_set(seed)
        np.testing.assert_allclose(ours(*given), theirs(*given), atol=1e-6, err_msg=f"seed {seed}")


def test_masks_share_the_pixels_that_both_have() -> None:
    draw = np.random.default_rng(5)
    first = np.stack([*(draw.random((5, 9, 7)) < 0.5), np.zeros((9, 7), np.bool_), np.ones((9, 7), np.bool_)])
    second = first[::-1]
    found = shared(*(stretches([to_runs(mask) for mask in masks]) for masks in (first, second)))
    wanted = (first[:, None] & second[None]).sum((2, 3))
    np.testing.assert_array_equal(found, wanted)


def test_no_masks_at_all_share_nothing() -> None:
    none, some = stretches([]), stretches([(0, 4)])
    assert shared(none, some).shape == (0, 1)
    assert shared(some, none).shape == (1, 0)
    assert overlaps(none, none, np.zeros(0, np.bool_)).shape == (0, 0)


def test_two_empty_masks_overlap_by_nothing() -> None:
    empty = stretches([(4,)])
    assert overlaps(empty, empty, np.array([False])).tolist() == [[0.0]]


def test_of_a_picture_larger_than_any_index_of_32_bits_the_pixels_are_counted_exactly() -> None:
    side = 70_000
    many, more = stretches([(side, side * side - side)]), stretches([(side + 1, side * side - side - 1)])
    assert shared(many, more).tolist() == [[side * side - side - 1]]
