"""DICOM files that hold no image: reports, plans, tables of contents, and what says how images are displayed."""

from __future__ import annotations

from pathlib import Path

from napari_webipred.imaging.dicom.attribute import items, text
from napari_webipred.imaging.dicom.content import content_of
from napari_webipred.imaging.quiet import quiet

PRESENTATION_STATES = "1.2.840.10008.5.1.4.1.1.11."  # the beginning of their classes


def presentation_of(path: Path) -> set[str] | None:
    """Return which series a file that holds no image says how to display: mostly none.

    Returns
    -------
    set of str, or None
        Identifiers of series; None if the file holds an image or is damaged.
    """
    try:
        with quiet():
            content = content_of(path)
            if content.pixels is not None or not text(content.attributes, "SOPClassUID"):
                return None
            if not text(content.attributes, "SOPClassUID").startswith(PRESENTATION_STATES):
                return set()
            return {text(each, "SeriesInstanceUID") for each in items(content.attributes, "ReferencedSeriesSequence")}
    except Exception:  # pydicom raises nearly everything on damaged files; its row says that it is damaged
        return None
