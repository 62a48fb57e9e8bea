"""What the user has kept for the chosen model: thresholds under names, and reference images."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_webipred._napari.latest import Latest
from napari_webipred._napari.models.loading import Loading

if TYPE_CHECKING:
    from napari_webipred.model import Model
    from napari_webipred.model_overrides import Thresholds

Found = tuple["dict[str, Thresholds]", bool]


class Kept(QObject):
    """Reads beside the window what is kept for the model that is open.

    Attributes
    ----------
    thresholds : dict of str to Thresholds
        Those that were chosen by own labels, by name.
    has_reference : bool
        Whether a reference was fitted to images that the model is for.

    Signals
    -------
    changed
        Something else is kept, or another model is open.
    """

    changed = Signal()

    def __init__(self, loading: Loading) -> None:
        super().__init__()
        self.thresholds: dict[str, Thresholds] = {}
        self.has_reference = False
        self._wanted: tuple[object, str | None] = None, None  # thresholds, by their name, and the entry of their model
        self._loading = loading
        self._model: Model | None = None
        self._latest = Latest(self)
        self._latest.done.connect(self._on_read)
        loading.changed.connect(self._on_model)

    def look(self) -> None:
        """Read it again; something new may have been kept."""
        model = self._model
        if model is not None:
            self._latest.ask(lambda: reading(model))

    def want(self, name: str | None) -> None:
        """Let these thresholds of the chosen model, by their name, be chosen if they are kept here."""
        self._wanted = self._loading.entry, name
        self.look()

    def chosen(self, before: str | None) -> str | None:
        """Return the name of the thresholds to choose: the wanted ones or, if they are kept, those from before."""
        entry, wanted = self._wanted
        if entry is self._loading.entry and wanted in self.thresholds:
            before, self._wanted = wanted, (None, None)
        return before if before in self.thresholds else None

    def _on_model(self) -> None:
        if self._loading.model is self._model:
            return
        self._model = self._loading.model
        self._latest.stop()
        self._on_found(({}, False))
        self.look()

    def _on_read(self, found: Found) -> None:
        self._on_found(found)
        self._wanted = None, None  # thresholds of that name that are kept later are others

    def _on_found(self, found: Found) -> None:
        if found != (self.thresholds, self.has_reference):
            self.thresholds, self.has_reference = found
            self.changed.emit()


def reading(model: Model) -> Generator[None, None, Found]:
    """Read what is kept for a model."""
    from napari_webipred.cache import overrides

    yield
    return overrides.thresholds(model.checksum), model.reference is not None
