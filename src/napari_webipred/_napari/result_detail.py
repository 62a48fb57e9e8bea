"""The chosen row: its name, its chart, and why it failed or what to know about it."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_webipred._napari.chart_view import ChartView
from napari_webipred._napari.figure import Figure
from napari_webipred._napari.figure_menu import FigureMenu
from napari_webipred._napari.label import ElidedLabel
from napari_webipred._napari.message import Message
from napari_webipred._napari.theme import Theme
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred.errors import OptionError
from napari_webipred.results.session_table import Entry


class ResultDetail(QWidget):
    """Shows one row; hidden while there is none."""

    def __init__(self, session: ViewerSession, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._entry: Entry | None = None
        self.name = ElidedLabel()
        self.view = ChartView(session.display, theme)
        self.chart = self.view.chart
        self.order = self.view.order
        self.error = Message(theme)
        self.remark = Message(theme)
        self.message = Message(theme)
        self.menu = FigureMenu(self.view, self._figure, self._file_name, self._inputs, self.message)
        self.menu.serve(self.chart)
        self._lay_out()
        self.hide()

    def _lay_out(self) -> None:
        self.choices = QWidget()
        choices = QHBoxLayout(self.choices)
        choices.setContentsMargins(0, 0, 0, 0)
        choices.addWidget(self.order)
        choices.addStretch(1)
        choices.addWidget(self.menu)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self.name, self.choices, self.view, self.error, self.remark, self.message):
            layout.addWidget(widget)

    def show_entry(self, entry: Entry | None) -> None:
        """Show a row, or nothing."""
        self._entry = entry
        self.setVisible(entry is not None)
        self._refresh()

    def _refresh(self) -> None:
        if self._entry is None:
            return
        run, row = self._entry.run, self._entry.row
        place = ", ".join(f"{axis} {i}" for axis, i in row.position.items())
        self.name.setText(f"{row.image} · {place}" if place else row.image)
        self.view.setVisible(not row.failed)
        self.choices.setVisible(not row.failed)
        for message in (self.error, self.remark, self.message):
            message.clear()
        if row.failed:
            self.error.show_error(OptionError(row.error))
            return
        if row.remark:
            self.remark.show_note(row.remark)
        self.view.show_row(run.card, row, run.options["threshold"])

    def _figure(self) -> Figure:
        return self.chart.figure()

    def _file_name(self) -> str:
        return f"{self._entry.run.card.id}-chart" if self._entry is not None else "chart"

    def _inputs(self) -> list[str]:
        return [layer.source.path for layer in self._session.places.layers() if layer.source.path]
