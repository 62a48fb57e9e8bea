"""Work in steps, told in other words."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from napari_webipred.errors import OptionError
from napari_webipred.steps import result_of, told


def _counted(closed: list[str], most: int = 3) -> Generator[int, None, str]:
    try:
        yield from range(most)
        return "all of it"
    finally:
        closed.append("closed")


def _collected(steps: Generator[str, None, str]) -> Generator[str, None, tuple[str, str]]:
    result = yield from steps
    return "the result is", result


def test_each_step_is_told_in_other_words() -> None:
    assert list(told(_counted([]), lambda number: f"step {number}")) == ["step 0", "step 1", "step 2"]


def test_the_result_is_that_of_the_steps() -> None:
    assert result_of(_collected(told(_counted([]), str))) == ("the result is", "all of it")


def test_who_closes_what_is_told_closes_the_steps() -> None:
    closed: list[str] = []
    telling = told(_counted(closed), str)
    next(telling)
    assert not closed
    telling.close()
    assert closed == ["closed"]


def test_an_error_of_the_words_closes_the_steps() -> None:
    closed: list[str] = []

    def words(number: int) -> str:
        raise OptionError(f"There are no words for {number}.", "Say nothing.")

    with pytest.raises(OptionError, match="no words for 0"):
        next(told(_counted(closed), words))
    assert closed == ["closed"]
