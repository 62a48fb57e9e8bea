"""The dialog that takes a model from elsewhere."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from napari_webipred._napari.button import Button
from napari_webipred._napari.label import MutedLabel


class AddModel(QDialog):
    """Asks for a DOI, address or record number of Zenodo, or for a file or folder."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Add a model")
        self.setMinimumWidth(420)
        self.field = QLineEdit()
        self.field.setPlaceholderText("10.5281/zenodo.7785993")
        self.field.setClearButtonEnabled(True)
        self.field.setAccessibleName("DOI, address or record number, file or folder")
        question = QLabel("&DOI, Zenodo address or record number, or a file or folder:")
        question.setBuddy(self.field)
        explanation = MutedLabel(
            "A TensorFlow.js Layers model: a .zip archive, a folder, or its model.json. A Zenodo record is looked up "
            "when you click Add; the model itself is downloaded only when you ask for it."
        )
        file = Button("Choose &file…")
        folder = Button("Choose f&older…")
        file.clicked.connect(self._choose_file)
        folder.clicked.connect(self._choose_folder)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.add = self.buttons.addButton("Add", QDialogButtonBox.ButtonRole.AcceptRole)
        self.add.setDefault(True)
        self.add.setEnabled(False)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.field.textChanged.connect(lambda text: self.add.setEnabled(bool(text.strip())))
        choices = QHBoxLayout()
        choices.addWidget(file)
        choices.addWidget(folder)
        choices.addStretch()
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        for widget in (question, self.field):
            layout.addWidget(widget)
        layout.addLayout(choices)
        layout.addWidget(explanation)
        layout.addWidget(self.buttons)

    def reference(self) -> str | Path:
        """Return what the user gave: a Path if it is there, else the text."""
        text = self.field.text().strip()
        path = Path(text).expanduser()
        return path if path.exists() else text

    def _choose_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Choose a model", "", "Models (*.zip *.json);;All files (*)")
        if name:
            self.field.setText(name)

    def _choose_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Choose the folder of a model")
        if name:
            self.field.setText(name)
