"""What the command line shows: tables with bars, and progress."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, Protocol, TextIO, TypeAlias, TypeVar

from napari_webipred.errors import OptionError, Remedy, WebIPredError
from napari_webipred.names import readable, visible

if TYPE_CHECKING:
    from pathlib import Path

    from napari_webipred.card import ModelCard
    from napari_webipred.results.row import Row

Voice: TypeAlias = Literal["plain", "quiet", "json"]
_voice: Voice = "plain"
BAR_WIDTH = 20
STAGES = {"download": "Downloading", "compile": "Preparing", "load": "Loading"}
_WIDEST_CELL = 120  # characters
_READ = 0.1  # seconds between two states of a line of progress
REMEDIES: dict[Remedy, str] = {
    "add archive": "Run `napari-webipred pacs add NAME ADDRESS`.",
    "add certificate": "Set NAPARI_WEBIPRED_CA_FILE to the certificate file (PEM).",
    "allow slow model": "Use --allow-slow to allow it.",
    "begin anew": "Run it without --resume to begin anew.",
    "choose cache folder": "Set NAPARI_WEBIPRED_CACHE to choose another cache folder.",
    "complete settings": "Set them with --output-name, --standardize, --activation or --resize.",
    "fit reference": "Run `napari-webipred reference IMAGES --model MODEL`.",
    "free space": "`napari-webipred cache --limit 1GB` removes the least recently used models.",
    "give token": "Run it in a terminal to be asked for it, or pipe it in with --token-stdin.",
    "give password": "Run it in a terminal to be asked for it, or pipe it in with --password-stdin.",
    "go online": "Unset NAPARI_WEBIPRED_OFFLINE, or turn off Offline in napari's preferences.",
    "import file": "Or download the file in a browser and run `napari-webipred import FILE --as MODEL`.",
    "install dask": 'Install it: pip install "napari-webipred[dask]"',
    "install highdicom": 'Install it: pip install "napari-webipred[report]"',
    "install openpyxl": 'Install it: pip install "napari-webipred[excel]"',
    "install pyarrow": 'Install it: pip install "napari-webipred[parquet]"',
    "install pacs": 'Install it: pip install "napari-webipred[pacs]"',
    "install tensorflow": 'Install it: pip install "napari-webipred[tensorflow]"',
    "install tensorflow.js": "Install Node.js, run npm install @tensorflow/tfjs in FOLDER, add --node-packages FOLDER.",
    "list models": "`napari-webipred models` lists all models.",
    "list stored models": "`napari-webipred cache` lists the models on this machine.",
    "map classes": "Use --map OLD=NEW for each class that is called differently.",
    "name reader": "Add --reader and --organisation.",
    "replace deposit": "Or add --overwrite to replace it.",
    "replace model": "To replace it, run `napari-webipred fetch MODEL --replace` or "
    "`napari-webipred import FILE --replace`.",
    "set proxy": "Set HTTPS_PROXY to the proxy, such as http://name:password@host:port.",
    "set server address": "Check NAPARI_WEBIPRED_ZENODO_URL or HF_ENDPOINT.",
    "trust network": "Add --trust-network to confirm it.",
    "write bundle": "`napari-webipred bundle MODEL` writes a bundle.",
}

Each = TypeVar("Each")
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


def show_row(row: Row, card: ModelCard, stream: TextIO) -> None:
    """Print one image: its name, and a line per class with a bar; the assigned class is marked.

    Numbers that are no probabilities have no bar.
    """
    print(printable(title(row), stream), file=stream)
    if row.probabilities is None:
        print(printable(f"  failed: {row.error}", stream), file=stream)
        return
    width = max(map(len, card.class_names))
    for index, (entry, number) in enumerate(zip(card.classes, row.probabilities, strict=True)):
        mark = "*" if index in row.assigned else " "
        shown = f"{bar(float(number), stream=stream)} {number:.3f}"
        if not card.has_probabilities:
            shown = entry.value(float(number))
        print(printable(f"  {mark} {entry.name:<{width}} {shown}", stream), file=stream)
    if row.remark:
        print(printable(f"  remark: {row.remark}", stream), file=stream)


def title(row: Row) -> str:
    """Name an image, and which of its planes and regions this is: ``cells.tif t=0 z=12 region=7``."""
    place = {**row.position, **({"region": row.region} if row.region else {})}
    return " ".join([row.image, *(f"{axis}={i}" for axis, i in place.items())])


def show_table(header: Sequence[str], rows: Sequence[Sequence[str]], stream: TextIO) -> None:
    """Print a table with aligned columns, cut at the width of the terminal.

    The first column holds what users copy, so it is never shortened. Texts in the others may come from anywhere.
    """
    rows = [(first, *(readable(cell, _WIDEST_CELL) for cell in others)) for first, *others in rows]
    widths = [min(max(len(line[i]) for line in (header, *rows)), _WIDEST_CELL) for i in range(len(header))]
    import shutil  # this and others when they are needed: every command imports this module

    available = shutil.get_terminal_size((120, 24)).columns if stream.isatty() else 10_000
    for line in (header, *rows):
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        print(printable(text if len(text) <= available else text[: available - 3] + "...", stream), file=stream)


def printable(text: str, stream: TextIO) -> str:
    """Escape control characters, which could rewrite the screen, and replace what the terminal cannot show."""
    encoding = stream.encoding or "utf-8"
    return visible(text).encode(encoding, "replace").decode(encoding)


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


def show(text: str) -> None:
    """Print a line of what was asked for, on standard output."""
    sys.stdout.write(f"{printable(text, sys.stdout)}\n")


def in_words(error: WebIPredError) -> str:
    """Return what went wrong, and what to do next in a terminal."""
    return " ".join([str(error), *(REMEDIES[remedy] for remedy in error.remedies)])


def message(text: str) -> None:
    """Say something beside the result, on standard error, unless the user wants to hear of errors only."""
    if _voice == "json":
        emit("message", text=visible(text))
    elif _voice == "plain":
        _write_message(f"{printable(text, sys.stderr)}\n")


def error(text: str) -> None:
    """Say on standard error why the program ends."""
    if _voice == "json":
        emit("error", text=visible(text))
    else:
        _write_message(f"{printable(text, sys.stderr)}\n")


def emit(event: str, **facts: object) -> None:
    """Write an event as a line of JSON on standard error."""
    import json

    _write_message(f"{json.dumps({'event': event, **facts})}\n")


def voice() -> Voice:
    """Return how this program speaks on standard error."""
    return _voice


def speak(how: Voice) -> None:
    """Choose how this program speaks on standard error: for people, of errors only, or in lines of JSON."""
    global _voice
    _voice = how


def _write_message(text: str) -> None:
    with suppress(OSError):  # The terminal is closed: that must not end a run whose results go to a file.
        sys.stderr.write(text)
        sys.stderr.flush()


def may_replace(
    path: Path, overwrite: bool, why: str = "exists and was not written by napari-webipred, or was changed since"
) -> bool:
    """Ask whether a file may be replaced that is not ours, unless the user has said so already or cannot be asked.

    Raises
    ------
    OptionError
        Nobody can be asked.
    """
    said = f"{path} {why}."
    if overwrite:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise OptionError(said, "Choose another name, or add --overwrite to replace it.")
    _write_message(f"{printable(said, sys.stderr)} Replace it? [y/N] ")
    return sys.stdin.buffer.readline().strip().lower() in {b"y", b"yes"}


def agreed(question: str, otherwise: str) -> bool:
    """Ask whether something may be done.

    Raises
    ------
    OptionError
        Nobody can be asked; `otherwise` says what to do then.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise OptionError("Nobody can be asked whether this may be sent.", otherwise)
    _write_message(f"{question} [y/N] ")
    return sys.stdin.buffer.readline().strip().lower() in {b"y", b"yes"}


def open_streams() -> None:
    """Open the standard streams that the shell has closed, so that no other file takes their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def release_streams() -> None:
    """Drop what can no longer be printed, because nobody reads it or the disk is full; Python would complain of it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def follow(steps: Generator[AnyStep, None, Result], words: Callable[[AnyStep], str]) -> Result:
    """Run steps to their end, show what is done and how far, and return what they return; an interrupt closes them."""

    def line(step: AnyStep) -> tuple[str, int, int | None]:
        amount = f" {size(step.done)} of {size(step.total)}" if step.done else ""
        return words(step) + amount, step.done, step.total

    return shown(steps, line)


def counted(steps: Generator[tuple[int, int], None, Result], what: str) -> Result:
    """Run steps that count themselves to their end, show how far they are, and return what they return."""

    def line(step: tuple[int, int]) -> tuple[str, int, int]:
        done, total = step
        return f"{what}: {done} of {total}", done, total

    return shown(steps, line)


def shown(steps: Generator[Each, None, Result], line: Callable[[Each], tuple[str, int, int | None]]) -> Result:
    """Run steps to their end with a line of progress, of which nothing is left behind."""
    progress = ProgressLine()
    try:
        while True:
            progress.show(*line(next(steps)))
    except StopIteration as finished:
        result: Result = finished.value
        return result
    finally:
        steps.close()
        progress.clear()


class ProgressLine:
    """One line on standard error that is written over again; silent where nobody watches.

    Parameters
    ----------
    things : str
        What is counted, if it is told how many of them are done in a second.
    before : int
        How many of them were done before.
    """

    def __init__(self, things: str = "", before: int = 0) -> None:
        self._things, self._before = things, before
        self._shown = sys.stderr.isatty() and _voice == "plain"
        self._begin = time.monotonic()
        self._last = 0.0

    def is_due(self, *, final: bool = False) -> bool:
        """Tell whether somebody watches who has had the time to read what was shown last."""
        return self._shown and (final or time.monotonic() - self._last >= _READ)

    def show(self, what: str, done: int, total: int | None, more: str = "") -> None:
        """Tell how far the work is, ten times a second at most, with the rate and the time that is left, and more."""
        if not self.is_due(final=done == total):
            return
        self._last = now = time.monotonic()
        made, spent = done - self._before, now - self._begin
        left = ""
        if self._things and made:
            left = f", {made / spent:.1f} {self._things} a second"
        if total and 0 < done < total and made:
            left += f", about {_duration(spent / made * (total - done))} left"
        _write_message(f"\r\x1b[K{printable(what, sys.stderr)}{left}{more}")

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            _write_message("\r\x1b[K")


def _duration(seconds: float) -> str:
    """Write a time for people: ``45 s``, ``12 min``, ``3 h 20 min``."""
    minutes = round(seconds / 60)
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
