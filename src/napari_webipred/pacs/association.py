"""Associations with an archive, as DIMSE calls a connection: opened, ended from another thread, explained."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from napari_webipred import limits
from napari_webipred.errors import PacsError
from napari_webipred.pacs.connection import Connection
from napari_webipred.pacs.http import about_tls, trust
from napari_webipred.pacs.silence import silence

PIECE = 2**17  # bytes of a message at most; with those that pynetdicom asks for, an image takes twice as long
REJECTED = {  # by the source and the reason in the answer
    (1, 3): "does not know the calling AE title {own}",
    (1, 7): "does not know the AE title {title}",
    (3, 1): "has too many connections at the moment",
    (3, 2): "has too many connections at the moment",
}


class Associations:
    """The associations with one archive."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._open: list[Any] = []
        self._closed = threading.Event()

    @contextmanager
    def opened(self, contexts: Sequence[Any], roles: Sequence[Any] = (), handlers: Sequence[Any] = ()) -> Iterator[Any]:
        """Open an association; it is released at the end, or aborted if that comes too early.

        Raises
        ------
        PacsError
            The archive cannot be reached, or refuses.
        """
        with silence():
            association = self._associate(contexts, roles, handlers)
            self._open.append(association)
            try:
                if self._closed.is_set():
                    raise PacsError("The connection was closed.", "Connect again.")
                yield association
            except BaseException:
                association.abort()
                raise
            else:
                if association.is_established:
                    association.release()
            finally:
                with suppress(ValueError):
                    self._open.remove(association)

    def close(self) -> None:
        """End all associations."""
        self._closed.set()
        for association in list(self._open):
            association.abort()

    def _associate(self, contexts: Sequence[Any], roles: Sequence[Any], handlers: Sequence[Any]) -> Any:
        from pynetdicom import AE, evt

        connection = self.connection
        entity = AE(connection.own_title)
        entity.connection_timeout = limits.ARCHIVE_CONNECT_SECONDS
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = limits.ARCHIVE_SILENT_SECONDS
        entity.requested_contexts = list(contexts)
        begun = time.monotonic()
        try:
            association = entity.associate(
                connection.host,
                connection.port,
                ae_title=connection.title,
                max_pdu=PIECE,
                ext_neg=list(roles),
                tls_args=(trust(connection), connection.host) if connection.tls else None,
                evt_handlers=[(evt.EVT_CONN_OPEN, _without_delay), *handlers],
            )
        except OSError:  # there is no computer with this name
            self._look_why_it_cannot_be_reached()
            raise failure(connection, begun=True) from None
        if association.is_established:
            return association
        if association.is_rejected:
            raise self._rejected(association.acceptor.primitive)
        if association.is_aborted and not association.rejected_contexts:
            self._look_why_it_cannot_be_reached()
            if time.monotonic() - begun >= limits.ARCHIVE_SILENT_SECONDS:
                where = f"{connection.host} at port {connection.port}"
                raise PacsError(f"{where} does not answer.", "Try again later.")
            raise failure(connection, begun=True)
        raise NotImplementedError  # it accepts none of what was asked for

    def _look_why_it_cannot_be_reached(self) -> None:
        """Connect once more, to learn why that fails: pynetdicom says so in its log alone."""
        connection = self.connection
        where = f"at port {connection.port}"
        try:
            with socket.create_connection((connection.host, connection.port), limits.ARCHIVE_CONNECT_SECONDS) as made:
                if connection.tls:
                    with trust(connection).wrap_socket(made, server_hostname=connection.host):
                        return
        except socket.gaierror:
            raise PacsError(f"There is no computer {connection.host} in the network.", "Check the address.") from None
        except TimeoutError:
            raise PacsError(
                f"{connection.host} does not answer {where}.", "Check the address and the network."
            ) from None
        except ssl.SSLError as error:
            said, hint = about_tls(error) or ("it does not speak TLS as expected", "Check the port.")
            raise PacsError(f"{connection.host} is not trusted: {said}.", hint) from None
        except OSError:
            raise PacsError(
                f"{connection.host} cannot be reached {where}.", "Check the address, and that the archive runs."
            ) from None

    def _rejected(self, answer: Any) -> PacsError:
        connection = self.connection
        source, reason = answer.result_source, answer.diagnostic
        why = REJECTED.get((source, reason), "refuses the connection").format(
            own=connection.own_title, title=connection.title
        )
        hint = "Try again later." if source == 3 else "Check the AE titles with the administrator of the archive."
        return PacsError(f"{connection.host} {why}.", hint)


def failure(connection: Connection, *, begun: bool) -> PacsError:
    """Say why no status has come: some archives end an association when they are asked for what they do not allow.

    Parameters
    ----------
    connection : Connection
    begun : bool
        Whether something has come already.
    """
    if not begun:
        return PacsError(
            f"The archive {connection.name} does not allow {connection.own_title} to do this, or does not answer.",
            "Ask its administrator to allow this AE title.",
        )
    return PacsError(f"The connection to {connection.host} broke off.", "Try again.")


def _without_delay(event: Any) -> None:
    """Send small messages at once: waiting for more of them costs 40 ms for each image."""
    made = event.assoc.dul.socket
    if made is not None and made.socket is not None:
        made.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
