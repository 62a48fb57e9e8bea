"""The menu of the table's headings: sort, and choose columns."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QDialog, QLineEdit, QListWidget, QListWidgetItem, QMenu, QVBoxLayout, QWidget

from napari_webipred._napari.results.measures import class_measures
from napari_webipred._napari.results.result_columns import class_names, heading, possible_columns
from napari_webipred._napari.results.result_table import ResultTable
from napari_webipred.names import readable
from napari_webipred.results.table_columns import Column

ORDERS = {"Sort ascending": Qt.SortOrder.AscendingOrder, "Sort descending": Qt.SortOrder.DescendingOrder}
MOST_LISTED = 12  # classes in the menu itself
MOST_FOUND = 200
MOST_LETTERS = 60


def column_menu(model: ResultTable, section: int, sort: Callable[[int, Qt.SortOrder], None], parent: QWidget) -> QMenu:
    """Make the menu of a heading.

    Parameters
    ----------
    model : ResultTable
        Whose columns these are.
    section : int
        The number of the column that was clicked; -1 for none.
    sort : callable
        Sorts by the column with this number; by -1: not at all.
    parent : QWidget
        What the menu belongs to.
    """
    menu = QMenu(parent)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    if section >= 0:
        for words, order in ORDERS.items():
            menu.addAction(words).triggered.connect(lambda _=False, order=order: sort(section, order))
    menu.addAction("Do not sort").triggered.connect(lambda: sort(-1, Qt.SortOrder.AscendingOrder))
    menu.addSeparator()
    names = class_names(model.source, model.runs)
    columns = possible_columns(model.source, model.runs)
    if len(names) <= MOST_LISTED:
        columns += [Column("class", name) for name in names]
        columns += class_measures(names, model.runs)
    for column in columns:
        menu.addAction(_switch(model, column, menu))
    if len(names) > MOST_LISTED:
        menu.addAction("Classes…").triggered.connect(lambda: ClassPicker(model, parent).show())
    menu.addSeparator()
    menu.addAction("Default columns").triggered.connect(lambda: _reset(model))
    return menu


class ClassPicker(QDialog):
    """Chooses, out of many classes, those that have a column."""

    def __init__(self, model: ResultTable, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Columns of classes")
        self._model = model
        self._names = class_names(model.source, model.runs)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search classes")
        self.search.setAccessibleName("Search classes")
        self.list = QListWidget()
        self.list.setAccessibleName("Classes")
        layout = QVBoxLayout(self)
        layout.addWidget(self.search)
        layout.addWidget(self.list)
        self.search.textChanged.connect(self._fill)
        self.list.itemChanged.connect(self._on_changed)
        self._fill()

    def _fill(self) -> None:
        """List the classes that have a column, and those that are found."""
        text = self.search.text().strip().casefold()
        shown = {column.name for column in self._model.columns if column.kind == "class"}
        found = [name for name in self._names if text in name.casefold()]
        self.list.blockSignals(True)
        self.list.clear()
        for name in sorted(found, key=lambda name: name not in shown)[:MOST_FOUND]:
            item = QListWidgetItem(readable(name))
            item.setData(Qt.ItemDataRole.UserRole, name)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsSelectable)
            item.setCheckState(Qt.CheckState.Checked if name in shown else Qt.CheckState.Unchecked)
            self.list.addItem(item)
        self.list.blockSignals(False)

    def _on_changed(self, item: QListWidgetItem) -> None:
        column = Column("class", item.data(Qt.ItemDataRole.UserRole))
        self._model.choice.show(column, item.checkState() == Qt.CheckState.Checked)
        self._model.arrange()


def _switch(model: ResultTable, column: Column, menu: QMenu) -> QAction:
    words = readable(heading(model.source, column, model.runs))[:MOST_LETTERS].replace("&", "&&")
    action = QAction(words, menu)
    action.setCheckable(True)
    action.setChecked(column in model.columns)

    def switch(checked: bool) -> None:
        if checked or len(model.columns) > 1:  # a table without columns has no heading to bring them back
            model.choice.show(column, checked)
            model.arrange()

    action.triggered.connect(switch)
    return action


def _reset(model: ResultTable) -> None:
    for chosen in (model.choice.shown, model.choice.hidden, model.choice.order, model.choice.widths):
        chosen.clear()
    model.arrange()
