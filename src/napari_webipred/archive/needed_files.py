"""Other files that a model file needs: external data of ONNX, and the JSON of a model for Keras weights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from napari_webipred.archive.entry import MAX_FILES, file_chunks
from napari_webipred.errors import ArchiveError

# The Protocol Buffers entry of an ONNX tensor with the name of its external data file: field 1 is the key "location",
# field 2 the name, after its length in one or two bytes.
_LOCATION = rb"\x0a\x08location\x12([\x01-\x7f]|[\x80-\xff]\x01)"
_LONGEST_ENTRY = 512
# The attribute of a Keras HDF5 file that describes the model; a file without it contains only weights.
_MODEL_CONFIG = b"model_config"
# The description of a model in JSON has this near its beginning.
_CLASS_NAME = b'"class_name"'
_BEGINNING = 512


def needed_files(path: Path, kind: str) -> dict[str, Path]:
    """Find the files beside a model's file that it needs, by their names, for a format that has such."""
    find = {"onnx": data_files, "keras-h5": network_files}.get(kind)
    return find(path) if find else {}


def data_files(path: Path) -> dict[str, Path]:
    """Find the external data files of an ONNX file, by their names.

    Only regular files in the same folder count, not links. The file is searched as bytes, so that little memory is
    needed; the names are checked when the model is read.

    Raises
    ------
    ArchiveError
        The file cannot be read, or refers to too many files.
    """
    names: set[str] = set()
    for chunk in _overlapping_chunks(path):
        for found in re.finditer(_LOCATION, chunk):
            length = found[1][0] & 0x7F | (len(found[1]) - 1) << 7
            name = chunk[found.end() : found.end() + length]
            if len(name) == length:  # else it continues in the next chunk, which overlaps this one
                names.add(name.decode("utf-8", "replace"))
        if len(names) > MAX_FILES:
            raise ArchiveError(
                f"{path.name} refers to more than {MAX_FILES} weight files.", "Export the model as one file."
            )
    return {name: path.with_name(name) for name in sorted(names) if _is_plain_name(name) and is_plain_file(path, name)}


def network_files(path: Path) -> dict[str, Path]:
    """Find the JSON files that may describe the model of an HDF5 file with only weights, by their names.

    Raises
    ------
    ArchiveError
        The file cannot be read.
    """
    if any(_MODEL_CONFIG in chunk for chunk in _overlapping_chunks(path)):
        return {}
    beside = (
        each for each in path.parent.iterdir() if each.suffix.lower() == ".json" and is_plain_file(path, each.name)
    )
    return {each.name: each for each in sorted(beside) if _CLASS_NAME in _beginning(each)}


def is_plain_file(path: Path, name: str) -> bool:
    """Tell whether a regular file of this name, not a link, is in the same folder."""
    beside = path.with_name(name)
    return beside.is_file() and not beside.is_symlink()


def _is_plain_name(name: str) -> bool:
    return name.isprintable() and not name.startswith(".") and not re.search(r"[/\\:\ufffd]", name)


def _overlapping_chunks(path: Path) -> Iterator[bytes]:
    """Yield the content in overlapping chunks, so that no entry is split."""
    end = b""
    for chunk in file_chunks(path):
        yield end + chunk
        end = chunk[-_LONGEST_ENTRY:]


def _beginning(path: Path) -> bytes:
    return next(file_chunks(path), b"")[:_BEGINNING]
