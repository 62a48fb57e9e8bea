"""What the header of a medical file says that bears on its classification."""

from __future__ import annotations

from msgspec import Struct

from napari_webipred.imaging.display import Display


class Header(Struct, frozen=True, eq=False):
    """What the file of a plane says of it. Nothing here says who the patient is, but for ``identity``.

    Attributes
    ----------
    display : Display, optional
        How it is displayed; None of colours, which are displayed as they are.
    decoding : str
        What its pixels were decoded with: ``"JPEG 2000 decoded by pylibjpeg 2.6.0"``; empty of pixels that are not
        compressed.
    modality, body_part : str
        As DICOM has them: ``"CT"``, ``"CHEST"``; empty where the file does not say.
    remarks : tuple of str
        What should be known about the plane, a sentence each.
    identity : tuple of str
        The unique identifiers of the study, the series and the instance. They are given to nobody who does not ask.
    """

    display: Display | None
    decoding: str = ""
    modality: str = ""
    body_part: str = ""
    remarks: tuple[str, ...] = ()
    identity: tuple[str, str, str] = ("", "", "")
