"""The form in which the user says how images are to be understood."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_webipred._napari.images.axis_row import AxisRow
from napari_webipred._napari.images.image_item import axes_of_item, called, reason
from napari_webipred._napari.images.images import Images, Item
from napari_webipred._napari.images.merged_layers import MergedLayers
from napari_webipred._napari.images.understanding import BY_ITSELF, Understanding, uses
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.wheel import WheelGuard
from napari_webipred.names import readable

NO_AXES = "A single image: there is nothing to choose."
LONGEST = 60  # characters of a name


class UnderstandingForm(QWidget):
    """Name and use of each leading axis; what is chosen counts at once, for all images that are shown in it.

    Signals
    -------
    closed
        The user needs the form no more.
    """

    closed = Signal()

    def __init__(self, images: Images, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._images = images
        self.items: list[Item] = []
        self.rows: list[AxisRow] = []
        self._names: list[str] = []
        self.heading = MutedLabel()
        self.why = MutedLabel()
        self._axes = QVBoxLayout()
        self._axes.setSpacing(4)
        self.reset = Button("Reset")
        self.reset.setToolTip("Understand the images as the program does by itself")
        self.close_button = Button("Close")
        buttons = QHBoxLayout()
        buttons.addWidget(self.reset)
        buttons.addWidget(self.close_button)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 4)
        layout.setSpacing(5)
        layout.addWidget(self.heading)
        layout.addWidget(self.why)
        layout.addLayout(self._axes)
        layout.addLayout(buttons)
        self.reset.clicked.connect(self._on_reset)
        self.close_button.clicked.connect(self.closed)
        shortcut = QShortcut(QKeySequence(Qt.Key.Key_Escape), self)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(self.closed)
        self.hide()

    def show_items(self, items: Sequence[Item]) -> None:
        """Show how the first of these images is understood; what is chosen counts for all of them."""
        self.items = list(items)
        self._show_name()
        self._make_rows()
        self._show_reason()

    def refresh(self) -> None:
        """Show the images again, whose names, data or labels may have changed."""
        self._show_name()
        axes = axes_of_item(self.items[0], self._images)
        if [(axis.name, axis.length) for axis in axes] != [(row.shown_name, row.length) for row in self.rows]:
            self._make_rows()
        self._show_reason()

    def focus_first(self) -> None:
        """Let the keyboard choose what becomes of the first axis."""
        (self.rows[0].use if self.rows else self.close_button).setFocus()

    def _make_rows(self) -> None:
        for row in self.rows:
            self._axes.removeWidget(row)
            row.hide()
            row.deleteLater()
        item = self.items[0]
        axes = axes_of_item(item, self._images)
        own = [axis.name for axis in axes_of_item(item, Images())]
        merged = isinstance(item, MergedLayers)
        self.rows = []
        for axis, name in zip(axes, own, strict=True):
            possible = tuple(use for use in uses(axis.length) if not (merged and use in ("rgb", "merge")))
            row = AxisRow(axis, name, possible)
            row.changed.connect(self._on_changed)
            self._axes.addWidget(row)
            WheelGuard(row)
            self.rows.append(row)
        self._names = [axis.name for axis in axes]
        self.reset.setVisible(bool(axes))

    def _show_name(self) -> None:
        name, count = readable(called(self.items[0]), LONGEST), len(self.items)
        self.heading.setText(f"How “{name}” is read" if count == 1 else f"How {count} images are read")

    def _show_reason(self) -> None:
        words = reason(self.items[0], self._images) or ("" if self.rows else NO_AXES)
        self.why.setText(words)
        self.why.setVisible(bool(words))

    def _on_changed(self) -> None:
        self._make_names_different()
        understanding = Understanding(tuple(row.choice() for row in self.rows))
        if understanding != self._images.understanding(self.items[0]):
            self._images.understand(self.items, understanding)
            self._show_reason()

    def _make_names_different(self) -> None:
        """Let two axes swap their names if one gets that of the other; none is without a name."""
        for row, old in zip(self.rows, self._names, strict=True):
            if not row.shown_name:
                row.rename(old)
        for row, old in zip(self.rows, self._names, strict=True):
            if row.shown_name != old:
                for other in self.rows:
                    if other is not row and other.shown_name == row.shown_name:
                        other.rename(old)
        self._names = [row.shown_name for row in self.rows]

    def _on_reset(self) -> None:
        self._images.understand(self.items, BY_ITSELF)
        self._make_rows()
        self._show_reason()
