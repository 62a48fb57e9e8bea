"""The dialog that adds a model from a server, a file or a folder."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from napari_webipred._napari.widgets.button import Button, dialog_buttons
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred.formats import ALL_PATTERNS, names

# What can be entered, one kind a line.
FORMS = (
    ("Zenodo", "DOI, record number or URL"),
    ("Hugging Face", "hf:owner/name or URL"),
    ("Teachable Machine", "URL of a published model"),
    ("Other servers", "https URL of a file or of a model.json"),
    ("This machine", f"folder, file (.zip, {names()}) or bundle of models"),
)
FILES = f"Models and bundles ({ALL_PATTERNS})"

WIDTH = 460


class AddModel(QDialog):
    """Asks for a model on Zenodo, Hugging Face, Teachable Machine or another server, or for a file or folder."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Add a model")
        self.setMinimumWidth(WIDTH)
        self.field = QLineEdit()
        self.field.setPlaceholderText("10.5281/zenodo.7785993, hf:owner/name, https://…")
        self.field.setClearButtonEnabled(True)
        self.field.setAccessibleName("DOI, URL, name, file or folder of the model")
        question = QLabel("&DOI, URL, name, file or folder of the model:")
        question.setBuddy(self.field)
        explanation = MutedLabel("“Add” only looks up the model. It is downloaded when you click “Download”.")
        file = Button("Choose &file…")
        folder = Button("Choose f&older…")
        file.clicked.connect(self._choose_file)
        folder.clicked.connect(self._choose_folder)
        self.buttons = dialog_buttons(QDialogButtonBox.StandardButton.Cancel)
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
        layout.addLayout(_forms())
        layout.addWidget(explanation)
        layout.addStretch(1)
        layout.addWidget(self.buttons)
        self.resize(WIDTH, layout.totalHeightForWidth(WIDTH))

    def reference(self) -> str | Path:
        """Return what the user gave: a Path if it is there, else the text."""
        text = self.field.text().strip()
        path = Path(text).expanduser()
        return path if path.exists() else text

    def _choose_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Choose a model file", "", f"{FILES};;All files (*)")
        if name:
            self.field.setText(name)

    def _choose_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Choose a model folder")
        if name:
            self.field.setText(name)


def _forms() -> QFormLayout:
    form = QFormLayout()
    form.setVerticalSpacing(3)
    for place, words in FORMS:
        form.addRow(place, MutedLabel(words))
    return form
