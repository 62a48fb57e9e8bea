"""A table of texts."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt
from qtpy.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from napari_webipred._napari.evaluation.part import Lines
from napari_webipred._napari.widgets.label import tip
from napari_webipred.names import readable

NOWHERE = QModelIndex()
FEWEST, MOST = 3, 24  # rows
WIDEST = 260
HEADING = 110  # pixels; the tool tip has all of a longer one
MEASURED = 200  # rows


class LineModel(QAbstractTableModel):
    """Lines, of which the first one names the columns.

    Attributes
    ----------
    tips : dict of str to str
        What cells of the first column mean.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.lines: Lines = [[]]
        self.tips: dict[str, str] = {}

    def show_lines(self, lines: Lines) -> None:
        """Show other lines."""
        self.beginResetModel()
        self.lines = lines
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.lines) - 1

    def columnCount(self, parent: QModelIndex = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.lines[0])

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        text = str(self.lines[index.row() + 1][index.column()])
        if role == Qt.ItemDataRole.DisplayRole:
            return readable(text)
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(self.tips.get(text, text) if index.column() == 0 else text)
        return None

    def headerData(self, section: int, side: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if side == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return readable(str(self.lines[0][section]))
        if side == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.ToolTipRole:
            return tip(str(self.lines[0][section]))
        return None


class LineTable(QTableView):
    """Shows lines; Ctrl+C copies the selected ones."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model_of_lines = LineModel(self)
        self.setModel(self.model_of_lines)
        self.setAccessibleName(name)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 8)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.horizontalHeader().setStretchLastSection(True)
        self.horizontalHeader().setTextElideMode(Qt.TextElideMode.ElideRight)

    def show_lines(self, lines: Lines) -> None:
        """Show lines, as high as they are, within bounds."""
        self.model_of_lines.show_lines(lines)
        metrics = self.fontMetrics()
        for column in range(len(lines[0])):
            heading, *texts = (metrics.horizontalAdvance(str(line[column])[:WIDEST]) for line in lines[: MEASURED + 1])
            self.setColumnWidth(column, min(max([min(heading, HEADING), *texts]) + 18, WIDEST))
        row = self.verticalHeader().defaultSectionSize()
        frame = self.horizontalHeader().sizeHint().height() + self.horizontalScrollBar().sizeHint().height() + 4
        self.setFixedHeight(min(max(len(lines) - 1, FEWEST), MOST) * row + frame)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is not None and event.matches(QKeySequence.StandardKey.Copy):
            rows = sorted({index.row() for index in self.selectedIndexes()})
            lines = [self.model_of_lines.lines[row + 1] for row in rows]
            QGuiApplication.clipboard().setText("\n".join("\t".join(map(str, line)) for line in lines))
        else:
            super().keyPressEvent(event)
