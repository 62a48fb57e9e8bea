"""Where a report goes: a file, an archive that is known, or a FHIR server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QLabel, QLineEdit

from napari_webipred._napari.pacs import work
from napari_webipred._napari.task import Task
from napari_webipred._napari.widgets.choice import choice, offer
from napari_webipred.errors import WebIPredError
from napari_webipred.names import readable

if TYPE_CHECKING:
    from napari_webipred.pacs.connection import Connection

FILE, FHIR, ARCHIVE = "file", "fhir", "archive "
EXAMPLE = "https://host/fhir"
_given: dict[str, str] = {}  # the address of the FHIR server, for the next report


class TargetFields(QObject):
    """The fields of the form about that.

    Parameters
    ----------
    form : QFormLayout
        To which they are added.

    Signals
    -------
    changed
        Something else is chosen.
    failed : Exception
        The list of archives cannot be read.
    """

    changed = Signal()
    failed = Signal(object)

    def __init__(self, form: QFormLayout, parent: QObject) -> None:
        super().__init__(parent)
        self._form = form
        self._kind = ""
        self.archives: dict[str, Connection] = {}
        self.where = choice("Where it goes")
        self.address = QLineEdit(_given.get(FHIR, ""))
        self.address.setPlaceholderText(EXAMPLE)
        self.token, self.password = QLineEdit(), QLineEdit()
        for secret in (self.token, self.password):
            secret.setEchoMode(QLineEdit.EchoMode.Password)
        self.token.setPlaceholderText("only if the server wants one")
        self.password.setAccessibleName("Password or token")
        self.ca_file = QLineEdit()
        self.ca_file.setPlaceholderText("only if the certificate of the server is not trusted")
        self.trust = QCheckBox("I &trust this network: send without encryption")
        self._asked = QLabel()
        form.addRow("&To:", self.where)
        form.addRow("&Address:", self.address)
        form.addRow("To&ken:", self.token)
        form.addRow("&CA file (PEM):", self.ca_file)
        form.addRow(self.trust)
        form.addRow(self._asked, self.password)
        form.setRowVisible(self.password, False)
        self.where.currentIndexChanged.connect(self._show)
        self.address.textChanged.connect(self._show)
        self._task = Task(work.connections(), self)
        self._task.done.connect(self._on_known)
        self._task.failed.connect(self.failed)
        self._task.start()

    @property
    def archive(self) -> Connection | None:
        """The archive that is chosen."""
        chosen = str(self.where.currentData())
        return self.archives.get(chosen.removeprefix(ARCHIVE)) if chosen.startswith(ARCHIVE) else None

    @property
    def is_file(self) -> bool:
        """Whether the report is written to a file."""
        return bool(self.where.currentData() == FILE)

    @property
    def host(self) -> str:
        """The computer that the report goes to; empty for a file, or as long as there is no address."""
        if (archive := self.archive) is not None:
            return archive.host
        try:
            return "" if self.is_file else self.server().host
        except WebIPredError:
            return ""

    def server(self) -> Connection:
        """Describe the way to the FHIR server.

        Raises
        ------
        WebIPredError
            There is no such address, it is not encrypted, or the network is switched off.
        """
        from napari_webipred.reports.server import connection_to

        token, trust = bool(self.token.text()), self.trust.isChecked()
        return connection_to(self.address.text().strip(), token=token, trust=trust, ca_file=self.ca_file.text().strip())

    def keep_address(self) -> None:
        """Keep the address of the FHIR server for the next report, until napari is closed."""
        _given[FHIR] = self.address.text().strip()

    def show_kind(self, kind: str) -> None:
        """Offer where reports of a kind can go."""
        if kind == self._kind:
            return
        self._kind = kind
        self._offer()

    def ask_for_secret(self) -> None:
        """Ask for the password or token that an archive or a server wants."""
        archive = self.archive
        if archive is not None:
            self._asked.setText("Token:" if archive.token else f"Password of {readable(archive.user)}:")
            self._form.setRowVisible(self.password, True)
        field = self.token if archive is None else self.password
        field.clear()
        field.setFocus()

    def _on_known(self, known: dict[str, Connection]) -> None:
        self.archives = known
        self._offer()

    def _offer(self) -> None:
        places = [("a file", FILE)]
        if self._kind == "fhir":
            places.append(("a FHIR server", FHIR))
        for name in self.archives if self._kind == "sr" else ():
            places.append((f"the archive {readable(name)}", f"{ARCHIVE}{name}"))
        offer(self.where, places, self.where.currentData())
        self._show()

    def _show(self) -> None:
        is_fhir = self.where.currentData() == FHIR
        self._form.setRowVisible(self.where, self.where.count() > 1)
        for field in (self.address, self.token, self.ca_file):
            self._form.setRowVisible(field, is_fhir)
        self._form.setRowVisible(self.trust, is_fhir and self.address.text().strip().startswith("http://"))
        if self.archive is None:
            self._form.setRowVisible(self.password, False)
        self.changed.emit()
