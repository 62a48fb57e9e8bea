"""Below the chart: the button *Explain*, what the map shows, and how far explaining is."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_webipred._napari.explanations.explain_menu import ExplainMenu
from napari_webipred._napari.explanations.map_legend import MapLegend
from napari_webipred._napari.explanations.maps import Maps, Method
from napari_webipred._napari.explanations.row_map import RowMap
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.progress import STEPS, ProgressLine
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.explanations.explanation import CAPTION
from napari_webipred.names import readable
from napari_webipred.results.session_table import Entry, Numbers, SessionTable

METHODS = {"cam": "CAM", "hirescam": "HiResCAM", "occlusion": "occlusion"}
VIEWS = "The map is of the image as it is, the probability the mean of several views."
TIP = "Show which parts of the image speak for a class"


class ExplainView(QWidget):
    """Explains rows, and says what the map of the chosen row is.

    Parameters
    ----------
    selected : callable
        Returns the numbers of the selected rows.

    Signals
    -------
    asked
        The user wants to see the map of the chosen row.
    """

    asked = Signal()

    def __init__(self, maps: Maps, table: SessionTable, selected: Callable[[], Numbers], theme: Theme) -> None:
        super().__init__()
        self._maps, self._table, self._selected = maps, table, selected
        self._entry: Entry | None = None
        self._number = -1
        self.button = Button("Explain")
        self.button.setToolTip(TIP)
        self.menu = ExplainMenu(signed=maps.signed, alone=maps.alone)
        self.legend = MapLegend()
        self.caption = MutedLabel()
        self.progress = ProgressLine("explaining")
        self.message = Message(theme)
        self._lay_out()
        self.button.clicked.connect(self.explain)
        self.menu.selected.triggered.connect(lambda: self._explain(self._selected()))
        self.menu.run.triggered.connect(self.explain_run)
        self.menu.check.triggered.connect(lambda: self._explain(self._selected(), check=True))
        self.menu.occlusion.triggered.connect(lambda: self._explain(self._selected(), "occlusion"))
        self.menu.signed.toggled.connect(lambda signed: maps.show(signed=signed))
        self.menu.alone.toggled.connect(lambda alone: maps.show(alone=alone))
        self.menu.remove.triggered.connect(maps.clear)
        self.menu.actions_menu.aboutToShow.connect(self._count)
        self.progress.cancelled.connect(maps.cancel)
        maps.changed.connect(self.refresh)
        maps.progressed.connect(self._show_progress)

    def _lay_out(self) -> None:
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.button)
        line.addWidget(self.legend, 1)
        line.addStretch()  # where there is no legend, the buttons keep their width
        line.addWidget(self.menu)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(line)
        for widget in (self.caption, self.progress, self.message):
            layout.addWidget(widget)

    def show_entry(self, entry: Entry | None, number: int) -> None:
        """Be about this row, given with its number in the table."""
        self._entry, self._number = entry, number
        self.refresh()

    def explain(self) -> None:
        """Explain the chosen row, or show its map again."""
        if self._entry is not None:
            self._explain([self._number])

    def explain_selected(self) -> None:
        """Explain the selected rows."""
        self._explain(self._selected())

    def explain_run(self) -> None:
        """Explain all rows of the run of the chosen row."""
        if self._entry is not None:
            self._explain(self._of_run())

    def refresh(self) -> None:
        """Say what the map of the row is, or why there is none."""
        entry, found = self._entry, self._maps.of(self._number)
        self.message.clear()
        self.caption.setVisible(entry is not None and found is not None)
        self.legend.setVisible(entry is not None and found is not None)
        error = self._maps.faults.get(self._number) or self._maps.error
        if error is not None:
            self.message.show_error(error)
        self._show_progress()
        if entry is None or found is None:
            return
        index = self._maps.class_of(entry)
        self.caption.setText(self._words(entry, found, index))
        self.legend.show_scale(self._maps.scale(self._number), self._maps.signed)
        if found.remarks[index] and error is None:
            self.message.show_note(found.remarks[index])

    def _words(self, entry: Entry, found: RowMap, index: int) -> str:
        """Say what a map is, and what it is not."""
        parts = [f"{readable(entry.run.card.class_names[index])}, by {METHODS[found.method]}."]
        if found.fallback:
            parts.append(
                "The head of this model cannot be read, so parts of the image were covered one after the other."
            )
        if found.checked and not found.fallback and not found.remarks[index]:
            parts.append("It agrees with occlusion.")
        if found.grids[index].max() <= 0:
            parts.append("Nothing speaks for this class.")
        if self._maps.signed:
            parts.append("Orange speaks for the class, blue against it.")
        if entry.run.options.get("views"):
            parts.append(VIEWS)
        return " ".join([*parts, CAPTION])

    def _explain(self, numbers: Numbers | list[int], method: Method = "auto", *, check: bool = False) -> None:
        self._maps.explain(map(int, numbers), method, check=check)
        self.asked.emit()

    def _of_run(self) -> list[int]:
        assert self._entry is not None
        kept = set(self._table.numbers.tolist())
        return [number for number in self._table.rows_of(self._entry.run) if number in kept]

    def _count(self) -> None:
        selected, busy = len(self._selected()), self._maps.progress is not None
        of_run = len(self._of_run()) if self._entry is not None else 0
        self.menu.selected.setText(f"Explain {selected:,} selected row{'s' * (selected != 1)}")
        self.menu.run.setText(f"Explain all {of_run:,} rows of the run")
        for action in (self.menu.selected, self.menu.check, self.menu.occlusion):
            action.setEnabled(selected > 0 and not busy)
        self.menu.run.setEnabled(of_run > 1 and not busy)
        self.menu.keep.setEnabled(self._maps.of(self._number) is not None)
        self.menu.remove.setEnabled(len(self._maps) > 0)

    def _show_progress(self) -> None:
        progress = self._maps.progress
        self.button.setEnabled(progress is None)
        if progress is None:
            self.progress.hide()
            return
        words = f"{progress.done:,} of {progress.total:,} rows" if progress.total > 1 else "Explaining"
        if progress.parts:
            words += f", {progress.part} of {progress.parts} parts covered"
        done, total = round(STEPS * progress.share), STEPS if progress.share else None
        self.progress.report(words, done, total, progress.seconds_left)
