"""A folder on disk, read as the files of a model."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from napari_webipred.archive.entry import MAX_BYTES, MAX_FILES, ArchiveEntry, file_entry, is_noise
from napari_webipred.archive.label_files import LABEL_FILES
from napari_webipred.archive.needed_files import data_files
from napari_webipred.errors import ArchiveError
from napari_webipred.formats import BY_ID, FORMATS

_MAX_ENTRIES_SEEN = 20_000
_MAX_DEPTH = 4
_SUFFIXES = {"", ".json", ".yaml", ".bin", ".txt", ".weights", ".buf", ".dat"}
_SUFFIXES |= {".index"} | {Path(name).suffix or name for each in FORMATS for name in each.names}
_OWN_FOLDER = "Put only the files of the model into a folder, and choose that folder."


def folder_entries(folder: Path) -> dict[str, ArchiveEntry]:
    """Find the files in a folder that may belong to a model, by their relative names with ``/``.

    Raises
    ------
    ArchiveError
        A link points outside the folder, or there are too many or too large files.
    OSError
        The folder cannot be read.
    """
    root = folder.resolve()
    files: dict[str, ArchiveEntry] = {}
    for name in _names_below(folder):
        path = folder / name
        if path.is_dir():
            continue
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise ArchiveError(f"{name} in {folder.name} is a link that points outside the folder.", _OWN_FOLDER)
        if path.is_file():
            files[name] = file_entry(path)
    for name in [name for name in files if name.lower().endswith(BY_ID["onnx"].suffixes)]:
        below = name[: name.rfind("/") + 1]
        files |= {below + data: file_entry(path) for data, path in data_files(folder / name).items()}
    if len(files) > MAX_FILES or sum(entry.size for entry in files.values()) > MAX_BYTES:
        raise ArchiveError(
            f"The folder {folder.name} contains more than {MAX_FILES} model files or {MAX_BYTES} bytes.",
            _OWN_FOLDER,
        )
    return files


def _names_below(folder: Path) -> Iterator[str]:
    """Yield the relative names of files that may belong to a model; links to folders are not followed."""
    seen = 0
    todo = [("", 1)]
    while todo:
        below, depth = todo.pop()
        with os.scandir(folder / below) as entries:
            for entry in entries:
                seen += 1
                if seen > _MAX_ENTRIES_SEEN:
                    raise ArchiveError(
                        f"The folder {folder.name} contains more than {_MAX_ENTRIES_SEEN} files.", _OWN_FOLDER
                    )
                name = below + entry.name
                if is_noise(name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if depth < _MAX_DEPTH:
                        todo.append((f"{name}/", depth + 1))
                elif Path(name).suffix.lower() in _SUFFIXES or entry.name in LABEL_FILES or _is_shard(entry.name):
                    yield name


def _is_shard(name: str) -> bool:
    """Tell whether this is one of several weight files, such as ``group1-shard1of8``."""
    return bool(re.search(r"shard|data-\d+-of-\d+$", name.lower()))
