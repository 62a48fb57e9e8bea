"""The buttons that add images to the list: of files, folders and archives."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QWidget

from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.wrapping_row import WrappingRow


class FileButtons(QWidget):
    """*Add files…*, *Add folder…* and *From an archive…*, in one row with what comes before them.

    Parameters
    ----------
    before : QCheckBox

    Signals
    -------
    chosen : list of Path
        The user has chosen these files, or this folder.
    archive_requested
        The user wants to search an archive.
    """

    chosen = Signal(list)
    archive_requested = Signal()

    def __init__(self, before: QCheckBox, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.files = Button("Add files…")
        self.files.setToolTip("Classify image files without opening them in napari. You can also drop them here")
        self.folder = Button("Add folder…")
        self.folder.setToolTip("Classify all images in a folder and below it. You can also drop it here")
        self.archive = Button("From an archive…")
        self.archive.setToolTip("Search an archive of medical images (PACS), and classify what is found")
        before.setMinimumHeight(self.files.sizeHint().height())
        layout = WrappingRow([before, self.files, self.folder, self.archive], last_at_end=False)
        layout.setContentsMargins(0, 0, 0, 0)
        self.setLayout(layout)
        self.files.clicked.connect(self._choose_files)
        self.folder.clicked.connect(self._choose_folder)
        self.archive.clicked.connect(self.archive_requested)

    def _choose_files(self) -> None:
        from napari_webipred.imaging.files import image_suffixes  # the panel opens sooner without it

        patterns = " ".join(f"*{suffix}" for suffix in sorted(image_suffixes()))
        names, _ = QFileDialog.getOpenFileNames(self, "Add image files", "", f"Images ({patterns});;All files (*)")
        if names:
            self.chosen.emit(list(map(Path, names)))

    def _choose_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Add a folder of images")
        if name:
            self.chosen.emit([Path(name)])
