"""What came out of a run: counted as its rows come, and told at its end."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from napari_webipred.results.ranges import Ranges

if TYPE_CHECKING:
    from napari_webipred.results.row import Row

STEPS = ("reading", "preparing", "computing")
_CLASSES = 10  # that are told; the others are counted together
_KINDS = 20
_OTHERS = "other reasons"
_NUMBER = r"\d[\d,.]*\d|\d"
_FILE = "…"


class Summary:
    """Counts rows.

    Attributes
    ----------
    done, failed : int
        How many rows there are, and how many of them have no probabilities.
    ranges : Ranges
        The intensity ranges of stacks.
    """

    def __init__(self) -> None:
        self.done = self.failed = 0
        self.ranges = Ranges()
        self._classes: Counter[int] = Counter()
        self._kinds: Counter[str] = Counter()
        self._seconds = [0.0] * len(STEPS)
        self._before = 0  # rows of an earlier run
        self._begin = time.perf_counter()

    def add(self, row: Row) -> None:
        """Count a row."""
        self.done += 1
        self.ranges.add(row)
        self._classes.update(row.assigned)
        if row.failed:
            self.failed += 1
            kind = kind_of(row)
            self._kinds[kind if kind in self._kinds or len(self._kinds) < _KINDS else _OTHERS] += 1
        for step, seconds in enumerate(row.seconds):
            self._seconds[step] += seconds

    def begin(self) -> None:
        """Take the rows until now for those of an earlier run, and the time from now on."""
        self._before, self._begin = self.done, time.perf_counter()

    def as_dict(self, classes: Sequence[str]) -> dict[str, Any]:
        """Return it as plain JSON values."""
        seconds, spent = time.perf_counter() - self._begin, sum(self._seconds)
        now = self.done - self._before
        return {
            "done": self.done,
            "failed": self.failed,
            "rows_per_class": {classes[index]: count for index, count in sorted(self._classes.items())},
            "failures": dict(self._kinds.most_common()),
            "seconds": round(seconds, 3),
            "seconds_per_image": round(seconds / now, 6) if now else None,
            "shares": {step: round(part / spent, 4) for step, part in zip(STEPS, self._seconds, strict=True)}
            if spent
            else {},
        }

    def lines(self, classes: Sequence[str]) -> Iterator[str]:
        """Yield what is told of it, in lines for people."""
        found = self.as_dict(classes)
        if counts := sorted(found["rows_per_class"].items(), key=lambda each: -each[1]):
            parts = [f"{name} {count:,}" for name, count in counts[:_CLASSES]]
            if rest := counts[_CLASSES:]:
                parts.append(f"{len(rest)} other classes {sum(count for _, count in rest):,}")
            yield f"Rows per class: {', '.join(parts)}."
        for kind, count in found["failures"].items():
            yield f"Failed, {count:,}: {kind}"
        if each := found["seconds_per_image"]:
            shares = ", ".join(f"{step} {share:.0%}" for step, share in found["shares"].items())
            yield f"{found['seconds']:,.1f} s, {_time(each)} an image.{f' Of the work: {shares}.' if shares else ''}"


def kind_of(row: Row) -> str:
    """Return why a row failed, without what is different for each image: the name of its file, and numbers."""
    image = PurePath(row.image)
    said = row.error.removeprefix(f"{image.parent.name}: ").replace(image.name, _FILE)  # of a series the folder
    sentence = said.split(". ", 1)[0].rstrip(".")
    return re.sub(_NUMBER, "N", sentence.removeprefix(f"{_FILE}: "))


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"
