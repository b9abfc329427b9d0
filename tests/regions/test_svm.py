"""The machine is the optimum of its objective, ranks as softmax does, and hard background makes it surer."""

from __future__ import annotations

import numpy as np
import pytest

from convworks.regions import svm
from convworks.transfer import linear


def clouds(n: int, d: int = 8, seed: int = 0, apart: float = 1.2) -> tuple[np.ndarray, np.ndarray]:
    """Two clouds of points that overlap: objects and background."""
    draw = np.random.default_rng(seed)
    return draw.normal(apart / 2, 1, (n, d)), draw.normal(-apart / 2, 1, (3 * n, d))


def primal(solved: np.ndarray, positives: np.ndarray, negatives: np.ndarray, strength: float) -> float:
    found = 1 - positives @ solved[:-1] - solved[-1], 1 + negatives @ solved[:-1] + solved[-1]
    hinges = svm.POSITIVE * np.maximum(found[0], 0).sum() + np.maximum(found[1], 0).sum()
    return float(0.5 * (solved[:-1] @ solved[:-1] + (solved[-1] / svm.BIAS) ** 2) + strength * hinges)


@pytest.mark.parametrize("strength", [1e-3, 1e-2, 1.0])
def test_no_other_weights_have_a_smaller_objective(strength: float) -> None:
    positives, negatives = clouds(30)
    solved = svm.fit(positives, negatives, strength)
    best = primal(solved, positives, negatives, strength)
    draw = np.random.default_rng(1)
    for reach in (1e-2, 1e-1, 1.0):
        for _ in range(200):
            other = solved + reach * np.abs(solved).mean() * draw.normal(size=len(solved))
            assert primal(other, positives, negatives, strength) > best * (1 - 1e-3)


def test_two_points_are_parted_in_the_middle_with_the_widest_margin() -> None:
    solved = svm.fit(np.array([[3.0, 1.0]]), np.array([[1.0, 1.0]]), strength=1e4)
    np.testing.assert_allclose(
        np.array([[3.0, 1.0], [1.0, 1.0]]) @ solved[:-1] + solved[-1], [1, -1], atol=1e-3
    )
    # Without a penalty on the bias the weight would be (1, 0); the bias of -2 costs (2 / 10)^2 / 2.
    np.testing.assert_allclose(solved[:-1], [1, 0], atol=0.03)


def precision_of(scores: np.ndarray, truth: np.ndarray) -> float:
    """The mean over the true of the share that is true down to them."""
    hits = truth[np.argsort(-scores, kind="stable")]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def scenes(seed: int) -> tuple[np.ndarray, np.ndarray, list[svm.Region]]:
    """Objects of 3 classes, and pictures of regions: some near an object, most background, a few of it hard."""
    draw = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(size=(3, 16)) * 1.3
    labels = np.repeat(np.arange(3), 20)
    objects = centres[labels] + draw.normal(size=(60, 16))
    pictures: list[svm.Region] = []
    for _ in range(20):
        features, overlaps = draw.normal(size=(100, 16)), np.zeros((100, 3))
        features[:6] += 0.55 * centres[np.arange(6) % 3]
        features[6:10] += centres[np.arange(4) % 3]
        overlaps[np.arange(6, 10), np.arange(4) % 3] = 0.8
        pictures.append(svm.Region(features=features, overlaps=overlaps))
    return objects, labels, pictures


def test_it_ranks_as_well_as_softmax_on_the_same_features() -> None:
    objects, labels, pictures = scenes(0)
    machines = svm.one_against_rest(objects, labels, pictures, 3)
    everything = np.concatenate([objects, *(picture.features for picture in pictures)])
    overlaps = np.concatenate([picture.overlaps for picture in pictures])
    classes = np.concatenate([labels, np.where(overlaps.max(1) > 0.5, overlaps.argmax(1), 3)])
    softmax = linear.fit(everything, classes, 4, 1e-2)
    _, _, unseen = scenes(1)
    features = np.concatenate([picture.features for picture in unseen])
    truth = np.concatenate([picture.overlaps for picture in unseen]) > 0.5
    for label in range(3):
        mine = precision_of(machines.scores(features)[:, label], truth[:, label])
        theirs = precision_of(softmax.logits(features)[:, label], truth[:, label])
        assert mine > theirs - 0.03


def test_hard_background_lowers_false_alarms() -> None:
    objects, labels, pictures = scenes(0)
    scale = svm.scale_to([objects])
    positives = objects[labels == 0] * scale
    pools = [picture.features[picture.overlaps[:, 0] < 0.3] * scale for picture in pictures]
    draw = np.random.default_rng(3)
    easy = svm.fit(positives, draw.permutation(np.concatenate(pools))[:40])
    hard = svm.mined(positives, pools, enough=50)
    _, _, unseen = scenes(1)
    background = (
        np.concatenate([picture.features[picture.overlaps[:, 0] < 0.3] for picture in unseen]) * scale
    )
    alarms = [int((background @ solved[:-1] + solved[-1] > 0).sum()) for solved in (easy, hard)]
    assert alarms[1] < 0.7 * alarms[0]


def test_mining_ends_near_the_optimum_over_all_background() -> None:
    positives, negatives = clouds(40, apart=2.0)
    pools = np.array_split(negatives, 12)
    whole = svm.fit(positives, negatives, 1e-2)
    found = svm.mined(positives, pools, 1e-2, enough=10)
    objectives = [primal(solved, positives, negatives, 1e-2) for solved in (whole, found)]
    assert objectives[1] < 1.02 * objectives[0]


def test_a_class_without_an_object_is_never_found() -> None:
    objects, labels, pictures = scenes(0)
    overlaps = [np.concatenate([picture.overlaps, np.zeros((100, 1))], 1) for picture in pictures]
    wider = [
        svm.Region(features=picture.features, overlaps=overlap)
        for picture, overlap in zip(pictures, overlaps, strict=True)
    ]
    machines = svm.one_against_rest(objects, labels, wider, 4)
    assert (machines.scores(objects)[:, 3] < 0).all()
    none = [svm.Region(features=np.zeros((0, 16)), overlaps=np.zeros((0, 3)))]
    assert np.isfinite(svm.one_against_rest(objects, labels, none, 3).weight).all()
