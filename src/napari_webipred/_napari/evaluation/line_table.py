"""A table of texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, QRect, Qt
from qtpy.QtGui import QFontMetrics, QGuiApplication, QKeyEvent, QKeySequence, QResizeEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from napari_webipred._napari.evaluation.part import Lines
from napari_webipred._napari.widgets.label import tip
from napari_webipred.names import readable

NOWHERE = QModelIndex()
FEWEST, MOST = 3, 24  # rows
WIDEST = 260
HEADING = 110  # pixels; the tool tip has all of a longer one
MEASURED = 200  # rows
SPACE, MARGIN = 18, 8  # pixels around a text where there is space, and where there is little
LEAST = 40  # pixels of a text
_BRACKETS = re.compile(r"\([^()]*\)[,;.]?")
_UNBROKEN = re.compile(r"\([^()]*\)[,;.]?|\S+")


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
            return unbroken(readable(text))
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(self.tips.get(text, text) if index.column() == 0 else text)
        return None

    def headerData(self, section: int, side: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if side == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return readable(str(self.lines[0][section]))
        if side == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.ToolTipRole:
            return tip(str(self.lines[0][section]))
        return None


def parts(text: str) -> list[str]:
    """Return what is not broken: words, and what is in brackets."""
    return _UNBROKEN.findall(text)


def shared_width(there: int, whole: Sequence[int], least: Sequence[int]) -> list[int]:
    """Return how wide columns are: as wide as they want to be or, where there is less, what is left beyond the least.

    Parameters
    ----------
    there : int
        Pixels.
    whole, least : sequence of int
        What each column wants, and what it needs at least; at most as much.
    """
    if sum(whole) <= there or sum(least) > there:
        return list(whole if sum(whole) <= there else least)
    left, wanted = there - sum(least), sum(whole) - sum(least)
    return [low + left * (high - low) // wanted for high, low in zip(whole, least, strict=True)]


def height_of(metrics: QFontMetrics, text: str, width: int) -> int:
    """Return how high a text is that is broken into lines."""
    space = QRect(0, 0, width, WIDEST)
    return int(metrics.boundingRect(space, Qt.TextFlag.TextWordWrap.value, unbroken(text)).height())


def unbroken(text: str) -> str:
    """Keep what is in brackets in one line."""
    return _BRACKETS.sub(lambda found: found[0].replace(" ", "\u00a0"), text)


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
        self._fit()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        if event is None or event.size().width() != event.oldSize().width():
            self._fit()

    def _fit(self) -> None:
        """Make columns so wide that all of them are seen; where the window is too narrow for that, break the texts."""
        lines, measured = self.model_of_lines.lines, self.model_of_lines.lines[1 : MEASURED + 1]
        if not lines[0]:
            return
        columns = [[str(line[column]) for line in measured] for column in range(len(lines[0]))]
        width = self.fontMetrics().horizontalAdvance
        headings = [min(width(str(text)), HEADING) for text in lines[0]]
        whole = [
            min(max([heading, *(width(text[:WIDEST]) for text in texts)]) + SPACE, WIDEST)
            for heading, texts in zip(headings, columns, strict=True)
        ]
        words = [max((width(part) for text in texts for part in parts(text)), default=0) for texts in columns]
        least = [min(max(each, LEAST) + MARGIN, most) for each, most in zip(words, whole, strict=True)]
        widths = shared_width(self.viewport().width(), whole, least)
        for column, pixels in enumerate(widths):
            self.setColumnWidth(column, pixels)
        self._fit_rows(columns, widths, broken=widths != whole and len(lines) - 1 <= MEASURED)

    def _fit_rows(self, columns: Sequence[Sequence[str]], widths: Sequence[int], *, broken: bool) -> None:
        self.setWordWrap(broken)
        metrics, header = self.fontMetrics(), self.verticalHeader()
        line, count = metrics.height(), self.model_of_lines.rowCount()
        heights = [header.defaultSectionSize()] * count
        if broken:
            needed = [
                max(height_of(metrics, text, pixels - MARGIN) for text, pixels in zip(texts, widths, strict=True))
                for texts in zip(*columns, strict=True)
            ]
            heights = [max(height + 8, line + 8) for height in needed]
        for row, height in enumerate(heights) if count <= MEASURED else ():
            header.resizeSection(row, height)
        frame = self.horizontalHeader().sizeHint().height() + self.horizontalScrollBar().sizeHint().height() + 4
        rows = sum(heights[:MOST]) + max(FEWEST - count, 0) * header.defaultSectionSize()
        self.setFixedHeight(rows + frame)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is not None and event.matches(QKeySequence.StandardKey.Copy):
            rows = sorted({index.row() for index in self.selectedIndexes()})
            lines = [self.model_of_lines.lines[row + 1] for row in rows]
            QGuiApplication.clipboard().setText("\n".join("\t".join(map(str, line)) for line in lines))
        else:
            super().keyPressEvent(event)
