"""The chosen row: its name, its chart, and why it failed or what to know about it."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from napari_webipred._napari.chart import Chart, ordered
from napari_webipred._napari.label import ElidedLabel
from napari_webipred._napari.message import Message
from napari_webipred._napari.result_bars import bars_of
from napari_webipred._napari.theme import Theme
from napari_webipred.errors import OptionError
from napari_webipred.results.session_table import Entry

ORDERS = {"model": "Model order", "descending": "Descending", "ascending": "Ascending"}
MOST_VISIBLE_BARS = 9


class ResultDetail(QWidget):
    """Shows one row; hidden while there is none."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entry: Entry | None = None
        self.name = ElidedLabel()
        self.order = QComboBox()
        for order, words in ORDERS.items():
            self.order.addItem(words, order)
        self.order.setToolTip("Order of the bars. The table always has the order of the model.")
        self.order.setAccessibleName("Order of the bars")
        self.chart = Chart(theme)
        self.chart_area = QScrollArea()
        self.chart_area.setWidget(self.chart)
        self.chart_area.setWidgetResizable(True)
        self.chart_area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.chart_area.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.error = Message(theme)
        self.remark = Message(theme)
        self._lay_out()
        self.order.currentIndexChanged.connect(self._refresh)
        self.hide()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.name, 1)
        top.addWidget(self.order)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(top)
        for widget in (self.chart_area, self.error, self.remark):
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
        self.chart_area.setVisible(not row.failed)
        self.order.setVisible(not row.failed)
        self.error.clear()
        self.remark.clear()
        if row.probabilities is None:
            self.error.show_error(OptionError(row.error))
            return
        if row.remark:
            self.remark.show_note(row.remark)
        bars = bars_of(run, row)
        self.order.setVisible(len(bars) > 1)
        self.chart.show_bars(ordered(bars, self.order.currentData()))
        lines = min(len(bars), MOST_VISIBLE_BARS) + 1
        self.chart_area.setFixedHeight(lines * self.chart.line_height() + 4)
