from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from napari_webipred.cancellation import Cancellation, current
from napari_webipred.errors import CancelledError


def test_cancelling_ends_what_is_under_way_and_lets_nothing_begin() -> None:
    cancellation, ended = Cancellation(), []
    with cancellation.ending(lambda: ended.append("first")), cancellation.ending(lambda: ended.append("second")):
        cancellation.cancel()
    assert ended == ["first", "second"]
    with pytest.raises(CancelledError), cancellation.ending(lambda: ended.append("third")):
        raise AssertionError
    with pytest.raises(CancelledError):
        cancellation.check()


def test_what_has_ended_is_not_ended_again() -> None:
    cancellation, ended = Cancellation(), []
    with cancellation.ending(lambda: ended.append("it")):
        pass
    cancellation.cancel()
    assert ended == []


def test_a_thread_works_under_its_own_cancellation() -> None:
    cancellation = Cancellation()
    with cancellation.active(), ThreadPoolExecutor(1) as pool:
        assert current() is cancellation
        assert pool.submit(current).result() is not cancellation
    assert current() is not cancellation
    assert current() is not current()
