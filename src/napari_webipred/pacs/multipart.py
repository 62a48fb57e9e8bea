"""The parts of an answer of several, one by one as they come, each of a bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from email.message import Message

from napari_webipred.errors import PacsError

HEAD_AT_MOST = 2**14  # bytes of the lines before a part


def boundary_of(content_type: str) -> bytes:
    """Return what stands between the parts; empty if there are no parts."""
    message = Message()
    message["content-type"] = content_type
    found = message.get_param("boundary")
    if message.get_content_maintype() != "multipart" or not isinstance(found, str):
        return b""
    return found.encode("latin-1", "replace")


def parts(pieces: Iterable[bytes], boundary: bytes, at_most: int) -> Iterator[bytes]:
    """Yield the content of each part.

    Parameters
    ----------
    pieces : iterable of bytes
        The answer as it comes.
    boundary : bytes
    at_most : int
        Bytes of a part.

    Raises
    ------
    PacsError
        The answer ends in the middle of a part, or one is too large. Parts before it are yielded.
    """
    between = b"\r\n--" + boundary
    held = bytearray(b"\r\n")  # the first boundary may stand at the very beginning
    searched, is_inside = 0, False
    for piece in pieces:
        held += piece
        while (at := held.find(between, searched)) >= 0 and len(held) >= (end := at + len(between)) + 2:
            if is_inside:
                yield _content(held, at)
            if held.startswith(b"--", end):
                return
            del held[:end]
            searched, is_inside = 0, True
        searched = max(len(held) - len(between) - 1, 0)
        if len(held) > at_most + HEAD_AT_MOST:
            raise PacsError(f"An image of the archive has more than {at_most // 2**20} MB.", "Export it to a file.")
    raise PacsError("The answer of the archive was cut short.", "Try again.")


def _content(held: bytearray, end: int) -> bytes:
    """Return what comes after the head of a part."""
    head = held.find(b"\r\n\r\n", 0, min(end + 4, HEAD_AT_MOST))
    return bytes(held[head + 4 : end]) if head >= 0 else b""
