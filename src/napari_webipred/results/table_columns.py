"""The columns of a session's table as arrays, to filter and sort very many rows at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, get_args

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.results.columns import READER, unique
from napari_webipred.results.growing import GrowingArray
from napari_webipred.results.measure_columns import Measure, MeasureColumns
from napari_webipred.results.prediction import as_cell
from napari_webipred.results.probabilities import reached
from napari_webipred.results.reading import NONE
from napari_webipred.results.row_list import RowList
from napari_webipred.results.session_table import RunDetails, SessionTable

Said = Literal["comment", "reader_class", "reader_comment", "reader_time"]
Kind = (
    Literal["image", "axis", "region", "prediction", "probability", "class", "run", "model", "begun", "remark"]
    | Said
    | Measure
)
MEASURES: tuple[Measure, ...] = get_args(Measure)
ABSENT = -1


class Column(Struct, frozen=True):
    """A column of the table.

    Attributes
    ----------
    kind : str
        What it has: ``"prediction"`` is the assigned class, or the error; ``"probability"`` that of this class;
        ``"class"`` the probability of the class called ``name``; ``"deviation"`` its standard deviation over views;
        ``"calibrated"`` the calibrated one; ``"distance"`` and ``"percentile"`` how far the image lies from the
        reference images, and how many percent of them lie nearer.
    name : str
        Of the axis or class. A deviation or calibrated probability without one is that of the assigned class.
    """

    kind: Kind
    name: str = ""


PROBABILITY = Column("probability")


class _Texts:
    """A text per row; equal ones are kept once."""

    def __init__(self, texts_of: Callable[[RowList], Iterable[str]]) -> None:
        self._texts_of = texts_of
        self._codes = GrowingArray(np.int32)
        self._known: dict[str, int] = {}
        self._ranks: NDArray[np.intp] = np.empty(0, np.intp)

    @property
    def texts(self) -> list[str]:
        return list(self._known)

    def codes(self, rows: RowList) -> NDArray[np.int32]:
        new = rows[len(self._codes) :]
        if new:
            known = self._known
            self._codes.append([known.setdefault(text, len(known)) for text in self._texts_of(new)])
        return self._codes.values

    def overwrite(self, numbers: NDArray[np.intp], texts: Iterable[str], which: NDArray[np.intp]) -> None:
        """Give rows other texts: row ``numbers[i]`` the one with the number ``which[i]`` among `texts`."""
        codes = np.array([self._known.setdefault(text, len(self._known)) for text in texts], np.int32)
        self._codes.values[numbers] = codes[which]

    def ranks(self, rows: RowList) -> NDArray[np.intp]:
        """Return where the text of each row stands in the alphabet."""
        codes = self.codes(rows)
        if len(self._ranks) != len(self._known):
            texts = self.texts
            order = sorted(range(len(texts)), key=lambda i: texts[i].casefold())
            self._ranks = np.empty(len(texts), np.intp)
            self._ranks[order] = np.arange(len(texts))
        return self._ranks[codes]


class TableColumns:
    """Makes each column when it is first needed, and continues it as rows come.

    Every array has a value for each row of the table, deleted ones too.

    Parameters
    ----------
    table : SessionTable
        Whose columns these are.
    """

    def __init__(self, table: SessionTable) -> None:
        self.table = table
        self._numbers: dict[Column, GrowingArray] = {}
        self._images = _Texts(lambda rows: rows.values("image"))
        self._regions = _Texts(lambda rows: rows.values("region"))
        self._remarks = _Texts(lambda rows: rows.values("remark"))
        self._predictions = _Texts(_verdicts)
        self._classes: dict[int, dict[str, int]] = {}
        self._thresholds: dict[int, tuple[float, int]] = {}
        self._measures = MeasureColumns(table, self.classes)

    def extend(self) -> None:
        """Continue the columns that filters need, a little with each batch instead of all at the first use."""
        for texts in (self._images, self._regions, self._remarks, self._predictions):
            texts.codes(self.table.rows)
        self.numbers(PROBABILITY)
        self._measures.extend()

    @property
    def has_regions(self) -> bool:
        """Whether a row is of a region of its plane."""
        self._regions.codes(self.table.rows)
        return any(self._regions.texts)

    def key(self, column: Column) -> NDArray[Any]:
        """Return what a column is sorted by: numbers, NaN where there is none, or ranks of texts."""
        rows = self.table.rows
        if column.kind in ("run", "begun"):
            return self.table.run_numbers
        if column.kind == "model":
            names = [run.card.name.casefold() for run in self.table.runs]
            return np.unique(names, return_inverse=True)[1][self.table.run_numbers - 1]
        if column.kind == "comment" or column.kind in READER:
            return self._ranks(self.said(column))
        if column.kind in ("axis", "class", "probability", *MEASURES):
            return self.numbers(column)
        return self._texts(column).ranks(rows)

    def numbers(self, column: Column) -> NDArray[Any]:
        """Return the numbers of a column: of an axis integers, `ABSENT` without it; of others, NaN for none."""
        if column.kind in MEASURES:
            return self._measures.numbers(column.kind, column.name)
        rows = self.table.rows
        grown = self._numbers.setdefault(column, GrowingArray(np.int64 if column.kind == "axis" else np.float32))
        first = len(grown)
        if first < len(rows):
            grown.append(self._new_numbers(column, first))
        if column == PROBABILITY:
            self._assign_again()
        return grown.values

    def _new_numbers(self, column: Column, first: int) -> list[Any]:
        rows = self.table.rows[first:]
        if column.kind == "axis":
            return rows.places(column.name, ABSENT)
        if column.kind == "probability":
            return list(map(greatest, rows.values("probabilities"), rows.values("assigned")))
        places = [self.classes(run).get(column.name, -1) for run in self.table.runs]
        runs = self.table.run_numbers[first:].tolist()
        return [
            np.nan if probabilities is None or places[run - 1] < 0 else probabilities[places[run - 1]]
            for probabilities, run in zip(rows.values("probabilities"), runs, strict=True)
        ]

    def classes(self, run: RunDetails) -> dict[str, int]:
        """Return the names of a run's classes, each of which stands once, and their indices in the model's order."""
        if run.number not in self._classes:
            self._classes[run.number] = {name: index for index, name in enumerate(unique(run.classes))}
        return self._classes[run.number]

    def codes(self, column: Column) -> tuple[NDArray[np.int32], list[str]]:
        """Return the texts of a column of texts: a number per row, and the text for each number."""
        texts = self._texts(column)
        return texts.codes(self.table.rows), texts.texts

    def _texts(self, column: Column) -> _Texts:
        if column.kind == "prediction":
            self._assign_again()
            return self._predictions
        return {"image": self._images, "region": self._regions, "remark": self._remarks}[column.kind]

    def _assign_again(self) -> None:
        """Bring the assigned classes of runs whose threshold was changed up to date."""
        self._predictions.codes(self.table.rows)
        for run in filter(self.table.has_changed_threshold, self.table.runs):
            threshold = run.options["threshold"]
            numbers = np.flatnonzero(self.table.run_numbers == run.number)
            if self._thresholds.get(run.number) == (threshold, len(numbers)):
                continue
            self._thresholds[run.number] = (threshold, len(numbers))
            values = self.table.rows.values("probabilities")
            done = np.array([number for number in numbers if values[number] is not None], np.intp)
            if len(done):
                texts, which, most = _predictions(run, [values[number] for number in done], threshold)
                self._predictions.overwrite(done, texts, which)
                self.numbers(PROBABILITY)[done] = most

    def said(self, column: Column) -> dict[int, str]:
        """Return what people have said of rows, by their numbers: the comments, or a part of the reader's answers."""
        if column.kind == "comment":
            return self.table.comments
        part = READER.index(column.kind)
        return {number: text for number, each in self.table.readings.items() if (text := each.cells[part])}

    def _ranks(self, said: dict[int, str]) -> NDArray[np.float64]:
        alphabet = {text: rank for rank, text in enumerate(sorted(set(said.values()), key=str.casefold))}
        ranks = np.full(len(self.table), np.nan)
        for number, text in said.items():
            ranks[number] = alphabet[text]
        return ranks


def greatest(probabilities: NDArray[np.float32] | None, assigned: Sequence[int]) -> float:
    """Return the probability of the assigned class of a row, of several the greatest; NaN if there is none."""
    if probabilities is None or not assigned:
        return float("nan")
    if len(assigned) == 1:
        return float(probabilities[assigned[0]])
    return float(max(probabilities[index] for index in assigned))


def _verdicts(rows: RowList) -> list[str]:
    """Return the prediction or the error of each row."""
    return [
        error or prediction or NONE
        for error, prediction in zip(rows.values("error"), rows.values("prediction"), strict=True)
    ]


def _predictions(
    run: RunDetails, probabilities: list[NDArray[np.float32]], threshold: float
) -> tuple[list[str], NDArray[np.intp], NDArray[np.float32]]:
    """Return the different predictions of rows, which of them each row has, and the greatest assigned probability."""
    joined = np.concatenate(probabilities).reshape(len(probabilities), -1)
    assigned = reached(joined, run.card, threshold)
    most = np.where(assigned, joined, -np.inf).max(axis=1)
    most[~assigned.any(axis=1)] = np.nan
    packed = np.packbits(assigned, axis=1)
    whole = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, which = np.unique(whole, return_index=True, return_inverse=True)
    names = run.classes
    texts = [as_cell(names[index] for index in np.flatnonzero(assigned[row])) or NONE for row in first]
    return texts, which, most
