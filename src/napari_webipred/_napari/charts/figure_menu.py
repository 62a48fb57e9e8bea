"""A menu that copies and saves what is drawn, and says how bars are drawn."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path

from qtpy.QtCore import QMimeData, QPoint, Qt
from qtpy.QtGui import QActionGroup, QGuiApplication, QImage
from qtpy.QtWidgets import QFileDialog, QMenu, QWidget

from napari_webipred._napari.charts.chart_view import ChartView
from napari_webipred._napari.charts.figure import Figure, Format, png, svg_bytes, write_figure
from napari_webipred._napari.task import Task
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.message import Message

FORMATS: tuple[Format, ...] = ("PNG", "SVG")
SVG_TYPE = "image/svg+xml"
LONGEST_NAME = 40  # letters in the menu


class FigureMenu(Button):
    """A button with a menu, which is the context menu of the drawings, too.

    Parameters
    ----------
    view : ChartView
        The bars.
    figure : callable
        Returns what is drawn now, as it will be on paper.
    name : callable
        Returns the name of a file for it, without its suffix.
    inputs : callable
        Returns the files of the images that are open, which are never replaced.
    message : Message
        Where notes and errors are shown.
    """

    def __init__(
        self,
        view: ChartView,
        figure: Callable[[], Figure],
        name: Callable[[], str],
        inputs: Callable[[], list[str]],
        message: Message,
    ) -> None:
        super().__init__("⋯")
        self._view, self._figure, self._name, self._inputs, self._message = view, figure, name, inputs, message
        self._task: Task | None = None
        self.setToolTip("Copy or save the chart, and turn its bars")
        self.setAccessibleName("Chart menu")
        self.actions_menu = menu = QMenu(self)
        group = QActionGroup(menu)
        self.horizontal = menu.addAction("Horizontal bars")
        self.vertical = menu.addAction("Vertical bars")
        for action, vertical in ((self.horizontal, False), (self.vertical, True)):
            action.setCheckable(True)
            group.addAction(action)
            action.triggered.connect(partial(self._turn, vertical))
        self.unpin = menu.addAction("")
        self.unpin.triggered.connect(view.unpin_current)
        menu.addSeparator()
        self.copies = {kind: menu.addAction(f"Copy as {kind}") for kind in FORMATS}
        self.saves = {kind: menu.addAction(f"Save as {kind}…") for kind in FORMATS}
        for kind in FORMATS:
            self.copies[kind].triggered.connect(partial(self._on_copy, kind))
            self.saves[kind].triggered.connect(partial(self._on_save, kind))
        self.clicked.connect(lambda: self.open_at(self.mapToGlobal(self.rect().bottomLeft())))

    def serve(self, drawing: QWidget) -> None:
        """Make this the context menu of a drawing."""
        drawing.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        drawing.customContextMenuRequested.connect(lambda place: self.open_at(drawing.mapToGlobal(place)))

    def open_at(self, place: QPoint) -> None:
        """Open the menu."""
        bars = self._view.isVisible() and not self._view.chart.has_values
        self.horizontal.setVisible(bars)
        self.vertical.setVisible(bars)
        (self.vertical if self._view.chart.vertical else self.horizontal).setChecked(True)
        pinned = self._view.unpinnable if self._view.isVisible() else ""
        self.unpin.setVisible(bool(pinned))
        self.unpin.setText(f"Unpin “{pinned[:LONGEST_NAME]}”".replace("&", "&&"))
        self.actions_menu.popup(place)

    def _turn(self, vertical: bool, checked: bool = True) -> None:
        self._view.set_vertical(vertical)

    def _on_copy(self, kind: Format, checked: bool = False) -> None:
        self._begin(_copied(kind, self._figure()), _to_clipboard)

    def _on_save(self, kind: Format, checked: bool = False) -> None:
        figure, inputs = self._figure(), self._inputs()
        suggested = f"{self._name()}.{kind.lower()}"
        path, _ = QFileDialog.getSaveFileName(self, "Save chart", suggested, f"{kind} (*.{kind.lower()})")
        if path:
            self._begin(write_figure(Path(path), kind, figure, inputs), self._on_saved)

    def _begin(self, work: Generator[None, None, object], then: Callable[[object], None]) -> None:
        self._task = Task(work)
        self._task.done.connect(then)
        self._task.failed.connect(self._message.show_error)
        self._task.start()

    def _on_saved(self, path: object) -> None:
        assert isinstance(path, Path)
        self._message.show_note(f"Saved {path.name}.")


def _copied(kind: Format, figure: Figure) -> Generator[None, None, QImage | bytes]:
    yield
    return png(figure) if kind == "PNG" else svg_bytes(figure)


def _to_clipboard(copied: object) -> None:
    """Copy pixels or SVG; programs that draw take the type of SVG, others its text."""
    data = QMimeData()
    if isinstance(copied, QImage):
        data.setImageData(copied)
    else:
        assert isinstance(copied, bytes)
        data.setData(SVG_TYPE, copied)
        data.setText(copied.decode())
    QGuiApplication.clipboard().setMimeData(data)
