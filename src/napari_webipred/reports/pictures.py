"""Pictures of images for a page, small and with the black and white that the model has seen."""

from __future__ import annotations

import io
from collections.abc import Generator, Sequence
from pathlib import Path

from napari_webipred.execution.plane import Plane
from napari_webipred.execution.preview import picture
from napari_webipred.reports.images import Known, found
from napari_webipred.reports.results import Results

LONGEST = 480  # pixels of a side


def pictures(
    results: Results, folders: Sequence[Path] = (), known: Known | None = None
) -> Generator[int, None, dict[int, bytes]]:
    """Make a picture of each row whose image can be read.

    Parameters
    ----------
    results, folders, known
        See `napari_webipred.reports.images.found`.

    Yields
    ------
    int
        How many files were looked at, or pictures made.

    Returns
    -------
    dict of int to bytes
        PNG, by the numbers of the rows from 0.

    Raises
    ------
    WebIPredError
        An image is not found, or cannot be read any more.
    """
    from PIL import Image

    images = yield from found(results, folders, known)
    intensity = results.record["options"].get("intensity", "auto")
    made: dict[int, bytes] = {}
    for number, row in enumerate(results.rows):
        if row.error:
            continue
        place = images.place_of(row)
        if len(place.indices) != 1:  # of several planes the model has seen something else than any of them
            continue
        plane = Plane(0, place.source, place.indices[0])
        small = Image.fromarray(picture(plane, tuple(intensity) if isinstance(intensity, list) else intensity))
        small.thumbnail((LONGEST, LONGEST))
        buffer = io.BytesIO()
        small.save(buffer, "PNG", optimize=True)
        made[number] = buffer.getvalue()
        yield number
    return made
