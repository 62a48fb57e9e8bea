"""The chart of a row with its controls: order of the bars, how many, and a search for other classes."""

from __future__ import annotations

from qtpy.QtCore import QRect, Qt, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from napari_webipred import limits
from napari_webipred._napari.charts.bars import FEW, FIRST, bars_of, ordered
from napari_webipred._napari.charts.chart import Chart
from napari_webipred._napari.charts.display import Display
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.class_search import ClassSearch
from napari_webipred._napari.widgets.delete_key import DeleteKey
from napari_webipred._napari.widgets.label import ElidedLabel
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.card import ModelCard
from napari_webipred.results.row import Row

ORDERS = {"model": "Model order", "descending": "Descending", "ascending": "Ascending"}
MOST_VISIBLE_BARS = 10
MORE = 5  # times as many bars with each click


class ChartView(QWidget):
    """Shows one row as bars. The order is chosen in `order`, which the owner puts somewhere.

    Parameters
    ----------
    display : Display
        What the user has chosen before; it is kept up to date.

    Signals
    -------
    pinned_changed
        Other classes are pinned.
    """

    pinned_changed = Signal()

    def __init__(self, display: Display, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._display = display
        self._shown: tuple[ModelCard, Row, float] | None = None
        self.order = QComboBox()
        for order, words in ORDERS.items():
            self.order.addItem(words, order)
        self.order.setCurrentIndex(list(ORDERS).index(display.order))
        self.order.setToolTip("Order of the bars. The table always has the order of the model.")
        self.order.setAccessibleName("Order of the bars")
        self.chart = Chart(theme)
        self.chart.set_vertical(display.vertical)
        self.area = QScrollArea()
        self.area.setWidget(self.chart)
        self.area.setWidgetResizable(True)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the chart has the keyboard
        self.search = ClassSearch()
        self.count = ElidedLabel()
        self.fewer = Button("Fewer")
        self.fewer.setToolTip("Show fewer classes")
        self.more = Button("More")
        self.more.setToolTip("Show more classes")
        self._lay_out()
        self.order.currentIndexChanged.connect(self._on_order)
        self.chart.current_moved.connect(self._scroll_to)
        self.search.found.connect(self.pin)
        self.more.clicked.connect(lambda: self._show_most(MORE * self._display.most))
        self.fewer.clicked.connect(lambda: self._show_most(FIRST))
        self._delete = DeleteKey(self.chart, self.unpin_current)

    def _lay_out(self) -> None:
        self.counting = QWidget()
        counting = QHBoxLayout(self.counting)
        counting.setContentsMargins(0, 0, 0, 0)
        counting.addWidget(self.count, 1)
        counting.addWidget(self.fewer)
        counting.addWidget(self.more)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self.area, self.counting, self.search):
            layout.addWidget(widget)

    @property
    def pinned(self) -> list[int]:
        """Indices of the classes that are always shown."""
        return list(self._display.pinned.get(self._shown[0].id, [])) if self._shown else []

    @property
    def unpinnable(self) -> str:
        """The name of the class at the keyboard's place if it is pinned, or an empty text."""
        bar = self.chart.current
        return bar.name if bar is not None and bar.index in self.pinned else ""

    def show_row(self, card: ModelCard, row: Row, threshold: float) -> None:
        """Show a row that has numbers, of a run with this threshold."""
        self._shown = card, row, threshold
        self.search.offer(card.classes)
        self._refresh()

    def set_vertical(self, vertical: bool) -> None:
        """Let the bars stand or lie."""
        self._display.vertical = vertical
        self.chart.set_vertical(vertical)
        self._refresh()

    def pin(self, index: int) -> None:
        """Show a class even if its number is low."""
        if self._shown is not None and index not in self.pinned:
            self._display.pinned.setdefault(self._shown[0].id, []).append(index)
            self._refresh()
            self.pinned_changed.emit()

    def unpin_current(self) -> None:
        """Show the class at the keyboard's place only if its number is high enough."""
        if self._shown is not None and self.unpinnable and self.chart.current is not None:
            self._display.pinned[self._shown[0].id].remove(self.chart.current.index)
            self._refresh()
            self.pinned_changed.emit()

    def _on_order(self) -> None:
        self._display.order = self.order.currentData()
        self._refresh()

    def _show_most(self, most: int) -> None:
        self._display.most = min(most, limits.SHOWN_CLASSES)
        self._refresh()

    def _refresh(self) -> None:
        if self._shown is None:
            return
        card, row, threshold = self._shown
        bars = bars_of(card, row, self._display.most, self.pinned, threshold)
        self.chart.show_bars(ordered(bars, self._display.order))
        self.order.setVisible(len(bars) > 1)
        classes = len(card.classes)
        self.search.setVisible(classes > FEW)
        self.counting.setVisible(classes > FEW)
        self.count.setText(f"{len(bars):,} of {classes:,} classes")
        self.fewer.setVisible(self._display.most > FIRST)
        self.more.setEnabled(len(bars) < min(classes, limits.SHOWN_CLASSES))
        self._fit()

    def _fit(self) -> None:
        height = self.chart.minimumSizeHint().height()
        if not self.chart.vertical:
            height = min(height, (max(MOST_VISIBLE_BARS, FEW) + 1) * self.chart.line_height())
        bar = self.area.horizontalScrollBar().sizeHint().height()
        wide = self.chart.minimumSizeHint().width() > self.area.viewport().width()
        self.area.setFixedHeight(height + 4 + (bar if self.chart.vertical and wide else 0))

    def _scroll_to(self, area: QRect) -> None:
        centre = area.center()
        self.area.ensureVisible(centre.x(), centre.y(), area.width() // 2, area.height() // 2)
