"""The list of keys."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_webipred._napari.widgets.button import dialog_buttons

HEADINGS = ("Key", "What it does")
SIZE = QSize(460, 560)


class Line(Struct, frozen=True):
    """Keys, and what they do."""

    keys: str
    words: str


class KeyList(QDialog):
    """Shows keys and what they do; Escape closes it."""

    def __init__(self, lines: Sequence[Line], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keyboard")
        self.table = QTableWidget(len(lines), len(HEADINGS))
        self.table.setAccessibleName("Keys and what they do")
        self.table.setHorizontalHeaderLabels(list(HEADINGS))
        self.table.verticalHeader().hide()
        self.table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        self.table.horizontalHeader().setStretchLastSection(True)
        self.table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setTabKeyNavigation(False)
        self.table.setWordWrap(True)
        for row, line in enumerate(lines):
            for column, text in enumerate((line.keys, line.words)):
                self.table.setItem(row, column, QTableWidgetItem(text))
        buttons = dialog_buttons(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.table)
        layout.addWidget(buttons)
        self.table.setCurrentCell(0, 0)
        self.table.setFocus()

    def sizeHint(self) -> QSize:
        return SIZE

    def showEvent(self, event: object) -> None:
        """Let long lines wrap, which needs the width."""
        super().showEvent(event)
        self.table.resizeRowsToContents()
