"""What belongs together, by the path of each image or by a table."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from msgspec.structs import replace

from napari_webipred.errors import OptionError

if TYPE_CHECKING:
    from napari_webipred._napari.evaluation.run_predictions import Known, RunPredictions

TABLE = "table"  # a column of a file
FOLDER, ABOVE, NAME = "folder", "above", "name"
GROUPINGS = {
    FOLDER: "images of a folder",
    ABOVE: "images of the folder above",
    NAME: "names alike up to “_” or “-”",
}


def group_of(path: str, kind: str) -> str:
    """Return what an image belongs to; itself if its path says nothing.

    Parameters
    ----------
    path : str
        Of an image, with slashes of any kind.
    kind : str
        One of `GROUPINGS`.
    """
    parts = PurePosixPath(path.replace("\\", "/"))
    if kind == NAME:
        first = re.split(r"[_-]", parts.stem, maxsplit=1)[0]
        return first or path
    folder = parts.parent if kind == FOLDER else parts.parent.parent
    return str(folder) if len(parts.parts) > (1 if kind == FOLDER else 2) else path


def grouped(known: Callable[[RunPredictions], Known], kind: str) -> Callable[[RunPredictions], Known]:
    """Give each label the group that the path of its image says."""

    def with_groups(given: RunPredictions) -> Known:
        labels, axes, made = known(given)
        paths = dict(zip(given.predictions.images, given.paths, strict=True))
        found = [replace(label, group=group_of(paths.get(label.image, label.image), kind)) for label in labels]
        return found, axes, {**made, "groups": GROUPINGS[kind]}

    return with_groups


def grouped_by_table(
    known: Callable[[RunPredictions], Known], path: Path, column: str
) -> Callable[[RunPredictions], Known]:
    """Give each label the group of its image in a table; an image that is not in it is a group by itself."""

    def with_groups(given: RunPredictions) -> Known:
        from napari_webipred.evaluation.given import described
        from napari_webipred.evaluation.matching import paired
        from napari_webipred.evaluation.truth import groups_from

        labels, axes, made = known(given)
        groups = groups_from(path, column)
        names = list(dict.fromkeys(label.image for label in labels))
        files = dict(zip(given.predictions.images, given.paths, strict=True))
        rows = paired(list(dict.fromkeys(files.get(name, name) for name in names)), list(groups)).found
        of_file = {name: rows[file] for name in names if (file := files.get(name, name)) in rows}
        row_of = max(paired(names, list(groups)).found, of_file, key=len)
        if not row_of:
            hint = f"The first label is of {names[0]}. Paths or file names must be the same." if names else ""
            raise OptionError(f"{path.name} has no group of any image with a label.", hint)
        found = [replace(label, group=groups[row_of[label.image]] if label.image in row_of else "") for label in labels]
        return found, axes, {**made, "groups": {**described(path), "column": column}}

    return with_groups
