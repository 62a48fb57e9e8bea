"""What is kept when the panel is closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from qtpy.QtCore import QObject, Signal

from napari_webipred._napari.catalogue import Catalogue
from napari_webipred._napari.loading import Loading
from napari_webipred._napari.run import Run

if TYPE_CHECKING:
    from napari_webipred.imaging.source import Source
    from napari_webipred.options import Options


@dataclass
class Request:
    """A run that starts when the model is ready, and whether the model is being downloaded for it."""

    layers: Sequence[Any]
    sources: Sequence[Source]
    options: Options
    downloading: bool = False


class ViewerSession(QObject):
    """Model, catalogue and run of one viewer; the panel shows them and listens to the signals.

    Attributes
    ----------
    loading : Loading
        The chosen model.
    catalogue : Catalogue
        The models to choose from.
    run : Run or None
        The latest run with its rows.

    Signals
    -------
    model_changed
        Another model is chosen, or opening the chosen one has progressed.
    run_changed
        There is another run, or none.
    rows_added : int, int
        The run has new rows; numbers of the first and the last one.
    run_ended
        The run has ended: done, cancelled or failed.
    """

    model_changed = Signal()
    run_changed = Signal()
    rows_added = Signal(int, int)
    run_ended = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.run: Run | None = None
        self.loading = Loading()
        self.catalogue = Catalogue(self.loading)
        self._request: Request | None = None
        self.loading.changed.connect(self.model_changed)
        self.loading.changed.connect(self._begin_when_ready)
        self.catalogue.changed.connect(self._begin_when_ready)

    @property
    def running(self) -> bool:
        """Whether images are being classified."""
        return self.run is not None and self.run.running

    @property
    def waiting(self) -> bool:
        """Whether a run is to begin as soon as the chosen model is ready."""
        return self._request is not None

    def classify(self, layers: Sequence[Any], sources: Sequence[Source], options: Options) -> None:
        """Begin a run, as soon as the chosen model is ready; one that is not on this machine is downloaded.

        The run takes the place of the last one. Nothing begins if the model cannot be opened, lacks settings, or
        another one is chosen meanwhile.
        """
        self._request = Request(layers, sources, options)
        self._begin_when_ready()
        if self.waiting:
            self.model_changed.emit()

    def _begin_when_ready(self) -> None:
        loading, request = self.loading, self._request
        if request is None or self.catalogue.resolving or loading.progress is not None:
            return
        if loading.model is not None and not loading.needs_settings and not self.running:
            self._request = None
            self._show(Run(loading.model, request.layers, request.sources, request.options))
        elif loading.entry is not None and not loading.entry.here and loading.error is None and not request.downloading:
            request.downloading = True
            loading.start()
        else:
            self._request = None
            self.model_changed.emit()

    def clear_run(self) -> None:
        """Discard the rows."""
        self._show(None)

    def _show(self, run: Run | None) -> None:
        self.run = run  # the last one has ended and emits nothing more
        if run is not None:
            run.rows_added.connect(self.rows_added)
            run.ended.connect(self._on_ended)
        self.run_changed.emit()

    def _on_ended(self) -> None:
        self.run_ended.emit()
        if self.run is not None and self.run.error is not None:
            self.model_changed.emit()  # the run may have shown that the model lacks a setting


_sessions: WeakKeyDictionary[Any, ViewerSession] = WeakKeyDictionary()


def session_of(viewer: Any) -> ViewerSession:
    """Return the session of a viewer; it lives as long as the viewer."""
    viewer = unwrapped(viewer)
    if viewer not in _sessions:
        _sessions[viewer] = ViewerSession()
    return _sessions[viewer]


def unwrapped(wrapped: Any) -> Any:
    """Return the object itself instead of the proxy that napari gives to plugins."""
    return getattr(wrapped, "__wrapped__", wrapped)
