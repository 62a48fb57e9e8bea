"""What a reader, a person who has looked at the image, says of a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from napari_webipred.errors import OptionError
from napari_webipred.names import readable, without_apostrophe
from napari_webipred.results.columns import READER
from napari_webipred.results.export import as_text
from napari_webipred.results.prediction import as_cell, classes_in

if TYPE_CHECKING:
    import pandas as pd

NONE = "none"  # the answer that the image has none of the classes of a multi-label model
_HINT = "Correct this cell, or leave all three columns of the reader empty."


class Reading(Struct, frozen=True):
    """The answer of a reader.

    Attributes
    ----------
    classes : tuple of str
        Names of the classes, in the model's order; ``("none",)`` if a multi-label image has none of them. Empty: the
        reader has looked, and is unsure.
    comment : str
        What the reader has written about it; may be empty.
    time : datetime
        When, in whole seconds, with the time zone UTC.
    """

    classes: tuple[str, ...]
    comment: str
    time: datetime

    @property
    def unsure(self) -> bool:
        """Whether the reader has looked and does not know."""
        return not self.classes

    def labels(self, classes: Sequence[str]) -> tuple[str, ...] | None:
        """Return which of the model's classes the image has in truth, possibly none; None if the reader is unsure."""
        if self.unsure:
            return None
        return () if self.classes == (NONE,) and NONE not in classes else self.classes

    @property
    def cells(self) -> tuple[str, str, str]:
        """What stands in the columns ``reader_class``, ``reader_comment`` and ``reader_time``."""
        return as_cell(self.classes), self.comment, written(self.time)


def now() -> datetime:
    """Return the time as a reading has it."""
    return in_seconds(datetime.now(UTC))


def in_seconds(time: datetime) -> datetime:
    """Bring a time to UTC, which one without a time zone is taken for, and to whole seconds.

    Raises
    ------
    ValueError
        It lies before the first year or after the last one.
    """
    try:
        time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError("a time lies outside of the calendar") from error
    return time.replace(microsecond=0)


def written(time: datetime) -> str:
    """Write a time as ISO 8601: UTC, whole seconds, ``2026-01-31T12:05:00+00:00``."""
    return time.astimezone(UTC).isoformat(timespec="seconds")


def parsed(reader_class: str, reader_comment: str, reader_time: str, classes: Sequence[str]) -> Reading | None:
    """Read an answer out of the cells of a table.

    Parameters
    ----------
    reader_class, reader_comment, reader_time : str
        The cells; empty ones where nothing was said.
    classes : sequence of str
        Names of the model's classes, which may themselves contain what separates them.

    Returns
    -------
    Reading or None
        None if the row was not read.

    Raises
    ------
    OptionError
        There is a class without a time, no such time, or no such class.
    """
    if not reader_time:
        if reader_class:
            raise OptionError(f"The reader's class {readable(reader_class, 80)} has no time.", _HINT)
        return None
    try:
        time = in_seconds(datetime.fromisoformat(reader_time))
    except ValueError:
        raise OptionError(f"{readable(reader_time, 80)} is no time of a reader.", _HINT) from None
    return Reading(_named(reader_class, classes), without_apostrophe(reader_comment), time)


def of_frame(frame: pd.DataFrame, classes: Sequence[str]) -> list[Reading | None]:
    """Read the answers out of a table of results, one for each row; None for rows that were not read.

    Raises
    ------
    OptionError
        A cell cannot be understood; see `parsed`.
    """
    if not {*READER} <= {*map(str, frame.columns)}:
        return [None] * len(frame)
    said, comments, times = (_words(frame[name].tolist()) for name in READER)
    return [parsed(*cells, classes) for cells in zip(said, comments, times, strict=True)]


def _words(cells: Sequence[object]) -> Iterator[str]:
    return ("" if cell is None or cell != cell or str(cell) == "<NA>" else str(cell) for cell in cells)  # NaN


def _named(text: str, classes: Sequence[str]) -> tuple[str, ...]:
    """Return the classes that a cell names."""
    known = _as_written(classes)
    found = classes_in(text, known)
    if found is None:
        raise OptionError(f"The reader's class {readable(text, 80)} is no class of the model.", _HINT)
    return tuple(known[name] for name in found)


def _as_written(classes: Sequence[str]) -> Mapping[str, str]:
    """Return the classes by what stands in a table for them, in which some characters are escaped."""
    escaped = dict(zip(map(as_text, classes), classes, strict=True))
    inside = {text.removeprefix("'") if name not in escaped else text: name for text, name in escaped.items()}
    return {NONE: NONE, **inside, **escaped, **{name: name for name in classes}}
