"""The bar above the table: search, filter, and what is shown."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace
from qtpy.QtCore import Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_webipred._napari.results.bounds_menu import BoundsMenu
from napari_webipred._napari.results.measures import measure_columns
from napari_webipred._napari.results.result_table import ResultTable
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.label import ElidedLabel
from napari_webipred.names import readable
from napari_webipred.results.session_table import RunDetails
from napari_webipred.results.table_columns import Column, Kind
from napari_webipred.results.table_filter import EVERYTHING, Filter, class_wins

MARKED = {
    "failed": "Failed rows",
    "remark": "Rows with a remark",
    "comment": "Rows with a comment",
    "read": "Rows with a reader's answer",
    "unread": "Rows without a reader's answer",
    "differs": "Rows where the reader disagrees",
}
MARKED_BRIEFLY = {
    "failed": "failed",
    "remark": "with a remark",
    "comment": "with a comment",
    "read": "with an answer",
    "unread": "without an answer",
    "differs": "reader disagrees",
}
MEASURED: dict[Kind, tuple[str, float]] = {
    "deviation": ("SD over views", 1.0),
    "calibrated": ("Calibrated probability", 1.0),
    "distance": ("Reference distance", 1_000_000.0),
    "percentile": ("Reference percentile", 100.0),
}
MOST_LISTED = 30
MOST_LETTERS = 60


class ResultFilter(QWidget):
    """Says which rows of the table are shown.

    Signals
    -------
    changed : Filter
        Other rows are to be shown.
    """

    changed = Signal(object)

    def __init__(self, model: ResultTable, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._model = model
        self._clearing = False
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search rows")
        self.search.setAccessibleName("Search rows")
        self.search.setToolTip("Show rows with this text in image, class, model, remark or comment")
        self.search.setClearButtonEnabled(True)
        self.menu = QMenu(self)
        self.button = Button("Filter")
        self.button.setMenu(self.menu)
        self.button.setToolTip("Show some rows only: by class, run, probability, or failed ones")
        self.summary = ElidedLabel()
        self.everything = Button("Show all")
        self.everything.setToolTip("Show all rows again")
        self._make_menu()
        top, below = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self.search, 1)
        top.addWidget(self.button)
        below.addWidget(self.summary, 1)
        below.addWidget(self.everything)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addLayout(below)
        self.search.textChanged.connect(lambda text: self._set(text=text))
        for bounds in (self.probability, *self.measures.values()):
            bounds.changed.connect(self._on_bounds)
        self.everything.clicked.connect(self.clear)
        self.menu.aboutToShow.connect(self._fill)
        self.refresh()

    def clear(self) -> None:
        """Show all rows."""
        self._clearing = True
        for bounds in (self.probability, *self.measures.values()):
            bounds.clear_bounds()
        self.search.clear()
        self._clearing = False
        self.changed.emit(EVERYTHING)

    def refresh(self) -> None:
        """Say how many rows are shown, and why not all."""
        model, total = self._model, len(self._model.source.table.numbers)
        parts = describe(model.filter, model.source.table.runs)
        rows = f"{total:,} row{'s' * (total != 1)}"
        if parts:
            self.summary.setText(f"{len(model.numbers):,} of {rows} · {', '.join(parts)}")
        else:
            models = list(dict.fromkeys(run.card.name for run in model.runs))
            origin = f"Model: {models[0]}" if len(models) == 1 else f"{len(models)} models"
            runs = f" · {len(model.runs)} runs" if len(model.runs) > 1 else ""
            shown = sum(column.kind == "class" for column in model.columns)
            few = f" · {shown} of {model.class_count:,} classes" if shown < model.class_count else ""
            self.summary.setText(f"{origin}{runs} · {rows}{few}" if models else "")
        self.everything.setVisible(bool(parts))

    def _set(self, **facts: object) -> None:
        if not self._clearing:
            self.changed.emit(replace(self._model.filter, **facts))

    def _on_bounds(self) -> None:
        least, most = self.probability.bounds or (0.0, 1.0)
        found = ((column, menu.bounds) for column, menu in self.measures.items())
        self._set(least=least, most=most, bounds=tuple((column, *bounds) for column, bounds in found if bounds))

    def _make_menu(self) -> None:
        self._marked = {
            marked: self._add(self.menu, words, False, _marker(self, marked)) for marked, words in MARKED.items()
        }
        self.menu.addSeparator()
        self._runs, self._classes = QMenu("Run", self.menu), QMenu("Class", self.menu)
        self.probability = BoundsMenu("Probability of the class", 1.0, self.menu)
        self.measures = {Column(kind): BoundsMenu(words, most, self.menu) for kind, (words, most) in MEASURED.items()}
        for submenu in (self._runs, self._classes, self.probability, *self.measures.values()):
            self.menu.addMenu(submenu)

    def _fill(self) -> None:
        """List what the rows have."""
        model, chosen = self._model, self._model.filter
        for marked, action in self._marked.items():
            action.setChecked(chosen.marked == marked)
        possible = measure_columns(model.source.table.runs)
        for column, bounds in self.measures.items():
            bounds.menuAction().setVisible(column in possible)
        self._runs.clear()
        self._classes.clear()
        for run in reversed(model.source.table.runs[-MOST_LISTED:]):
            words = f"{run.number}: {run.card.name} · {run.begun:%H:%M}"
            self._add(self._runs, words, run.number in chosen.runs, _toggler(self, "runs", chosen.runs, run.number))
        for name in _listed_classes(model):
            toggle = _toggler(self, "classes", chosen.classes, name)
            self._add(self._classes, name, name in chosen.classes, toggle)

    @staticmethod
    def _add(menu: QMenu, words: str, checked: bool, toggle: Callable[[], None]) -> QAction:
        action = QAction(readable(words)[:MOST_LETTERS].replace("&", "&&"), menu)
        action.setCheckable(True)
        action.setChecked(checked)
        action.triggered.connect(toggle)
        menu.addAction(action)
        return action


def describe(chosen: Filter, runs: list[RunDetails]) -> list[str]:
    """Say in a few words each what a filter asks for."""
    parts = [f"“{chosen.text.strip()}”"] if chosen.text.strip() else []
    if chosen.marked:
        parts.append(MARKED_BRIEFLY[chosen.marked])
    if chosen.classes:
        parts.append(" or ".join(sorted(chosen.classes)))
    if chosen.runs:
        parts.append(f"run {' or '.join(map(str, sorted(chosen.runs)))}")
    if chosen.among:
        parts.append("chosen in a figure")
    if chosen.least > 0 or chosen.most < 1:
        parts.append(f"probability {chosen.least:g} to {chosen.most:g}")
    parts += [f"{MEASURED[column.kind][0].lower()} {least:g} to {most:g}" for column, least, most in chosen.bounds]
    return parts


def _listed_classes(model: ResultTable) -> list[str]:
    """Return the names of the classes that are assigned to most rows, and of those that are chosen already."""
    table = model.source.table
    wins = class_wins(model.source, table.numbers)
    names = {name for run in table.runs for name in run.classes}
    most = [name for name, _ in wins.most_common() if name in names][:MOST_LISTED]
    return [*most, *sorted(model.filter.classes.difference(most))]


def _toggler(bar: ResultFilter, field: str, values: frozenset[object], value: object) -> Callable[[], None]:
    return lambda: bar._set(**{field: values ^ {value}})


def _marker(bar: ResultFilter, marked: str) -> Callable[[], None]:
    return lambda: bar._set(marked="" if bar._model.filter.marked == marked else marked)
