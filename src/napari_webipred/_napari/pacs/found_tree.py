"""The studies that were found, with their series and images, which are listed when they are first opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QTreeWidget, QTreeWidgetItem, QWidget

from napari_webipred.names import readable

if TYPE_CHECKING:
    from napari_webipred.pacs.found import Instance, Series, Study

TITLES = ("Patient", "ID", "Date", "Modality", "Images", "Description")
WIDTHS = (180, 80, 85, 70, 60, 150)
LONGEST = 120  # characters of a cell
WHAT = Qt.ItemDataRole.UserRole


class FoundTree(QTreeWidget):
    """Studies > series > images.

    Signals
    -------
    opened : QTreeWidgetItem
        What is in it is not known yet.
    chosen
        Other entries are selected.
    """

    opened = Signal(object)
    chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Studies that were found")
        self.setColumnCount(len(TITLES))
        self.setHeaderLabels(TITLES)
        self.setUniformRowHeights(True)
        self.setAlternatingRowColors(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        for column, width in enumerate(WIDTHS):
            self.setColumnWidth(column, width)
        self.itemExpanded.connect(self._on_expanded)
        self.itemSelectionChanged.connect(self.chosen)

    def fill(self, studies: Sequence[Study]) -> None:
        """Show studies, closed."""
        self.clear()
        for study in studies:
            date = study.date
            shown = f"{date[:4]}-{date[4:6]}-{date[6:8]}" if len(date) == 8 and date.isdigit() else date
            texts = [study.patient_name, study.patient_id, shown, ", ".join(study.modalities)]
            self._add(self.invisibleRootItem(), study, [*texts, _count(study.instances), study.description])

    def fill_series(self, item: QTreeWidgetItem, series: Sequence[Series]) -> None:
        """Show the series of a study below it."""
        self._clear(item)
        for each in series:
            name = "Series" if each.number is None else f"Series {each.number}"
            texts = [name, "", "", each.modality, _count(each.instances), each.description]
            self._add(item, each, texts)

    def fill_instances(self, item: QTreeWidgetItem, instances: Sequence[Instance]) -> None:
        """Show the images of a series below it."""
        self._clear(item)
        for place, each in enumerate(instances, start=1):
            self._add(item, each, [f"Image {place if each.number is None else each.number}"], is_leaf=True)

    def selected(self) -> tuple[list[Study], list[tuple[Series, tuple[Instance, ...]]]]:
        """Return the selected studies, and the series with their selected images; of nested ones the outer counts."""
        from napari_webipred.pacs.found import Series, Study

        items = self.selectedItems()
        whole = {id(item) for item in items}
        studies: list[Study] = []
        series: dict[str, tuple[Series, list[Instance]]] = {}
        for item in items:
            parent, what = item.parent(), item.data(0, WHAT)
            above = [each for each in (parent, parent and parent.parent()) if each]
            if any(id(each) in whole for each in above):
                continue
            if isinstance(what, Study):
                studies.append(what)
            elif isinstance(what, Series):
                series[what.uid] = (what, [])
            else:
                of_series = parent.data(0, WHAT)
                series.setdefault(of_series.uid, (of_series, []))[1].append(what)
        return studies, [(each, tuple(instances)) for each, instances in series.values()]

    def _add(self, parent: QTreeWidgetItem, what: Any, texts: Sequence[str], *, is_leaf: bool = False) -> None:
        item = QTreeWidgetItem(parent, [readable(text, LONGEST).replace("\n", " ") for text in texts])
        item.setData(0, WHAT, what)
        if not is_leaf:
            item.setChildIndicatorPolicy(QTreeWidgetItem.ChildIndicatorPolicy.ShowIndicator)

    def _clear(self, item: QTreeWidgetItem) -> None:
        item.takeChildren()
        item.setChildIndicatorPolicy(QTreeWidgetItem.ChildIndicatorPolicy.DontShowIndicatorWhenChildless)

    def _on_expanded(self, item: QTreeWidgetItem) -> None:
        if not item.childCount():
            self.opened.emit(item)


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"
