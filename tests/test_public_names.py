"""The public face is a promise: what `tests/public_names.txt` pins, and it costs nothing to import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import convworks

PINNED = Path(__file__).with_name("public_names.txt").read_text(encoding="utf-8").split()
HEAVY = {
    "argparse",
    "cv2",
    "dataclasses",
    "numpy",
    "PIL",
    "rich",
    "scipy",
    "timm",
    "torch",
    "torchvision",
    "typing",
}


def test_the_public_names_are_the_pinned_ones() -> None:
    names = sorted(f"convworks.{name}" for name in dir(convworks))
    assert names == sorted(PINNED), "a public name came or went; if that is meant, say so in public_names.txt"


@pytest.mark.parametrize("name", [name.removeprefix("convworks.") for name in PINNED])
def test_a_public_name_leads_home(name: str) -> None:
    value = getattr(convworks, name)
    assert value is getattr(convworks, name)
    if name != "__version__":
        assert value.__name__ == name
        assert value.__doc__


def test_a_name_that_is_not_public_is_refused_with_those_that_are() -> None:
    with pytest.raises(AttributeError, match=r"convworks has no 'trainn'; it has .*Recipe"):
        convworks.trainn  # noqa: B018


def test_importing_the_face_loads_nothing_heavy() -> None:
    code = "import convworks, sys; print(*sorted(name.partition('.')[0] for name in sys.modules))"
    # -S: without the site's own .pth files, which import what they like.
    shown = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {str(_source())!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert HEAVY.isdisjoint(shown.stdout.split())


def _source() -> Path:
    return Path(convworks.__file__).parent.parent
