"""The model whose features tell own classes apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_webipred._napari.models.entry import Entry
from napari_webipred._napari.models.loading import Loading
from napari_webipred.errors import WebIPredError

if TYPE_CHECKING:
    from napari_webipred.model import Model


class Base(QObject):
    """The model that is chosen in the panel, until another one is chosen here or labels depend on it.

    Parameters
    ----------
    session : ViewerSession

    Attributes
    ----------
    model : Model or None
        The model once it is ready.

    Signals
    -------
    changed
        There is another model, or opening it has progressed.
    """

    changed = Signal()

    def __init__(self, session: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._apart = Loading()  # of a model that is not the one in the panel
        self._entry: Entry | None = None
        self.model: Model | None = None
        self._apart.changed.connect(self._on_loading)
        session.model_changed.connect(self._on_loading)
        self._on_loading()

    @property
    def entry(self) -> Entry | None:
        """The model."""
        chosen: Entry | None = self._session.loading.entry
        return chosen if self._entry is None else self._entry

    @property
    def entries(self) -> list[Entry]:
        """The models to choose from: those on this machine, and the one that is chosen."""
        return [entry for entry in self._session.catalogue.models.items if entry.here or entry is self.entry]

    def choose(self, entry: Entry | None) -> None:
        """Choose a model, and open it; None follows the panel again."""
        if entry is self._entry and entry is not None:
            return
        self._entry, self.model = entry, None
        self._apart.choose(None if entry is self._session.loading.entry else entry)  # tells by itself

    def choose_named(self, key: str) -> None:
        """Choose the model that opens by this identifier or path, if it is on this machine."""
        found = next((entry for entry in self.entries if str(entry.key) == key), None)
        if found is not None and found is not self.entry:
            self.choose(found)

    def hold(self) -> None:
        """Stay with the model that there is, whatever is chosen in the panel from now on."""
        self._entry = self.entry

    @property
    def fault(self) -> WebIPredError | None:
        """Why there is no model, and what to do next; None if there is one, or it is being opened."""
        return None if self.model is not None else self._loading.fault

    @property
    def _loading(self) -> Loading:
        loading: Loading = self._session.loading
        return loading if self.entry is loading.entry else self._apart

    def _on_loading(self) -> None:
        loading = self._loading
        if loading.entry is self.entry and (loading.model is not None or self._entry is None):
            self.model = None if loading.needs_settings else loading.model
        self.changed.emit()
