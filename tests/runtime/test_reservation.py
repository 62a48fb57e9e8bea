from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from napari_webipred import limits
from napari_webipred.cancellation import Cancellation
from napari_webipred.errors import CancelledError
from napari_webipred.runtime.reservation import ModelMemory


class Holder:
    """Stands in for a session."""


@pytest.fixture(autouse=True)
def _budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(limits.MEMORY_SETTING, "1000")


def test_all_runs_together_stay_within_the_budget() -> None:
    memory, lock, now, most = ModelMemory(), threading.Lock(), 0, 0

    def run(size: int) -> None:
        nonlocal now, most
        with memory.running(size, Cancellation()):
            with lock:
                now += size
                most = max(most, now)
            with lock:
                now -= size

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, [300, 400, 500, 600] * 50))
    assert 0 < most <= 1000


def test_a_run_that_is_too_large_beside_others_waits_and_then_runs_alone() -> None:
    memory, begun = ModelMemory(), threading.Event()

    def run() -> str:
        begun.set()
        with memory.running(5000, Cancellation()):
            return "done"

    with ThreadPoolExecutor(1) as pool:
        with memory.running(1, Cancellation()):
            waiting = pool.submit(run)
            assert begun.wait(20)
            assert not waiting.done()
        assert waiting.result(20) == "done"


def test_weights_of_open_sessions_leave_less_for_runs() -> None:
    memory, holder = ModelMemory(), Holder()
    assert memory.fits(500, 250)
    memory.hold(holder, 500)
    assert not memory.fits(500, 250)
    cancelled = Cancellation()
    with memory.running(300, Cancellation()), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: memory.running(300, cancelled).__enter__())
        cancelled.cancel()
        with pytest.raises(CancelledError):
            waiting.result(20)
    del holder
    assert memory.fits(500, 250)


def test_who_waits_can_be_cancelled() -> None:
    memory, cancellation, begun = ModelMemory(), Cancellation(), threading.Event()

    def run() -> None:
        begun.set()
        with memory.running(1000, cancellation):
            raise AssertionError

    with memory.running(1000, Cancellation()), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run)
        assert begun.wait(20)
        cancellation.cancel()
        with pytest.raises(CancelledError):
            waiting.result(20)
