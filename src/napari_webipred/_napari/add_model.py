"""The dialog that takes a model from elsewhere."""

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

from napari_webipred._napari.button import Button
from napari_webipred._napari.label import MutedLabel
from napari_webipred.formats import ALL_PATTERNS, names

# What can be typed, a form a line, for people who have such a thing at hand.
FORMS = (
    ("Zenodo", "a DOI, a record number or an address"),
    ("Hugging Face", "hf:owner/name or an address"),
    ("Teachable Machine", "the address of a published model"),
    ("Other servers", "the https address of a file or model.json"),
    ("This machine", f"a folder, or a file (.zip, {names()}); a bundle of models"),
)
FILES = f"Models and bundles ({ALL_PATTERNS})"

WIDTH = 460


class AddModel(QDialog):
    """Asks for what names a model of Zenodo, Hugging Face, Teachable Machine or another server, or for a file."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Add a model")
        self.setMinimumWidth(WIDTH)
        self.field = QLineEdit()
        self.field.setPlaceholderText("10.5281/zenodo.7785993, hf:owner/name, https://…")
        self.field.setClearButtonEnabled(True)
        self.field.setAccessibleName("DOI, address or name of a model, file or folder")
        question = QLabel("&DOI, address or name of a model, or a file or folder:")
        question.setBuddy(self.field)
        explanation = MutedLabel("Add looks the model up on its server. It is downloaded only when you click Download.")
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
        name, _ = QFileDialog.getOpenFileName(self, "Choose a model", "", f"{FILES};;All files (*)")
        if name:
            self.field.setText(name)

    def _choose_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Choose the folder of a model")
        if name:
            self.field.setText(name)


def _forms() -> QFormLayout:
    form = QFormLayout()
    form.setVerticalSpacing(3)
    for place, words in FORMS:
        form.addRow(place, MutedLabel(words))
    return form
