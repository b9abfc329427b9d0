"""What a call returns or raises comes back; what never ends holds nobody up."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time

import pytest

from convworks.data.patience import within


def helpers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "patience"}


def test_what_a_call_returns_or_raises_comes_back() -> None:
    assert within(10, lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        within(10, lambda: 1 // 0)
    with pytest.raises(TimeoutError, match="its own"):
        within(10, lambda: (_ for _ in ()).throw(TimeoutError("its own")))


def test_one_thread_does_a_threads_calls_until_one_of_them_hangs() -> None:
    end, threads = threading.Event(), [within(10, threading.current_thread) for _ in range(3)]
    assert len({*threads}) == 1 and threads[0] is not threading.current_thread()
    with pytest.raises(TimeoutError):
        within(0.01, end.wait)
    assert within(10, threading.current_thread) not in threads
    end.set()


def test_a_helper_ends_with_the_thread_that_it_helped() -> None:
    before = helpers()
    threads = [threading.Thread(target=within, args=(10, int)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    until = time.monotonic() + 10
    while helpers() - before and time.monotonic() < until:
        time.sleep(0.001)
    assert not helpers() - before


def test_a_process_ends_though_a_call_hangs() -> None:
    code = """
import threading
from convworks.data.patience import within

try:
    within(0.01, threading.Event().wait)
except TimeoutError:
    print("given up")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("given up\n", "")
