"""Which rows of a session's table are shown, in which order, and with which classes."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.results.prediction import SEPARATOR
from napari_webipred.results.session_table import Numbers
from napari_webipred.results.table_columns import Column, TableColumns

Marked = Literal["", "failed", "remark", "comment", "read", "unread", "differs"]
_TEXTS = (Column("image"), Column("region"), Column("prediction"), Column("remark"))
_SAID = (Column("comment"), Column("reader_class"), Column("reader_comment"))


class Filter(Struct, frozen=True):
    """What a row must have to be shown; the default shows all rows.

    Attributes
    ----------
    text : str
        Somewhere in its image, region, class, error, remark, comment or the name of its model; in any case of letters.
    runs : frozenset of int
        It is of one of these runs, if there are any.
    classes : frozenset of str
        One of these classes is assigned to it, if there are any.
    least, most : float
        The least and the greatest probability of the assigned class.
    marked : "", "failed", "remark", "comment", "read", "unread" or "differs"
        It has failed, has a remark, or a comment; a reader has answered, has not, or disagrees with the model.
    among : frozenset of int
        It has one of these numbers, if there are any.
    bounds : tuple of (Column, float, float)
        The least and the greatest number in each of these columns of measures.
    """

    text: str = ""
    runs: frozenset[int] = frozenset()
    classes: frozenset[str] = frozenset()
    least: float = 0.0
    most: float = 1.0
    marked: Marked = ""
    among: frozenset[int] = frozenset()
    bounds: tuple[tuple[Column, float, float], ...] = ()


EVERYTHING = Filter()


def shown(columns: TableColumns, chosen: Filter, numbers: Numbers) -> Numbers:
    """Return those of the rows with these numbers that the filter lets through, in the same order."""
    if chosen.among:
        numbers = numbers[np.isin(numbers, np.fromiter(chosen.among, np.intp))]
    if chosen.runs:
        numbers = numbers[np.isin(columns.table.run_numbers[numbers], list(chosen.runs))]
    if chosen.marked:
        numbers = numbers[_marked(columns, chosen.marked, numbers)]
    if chosen.classes:
        codes, texts = columns.codes(Column("prediction"))
        wanted = np.array([_has_class(text, chosen.classes) for text in texts], np.bool_)
        numbers = numbers[wanted[codes[numbers]]]
        numbers = numbers[~_failed(columns, numbers)]
    if chosen.least > 0 or chosen.most < 1:
        numbers = numbers[_between(columns, Column("probability"), chosen.least, chosen.most, numbers)]
    for bound in chosen.bounds:
        numbers = numbers[_between(columns, *bound, numbers)]
    if chosen.text.strip():
        numbers = numbers[_with_text(columns, chosen.text.strip().casefold(), numbers)]
    return numbers


def ordered(columns: TableColumns, numbers: Numbers, column: Column, descending: bool = False) -> Numbers:
    """Return the rows with these numbers sorted by a column; equal ones keep their order, those without come last."""
    keys = columns.key(column)[numbers]
    if column.kind == "axis":
        keys = np.where(keys < 0, np.nan, keys)
    if descending:
        keys = -keys if keys.dtype.kind == "f" else -keys.astype(np.int64)
    order: NDArray[np.intp] = np.argsort(keys, kind="stable")
    return numbers[order]


def class_wins(columns: TableColumns, numbers: Numbers) -> Counter[str]:
    """Count to how many of these rows each class is assigned; also gives the names of errors, which are no classes."""
    codes, texts = columns.codes(Column("prediction"))
    counts = np.bincount(codes[numbers], minlength=len(texts))
    wins: Counter[str] = Counter()
    for text, count in zip(texts, counts.tolist(), strict=True):
        if count:
            for name in {text, *text.split(SEPARATOR)}:
                wins[name] += count
    return wins


def _between(columns: TableColumns, column: Column, least: float, most: float, numbers: Numbers) -> NDArray[np.bool_]:
    values = columns.numbers(column)[numbers]
    found: NDArray[np.bool_] = (values >= np.float32(least)) & (values <= np.float32(most))
    return found


def _has_class(prediction: str, classes: frozenset[str]) -> bool:
    return prediction in classes or not classes.isdisjoint(prediction.split(SEPARATOR))


def _failed(columns: TableColumns, numbers: Numbers) -> NDArray[np.bool_]:
    values = columns.table.rows.values("probabilities")
    return np.array([values[number] is None for number in numbers.tolist()], np.bool_)


def _marked(columns: TableColumns, marked: Marked, numbers: Numbers) -> NDArray[np.bool_]:
    if marked == "comment":
        return np.isin(numbers, list(columns.table.comments))
    if marked == "failed":
        return _failed(columns, numbers)
    if marked in ("read", "unread"):
        return np.isin(numbers, list(columns.table.readings), invert=marked == "unread")
    if marked == "differs":
        table = columns.table
        return np.isin(numbers, [number for number in table.readings if table.entry(number).agreed is False])
    codes, texts = columns.codes(Column("remark"))
    return np.array([bool(text) for text in texts], np.bool_)[codes[numbers]]


def _with_text(columns: TableColumns, text: str, numbers: Numbers) -> NDArray[np.bool_]:
    found = np.zeros(len(numbers), np.bool_)
    for column in _TEXTS:
        codes, texts = columns.codes(column)
        found |= np.array([text in known.casefold() for known in texts], np.bool_)[codes[numbers]]
    for column in _SAID:
        found |= np.isin(numbers, [number for number, said in columns.said(column).items() if text in said.casefold()])
    models = [run.number for run in columns.table.runs if text in run.card.name.casefold()]
    return found | np.isin(columns.table.run_numbers[numbers], models)
