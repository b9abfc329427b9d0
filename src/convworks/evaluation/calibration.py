"""One number that makes probabilities honest: the temperature by which all logits are divided.

It changes no answer, only how sure the answers sound. Source: C. Guo et al., On calibration of modern
neural networks (2017). How honest they are is measured by `metrics.calibration`.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, log_softmax, softmax

from convworks.evaluation.result import Evaluation
from convworks.metrics import calibration as metric

COLDEST, HOTTEST = 0.05, 20.0

Truth = Int[np.ndarray, "n"] | Bool[np.ndarray, "n k"]
"""What images show: the one class of each, or of every class whether it is there."""


def temperature(logits: Float[np.ndarray, "n k"], truth: Truth) -> float:
    """The temperature in [0.05, 20] with the lowest log loss on these images, never those that measure.

    1 where there is nothing to choose it by. The loss is convex in the inverse temperature, so its minimum
    is found.

    >>> certain = np.array([[9.0, 0.0], [9.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    >>> round(9 / temperature(certain, np.array([0, 0, 1, 1])), 3) == round(float(np.log(3)), 3)
    True
    """
    if len(truth) == 0:
        return 1.0
    exact = logits.astype(np.float64)
    found = minimize_scalar(
        lambda inverse: log_loss(exact * inverse, truth),
        bounds=(1 / HOTTEST, 1 / COLDEST),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(1 / found.x)


def log_loss(logits: Float[np.ndarray, "n k"], truth: Truth) -> float:
    """The mean of -log of the probability given to the true class, in nats; of sets, that of `set_losses`.

    >>> round(log_loss(np.zeros((2, 3)), np.array([0, 2])), 4) == round(float(np.log(3)), 4)
    True
    """
    if truth.ndim == 2:
        return float(set_losses(logits, truth).mean())
    return float(-log_softmax(logits, axis=1)[np.arange(len(truth)), truth].mean())


def set_losses(logits: Float[np.ndarray, "n k"], truth: Bool[np.ndarray, "n k"]) -> Float[np.ndarray, "n"]:
    """For each image the mean over the classes of -log of the probability given to what is so, in nats.

    >>> set_losses(np.zeros((1, 2)), np.array([[True, False]])).round(4) == round(float(np.log(2)), 4)
    array([ True])
    """
    return -log_expit(np.where(truth, logits, -logits)).mean(1)


def probabilities(logits: Float[np.ndarray, "n k"], at: float = 1.0) -> Float[np.ndarray, "n k"]:
    """The probabilities of logits at a temperature; each row sums to 1.

    >>> probabilities(np.array([[0.0, 0.0]]))
    array([[0.5, 0.5]])
    """
    return softmax(logits / at, axis=1)


def set_probabilities(logits: Float[np.ndarray, "n k"], at: float = 1.0) -> Float[np.ndarray, "n k"]:
    """The probability of each class by itself, where an image may show several.

    >>> set_probabilities(np.array([[0.0, 0.0]]))
    array([[0.5, 0.5]])
    """
    return expit(logits / at)


def expected_calibration_error(evaluation: Evaluation, bins: int = metric.BINS) -> float:
    """How far the confidence of the answers is from the share that is right, on average, in [0, 1]."""
    return metric.calibration_error(
        metric.calibration_counts(evaluation.probabilities, evaluation.truth, bins)
    )
