"""How instances come by DIMSE: by C-GET over the association that asks for them, or by C-MOVE over another one."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from napari_webipred.errors import PacsError
from napari_webipred.imaging.dicom.syntax import SYNTAXES
from napari_webipred.pacs.association import Associations, failure
from napari_webipred.pacs.connection import Connection
from napari_webipred.pacs.found import Instance

GET, MOVE = "1.2.840.10008.5.1.4.1.2.2.3", "1.2.840.10008.5.1.4.1.2.2.2"
CONTEXTS = 128  # of an association
AT_ONCE = 100  # identifiers in one request
UNKNOWN_DESTINATION = 0xA801

Take = Callable[[str, bytes], None]  # takes the identifier of an instance and its file


def getting(associations: Associations, wanted: Sequence[Instance], take: Take) -> None:
    """Let instances of one series come by C-GET, stored as they are.

    A context for each class and syntax keeps the syntax: with several syntaxes in one, an archive may convert.

    Raises
    ------
    NotImplementedError
        The archive has no C-GET.
    PacsError
    """
    from pynetdicom import build_context, build_role, evt

    came: list[str] = []

    def keep(event: Any) -> int:
        came.append(event.request.AffectedSOPInstanceUID)
        return _kept(event, take)

    at_once = (CONTEXTS - 1) // len(SYNTAXES)
    for kinds in _groups(sorted({each.kind for each in wanted if each.kind}), at_once):
        contexts = [build_context(GET), *(build_context(kind, syntax) for kind in kinds for syntax in SYNTAXES)]
        roles = [build_role(kind, scp_role=True) for kind in kinds]
        with associations.opened(contexts, roles, [(evt.EVT_C_STORE, keep)]) as association:
            if not any(context.abstract_syntax == GET for context in association.accepted_contexts):
                raise NotImplementedError
            for some in _groups([each for each in wanted if each.kind in kinds], AT_ONCE):
                _follow(associations.connection, association.send_c_get(_identifier(some), GET), came)


def moving(associations: Associations, wanted: Sequence[Instance], take: Take) -> None:
    """Let instances of one series come by C-MOVE, to a port that is open meanwhile, and to that archive alone.

    Raises
    ------
    PacsError
    """
    from pynetdicom import AE, build_context, evt

    connection = associations.connection
    if not connection.own_port:
        raise PacsError(
            f"The archive {connection.name} has no C-GET, and there is no port for C-MOVE.",
            "Set the own port, as the archive knows it, or use DICOMweb.",
        )
    receiver = AE(connection.own_title)
    receiver.require_called_aet = True
    receiver.require_calling_aet = [connection.title]
    for kind in sorted({each.kind for each in wanted if each.kind})[:CONTEXTS]:
        receiver.add_supported_context(kind, list(SYNTAXES))
    try:
        server = receiver.start_server(
            (_own_address(connection), connection.own_port),
            block=False,
            evt_handlers=[(evt.EVT_C_STORE, lambda event: _kept(event, take))],
        )
    except OSError:
        raise PacsError(
            f"Port {connection.own_port}, at which images are to arrive, is in use or not allowed.",
            "Close the other program, or choose another port.",
        ) from None
    try:
        with associations.opened([build_context(MOVE)]) as association:
            for some in _groups(wanted, AT_ONCE):
                answers = association.send_c_move(_identifier(some), connection.own_title, MOVE)
                _follow(connection, answers, [])
    except NotImplementedError:
        raise PacsError(f"The archive {connection.name} has neither C-GET nor C-MOVE.", "Use DICOMweb.") from None
    finally:
        if server is not None:
            server.shutdown()


def _follow(connection: Connection, answers: Iterator[tuple[Any, Any]], came: Sequence[str]) -> None:
    """Wait for the last answer; what single instances have failed shows in what has come."""
    for number, (status, _) in enumerate(answers):
        if "Status" not in status:
            raise failure(connection, begun=bool(number or came))
        code = status.Status
        if code == UNKNOWN_DESTINATION:
            raise PacsError(
                f"The archive {connection.name} does not know where {connection.own_title} is.",
                "Let its administrator enter the address and port of this computer.",
            )
        if code not in (0, 0xB000) and code >> 8 != 0xFF and not status.get("NumberOfCompletedSuboperations"):
            raise PacsError(
                f"The archive {connection.name} refuses to send (code {code:#06x}).", "Ask its administrator."
            )


def _kept(event: Any, take: Take) -> int:
    take(str(event.request.AffectedSOPInstanceUID), event.encoded_dataset())
    return 0


def _identifier(wanted: Sequence[Instance]) -> Any:
    from pydicom.dataset import Dataset

    asked = Dataset()
    asked.QueryRetrieveLevel = "IMAGE"
    asked.StudyInstanceUID, asked.SeriesInstanceUID = wanted[0].study, wanted[0].series
    asked.SOPInstanceUID = [each.uid for each in wanted]
    return asked


def _own_address(connection: Connection) -> str:
    """Return the address of this computer on the way to the archive; nothing is sent to learn it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((connection.host, connection.port))
        return str(probe.getsockname()[0])


def _groups(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    yield from (items[at : at + size] for at in range(0, len(items), size))
