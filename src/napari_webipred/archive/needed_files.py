"""The files beside a model's file without which it cannot be computed: numbers of ONNX, networks of Keras weights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from napari_webipred.archive.entry import MAX_FILES, file_chunks
from napari_webipred.errors import ArchiveError

# How Protocol Buffers write the entry of an ONNX tensor that names the file with its numbers: field 1 is the key
# "location", field 2 the name, before which stands its length in one byte or two.
_LOCATION = re.compile(rb"\x0a\x08location\x12([\x01-\x7f]|[\x80-\xff]\x01)")
_LONGEST_ENTRY = 512
# The attribute of an HDF5 file by Keras that describes the network; a file without it holds weights alone.
_NETWORK = b"model_config"
# What the description of a network in JSON has near its beginning.
_CLASS_NAME = b'"class_name"'
_BEGINNING = 512


def data_files(path: Path) -> dict[str, Path]:
    """Find the files in which an ONNX file keeps its numbers, by their names.

    Only plain files in the same folder count, no links. The search is for bytes, so that nothing large is kept in
    memory: whoever reads the model has to check what it names.

    Raises
    ------
    ArchiveError
        The file cannot be read, or names more files than a model has.
    """
    names: set[str] = set()
    for piece in _pieces(path):
        for found in _LOCATION.finditer(piece):
            length = found[1][0] & 0x7F | (len(found[1]) - 1) << 7
            name = piece[found.end() : found.end() + length]
            if len(name) == length:  # else it goes on in the next piece, which begins before this entry
                names.add(name.decode("utf-8", "replace"))
        if len(names) > MAX_FILES:
            raise ArchiveError(
                f"{path.name} names more than {MAX_FILES} files with its weights.", "Export the model as one file."
            )
    return {name: path.with_name(name) for name in sorted(names) if _is_plain_name(name) and is_plain_file(path, name)}


def network_files(path: Path) -> dict[str, Path]:
    """Find the JSON files that could describe the network of an HDF5 file, by their names; none if that is whole.

    Raises
    ------
    ArchiveError
        The file cannot be read.
    """
    if any(_NETWORK in piece for piece in _pieces(path)):
        return {}
    beside = (
        each for each in path.parent.iterdir() if each.suffix.lower() == ".json" and is_plain_file(path, each.name)
    )
    return {each.name: each for each in sorted(beside) if _CLASS_NAME in _beginning(each)}


def is_plain_file(path: Path, name: str) -> bool:
    """Tell whether a plain file, no link, of this name lies beside another."""
    beside = path.with_name(name)
    return beside.is_file() and not beside.is_symlink()


def _is_plain_name(name: str) -> bool:
    return name.isprintable() and not name.startswith(".") and not re.search(r"[/\\:\ufffd]", name)


def _pieces(path: Path) -> Iterator[bytes]:
    """Yield the content in pieces that overlap, so that no entry is cut in two."""
    end = b""
    for chunk in file_chunks(path):
        yield end + chunk
        end = chunk[-_LONGEST_ENTRY:]


def _beginning(path: Path) -> bytes:
    return next(file_chunks(path), b"")[:_BEGINNING]
