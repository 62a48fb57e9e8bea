"""Sends a report that was made, step by step; closing the generator ends it within a second."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from napari_webipred._napari.pacs.work import opened

if TYPE_CHECKING:
    from napari_webipred.pacs.connection import Connection
    from napari_webipred.reports.report import Report


def storing(report: Report, archive: Connection, password: str) -> Generator[None, None, str]:
    """Store documents in an archive; return what has become of them.

    Raises
    ------
    SecretError
        The archive wants a password or token.
    PacsError
        It cannot be reached, or refuses.
    """
    from napari_webipred.pacs.stream import awaited

    yield
    count = len(report.documents)
    with opened(archive, password) as found:
        yield from awaited(lambda: found.store(report.documents), found.close)
    return f"{count} report{'s' * (count != 1)} stored in {archive.name}."


def posting(report: Report, server: Connection, token: str) -> Generator[None, None, str]:
    """Send a transaction to a FHIR server; return what has become of it.

    Raises
    ------
    SecretError
        The server does not accept the token.
    PacsError
        It cannot be reached, or refuses.
    """
    from napari_webipred.pacs.stream import awaited
    from napari_webipred.reports.server import posted

    yield
    places = yield from awaited(lambda: posted(report.documents[0], server, token), lambda: None)
    return f"{server.host} has taken {len(places)} resources."
