"""What belongs together, by the path of each image."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_webipred._napari.evaluation.run_predictions import Known, RunPredictions

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
