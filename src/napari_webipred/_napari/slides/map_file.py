"""Heat maps as files."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from napari_webipred._napari.chosen_file import completed, named_briefly
from napari_webipred.errors import OptionError

if TYPE_CHECKING:
    from napari_webipred._napari.slides.map_run import MapRun

# The first one is the usual one.
KINDS = {
    "OME-Zarr (*.zarr)": ".zarr",
    "OME-TIFF (*.tif)": ".tif",
    "CSV, a row for each tile (*.csv)": ".csv",
    "GeoJSON for QuPath (*.geojson)": ".geojson",
}
FILTER = ";;".join(KINDS)


def save_map(run: MapRun, path: Path, kind: str = "", inputs: tuple[str, ...] = ()) -> Generator[None, None, Path]:
    """Write a map that is not computed any more, and its record; return the path of the file or folder.

    Parameters
    ----------
    run : MapRun
    path : Path
        As the dialog gave it, which has asked before if there is such a file.
    kind : str
        One of `KINDS`, which gives the suffix to a name without one.
    inputs : tuple of str
        Files that are never replaced: that of the picture.

    Raises
    ------
    OptionError
        A file with the completed name exists, or it cannot be written.
    """
    from napari_webipred.slides.saving import claimed_output, facts_of

    yield
    path = completed(path, KINDS.get(kind, ".zarr"))
    heat, wanted = run.heat, run.wanted
    assert heat is not None
    try:
        # The dialog asks about files; a folder is replaced only if it holds a heat map of this program.
        with claimed_output(path, lambda there: there == path and not path.is_dir(), inputs) as write:
            facts = facts_of(wanted.model, run.request, wanted.options, heat, wanted.picture, run.given)
            yield
            write(heat, facts)
    except OptionError as error:
        raise named_briefly(error, path) from error
    return path
