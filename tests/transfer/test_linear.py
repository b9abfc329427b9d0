"""The linear classifier is the optimum, whichever way its features are held, and no fold sees itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from convworks.transfer import linear


def problem(n: int, d: int, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of unlike scales and means, with classes that overlap."""
    draw = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    features = draw.normal(size=(n, d)) + draw.normal(size=(classes, d))[labels]
    return features * draw.uniform(0.01, 30, d) + draw.normal(size=d) * 100, labels.astype(np.int64)


def standardised(features: np.ndarray) -> np.ndarray:
    return (features - features.mean(0)) / features.std(0)


@pytest.mark.parametrize(("n", "d"), [(60, 8), (20, 50)], ids=["more images", "more features"])
@pytest.mark.parametrize("strength", [1e-3, 1e-1, 1.0])
def test_it_is_the_optimum_that_a_plain_solver_finds_on_all_features(n: int, d: int, strength: float) -> None:
    features, labels = problem(n, d)
    x, truth = standardised(features), np.eye(3)[labels]

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        w = flat.reshape(3, d + 1)
        logits = x @ w[:, :-1].T + w[:, -1]
        loss = -(log_softmax(logits, 1) * truth).sum() / n + (w[:, :-1] ** 2).sum() / (2 * strength * n)
        slope = (softmax(logits, 1) - truth) / n
        gradient = np.concatenate([slope.T @ x + w[:, :-1] / (strength * n), slope.sum(0)[:, None]], 1)
        return loss, gradient.ravel()

    solved = minimize(objective, np.zeros(3 * (d + 1)), jac=True, method="BFGS", options={"gtol": 1e-9})
    w = solved.x.reshape(3, d + 1)
    expected = softmax(x @ w[:, :-1].T + w[:, -1], 1)
    found = softmax(linear.fit(features, labels, 3, strength).logits(features), 1)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert -log_softmax(linear.fit(features, labels, 3, strength).logits(features), 1)[truth > 0].mean() > 0


def test_images_that_count_twice_are_images_that_are_there_twice() -> None:
    features, labels = problem(30, 5)
    often = np.where(np.arange(30) < 10, 2.0, 1.0)
    twice = np.concatenate([np.arange(30), np.arange(10)])
    basis = features.mean(0), features.std(0)
    # the same standardising for both, so that only the counting differs
    both = (features - basis[0]) / basis[1]
    weighted = linear._solve(both, labels, 3, 0.1, often)
    repeated = linear._solve(both[twice], labels[twice], 3, 0.1, None)
    # the objectives differ by 40/30, on loss and penalty alike
    np.testing.assert_allclose(weighted, repeated, atol=5e-3)


def test_a_feature_that_is_constant_changes_nothing() -> None:
    features, labels = problem(40, 6)
    more = np.concatenate([features, np.full((40, 1), 7.0)], 1)
    one, other = linear.fit(features, labels, 3, 0.1), linear.fit(more, labels, 3, 0.1)
    np.testing.assert_allclose(one.logits(features), other.logits(more), atol=1e-3)
    assert (other.weight[:, -1] == 0).all()


def test_no_image_has_a_part_in_its_own_cross_validated_answer() -> None:
    features, labels = problem(30, 5)
    folds = np.arange(30) // 3 % 5
    before = linear.cross_validate(features, labels, 3, folds, [0.01])[0.01]
    for fold in range(5):
        changed, turned = features.copy(), labels.copy()
        inside = folds == fold
        turned[inside] = (labels[inside] + 1) % 3
        changed[inside] += 1000
        after = linear.cross_validate(changed, turned, 3, folds, [0.01])[0.01]
        # its label has no say; its features move its own answer alone
        only = linear.cross_validate(features, turned, 3, folds, [0.01])[0.01]
        np.testing.assert_allclose(only[inside], before[inside], atol=1e-12)
        assert not np.allclose(after[inside], before[inside])


@pytest.mark.parametrize(("n", "d"), [(30, 6), (24, 40)])
def test_ridge_by_one_decomposition_is_refitting_for_every_fold(n: int, d: int) -> None:
    features, labels = problem(n, d)
    folds = np.arange(n) % 4
    x, truth = standardised(features), np.eye(3)[labels]
    centred = truth - truth.mean(0)
    scale = max((x @ x.T).trace() / n, 1e-30)
    best = (np.inf, 0)
    for strength in linear.RIDGES:
        answers = np.zeros_like(truth)
        for fold in np.unique(folds):
            out = folds == fold
            w = np.linalg.solve(x[~out].T @ x[~out] + strength * scale * np.eye(d), x[~out].T @ centred[~out])
            answers[out] = x[out] @ w
        error = ((centred - answers) ** 2).sum()
        right = int(((answers + truth.mean(0)).argmax(1) == labels).sum())
        best = min(best, (error, right))
    assert linear.ridge_right(features, labels, 3, folds) == best[1]


def test_copies_lie_in_one_fold_and_classes_are_spread() -> None:
    labels = np.repeat(np.arange(2), 20)
    groups = np.arange(40)
    groups[1] = groups[0]
    groups[21] = groups[20]
    folds = linear.folds_of(labels, groups, seed=3)
    assert folds[0] == folds[1]
    assert folds[20] == folds[21]
    assert set(folds) == set(range(5))
    for fold in range(5):
        assert 3 <= (labels[folds == fold] == 0).sum() <= 5
    assert (folds == linear.folds_of(labels, groups, seed=3)).all()


def test_the_log_loss_is_that_of_the_true_classes() -> None:
    logits = np.log(np.array([[0.5, 0.5], [0.25, 0.75]]))
    assert linear.log_loss(logits, np.array([0, 1])) == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)


def sets(n: int = 90, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features, and three classes of which an image shows any number, each known to one direction."""
    draw = np.random.default_rng(seed)
    truth = draw.random((n, 3)) < (0.5, 0.3, 0.1)
    return draw.normal(size=(n, 6)) + truth @ draw.normal(size=(3, 6)), truth


def test_of_several_classes_each_is_solved_by_itself() -> None:
    features, truth = sets()
    whole = linear.fit(features, truth, 3, 0.1).logits(features)
    for place in range(3):
        alone = linear.fit(features, truth[:, place : place + 1], 1, 0.1).logits(features)
        np.testing.assert_allclose(whole[:, place], alone[:, 0], atol=0.02)


def test_yes_and_no_of_one_class_is_a_choice_between_two() -> None:
    features, truth = sets()
    alone = linear.fit(features, truth[:, :1], 1, 1.0).logits(features)[:, 0]
    pair = linear.fit(features, truth[:, 0].astype(int), 2, 0.5).logits(features)
    np.testing.assert_allclose(alone, pair[:, 1] - pair[:, 0], atol=0.05)


def test_cross_validated_sets_are_told_from_chance() -> None:
    features, truth = sets(300)
    folds = linear.folds_of(truth, np.arange(300), 0)
    found = linear.cross_validate(features, truth, 3, folds)
    best = min(linear.log_loss(logits, truth) for logits in found.values())
    shares = truth.mean(0)
    assert best < -(shares * np.log(shares) + (1 - shares) * np.log(1 - shares)).sum()


def test_folds_of_sets_have_their_share_of_rare_classes_and_keep_copies_together() -> None:
    _, truth = sets(200)
    groups = np.arange(200)
    groups[100:110] = groups[:10]
    truth[100:110] = truth[:10]
    folds = linear.folds_of(truth, groups, 0)
    assert (folds[100:110] == folds[:10]).all()
    for place in range(3):
        held = np.bincount(folds, truth[:, place], minlength=5)
        assert held.max() - held.min() <= 4
    sizes = np.bincount(folds, minlength=5)
    assert sizes.max() - sizes.min() <= 12
