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

_MAX_ENTRIES_SEEN = 20_000
_MAX_DEPTH = 4
_SUFFIXES = {"", ".json", ".yaml", ".bin", ".txt", ".weights", ".buf", ".dat"}
_SUFFIXES |= {".onnx", ".h5", ".hdf5", ".keras", ".pb", ".index"}
_OWN_FOLDER = "Put the files of the model, and nothing else, into a folder of their own."


def folder_members(folder: Path) -> dict[str, ArchiveEntry]:
    """Find what could be files of a model in a folder, by their relative names with ``/``.

    Raises
    ------
    ArchiveError
        A link leads out of the folder, or it holds more than a model does.
    OSError
        The folder cannot be listed.
    """
    root = folder.resolve()
    members: dict[str, ArchiveEntry] = {}
    for name in _names_below(folder):
        path = folder / name
        if path.is_dir():
            continue
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise ArchiveError(f"{name} in {folder.name} is a link to a place outside the folder.", _OWN_FOLDER)
        if path.is_file():
            members[name] = file_entry(path)
    for name in [name for name in members if name.lower().endswith(".onnx")]:
        below = name[: name.rfind("/") + 1]
        members |= {below + data: file_entry(path) for data, path in data_files(folder / name).items()}
    if len(members) > MAX_FILES or sum(member.size for member in members.values()) > MAX_BYTES:
        raise ArchiveError(
            f"The folder {folder.name} holds more than {MAX_FILES} files or {MAX_BYTES} bytes that could be a model's.",
            _OWN_FOLDER,
        )
    return members


def _names_below(folder: Path) -> Iterator[str]:
    """Yield the names, relative to `folder`, of what could be a model's files; links to folders are not followed."""
    seen = 0
    todo = [("", 1)]
    while todo:
        below, depth = todo.pop()
        with os.scandir(folder / below) as entries:
            for entry in entries:
                seen += 1
                if seen > _MAX_ENTRIES_SEEN:
                    raise ArchiveError(f"The folder {folder.name} holds too many files for a model.", _OWN_FOLDER)
                name = below + entry.name
                if is_noise(name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if depth < _MAX_DEPTH:
                        todo.append((f"{name}/", depth + 1))
                elif Path(name).suffix.lower() in _SUFFIXES or entry.name in LABEL_FILES or _is_part(entry.name):
                    yield name


def _is_part(name: str) -> bool:
    """Tell whether this is one of several files that hold the weights, such as ``group1-shard1of8``."""
    return bool(re.search(r"shard|data-\d+-of-\d+$", name.lower()))
