"""The foot of the panel: whether the session is private, and ways to the list of keys and to the preferences."""

from __future__ import annotations

from napari.utils.notifications import show_info
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_webipred import settings
from napari_webipred._napari import preferences
from napari_webipred._napari.closing import main_window
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.wrapping_row import WrappingRow

PRIVATE = "Private session: what is stored now is deleted when napari closes."


class Foot(QWidget):
    """A note and two buttons."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.private = MutedLabel(PRIVATE)
        self.private.setToolTip("Models, compiled models, settings of models and choices of the panel")
        self.keyboard = Button("Keyboard")
        self.keyboard.setToolTip("Show all keys of the panel")
        self.preferences = Button("Preferences…")
        self.preferences.setToolTip("Open napari's preferences at the page of this plugin")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.private)
        layout.addLayout(WrappingRow([self.keyboard, self.preferences]))
        self.preferences.clicked.connect(self._on_preferences)
        preferences.page().changed.connect(self.refresh)
        preferences.page().found.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what counts now."""
        self.private.setVisible(settings.current().private)
        self.preferences.setVisible(preferences.page().there)

    def _on_preferences(self) -> None:
        window = main_window(self)
        if window is None or not preferences.open_page(window):
            show_info(f"Open the preferences of napari in its File menu, and choose {preferences.PLUGIN}.")
