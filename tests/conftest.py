"""What every test shares: threads kept to one a process, the real-image packs, and examples that repeat."""

from __future__ import annotations

import os
from pathlib import Path

# Two test processes on two cores: each keeps to one thread. Said before anything loads numpy or torch.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

settings.register_profile("convworks", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("convworks")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for the packs carries their mark."""
    for item in items:
        if "packs" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.packs)


@pytest.fixture(scope="session")
def packs() -> Path:
    """The folder of real-image packs that CONVWORKS_PACKS names; the test is skipped where it is unset."""
    named = os.environ.get("CONVWORKS_PACKS")
    if not named:
        pytest.skip("CONVWORKS_PACKS is not set: it names the folder of real-image packs")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"CONVWORKS_PACKS names {folder}, which is not a folder")
    return folder
