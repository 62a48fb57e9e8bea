"""The plot of the stack that the chosen row belongs to, which grows with its run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_webipred._napari.charts.plot import Plot
from napari_webipred._napari.charts.plot_sheet import Curve
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.card import ModelCard
from napari_webipred.results.row import Row
from napari_webipred.results.series import Line, Series
from napari_webipred.results.session_table import Entry, Numbers

AT_ONCE = 1000  # rows, so that the window never waits; the others follow
BETWEEN = 150  # milliseconds from one drawing of a growing plot to the next


class PlotView(QWidget):
    """Follows the rows of a stack along one of its axes. Only rows that the table shows are points.

    Parameters
    ----------
    visible : callable
        Returns the numbers of the rows that the table shows.

    Signals
    -------
    moved : int, Entry
        The user has moved the marker to this row. -1 and an entry without numbers: to a plane that has no row.
    """

    moved = Signal(int, object)

    def __init__(
        self, session: ViewerSession, visible: Callable[[], Numbers], theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._visible = visible
        self._entry: Entry | None = None
        self._length = 0
        self._line: tuple[int, Line] | None = None  # and the number of its run
        self._series: Series | None = None
        self._drawn_series: Series | None = None
        self._waiting: Numbers = np.empty(0, np.intp)
        self._numbers: Numbers = np.empty(0, np.intp)  # of the rows that are in the series or wait for it
        self.plot = Plot(theme)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)
        self._feeding = QTimer(self)
        self._feeding.setInterval(0)
        self._feeding.timeout.connect(self._feed)
        self._drawing = QTimer(self)
        self._drawing.setSingleShot(True)
        self._drawing.setInterval(BETWEEN)
        self._drawing.timeout.connect(self._draw)
        self.plot.moved.connect(self._on_moved)

    def show_line(self, entry: Entry, axis: str, stack: Numbers, length: int) -> None:
        """Show the line through a row.

        Parameters
        ----------
        entry : Entry
            The row.
        axis : str
            The axis along which the line goes.
        stack : ndarray of intp
            The numbers of all rows of the stack that have come.
        length : int
            How many planes there are along the axis; 0 if that is not known.
        """
        line = (entry.run.number, Line.through(entry.row, axis))
        numbers = self._visible()
        numbers = np.sort(numbers[np.isin(numbers, stack)])
        known = len(self._numbers)
        has_only_grown = line == self._line and np.array_equal(numbers[:known], self._numbers)
        self._entry, self._line, self._numbers, self._length = entry, line, numbers, length
        self.plot.show_index(entry.row.position[axis])
        if not has_only_grown:
            self.read_again()
        elif len(numbers) > known:
            self._take(numbers[known:])

    def read_again(self) -> None:
        """Read all rows of the line again: other classes are pinned or assigned, or the table shows other rows."""
        if self._entry is None or self._line is None:
            return
        run = self._entry.run
        self._series = Series(self._line[1], len(run.classes), self._session.display.pinned.get(run.card.id, ()))
        self._waiting = self._numbers[:0]
        self._take(self._numbers)

    def _take(self, numbers: Numbers) -> None:
        """Let rows wait until the series has read them."""
        self._waiting = np.concatenate([self._waiting, numbers])
        self._feed()
        self._feeding.start()

    def _feed(self) -> None:
        """Read some of the waiting rows. The first are drawn at once, the others after a while."""
        series = self._series
        if series is None:
            return
        is_new = self._drawn_series is not series
        now, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
        table = self._session.table
        series.add((number, table.entry(number).row) for number in now.tolist())
        if is_new or not len(self._waiting):
            series.choose()
        if series.fill(AT_ONCE) and not len(self._waiting):
            self._feeding.stop()
        if is_new:
            self._draw()
        elif not self._drawing.isActive():
            self._drawing.start()

    def _draw(self) -> None:
        series, entry = self._series, self._entry
        if series is None or entry is None:
            return
        self._drawn_series = series
        planes, card = series.planes, entry.run.card
        units = {each.unit or "" for each in card.classes} if not card.has_probabilities else set()
        curves = [
            Curve(_name(card, index, len(units) > 1), planes, series.values(index), place)
            for place, index in enumerate(series.followed)
            if index is not None
        ]
        unit = None if card.has_probabilities else units.pop() if len(units) == 1 else ""
        self.plot.show_curves(series.line.axis, max(self._length, planes.stop), curves, unit)

    def _on_moved(self, plane: int) -> None:
        if self._series is None or self._entry is None:
            return
        number = self._series.number(plane)
        if number is not None:
            self.moved.emit(number, self._session.table.entry(number))
            return
        row = self._entry.row
        position = {**row.position, self._series.line.axis: plane}
        self.moved.emit(-1, Entry(self._entry.run, Row(row.source, row.image, position, region=row.region)))


def _name(card: ModelCard, index: int, with_unit: bool) -> str:
    entry = card.classes[index]
    name = entry.name if entry.is_named else entry.label or entry.name
    return f"{name} ({entry.unit})" if with_unit and entry.unit else name
