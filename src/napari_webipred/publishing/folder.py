"""The folder of a deposit: it appears whole or not at all, and replaces nothing that the user may still need."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from napari_webipred.errors import OptionError
from napari_webipred.names import listed
from napari_webipred.publishing.deposit import SUMS
from napari_webipred.results.output import to_disk, unwritable
from napari_webipred.results.output_folder import alone, folder_being_replaced


def check(folder: Path, *, overwrite: bool) -> None:
    """Make sure that a deposit may be written to a folder, before anything is computed for it.

    Parameters
    ----------
    folder : Path
        New, empty, or with an earlier deposit if that may be replaced.
    overwrite : bool
        Whether an earlier deposit may be replaced.

    Raises
    ------
    OptionError
        It may not be written.
    """
    try:
        if not folder.exists():
            return
        if not folder.is_dir():
            raise OptionError(f"{folder} is a file.", "Choose a new or an empty folder.")
        present = sorted(path.name for path in folder.iterdir())
        foreign = [name for name in present if name not in _written(folder)]
    except OSError as error:
        raise unwritable(folder, error) from error
    if foreign:
        raise OptionError(
            f"The folder {folder} holds other files: {listed(foreign, 5)}.", "Choose a new or an empty folder."
        )
    if present and not overwrite:
        raise OptionError(f"The folder {folder} holds a deposit already.", "Choose a new folder.", "replace deposit")


def write(folder: Path, files: Mapping[str, bytes], *, overwrite: bool = False) -> None:
    """Write the files of a deposit. What goes wrong leaves the folder as it was.

    For the parameters and errors see `check`.
    """
    target = Path(os.path.realpath(folder))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with alone(target), folder_being_replaced(target) as new:
            check(folder, overwrite=overwrite)
            _fill(new, files)
    except OSError as error:
        raise unwritable(folder, error) from error


def _written(folder: Path) -> set[str]:
    """Return the names that a deposit has noted of its files; none if it is no deposit."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return set()
    return {SUMS, *(name for line in lines if len(line.partition("  ")[0]) == 64 and (name := line.partition("  ")[2]))}


def _fill(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir()
    for name, content in files.items():
        with (folder / name).open("xb") as file:
            file.write(content)
            file.flush()
            to_disk(file.fileno())
