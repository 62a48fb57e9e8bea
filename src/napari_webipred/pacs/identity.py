"""What says which instance a file is: its head, without anything of the patient."""

from __future__ import annotations

from struct import unpack_from

from napari_webipred.imaging.dicom.content import MAGIC, PREAMBLE, is_dicom

IDENTIFIER = b"\x02\x00\x03\x00UI"  # of the head: Media Storage SOP Instance UID
_HEAD = 4096


def identifier_of(content: bytes) -> str:
    """Return the identifier of an instance from the head of its file; empty if there is none."""
    if not is_dicom(content):
        return ""
    start = PREAMBLE + len(MAGIC)
    at = content.find(IDENTIFIER, start, start + _HEAD)
    if at < 0 or len(content) < at + 8:
        return ""
    (length,) = unpack_from("<H", content, at + 6)
    return content[at + 8 : at + 8 + length].decode("ascii", "replace").strip("\0 ")
