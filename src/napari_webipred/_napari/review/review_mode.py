"""The review in place of the table of results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QObject

from napari_webipred._napari.images.layers import shows_classes
from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.regions.region_view import RegionView
from napari_webipred._napari.results.results_view import ResultsView
from napari_webipred._napari.review.region_frame import RegionFrame
from napari_webipred._napari.review.review_start import ReviewStart
from napari_webipred._napari.review.review_view import ReviewView
from napari_webipred._napari.review.row_image import NOT_OPEN, RowImage
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.results.session_table import Entry, Numbers
from napari_webipred.results.worklist import Worklist

MAP_NAME = "Map of a class"


class ReviewMode(QObject):
    """Begins and ends a review, and hides in the viewer what tells the prediction.

    Parameters
    ----------
    go_to : callable
        Shows the layers and the plane of a row.
    regions : RegionView
        Knows where the region of a row is.
    """

    def __init__(
        self,
        viewer: Any,
        session: ViewerSession,
        results: ResultsView,
        go_to: Callable[[Entry], None],
        regions: RegionView,
        theme: Theme,
    ) -> None:
        super().__init__(results)
        self._viewer = viewer
        self._session = session
        self._results = results
        self._theme = theme
        self._start: ReviewStart | None = None
        self.view: ReviewView | None = None
        self._hidden: list[tuple[Any, bool, str]] = []  # with whether they were visible, and their names
        self._regions = regions
        self._frame = RegionFrame(viewer)
        self.image = RowImage(viewer, session.places, go_to, self)
        self.image.failed.connect(self._on_failed)
        self.image.asked.connect(self._on_asked)
        session.rows_changed.connect(self._on_rows_changed)

    @property
    def active(self) -> bool:
        """Whether rows are being reviewed."""
        return self.view is not None

    def ask(self) -> None:
        """Ask how the rows are to be reviewed."""
        self.leave()
        numbers = self._numbers()
        start = self._start = ReviewStart(self._session.review, self._theme)
        start.started.connect(self._begin)
        start.left.connect(self.leave)
        answered = sum(number in self._session.table.readings for number in numbers.tolist())
        start.show_count(len(numbers), answered)
        self._results.cover(start)
        start.start.setFocus()

    def leave(self) -> None:
        """Show the table again, with the row that was under review."""
        start, view, self._start, self.view = self._start, self.view, None, None
        if start is None and view is None:
            return
        self._show_hidden()
        self._frame.remove()
        self.image.show(None)
        self._results.uncover()
        if view is not None:
            number = view.work.number
            view.close_down()
            if number is not None and self._results.model.place(number) is not None:  # the filter may hide it now
                self._results.select_rows([number])
            self._results.table.setFocus()
        for each in (start, view):
            if each is not None:
                each.deleteLater()

    def _numbers(self) -> Numbers:
        """Return the rows that the table shows and that can have classes."""
        table, numbers = self._session.table, self._results.model.numbers
        with_classes = [run.card.task != "regression" for run in table.runs]
        return numbers[np.array(with_classes, np.bool_)[table.run_numbers[numbers] - 1]]

    def _begin(self) -> None:
        choice, numbers = self._session.review, self._numbers()
        work = Worklist(self._session.table, numbers, choice.seed if choice.shuffled else None)
        view = self.view = ReviewView(self._session, work, self._theme)
        view.left.connect(self.leave)
        view.entry_shown.connect(self._show)
        view.form.message.accepted.connect(self._on_allowed)
        if self._start is not None:
            self._start.deleteLater()
            self._start = None
        self._results.cover(view)
        view.show_row()

    def _show(self, entry: Entry | None) -> None:
        assert self.view is not None
        hides = self.view.hides
        self._frame.remove()
        if not hides:
            self._show_hidden()
        self.image.show(entry)
        if hides:
            self._hide()
        if entry is not None and (hides or not self._regions.marks(entry)):
            self._frame.show(self._regions.corners(entry))

    def _hide(self) -> None:
        """Hide maps of classes, which are called after them, and regions that are coloured after their class.

        The layer list has a small picture of each layer, and the controls have the colours of the chosen region.
        """
        run, known = self._session.run, [layer for layer, *_ in self._hidden]
        coloured = self._session.regions.coloured()
        if run is not None and run.regions is not None and (layer := run.regions.layer()) is not None:
            coloured.append(layer)
        for layer in list(map(unwrapped, self._viewer.layers)):
            if layer not in known and (shows_classes(layer) or layer in coloured):
                self._hidden.append((layer, layer.visible, layer.name))
                layer.visible = False
                layer.thumbnail = np.zeros_like(layer.thumbnail)
                if shows_classes(layer):
                    layer.name = MAP_NAME
        if unwrapped(self._viewer.layers.selection.active) in [layer for layer, *_ in self._hidden]:
            self._viewer.layers.selection.clear()

    def _show_hidden(self) -> None:
        layers = list(map(unwrapped, self._viewer.layers))
        for layer, visible, name in self._hidden:
            if layer in layers:
                layer.visible, layer.name = visible, name
                layer.refresh(extent=False)  # which makes its small picture again
        self._hidden = []

    def _on_failed(self, error: Exception) -> None:
        if self.view is not None:
            self.view.form.message.show_error(error)

    def _on_asked(self, path: Path) -> None:
        """Ask before a file is read that only a session file names."""
        if self.view is not None:
            where = "" if self.view.hides else f"It was classified from {path}"
            self.view.form.message.show_note(NOT_OPEN, where, "Show the files of this run")

    def _on_allowed(self) -> None:
        entry = None if self.view is None else self.view.entry
        if self.view is not None and entry is not None:
            self.image.allow(entry.run.number)
            self.view.show_row()

    def _on_rows_changed(self) -> None:
        """Leave when the row under review is deleted."""
        number = None if self.view is None else self.view.work.number
        if number is not None and number not in self._session.table.numbers:
            self.leave()
