"""Warnings of Pillow reach the thread that listens, and no other warning is touched."""

from __future__ import annotations

import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType, SimpleNamespace

import pytest

from convworks.data import quiet
from convworks.data.quiet import listening

PILLOW = ModuleType("PIL.Pretended")
exec("import warnings\ndef warn(text): warnings.warn(text)", PILLOW.__dict__)


@pytest.fixture(params=[False, True], ids=["filters of the process", "filters of the context"], autouse=True)
def python(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Both ways in which a Python keeps its filters, the second new in 3.14."""
    flags = SimpleNamespace(context_aware_warnings=request.param)
    monkeypatch.setattr(quiet, "sys", SimpleNamespace(flags=flags))
    return request.param


def test_what_pillow_warns_of_is_heard_again_and_again() -> None:
    with listening() as said:
        for _ in range(2):
            PILLOW.warn("odd")
    assert said == ["odd", "odd"]


def test_other_warnings_go_their_way() -> None:
    with listening() as said, pytest.warns(UserWarning, match="mine"):
        warnings.warn("mine", UserWarning, stacklevel=1)
    assert said == []


def test_afterwards_all_is_as_before() -> None:
    before = list(warnings.filters), warnings.showwarning
    with pytest.raises(KeyError), listening(), listening():
        raise KeyError
    assert (list(warnings.filters), warnings.showwarning) == before


def test_the_inner_listener_hears_until_it_leaves() -> None:
    with listening() as outer:
        with listening() as inner:
            PILLOW.warn("in")
        PILLOW.warn("out")
    assert (inner, outer) == (["in"], ["out"])


def test_each_thread_hears_its_own(python: bool) -> None:
    if python and not getattr(sys.flags, "context_aware_warnings", False):
        pytest.skip("this Python keeps one list of filters")
    before = list(warnings.filters)
    together = threading.Barrier(8)

    def work(number: int) -> bool:
        together.wait()
        heard = True
        for turn in range(200):
            with listening() as said:
                PILLOW.warn(f"{number} {turn}")
            heard = heard and said == [f"{number} {turn}"]
        return heard

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
    assert list(warnings.filters) == before
