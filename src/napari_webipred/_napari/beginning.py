"""Work of the panel that waits until it is painted: it reads models and choices, and makes the results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QWidget

from napari_webipred._napari.memory import Memory
from napari_webipred._napari.models.catalogue import Catalogue
from napari_webipred._napari.preferences import page
from napari_webipred._napari.widgets.dock import set_connected
from napari_webipred._napari.widgets.slices import in_slices

UNSEEN = 1000  # ms, in which a panel that can be seen is painted
MODULES = [  # what the results need, in parts that take little time each
    "evaluation.line_table",
    "evaluation.performance",
    "explanations.explain_menu",
    "explanations.explain_view",
    "charts.chart_view",
    "charts.plot_view",
    "charts.figure_menu",
    "results.result_table_view",
    "results.results_view",
    "results.result_detail",
    "results.run_code",
]


class Beginning(QObject):
    """Reads the models and what was chosen last once the panel is painted, and makes the results then.

    Painting would wait for threads that compute: Qt calls Python again and again, and may have to wait 5 ms each time
    until a thread lets it.

    Parameters
    ----------
    panel : QWidget
        A panel that is not painted, because it is behind another one or in a window that is not shown, begins, too.
    memory : Memory
    catalogue : Catalogue
    make : callable
        Makes the results, in steps that take little time each.
    """

    def __init__(
        self, panel: QWidget, memory: Memory, catalogue: Catalogue, make: Callable[[], Iterator[None]]
    ) -> None:
        super().__init__(panel)
        self._panel = panel
        self._memory = memory
        self._catalogue = catalogue
        self._make = make
        self._begun = self._unprepared = self._closed = False
        panel.installEventFilter(self)
        QTimer.singleShot(0, self._wait)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Follow when the panel is painted, shown and closed."""
        kind = None if event is None else event.type()
        if kind == QEvent.Type.Paint and not self._begun:
            QTimer.singleShot(0, self._begin)
        elif kind == QEvent.Type.Show:
            QTimer.singleShot(0, self._prepare)
        elif kind == QEvent.Type.ParentChange:
            self._closed = self._panel.parent() is None
        return False

    def _wait(self) -> None:
        """Begin also if the panel is not painted."""
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.timeout.connect(self._begin)
        timer.start(UNSEEN if self._panel.window().isVisible() else 0)

    def _begin(self) -> None:
        if self._begun or self._closed:
            return
        self._begun = True
        set_connected(self._ends_of_reading(), True)
        self._memory.read()
        self._catalogue.read()

    def _ends_of_reading(self) -> list[tuple[Any, Callable[..., None]]]:
        return [(self._memory.restored, self._on_read), (self._catalogue.failed, self._on_read)]

    def _on_read(self, *_: Any) -> None:
        set_connected(self._ends_of_reading(), False)
        page().find()
        self._unprepared = True
        self._prepare()

    def _prepare(self) -> None:
        """Make what the first run shows, so that it need not wait, unless the panel or its window is hidden."""
        if self._unprepared and self._panel.isVisible():
            self._unprepared = False
            in_slices(self._parts(), self._panel)

    def _parts(self) -> Iterator[None]:
        for name in MODULES:
            import_module(f"napari_webipred._napari.{name}")
            yield
        yield from self._make()
