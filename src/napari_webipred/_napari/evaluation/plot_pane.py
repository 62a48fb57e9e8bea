"""Figures and tables to choose from, one at a time, each with a sentence that says what it means."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QModelIndex, QPoint, QTimer, Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QVBoxLayout, QWidget

from napari_webipred._napari.evaluation.figure_colours import figure_colours
from napari_webipred._napari.evaluation.figure_view import FigureView, described
from napari_webipred._napari.evaluation.line_table import LineTable
from napari_webipred._napari.evaluation.part import Plot
from napari_webipred._napari.evaluation.plot_files import SUFFIXES, write_plot
from napari_webipred._napari.evaluation.rendering import Area, Picture, picturing
from napari_webipred._napari.latest import Latest
from napari_webipred._napari.task import Task
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.choice import choice, offer
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.names import readable

NARROWEST = 120  # pixels of a choice
LEAST_WIDTH = 200  # of a figure
LONGEST = 40  # letters of a choice


class PlotPane(QWidget):
    """Shows one of several plots.

    Signals
    -------
    rows_chosen : ndarray of intp
        A cell of a matrix or a line of a table was chosen, which is about these rows of the session's table.
    """

    rows_chosen = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._name = "evaluation"
        self._plots: list[Plot] = []
        self._task: Task | None = None
        self.latest = Latest(self)
        self.plot, self.variant = choice("What is shown"), choice("Which of it is shown")
        self.sentence = MutedLabel()
        self.view = FigureView(theme)
        self.table = LineTable("Metrics")
        self.save = Button("Save…")
        self.save.setToolTip("Save what is shown as a figure, or its numbers as CSV")
        self.menu = QMenu(self.save)
        self.actions = {kind: self._action(kind) for kind in ("PNG", "SVG", "CSV")}
        self._arrived: Picture | None = None
        self._placing = QTimer(self)
        self._placing.setSingleShot(True)
        self._placing.setInterval(0)
        self._placing.timeout.connect(self._show_arrived)
        self.note = MutedLabel()
        self.message = Message(theme)
        self._lay_out()
        self.plot.currentIndexChanged.connect(self._fill_variants)
        self.variant.currentIndexChanged.connect(self.draw)
        self.save.clicked.connect(lambda: self.menu.popup(self.save.mapToGlobal(QPoint(0, self.save.height()))))
        self.view.resized.connect(self._draw_figure)
        self.view.chosen.connect(self._on_cell)
        self.table.clicked.connect(self._on_line)
        self.table.activated.connect(self._on_line)
        self.latest.done.connect(self._on_picture)
        self.latest.failed.connect(self.message.show_error)

    def _lay_out(self) -> None:
        choices = QHBoxLayout()
        choices.addWidget(self.plot, 1)
        choices.addWidget(self.save)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addLayout(choices)
        for widget in (self.variant, self.sentence, self.view, self.table, self.note, self.message):
            layout.addWidget(widget)

    def _action(self, kind: str) -> Any:
        action = self.menu.addAction("Save numbers as CSV…" if kind == "CSV" else f"Save figure as {kind}…")
        action.triggered.connect(partial(self._on_save, kind))
        return action

    @property
    def shown(self) -> tuple[Plot, str] | None:
        """What is shown, and which variant of it."""
        number, variant = self.plot.currentIndex(), self.variant.currentData()
        return (self._plots[number], variant) if 0 <= number < len(self._plots) and variant is not None else None

    @property
    def drawing(self) -> bool:
        """Whether a figure is still to come."""
        return self.latest.busy or self._placing.isActive()

    def show_plots(self, plots: Sequence[Plot], name: str) -> None:
        """Offer other plots; what was shown before is shown again if it is among them.

        Parameters
        ----------
        plots : sequence of Plot
        name : str
            What their files are called at first.
        """
        before = self.shown[0].key if self.shown else ""
        self._name, self._plots = name, list(plots)
        self.plot.blockSignals(True)
        self.plot.clear()
        for plot in plots:
            self.plot.addItem(plot.title)
        place = next((number for number, plot in enumerate(plots) if plot.key == before), 0)
        self.plot.setCurrentIndex(place)
        self.plot.blockSignals(False)
        self._fill_variants()

    def show_plot(self, key: str, variant: str | None = None) -> None:
        """Show one of the plots by its key."""
        self.plot.setCurrentIndex(next(number for number, plot in enumerate(self._plots) if plot.key == key))
        if variant is not None:
            self.variant.setCurrentIndex(self.variant.findData(variant))

    def _fill_variants(self) -> None:
        number = self.plot.currentIndex()
        variants = self._plots[number].variants if 0 <= number < len(self._plots) else {}
        items = ((readable(words)[:LONGEST], key) for key, words in variants.items())
        offer(self.variant, items, self.variant.currentData())
        self.variant.setVisible(len(variants) > 1)
        self.draw()

    def draw(self) -> None:
        """Show what is chosen."""
        shown = self.shown
        self.save.setEnabled(shown is not None)
        self.message.clear()
        self.note.hide()
        if shown is None:
            self.latest.stop()
            return
        plot, variant = shown
        self.sentence.setText(plot.sentence(variant))
        is_figure = plot.parts is not None
        for kind in ("PNG", "SVG"):
            self.actions[kind].setVisible(is_figure)
        self.view.setVisible(is_figure)
        self.table.setVisible(not is_figure)
        if is_figure:
            self.view.show_picture(None)
            self._draw_figure()
            return
        self.latest.stop()
        assert plot.lines is not None
        self.table.model_of_lines.tips = _tips()
        self.table.setAccessibleName(plot.title)
        self.table.show_lines(plot.lines(variant))

    def _draw_figure(self) -> None:
        shown, width = self.shown, self.view.width()
        if shown is None or shown[0].parts is None or width < LEAST_WIDTH:
            return
        colours, ratio = figure_colours(self._theme), self.view.devicePixelRatioF()
        self.view.setAccessibleName(shown[0].title)
        self.latest.ask(lambda: picturing(*shown, colours, width, ratio))

    def _on_picture(self, picture: Picture) -> None:
        """Show a picture once its height has its place: a scroll bar that comes with it makes the figure narrower."""
        self._arrived = picture
        self.view.reserve(picture.height)
        self._placing.start()

    def _show_arrived(self) -> None:
        picture, self._arrived = self._arrived, None
        figure = self.shown is not None and self.shown[0].parts is not None
        if picture is not None and figure and picture.width == self.view.width():  # else another one is on its way
            self.view.show_picture(picture)

    def _on_cell(self, area: Area) -> None:
        self.note.setText(f"Selected: {described(area)}")
        self.note.show()
        if area.matrix.rows is not None:
            self.rows_chosen.emit(area.matrix.rows(area.row, area.column))

    def _on_line(self, index: QModelIndex) -> None:
        if self.shown is not None and (rows := self.shown[0].rows) is not None and index.isValid():
            self.rows_chosen.emit(rows(self.shown[1])[index.row()])

    def _on_save(self, kind: str, checked: bool = False) -> None:
        shown = self.shown
        if shown is None:
            return
        plot, variant = shown
        suggested = f"{self._name}-{plot.key}{SUFFIXES[kind]}"
        path, _ = QFileDialog.getSaveFileName(self, "Save", suggested, f"{kind} (*{SUFFIXES[kind]})")
        if path:
            self.do(write_plot(Path(path), kind, plot, variant))

    def do(self, work: Generator[None, None, str], after: Callable[[], None] | None = None) -> None:
        """Do something beside the window, and say what it returns; then do what is to come after it."""
        self._task = Task(work)
        self._task.done.connect(lambda words: self.message.show_note(words))
        self._task.failed.connect(self.message.show_error)
        if after is not None:
            self._task.done.connect(lambda _: after())
        self._task.start()


def _tips() -> dict[str, str]:
    from napari_webipred.evaluation.words import SENTENCES, TITLES

    return {TITLES[name]: SENTENCES[name] for name in TITLES}
