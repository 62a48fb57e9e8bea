"""Images of a table that were classified from an archive, retrieved again by their identifiers."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from napari_webipred.errors import OptionError
from napari_webipred.pacs.archive import Archive
from napari_webipred.pacs.found import Series
from napari_webipred.pacs.retrieval import Progress, listing, retrieving
from napari_webipred.reports.results import Results


def retrieved(archive: Archive, results: Results, folder: Path) -> Generator[Progress, None, None]:
    """Retrieve the images of a table into a folder.

    Raises
    ------
    OptionError
        The table does not have the identifiers of the images.
    PacsError
        The archive does not have them, or cannot be reached.
    """
    known = [row for row in results.rows if not row.error]
    if not all(row.identity for row in known):
        raise OptionError(
            "The table does not have the identifiers of the images.", "Classify them again with their identifiers."
        )
    series = dict.fromkeys(Series(row.identity[0], row.identity[1]) for row in known)
    wanted = {row.identity[2] for row in known}
    listed = yield from listing(archive, [*series])
    yield from retrieving(archive, [each for each in listed if each.instance.uid in wanted], folder)
