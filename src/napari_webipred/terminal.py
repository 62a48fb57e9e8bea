"""What the command line shows: tables with bars, and progress."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Generator, Sequence
from typing import Protocol, TextIO, TypeVar

from napari_webipred.results.row import Row

BAR_WIDTH = 20

Result = TypeVar("Result")


class Step(Protocol):
    """How far something is: bytes done, and in all if that is known."""

    @property
    def done(self) -> int:
        """Bytes."""

    @property
    def total(self) -> int | None:
        """Bytes; None is not known."""


AnyStep = TypeVar("AnyStep", bound=Step)


def bar(probability: float, width: int = BAR_WIDTH, stream: TextIO | None = None) -> str:
    """Draw a probability from 0 to 1 as a bar of so many characters; plain ``#`` where blocks cannot be printed."""
    encoding = (stream or sys.stdout).encoding or "ascii"
    try:
        "█░".encode(encoding)
        full, empty = "█", "░"
    except UnicodeEncodeError:
        full, empty = "#", "."
    length = round(min(max(probability, 0.0), 1.0) * width)
    return full * length + empty * (width - length)


def show_row(row: Row, classes: Sequence[str], stream: TextIO) -> None:
    """Print one picture: its name, and a line per class with a bar; the assigned class is marked."""
    place = " ".join(f"{axis}={i}" for axis, i in row.position.items())
    print(printable(f"{row.image} {place}".strip(), stream), file=stream)
    if row.probabilities is None:
        print(printable(f"  failed: {row.error}", stream), file=stream)
        return
    width = max(map(len, classes))
    chosen = set(row.prediction.split("; "))
    for name, probability in zip(classes, row.probabilities, strict=True):
        mark = "*" if name in chosen else " "
        line = f"  {mark} {name:<{width}} {bar(float(probability), stream=stream)} {probability:.3f}"
        print(printable(line, stream), file=stream)


def show_table(header: Sequence[str], rows: Sequence[Sequence[str]], stream: TextIO) -> None:
    """Print a table with aligned columns, cut at the width of the terminal."""
    widths = [max(len(line[i]) for line in (header, *rows)) for i in range(len(header))]
    room = shutil.get_terminal_size((120, 24)).columns if stream.isatty() else 10_000
    for line in (header, *rows):
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        print(printable(text if len(text) <= room else text[: room - 3] + "...", stream), file=stream)


def printable(text: str, stream: TextIO) -> str:
    """Replace control characters, which could rewrite the screen, and what the terminal cannot show."""
    plain = "".join(c if c.isprintable() else "?" for c in text)
    encoding = stream.encoding or "utf-8"
    return plain.encode(encoding, "replace").decode(encoding)


def size(count: int | None) -> str:
    """Write a number of bytes for people: ``28.9 MB``."""
    if count is None:
        return "?"
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def tell(text: str) -> None:
    """Say something beside the result, on standard error."""
    stream = sys.stderr
    print(printable(text, stream), file=stream)


def follow(steps: Generator[AnyStep, None, Result], words: Callable[[AnyStep], str]) -> Result:
    """Run steps to their end, show what is done and how far, and return what they return; an interrupt closes them."""
    progress = ProgressLine()
    try:
        while True:
            step = next(steps)
            amount = f" {size(step.done)} of {size(step.total)}" if step.done else ""
            progress.show(words(step) + amount, step.done, step.total)
    except StopIteration as finished:
        result: Result = finished.value
        return result
    finally:
        steps.close()
        progress.clear()


class ProgressLine:
    """One line on standard error that is written over again; silent where nobody watches."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._shown = self._stream.isatty()
        self._begin = time.monotonic()
        self._last = 0.0

    def show(self, what: str, done: int, total: int | None) -> None:
        """Tell how far the work is, ten times a second at most, with the time that is left."""
        now = time.monotonic()
        if not self._shown or (now - self._last < 0.1 and done != total):
            return
        self._last = now
        left = ""
        if total and 0 < done < total:
            left = f", about {(now - self._begin) / done * (total - done):.0f} s left"
        self._stream.write(f"\r\x1b[K{what}{left}")
        self._stream.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
