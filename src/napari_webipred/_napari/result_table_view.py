"""The view of the table of results."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QFont, QFontMetrics
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from napari_webipred import limits
from napari_webipred._napari.bars import written
from napari_webipred.results.session_table import RunDetails

IMAGE_WIDTH = 120
MOST_WIDTH = 240
SPACE = 14
UNBOUNDED = "-1.23457e+06"  # how wide numbers become that are not probabilities


class ResultTableView(QTableView):
    """Shows one row per image or plane; a click on a heading sorts."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Results")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setSortingEnabled(True)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 8)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setTextElideMode(Qt.TextElideMode.ElideRight)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)

    def fit_columns(self, run: RunDetails, headings: list[str]) -> None:
        """Make columns as wide as their headings and values, within bounds."""
        header = self.horizontalHeader()
        first = 2 + len(run.axes)
        bold = QFont(self.font())
        bold.setBold(True)  # like the assigned class
        number = QFontMetrics(bold).horizontalAdvance(written(0.0) if run.card.has_probabilities else UNBOUNDED)
        metrics = header.fontMetrics()
        # Asking Qt for the width of each of a thousand columns takes ten times as long.
        around = header.sectionSizeHint(0) - metrics.horizontalAdvance(headings[0]) + 4
        for column, heading in enumerate(headings):
            minimum = number + SPACE if column >= first else 0
            width = metrics.horizontalAdvance(heading[:MOST_WIDTH]) + around
            header.resizeSection(column, max(min(width, MOST_WIDTH), minimum))
        header.resizeSection(0, IMAGE_WIDTH)
        names = run.classes[: limits.SHOWN_CLASSES]
        widest = max(self.fontMetrics().horizontalAdvance(name) for name in names)
        header.resizeSection(first - 1, min(max(widest + SPACE, header.sectionSize(first - 1)), IMAGE_WIDTH))
