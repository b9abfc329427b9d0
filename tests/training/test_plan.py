"""What a task cannot use is refused in words, before anything is decoded."""

from __future__ import annotations

from pathlib import Path

import pytest

from convworks import api
from convworks.data import synthetic
from convworks.errors import RecipeError


@pytest.mark.parametrize(
    ("task", "options", "said"),
    [
        ("classification", {"looks": 2}, "one look"),
        ("classification", {"smoothing": 1.0}, "refines outlines"),
        ("localization", {"looks": 2}, "one look"),
        ("detection", {"looks": 2, "detector": "faster_rcnn"}, "one look"),
        ("detection", {"mixup": 0.2}, "where things are"),
        ("segmentation", {"sampling": "square-root"}, "before it is read"),
    ],
)
def test_what_a_task_has_no_use_for_is_refused(
    task: str, options: dict[str, object], said: str, tmp_path: Path
) -> None:
    synthetic.write(tmp_path, task=task, count=8, classes=2, size=(40, 32), seed=0, style="shapes", workers=1)
    with pytest.raises(RecipeError, match=said):
        api.propose(tmp_path, **options)
