"""napari's page of preferences of this plugin: followed while napari runs, and opened from the panel."""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import Any

import napari.settings
from msgspec.structs import replace
from qtpy.QtCore import QObject, Qt, QTimer, Signal
from qtpy.QtWidgets import QApplication, QListWidget, QMainWindow

from napari_webipred import preferences, settings
from napari_webipred._napari import task
from napari_webipred.cache import private_session
from napari_webipred.preferences import Preferences

PLUGIN = "napari-webipred"
COMMAND = "napari.window.file.show_preferences_dialog"
WAIT = 300  # milliseconds without a change after which what was typed counts
_log = logging.getLogger(__name__)


class Page(QObject):
    """Lets what is chosen on the page count in this process.

    A change counts when nothing is done in the background, so that no download ends up in two places. The folder of
    models counts from the next start of napari on.

    Attributes
    ----------
    there : bool
        Whether napari has the page: napari 0.9 and later do, if they can read what was chosen.

    Signals
    -------
    changed : Preferences, Preferences
        What counted before, and what counts now.
    found
        It is known whether the page is there.
    """

    changed = Signal(object, object)
    found = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.there = hasattr(napari.settings, "get_plugin_settings")
        self._settings: Any = None
        self._folder: str | None = None
        self._task: task.Task | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT)
        self._timer.timeout.connect(self._on_time)
        application = QApplication.instance()
        if isinstance(application, QApplication):  # a notebook goes on when napari is closed
            application.lastWindowClosed.connect(private_session.end)

    def follow(self) -> None:
        """Read what is chosen in the file, which counts until the page is found."""
        if self._settings is None:
            settings.prefer(preferences.read())

    def find(self) -> None:
        """Find the page, and follow what is chosen on it from now on.

        napari makes its page when it is first asked for it, and reads the manifests of all plugins for that, which
        takes 0.1 s or more. So it does that beside the window.
        """
        if self.there and self._task is None:
            self._task = task.Task(_find())
            self._task.done.connect(self._on_found)
            self._task.failed.connect(self._on_missing)
            self._task.cancelled.connect(self._on_cancelled)
            self._task.start()

    @property
    def searching(self) -> bool:
        """Whether it is not known yet if the page is there."""
        return self._task is not None or (self.there and self._settings is None)

    def _on_found(self, found: Any) -> None:
        self._task = None
        if found is not self._settings:
            self._settings, self._folder = found, None
            found.events.changed.connect(self._on_changed)
            self.apply()
        self.found.emit()

    def _on_cancelled(self) -> None:
        self._task = None

    def _on_missing(self, error: Exception) -> None:
        """Do without the page: napari raises whatever a damaged file leads to, also one of another plugin."""
        _log.warning("napari cannot read the preferences (%s: %s).", type(error).__name__, error)
        self.there, self._task = False, None
        self.found.emit()

    def apply(self) -> None:
        """Let what is chosen count now."""
        self._timer.stop()
        before = settings.preferred()
        now = Preferences.of(self._settings.model_dump(), "napari's preferences")
        if self._folder is None:
            self._folder = now.cache_folder
        now = replace(now, cache_folder=self._folder)
        settings.prefer(now)
        if now != before:
            self.changed.emit(before, now)

    def _on_changed(self, event: Any = None) -> None:
        self._timer.start()

    def _on_time(self) -> None:
        if task.under_way():
            self._timer.start()
        else:
            self.apply()


_page: Page | None = None


def page() -> Page:
    """Return the page, of which a process has one, as napari has one set of settings."""
    global _page
    if _page is None:
        _page = Page()
    return _page


def open_page(window: QMainWindow) -> bool:
    """Open napari's preferences at the page of this plugin; return whether that has worked."""
    menus = [entry.menu() for entry in window.menuBar().actions()]
    actions = [action for menu in menus if menu is not None for action in menu.actions()]
    action = next((action for action in actions if action.objectName() == COMMAND), None)
    if action is None:
        return False
    action.trigger()
    for pages in window.findChildren(QListWidget, "Preferences"):
        for item in pages.findItems(PLUGIN, Qt.MatchFlag.MatchExactly):
            pages.setCurrentItem(item)
            return True
    return False


def _find() -> Generator[None, None, Any]:
    yield
    return napari.settings.get_plugin_settings(PLUGIN)
