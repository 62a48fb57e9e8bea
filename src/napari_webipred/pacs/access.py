"""From the description of an archive to the archive itself."""

from __future__ import annotations

from importlib.util import find_spec

from napari_webipred import settings
from napari_webipred.errors import PacsError
from napari_webipred.pacs import secret
from napari_webipred.pacs.archive import Archive
from napari_webipred.pacs.connection import Connection

NEEDED = ("pynetdicom", "dicomweb_client")


def opened(connection: Connection) -> Archive:
    """Return an archive; nothing is sent yet.

    Raises
    ------
    SecretError
        Its password or token is not known.
    PacsError
        Its settings are unsafe, the network is switched off, or packages are missing.
    """
    connection.check()
    if settings.current().offline:
        raise PacsError(
            f"The archive {connection.name} is not asked: the network is switched off (offline).",
            "Allow the network.",
            "go online",
        )
    if any(find_spec(name) is None for name in NEEDED):
        raise PacsError("What talks to archives is not installed.", "", "install pacs")
    if connection.kind == "dimse":
        from napari_webipred.pacs.dimse import Dimse  # with its libraries, when they are needed

        return Dimse(connection)
    from napari_webipred.pacs.web import Web

    return Web(connection, secret.secret_of(connection))
