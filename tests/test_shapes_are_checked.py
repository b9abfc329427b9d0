"""The shapes in our signatures are not remarks: a test that passes a wrong one fails."""

from __future__ import annotations

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from convworks.samples import Sample


def test_a_shape_that_contradicts_a_signature_is_refused() -> None:
    with pytest.raises(TypeCheckError, match="image"):
        Sample(image=np.zeros((2, 3), np.uint8))


def test_a_shape_that_keeps_to_it_passes() -> None:
    assert Sample(image=np.zeros((2, 4, 3), np.uint8)).boxes.shape == (0, 4)
