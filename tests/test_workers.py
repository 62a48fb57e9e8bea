from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import CancelledError

import pytest

from napari_webipred.workers import Workers, wait_for


def test_calls_are_made_in_their_order_and_return() -> None:
    workers = Workers[int](1, "test")
    futures = [workers.submit(pow, 2, n) for n in range(20)]
    assert [wait_for(future) for future in futures] == [2**n for n in range(20)]
    assert workers.close(20)


def test_an_error_of_a_call_is_raised_where_its_result_is_waited_for() -> None:
    def fail() -> None:
        raise TimeoutError("its own")

    workers = Workers[None](2, "test")
    with pytest.raises(TimeoutError, match="its own"):
        wait_for(workers.submit(fail))
    assert workers.close(20)


def test_closing_cancels_what_has_not_begun() -> None:
    begun, go_on = threading.Event(), threading.Event()
    workers = Workers[bool](1, "test")

    def work() -> bool:
        begun.set()
        return go_on.wait(20)

    first, second = workers.submit(work), workers.submit(work)
    assert begun.wait(20)
    assert not workers.close(0)
    go_on.set()
    assert wait_for(first)
    with pytest.raises(CancelledError):
        wait_for(second)
    assert workers.close(20)


def test_a_program_ends_although_a_call_goes_on() -> None:
    code = """
import threading
from napari_webipred.workers import Workers
begun = threading.Event()
workers = Workers(1, "test")
workers.submit(lambda: (begun.set(), threading.Event().wait()))
begun.wait()
print(workers.close(0))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"
