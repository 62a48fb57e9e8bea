"""The user's classes: name, rename and remove them."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_webipred._napari.own_classes.own_classes import OwnClasses
from napari_webipred._napari.review.review_keys import MOST_DIGITS
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.delete_key import DeleteKey
from napari_webipred._napari.widgets.label import MutedLabel, tip
from napari_webipred._napari.widgets.list_table import as_list
from napari_webipred._napari.widgets.question import Answer, ask
from napari_webipred.fitting.project import LONGEST
from napari_webipred.names import readable

ROWS = 6
KEY, NAME, COUNT = range(3)
WHOLE = Qt.ItemDataRole.UserRole
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
FIXED = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
EMPTY = "Name at least two classes, such as “nucleus” and “debris”."


class ClassEditor(QWidget):
    """A field that adds a class, and the classes with their keys and labels; F2 renames one, Delete removes one."""

    def __init__(self, own: OwnClasses, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._own = own
        self._filling = False
        self.field = QLineEdit()
        self.field.setPlaceholderText("Name of a class")
        self.field.setAccessibleName("Name of a new class")
        self.field.setMaxLength(LONGEST)
        self.add = Button("Add class")
        self.add.setToolTip("Add a class with this name (Return)")
        self.add.setEnabled(False)
        self.remove = Button("Remove class")
        self.remove.setToolTip("Remove the selected class and its labels (Delete)")
        self.table = QTableWidget(0, 3)
        self.empty = MutedLabel(EMPTY)
        self.key = DeleteKey(self.table, self._on_remove)
        self._make_table()
        above = QHBoxLayout()
        above.addWidget(self.field, 1)
        above.addWidget(self.add)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addLayout(above)
        layout.addWidget(self.empty)
        layout.addWidget(self.table)
        self.add.clicked.connect(self._on_add)
        self.field.returnPressed.connect(self._on_add)
        self.field.textChanged.connect(lambda text: self.add.setEnabled(bool(text.strip())))
        self.table.itemChanged.connect(self._on_edited)
        self.table.itemSelectionChanged.connect(self._on_selected)
        self.remove.clicked.connect(self._on_remove)
        self.refresh()

    def _make_table(self) -> None:
        table, header = self.table, self.table.horizontalHeader()
        table.setAccessibleName("Classes")
        table.setToolTip("Double-click a class, or press F2, to rename it")
        as_list(table)
        header.hide()
        header.setMinimumSectionSize(12)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)

    def refresh(self) -> None:
        """Show the classes as they are now."""
        project, counts, table = self._own.project, self._own.project.counts(), self.table
        self._filling = True
        table.setRowCount(len(project.classes))
        for row, name in enumerate(project.classes):
            key = str(row + 1) if row < MOST_DIGITS else ""
            count = f"{counts[name]:,} label{'s' * (counts[name] != 1)}"
            for column, text in enumerate((key, readable(name), count)):
                item = table.item(row, column)
                if item is None:
                    item = QTableWidgetItem()
                    table.setItem(row, column, item)
                item.setText(text)
                if column != NAME:
                    item.setFlags(FIXED)
                if column == COUNT:
                    item.setTextAlignment(RIGHT)
                item.setToolTip(tip(name))
            table.item(row, NAME).setData(WHOLE, name)
        self._filling = False
        self._fit()
        self.empty.setVisible(len(project.classes) < 2)
        table.setVisible(bool(project.classes))
        self._on_selected()

    def _fit(self) -> None:
        """Be as high as all classes, within bounds."""
        table, metrics = self.table, self.table.fontMetrics()
        height = metrics.height() + 8
        table.verticalHeader().setDefaultSectionSize(height)
        table.setColumnWidth(KEY, metrics.horizontalAdvance("0") + 16)
        table.setColumnWidth(COUNT, metrics.horizontalAdvance("10,000 labels") + 12)
        table.setFixedHeight(min(table.rowCount(), ROWS) * height + 2 * table.frameWidth() + 2)

    @property
    def selected(self) -> str | None:
        """The class that is selected."""
        rows = self.table.selectionModel().selectedRows(NAME)
        return None if not rows else rows[0].data(WHOLE)

    def _on_selected(self) -> None:
        self.remove.setVisible(self.selected is not None)

    def _on_add(self) -> None:
        name = self.field.text()
        if name.strip() and self._own.change(lambda: self._own.project.add_class(name)):
            self.field.clear()

    def _on_edited(self, item: QTableWidgetItem) -> None:
        before, name = item.data(WHOLE), item.text()
        if self._filling or item.column() != NAME or name == readable(before):
            return
        if not self._own.change(lambda: self._own.project.rename(before, name)):
            self.refresh()

    def _on_remove(self) -> None:
        name = self.selected
        if name is None:
            return
        count = self._own.project.counts()[name]
        if not count:
            self._remove(name)
            return
        ask(
            self,
            "Remove class",
            f"Remove the class “{readable(name, 60)}”?",
            f"Its {count:,} label{'s' * (count != 1)} will be removed, too. Undo brings them back.",
            [Answer("Remove", partial(self._remove, name), destroys=True)],
        )

    def _remove(self, name: str) -> None:
        self._own.change(lambda: self._own.project.remove_class(name))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Keep Return with the field: no button of the dock is meant."""
        if event is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.accept()
        else:
            super().keyPressEvent(event)
