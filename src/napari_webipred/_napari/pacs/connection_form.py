"""The form that describes an archive."""

from __future__ import annotations

from msgspec.structs import replace
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QDialog, QDialogButtonBox, QFormLayout, QLineEdit, QSpinBox, QVBoxLayout, QWidget

from napari_webipred._napari.widgets.button import dialog_buttons
from napari_webipred._napari.widgets.choice import choice
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.errors import PacsError
from napari_webipred.pacs.connection import OWN_TITLE, Connection

WIDTH = 460
EXAMPLES = {"dicomweb": "https://pacs.example.org/dicom-web", "dimse": "pacs.example.org:104"}


class ConnectionForm(QDialog):
    """Asks how an archive is reached.

    Signals
    -------
    described : Connection
        The settings are complete.
    """

    described = Signal(object)

    def __init__(self, known: Connection | None, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Edit archive" if known else "Add an archive")
        self.setMinimumWidth(WIDTH)
        self.name, self.address = QLineEdit(), QLineEdit()
        self.kind = choice("Kind of archive")
        self.kind.addItem("DICOMweb", "dicomweb")
        self.kind.addItem("DIMSE", "dimse")
        self.user, self.ca_file = QLineEdit(), QLineEdit()
        self.title, self.own_title, self.own_port = QLineEdit(), QLineEdit(), QSpinBox()
        self.own_port.setRange(0, 65535)
        self.own_port.setSpecialValueText("none")
        self.token = QCheckBox("Use a token instead of a user and password")
        self.tls = QCheckBox("Encrypt the connection (TLS)")
        self.keyring = QCheckBox("Keep the password or token in the system's keyring")
        self.plain = QCheckBox("I trust this network: connect without encryption")
        self.message = Message(theme)
        self.buttons = dialog_buttons(QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel)
        self._lay_out()
        self.kind.currentIndexChanged.connect(self._show_kind)
        self.buttons.accepted.connect(self._on_save)
        self.buttons.rejected.connect(self.reject)
        self._fill(known or Connection("", own_title=OWN_TITLE))
        self._show_kind()

    def _lay_out(self) -> None:
        hint = MutedLabel("Ask the administrator of the archive for these. Passwords are asked for when you search.")
        self.form = QFormLayout()
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows = {
            "Name": self.name,
            "Kind": self.kind,
            "Address": self.address,
            "AE title of the archive": self.title,
            "Own AE title": self.own_title,
            "Own port for C-MOVE": self.own_port,
            "User": self.user,
            "CA file (PEM)": self.ca_file,
        }
        for text, field in rows.items():
            self.form.addRow(text, field)
            field.setAccessibleName(text)
        self.ca_file.setPlaceholderText("only if the certificate of the archive is not trusted")
        for box in (self.token, self.tls, self.keyring, self.plain):
            self.form.addRow(box)
        layout = QVBoxLayout(self)
        layout.addWidget(hint)
        layout.addLayout(self.form)
        layout.addWidget(self.message)
        layout.addStretch(1)
        layout.addWidget(self.buttons)

    def _fill(self, known: Connection) -> None:
        for name in ("name", "address", "user", "ca_file", "title", "own_title"):
            getattr(self, name).setText(getattr(known, name))
        for name in ("token", "tls", "keyring", "plain"):
            getattr(self, name).setChecked(getattr(known, name))
        self.own_port.setValue(known.own_port)
        self.kind.setCurrentIndex(self.kind.findData(known.kind))

    def _show_kind(self) -> None:
        is_dimse = self.kind.currentData() == "dimse"
        self.address.setPlaceholderText(EXAMPLES[self.kind.currentData()])
        for field in (self.title, self.own_title, self.own_port, self.tls):
            self.form.setRowVisible(field, is_dimse)
        for field in (self.user, self.token, self.keyring):
            self.form.setRowVisible(field, not is_dimse)

    def value(self) -> Connection:
        """Return the settings."""
        made = Connection(
            self.name.text().strip(),
            self.kind.currentData(),
            self.address.text().strip(),
            ca_file=self.ca_file.text().strip(),
            plain=self.plain.isChecked(),
        )
        if made.kind == "dimse":
            return replace(
                made,
                title=self.title.text().strip(),
                own_title=self.own_title.text().strip(),
                own_port=self.own_port.value(),
                tls=self.tls.isChecked(),
            )
        user = "" if self.token.isChecked() else self.user.text().strip()
        return replace(made, user=user, token=self.token.isChecked(), keyring=self.keyring.isChecked())

    def _on_save(self) -> None:
        made = self.value()
        try:
            made.check()
        except PacsError as error:
            self.message.show_error(error)
            return
        self.described.emit(made)
        self.accept()
