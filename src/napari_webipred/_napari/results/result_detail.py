"""The chosen row: its name, its chart or the plot of its stack, and why it failed or what to know about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from napari_webipred._napari.charts.chart_view import ChartView
from napari_webipred._napari.charts.figure import Figure
from napari_webipred._napari.charts.figure_menu import FigureMenu
from napari_webipred._napari.charts.plot_view import PlotView
from napari_webipred._napari.explanations.explain_view import ExplainView
from napari_webipred._napari.results.result_columns import name_of
from napari_webipred._napari.results.threshold_row import ThresholdRow
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.label import ElidedLabel, MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.errors import OptionError
from napari_webipred.names import readable
from napari_webipred.results.ranges import words
from napari_webipred.results.row import Row
from napari_webipred.results.series import stack_rows, varying_axes
from napari_webipred.results.session_table import Entry, Numbers

NARROWEST_BOX = 80
_NO_ROWS = np.empty(0, np.intp)


class ResultDetail(QWidget):
    """Shows one row; hidden while there is none.

    Parameters
    ----------
    visible : callable
        Returns the numbers of the rows that the table shows.
    selected : callable
        Returns the numbers of those that are selected.
    length_of : callable
        Returns how many planes the layer of a row has along an axis; 0 if that is not known.
    is_open : callable
        Returns whether the image of a row can be shown.

    Signals
    -------
    moved : int, Entry
        The user has gone to this row in the plot; see `PlotView`.
    shown : Entry or None, int
        This row is shown, with its number.
    """

    moved = Signal(int, object)
    shown = Signal(object, int)

    def __init__(
        self,
        session: ViewerSession,
        visible: Callable[[], Numbers],
        selected: Callable[[], Numbers],
        theme: Theme,
        *,
        length_of: Callable[[Entry, str], int],
        is_open: Callable[[Entry], bool],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._entry: Entry | None = None
        self._number = -1
        self.length_of = length_of
        self.is_open = is_open
        self._stack: Numbers = _NO_ROWS
        self.name = ElidedLabel()
        self.view = ChartView(session.display, theme)
        self.chart = self.view.chart
        self.order = self.view.order
        self.along = PlotView(session, visible, theme)
        self.plot = self.along.plot
        self.drawing = QComboBox()
        self.drawing.setToolTip("Show the selected row as bars, or all planes of its stack along an axis")
        self.drawing.setAccessibleName("Drawing")
        self.threshold = ThresholdRow()
        self.range = MutedLabel()
        self.range.setToolTip("The intensities that became black and white")
        self.explain = ExplainView(session.maps, session.table, selected, theme)
        self.error = Message(theme)
        self.remark = Message(theme)
        self.message = Message(theme)
        self.menu = FigureMenu(self.view, self._figure, self._file_name, self._inputs, self.message)
        self.menu.serve(self.chart)
        self.menu.serve(self.plot)
        self._lay_out()
        self.drawing.activated.connect(self._on_drawing)
        self.threshold.changed.connect(self._on_threshold)
        self.view.pinned_changed.connect(self.along.read_again)
        self.along.moved.connect(self.moved)
        self.chart.class_chosen.connect(self._on_class)
        session.maps.changed.connect(self._mark_class)
        self.hide()

    def _lay_out(self) -> None:
        for box in (self.drawing, self.order):
            box.setMinimumWidth(NARROWEST_BOX)  # in a narrow panel, narrower than their words
        self.choices = QWidget()
        choices = QHBoxLayout(self.choices)
        choices.setContentsMargins(0, 0, 0, 0)
        choices.addWidget(self.drawing)
        choices.addWidget(self.order)
        choices.addStretch(1)
        choices.addWidget(self.menu)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (
            self.name,
            self.choices,
            self.view,
            self.range,
            self.along,
            self.threshold,
            self.explain,
            self.error,
            self.remark,
            self.message,
        ):
            layout.addWidget(widget)

    @property
    def axis(self) -> str:
        """The axis along which the stack of the row is shown; empty if bars are."""
        return str(self.drawing.currentData() or "")

    def show_entry(self, entry: Entry | None, number: int = -1) -> None:
        """Show a row, given with its number in the table of the session, or nothing."""
        self._entry, self._number = entry, number
        self.setVisible(entry is not None)
        self.explain.show_entry(entry, number)
        self._mark_class()
        self.shown.emit(entry, number)
        self.refresh()

    def extend(self) -> None:
        """Show new rows of the table."""
        if self._entry is not None and self._entry.run.number == self._session.table.run_numbers[-1]:
            found = len(self._stack)
            self._find_stack()
            if self.axis and len(self._stack) != found:
                self.along.show_line(self._entry, self.axis, self._stack, self.length_of(self._entry, self.axis))

    def show_position(self, position: Mapping[str, int]) -> None:
        """Move the marker of the plot to a plane of the same stack that the viewer shows, and that has no row."""
        if self._entry is not None and self.axis in position:
            here = self._entry.row.position
            if all(position.get(axis) == i for axis, i in here.items() if axis != self.axis):
                self.plot.show_index(position[self.axis])

    def refresh(self) -> None:
        """Show the row as it is now."""
        if self._entry is None:
            return
        run, row = self._entry.run, self._entry.row
        self.show_name()
        for message in (self.error, self.remark, self.message):
            message.clear()
        self._find_stack()
        self.view.setVisible(not row.failed and not self.axis)
        self.order.setVisible(not row.failed and not self.axis)
        self.along.setVisible(bool(self.axis))
        self.choices.setVisible(not row.failed or bool(self.axis))
        self.range.setText(words(row.intensity_range).capitalize())
        self.range.setVisible(bool(self.range.text()) and not self.axis)
        self.explain.setVisible(not row.failed)
        if self.axis:
            self.along.show_line(self._entry, self.axis, self._stack, self.length_of(self._entry, self.axis))
        self.threshold.show_threshold(run.card, run.options["threshold"])
        if row.failed:
            self.error.show_error(OptionError(row.error))
            return
        if row.remark:
            self.remark.show_note(row.remark)
        if not self.axis:
            self.view.show_row(run.card, row, run.options["threshold"])

    def show_name(self) -> None:
        """Say what the row is about, and whether that is open."""
        if self._entry is not None:
            gone = "" if self.is_open(self._entry) else "image not open"
            self.name.setText(" · ".join(part for part in (name_of(self._entry), gone) if part))

    def _find_stack(self) -> None:
        """Find the rows of the stack of the chosen row, and offer its axes."""
        self._stack = _NO_ROWS
        axes: list[str] = []
        if self._entry is not None and self._number >= 0 and self._entry.row.position:
            self._stack = stack_rows(self._row, self._session.table.rows_of(self._entry.run), self._number)
            axes = varying_axes(self._row, self._stack)
        offered = ["", *axes] if axes else [""]
        if offered != [self.drawing.itemData(i) for i in range(self.drawing.count())]:
            self.drawing.clear()
            for axis in offered:
                self.drawing.addItem(f"Along {readable(axis)}" if axis else "Bars", axis)
        wanted = self._session.display.axis
        self.drawing.setCurrentIndex(offered.index(wanted) if wanted in offered else 0)
        self.drawing.setVisible(bool(axes))

    def _mark_class(self) -> None:
        """Mark the bar of the class whose map is shown."""
        entry, maps = self._entry, self._session.maps
        self.chart.mark(maps.class_of(entry) if entry is not None and maps.of(self._number) is not None else None)

    def _on_class(self, index: int) -> None:
        if self._entry is not None:
            self._session.maps.choose(self._entry, index)

    def _on_threshold(self, threshold: float) -> None:
        if self._entry is not None:
            self._session.set_threshold(self._entry.run, threshold)
            self.along.read_again()

    def _on_drawing(self) -> None:
        self._session.display.axis = self.axis
        self.refresh()

    def _row(self, number: int) -> Row:
        return self._session.table.entry(number).row

    def _figure(self) -> Figure:
        return self.plot.figure() if self.axis else self.chart.figure()

    def _file_name(self) -> str:
        kind = "plot" if self.axis else "chart"
        return f"{self._entry.run.card.id}-{kind}" if self._entry is not None else kind

    def _inputs(self) -> list[str]:
        return [layer.source.path for layer in self._session.places.layers() if layer.source.path]
