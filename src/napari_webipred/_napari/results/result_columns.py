"""Which columns the table has, and what is written in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from napari_webipred._napari.results.measures import (
    MEANINGS,
    NAMED,
    class_measures,
    measure_columns,
    measure_text,
    number_text,
)
from napari_webipred.names import readable
from napari_webipred.results.columns import READER
from napari_webipred.results.reading import NONE, Reading
from napari_webipred.results.session_table import Entry, Numbers, RunDetails
from napari_webipred.results.table_columns import ABSENT, Column, TableColumns, greatest
from napari_webipred.results.table_filter import class_wins

HEADINGS = {
    "image": "Image",
    "region": "Region",
    "prediction": "Class",
    "probability": "Probability",
    "run": "Run",
    "model": "Model",
    "begun": "Time",
    "remark": "Remark",
    "comment": "Comment",
    "deviation": "SD",
    "calibrated": "Calibrated",
    "distance": "Distance",
    "percentile": "Percentile",
    "reader_class": "Reader's class",
    "reader_comment": "Reader's comment",
    "reader_time": "Read at",
}
MOST_CLASSES = 12  # that have a column unless the user chooses others
UNSURE = "unsure"
REMARK = "⚠"  # stands before the class of a row that has one


class ColumnChoice(Struct):
    """What the user has chosen about columns; kept while the viewer lives.

    Attributes
    ----------
    shown, hidden : set of Column
        Columns that are shown or hidden, whatever would be by default.
    order : list of Column
        The order, if the user has changed it; other columns come after those that they follow by default.
    widths : dict of Column to int
        Pixels of the columns that the user has made wider or narrower.
    """

    shown: set[Column] = field(default_factory=set)
    hidden: set[Column] = field(default_factory=set)
    order: list[Column] = field(default_factory=list)
    widths: dict[Column, int] = field(default_factory=dict)

    def show(self, column: Column, shown: bool) -> None:
        """Show or hide a column."""
        (self.shown if shown else self.hidden).add(column)
        (self.hidden if shown else self.shown).discard(column)


def possible_columns(columns: TableColumns, runs: Sequence[RunDetails]) -> list[Column]:
    """Return all columns that rows of these runs can have but those of the classes, in the default order."""
    axes = dict.fromkeys(axis for run in runs for axis in run.axes)
    found = [Column("image"), *(Column("axis", axis) for axis in axes)]
    if columns.has_regions:
        found.append(Column("region"))
    if any(run.card.task != "regression" for run in runs):
        found += [Column("prediction"), Column("reader_class"), Column("probability")]
    found += measure_columns(runs)
    found += [Column("run"), Column("model"), Column("begun"), Column("remark"), Column("comment")]
    return [*found, Column("reader_comment"), Column("reader_time")]


def class_names(columns: TableColumns, runs: Iterable[RunDetails]) -> list[str]:
    """Return the names of the classes of these runs, each once, in the order of the models."""
    return list(dict.fromkeys(name for run in runs for name in columns.classes(run)))


def shown_columns(
    columns: TableColumns, runs: Sequence[RunDetails], numbers: Numbers, choice: ColumnChoice
) -> list[Column]:
    """Return the columns of the table.

    Of many classes, those that are assigned to most of the rows with these numbers have a column.
    """
    possible = possible_columns(columns, runs)
    names = class_names(columns, runs)
    if len(names) > MOST_CLASSES:
        wins = class_wins(columns, numbers)
        most = sorted(names, key=lambda name: -wins[name])[:MOST_CLASSES]
        chosen = set(most) | {column.name for column in choice.shown if column.kind == "class"}
        names = [*(name for name in most), *(name for name in names if name in chosen and name not in most)]
    at = next(i for i, column in enumerate(possible) if column.kind == "run")
    classes = [Column("class", name) for name in names]
    found = [*possible[:at], *classes, *class_measures(names, runs), *possible[at:]]
    usual = _usual(columns, runs)
    found = [
        column
        for column in found
        if column not in choice.hidden and (column in choice.shown or column.kind not in HEADINGS or column in usual)
    ]
    return _in_order(found, choice.order)


def _usual(columns: TableColumns, runs: Sequence[RunDetails]) -> set[Column]:
    """Return the columns that are shown unless the user hides them."""
    usual = {Column("image"), Column("region"), Column("prediction")}
    if len(class_names(columns, runs)) > 1:
        usual.add(Column("probability"))
    if len(runs) > 1:
        usual |= {Column("run"), Column("model")}
    usual.update(measure_columns(runs))
    if all(run.card.task == "regression" for run in runs):  # no class is assigned, whose deviation would stand
        usual.update(class_measures(class_names(columns, runs), runs))
    if columns.table.comments:
        usual.add(Column("comment"))
    if columns.table.readings:
        usual |= {Column("reader_class"), Column("reader_comment")}
    return usual


def _in_order(found: list[Column], order: Sequence[Column]) -> list[Column]:
    known = [column for column in order if column in found]
    if not known:
        return found
    result = list(known)
    for i, column in enumerate(found):
        if column not in result:
            before = next((other for other in reversed(found[:i]) if other in result), None)
            result.insert(0 if before is None else result.index(before) + 1, column)
    return result


def heading(columns: TableColumns, column: Column, runs: Sequence[RunDetails]) -> str:
    """Name a column."""
    if column.name and column.kind in NAMED:
        return NAMED[column.kind].format(column.name)
    if column.kind != "class":
        return HEADINGS.get(column.kind, column.name)
    units = {run.card.classes[columns.classes(run)[column.name]].unit for run in runs if _has(columns, run, column)}
    unit = units.pop() if len(units) == 1 else None
    return f"{column.name} ({unit})" if unit else column.name


def label(columns: TableColumns, column: Column, runs: Sequence[RunDetails]) -> str:
    """Return what a column means: a measure, or a class whose card says so."""
    if column.kind in MEANINGS:
        return MEANINGS[column.kind]
    for run in runs:
        if column.kind == "class" and _has(columns, run, column):
            return run.card.classes[columns.classes(run)[column.name]].label or ""
    return ""


def cell(columns: TableColumns, column: Column, entry: Entry, decimals: int) -> str:
    """Return what is written in a cell; probabilities have so many decimals."""
    run, row = entry.run, entry.row
    match column.kind:
        case "axis":
            position = row.position.get(column.name, ABSENT)
            return "" if position == ABSENT else str(position)
        case "prediction":
            text = readable(row.error or row.prediction or ("" if run.card.task == "regression" else NONE))
            return f"{REMARK} {text}" if row.remark else text
        case "probability":
            return (
                number_text(run, greatest(row.probabilities, row.assigned), decimals)
                if row.assigned and not row.failed
                else ""
            )
        case "deviation" | "calibrated" | "distance" | "percentile":
            return measure_text(columns, column, entry, decimals)
        case "class":
            return _class_cell(columns, column, entry, decimals)
        case "begun":
            return f"{run.begun:%Y-%m-%d %H:%M}"
        case "run":
            return str(run.number)
    return readable(text_of(column, entry))


def text_of(column: Column, entry: Entry) -> str:
    """Return the text of a cell that has text from outside, as it is."""
    texts = {
        "image": entry.row.image,
        "region": entry.row.region,
        "model": entry.run.card.name,
        "remark": entry.row.remark,
        "comment": entry.comment,
        "prediction": entry.row.error or entry.row.prediction,
        **(_of_reader(entry.reading) if entry.reading else {}),
    }
    return texts.get(column.kind, "")


def _of_reader(reading: Reading) -> dict[str, str]:
    name, comment, _ = reading.cells
    return dict(zip(READER, (name or UNSURE, comment, f"{reading.time.astimezone():%Y-%m-%d %H:%M}"), strict=True))


def class_index(columns: TableColumns, column: Column, run: RunDetails) -> int | None:
    """Return which class of a run a column shows; None if the run has no such class."""
    return columns.classes(run).get(column.name) if column.kind == "class" else None


def _class_cell(columns: TableColumns, column: Column, entry: Entry, decimals: int) -> str:
    index = class_index(columns, column, entry.run)
    if index is None:
        return ""
    if entry.row.probabilities is None:  # a model of values has no column of classes to show the error in
        return readable(entry.row.error) if entry.run.card.task == "regression" and index == 0 else ""
    return number_text(entry.run, float(entry.row.probabilities[index]), decimals)


def _has(columns: TableColumns, run: RunDetails, column: Column) -> bool:
    return column.name in columns.classes(run)


def name_of(entry: Entry) -> str:
    """Name the image of a row and its place in it."""
    row = entry.row
    where = ", ".join(f"{axis} {i}" for axis, i in row.position.items())
    return " · ".join(part for part in (row.image, where, f"region {row.region}" if row.region else "") if part)
