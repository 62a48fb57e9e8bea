"""A folder that can be chosen or left out."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QWidget

from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.label import ElidedLabel


class FolderRow(QWidget):
    """A button that chooses a folder, its name, and a button that takes the choice back.

    Parameters
    ----------
    words : str
        On the button.
    title : str
        Of the dialog.
    tip : str
    none : str
        What stands there while no folder is chosen.

    Signals
    -------
    changed
    """

    changed = Signal()

    def __init__(self, words: str, title: str, tip: str, none: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title, self._none = title, none
        self.path: Path | None = None
        self.choose = Button(words)
        self.choose.setToolTip(tip)
        self.shown = ElidedLabel(none)
        self.clear = Button("✕")
        self.clear.setToolTip("Leave it out")
        self.clear.setAccessibleName(f"Leave out: {title}")
        self.clear.hide()
        self.choose.clicked.connect(self._on_choose)
        self.clear.clicked.connect(lambda: self.set_path(None))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.choose)
        layout.addWidget(self.shown, 1)
        layout.addWidget(self.clear)

    def set_path(self, path: Path | None) -> None:
        """Choose a folder, or none."""
        self.path = path
        self.shown.setText(self._none if path is None else path.name)
        self.clear.setVisible(path is not None)
        self.changed.emit()

    def _on_choose(self) -> None:
        if name := QFileDialog.getExistingDirectory(self, self._title):
            self.set_path(Path(name))
