"""Whether the chosen model could be opened, recorded in the cache and in the list."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import QObject, Signal

from napari_webipred._napari.models import cache_tasks
from napari_webipred._napari.models.entry import Entry
from napari_webipred._napari.models.loading import Loading
from napari_webipred._napari.task import Task
from napari_webipred.errors import ModelError, SlowModelError


class Outcomes(QObject):
    """Follows the loading of models; lives as long as the viewer.

    Signals
    -------
    recorded : Entry
        What is known about this model has changed.
    """

    recorded = Signal(object)

    def __init__(self, loading: Loading, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._loading = loading
        self._last: object = None
        loading.changed.connect(self._on_loading)

    def _on_loading(self) -> None:
        loading = self._loading
        entry, model, error = loading.entry, loading.model, loading.error
        if entry is None or (model or error) is self._last:
            return
        self._last = model or error
        if model is not None and (entry.is_local or entry.refused):
            reference = entry.reference if entry.is_local else model.card.id
            self._record(entry, Task(cache_tasks.record_opened(reference, model.card.name, model.checksum)))
        elif (
            isinstance(error, ModelError) and not isinstance(error, SlowModelError) and not self._loading.needs_settings
        ):
            self._record(entry, Task(cache_tasks.record_refused(entry, error.message)))

    def _record(self, entry: Entry, task: Task) -> None:
        task.done.connect(partial(self._on_recorded, entry))
        task.start()

    def _on_recorded(self, entry: Entry, outcome: cache_tasks.Outcome) -> None:
        entry.here, entry.gone, entry.refused = outcome.here, outcome.gone, outcome.refused
        self.recorded.emit(entry)
