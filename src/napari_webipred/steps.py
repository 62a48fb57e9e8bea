"""Work in steps: generators that say how far they are, and return what came out."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, TypeVar

Step = TypeVar("Step")
Said = TypeVar("Said")
Result = TypeVar("Result")


def result_of(steps: Generator[Any, None, Result]) -> Result:
    """Do all steps, and return what they return."""
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            result: Result = finished.value
            return result


def told(steps: Generator[Step, None, Result], words: Callable[[Step], Said]) -> Generator[Said, None, Result]:
    """Do all steps, say something else of each, and return what they return; closing this closes them."""
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as finished:
                result: Result = finished.value
                return result
            yield words(step)
