"""What was chosen last in the panel, kept in the cache and chosen again when the panel is opened."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_webipred._napari.form import ClassifyForm
from napari_webipred._napari.models.entry import is_there
from napari_webipred._napari.task import Task
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred.cache.last_choice import LastChoice
from napari_webipred.errors import OptionError
from napari_webipred.options import DEFAULTS, preferred_intensity

_log = logging.getLogger(__name__)


class Memory(QObject):
    """Chooses again what was chosen last, and keeps what is chosen from then on; no names of images.

    A model is chosen only if it is on this machine and can be used, and if none is chosen yet. A setting that was
    changed meanwhile stays.

    Signals
    -------
    restored
        What was chosen last is chosen again, as far as possible.
    """

    restored = Signal()

    def __init__(self, form: ClassifyForm, session: ViewerSession, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._form = form
        self._session = session
        self._at_first = _settings_of(form)
        self._kept: LastChoice | None = None
        self._found: LastChoice | None = None
        self._task: Task | None = None
        self._timer = QTimer(self)  # all that changes at once is written at once
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._keep)
        form.changed.connect(self._on_changed)
        session.model_changed.connect(self._on_changed)
        session.catalogue.listed.connect(self._restore)

    def read(self) -> None:
        """Read what was chosen last, beside the window."""
        self._reading = Task(_read())
        self._reading.done.connect(self._on_read)
        self._reading.failed.connect(self._on_read)
        self._reading.start()

    @property
    def first(self) -> bool:
        """Whether nothing was ever chosen, which is not known before `restored`."""
        return self._kept is not None and self._kept.first

    def when_restored(self, then: Callable[[], None]) -> None:
        """Call a function once what was chosen last is chosen again."""
        if self._kept is not None:
            then()
            return

        def once() -> None:
            self.restored.disconnect(once)
            then()

        self.restored.connect(once)

    def _on_read(self, found: LastChoice | Exception) -> None:
        if isinstance(found, Exception):
            _log.warning("The last choice cannot be read: %s", found)
            found = LastChoice()
        self._found = found
        self._restore()

    def _restore(self) -> None:
        """Choose again what was chosen last, when that is known and the models are listed."""
        found, catalogue = self._found, self._session.catalogue
        if self._kept is not None or found is None or not catalogue.models.items:
            return
        for name, before in self._at_first.items():
            widget = getattr(self._form, name)
            if name in found.settings and widget.value == before:
                try:
                    widget.value = found.settings[name]
                except (OptionError, ValueError, TypeError) as error:  # of another version, or a damaged file
                    _log.info("The last value of %s is not used: %s", name, error)
        entry = next((entry for entry in catalogue.models.items if entry.key == found.model), None)
        if entry is not None and catalogue.chosen is None and entry.here and not entry.refused and not entry.gone:
            catalogue.choose_entry(entry)
        self._kept = found
        self.restored.emit()

    def _on_changed(self) -> None:
        if self._kept is not None:
            self._timer.start()

    def _keep(self) -> None:
        loading = self._session.loading
        model = loading.entry.key if loading.entry is not None and loading.model is not None else None
        usual = _usual()
        changed = {
            name: value
            for name, value in _settings_of(self._form).items()
            if value != usual[name] and not isinstance(value, slice)  # planes of one stack mean little for another
        }
        choice = LastChoice(model, changed)
        if self._task is not None:
            return  # again when it is done
        if self._kept is not None and (model in (None, self._kept.model) and changed == self._kept.settings):
            return
        self._kept = LastChoice(model or (self._kept.model if self._kept else None), changed)
        self._task = Task(_write(choice))
        self._task.done.connect(self._on_kept)
        self._task.failed.connect(self._on_kept)
        self._task.start()

    def _on_kept(self, result: object) -> None:
        self._task = None
        if isinstance(result, Exception):
            _log.warning("The last choice cannot be kept: %s", result)
        self._timer.start()


def _usual() -> dict[str, Any]:
    return {
        "planes": "all",
        "intensity": preferred_intensity(layers=True),
        "threshold": DEFAULTS.threshold,
        "profile": DEFAULTS.profile,
    }


def _settings_of(form: ClassifyForm) -> dict[str, Any]:
    return {name: getattr(form, name).value for name in _usual()}


def _read() -> Generator[None, None, LastChoice]:
    from napari_webipred.cache import last_choice, private_session

    yield
    private_session.follow()
    found = last_choice.read()
    if found.model is not None:
        import napari_webipred.opening  # noqa: F401  # here the window does not wait for it
    return found if isinstance(found.model, str | None) or is_there(found.model) else LastChoice(None, found.settings)


def _write(choice: LastChoice) -> Generator[None, None, bool]:
    from napari_webipred.cache import last_choice

    yield
    return last_choice.remember(choice)
