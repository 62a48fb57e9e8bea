"""A table that looks like a list: whole lines, no grid, and one of them selected."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView


def as_list(table: QTableView) -> None:
    """Show a table as a list; the widths of its columns are set by the program."""
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setTabKeyNavigation(False)
    table.verticalHeader().hide()
    for header in (table.verticalHeader(), table.horizontalHeader()):
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
