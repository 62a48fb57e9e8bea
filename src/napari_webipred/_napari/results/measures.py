"""The columns of numbers beside the probabilities: which there are, what they mean, and what is written in them."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import cast

from napari_webipred.references.reference import WEAKNESS
from napari_webipred.results.measure_columns import Measure, has_measure, measure_of
from napari_webipred.results.session_table import Entry, RunDetails
from napari_webipred.results.table_columns import MEASURES, Column, TableColumns

MEANINGS = {
    "deviation": "Standard deviation of the probability over the views of the image",
    "calibrated": "The calibrated probability, by the fit to all rows that had a label",
    "distance": f"How far the features of the image lie from those of the reference images. {WEAKNESS}",
    "percentile": f"How many percent of the reference images lie nearer. {WEAKNESS}",
}
NAMED = {"deviation": "{} sd", "calibrated": "{} (calibrated)"}  # those of a class, as in a file
MOST_CLASSES = 12  # with columns of these


def measure_columns(runs: Sequence[RunDetails]) -> list[Column]:
    """Return the columns of numbers beside the probabilities that rows of these runs have."""
    classes = any(run.card.task != "regression" for run in runs)
    kinds = [kind for kind in MEASURES if any(has_measure(run, kind) for run in runs)]
    return [Column(kind) for kind in kinds if classes or kind not in NAMED]


def class_measures(names: Sequence[str], runs: Sequence[RunDetails]) -> list[Column]:
    """Return the columns of deviations and calibrated probabilities of each class, of not too many classes."""
    kinds = [kind for kind in MEASURES if kind in NAMED and any(has_measure(run, kind) for run in runs)]
    return [Column(kind, name) for kind in kinds for name in names] if len(names) <= MOST_CLASSES else []


def measured(columns: TableColumns, column: Column, entry: Entry) -> float:
    """Return the number in a column of measures; NaN if there is none."""
    index = columns.classes(entry.run).get(column.name)
    if column.name and index is None:
        return float("nan")
    return measure_of(cast("Measure", column.kind), entry, index if column.name else None)


def measure_text(columns: TableColumns, column: Column, entry: Entry, decimals: int) -> str:
    """Return what is written in a cell of a column of measures."""
    number = measured(columns, column, entry)
    if isnan(number):
        return ""
    if column.kind in NAMED:
        return number_text(entry.run, number, decimals)
    return f"{number:.2f}" if column.kind == "distance" else f"{number:.1f}"


def number_text(run: RunDetails, number: float, decimals: int) -> str:
    """Write a probability, or another number of a model."""
    return f"{number:.{decimals}f}" if run.card.has_probabilities else f"{number:.6g}"
