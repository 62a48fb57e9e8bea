"""The files of a model, read from a folder or a zip archive without trusting either."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import struct
import unicodedata
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import Literal

from napari_webipred.catalogue.own import SIDE_FILES
from napari_webipred.errors import ArchiveError

MAX_FILES = 2000
MAX_BYTES = 4 * 2**30
MAX_JSON_BYTES = 64 * 2**20

_MAX_DIRECTORY_BYTES = 8 * 2**20
_MAX_ENTRIES_SEEN = 20_000
_MAX_DEPTH = 4
_CHUNK = 2**20
_MODEL_SUFFIXES = {"", ".json", ".yaml", ".bin", ".txt", ".weights", ".buf", ".dat"}
_MODEL_SUFFIXES |= {".onnx", ".h5", ".hdf5", ".pb", ".index"}
_OWN_FOLDER = "Put the files of the model, and nothing else, into a folder of their own."
_ANOTHER_ARCHIVE = "Get the archive again from its publisher, or choose another model."

Kind = Literal["zip", "json", "html", "hdf5", "onnx", "empty", "unknown"]
_WHOLE = {"zip", "hdf5", "onnx"}  # one file is the whole model


def kind_of(head: bytes) -> Kind:
    """Tell what a file is from its first bytes (512 are enough), whatever its name says."""
    if not head:
        return "empty"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return "hdf5"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<!--")):
        return "html"
    if text.startswith((b"{", b"[")):
        return "json"
    # ModelProto opens with ir_version (field 1, varint) and goes on with a string or the graph (fields 2 to 8).
    if len(head) > 2 and head[0] == 0x08 and 0 < head[1] < 32 and head[2] in {0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42}:
        return "onnx"
    return "unknown"


@dataclass(frozen=True, slots=True)
class _Member:
    """A file that may be read: how large it says it is and how to get its content in pieces."""

    size: int
    chunks: Callable[[], Iterator[bytes]]


class ModelFiles(Mapping[str, bytes]):
    """The files of one model: relative names with ``/`` to content. Made by `open_files`.

    A content is read when it is asked for and is not kept. Reading raises `ArchiveError` if a file is not what was
    announced when it was opened.

    Attributes
    ----------
    path : Path
        What was opened.
    entry : str or None
        Name of the model's file, if the user pointed at it; None when it is still to be found.
    kind : str
        What was opened: ``"folder"``, or the kind of the file.
    """

    def __init__(
        self,
        path: Path,
        members: Mapping[str, _Member],
        entry: str | None = None,
        kind: Literal["folder"] | Kind = "folder",
    ) -> None:
        self.path = path
        self.entry = entry
        self.kind = kind
        self._members = dict(sorted(members.items()))

    def __getitem__(self, name: str) -> bytes:
        return b"".join(self._chunks(name, self._members[name]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def _chunks(self, name: str, member: _Member) -> Iterator[bytes]:
        """Yield the content of a member, which must be exactly as long as it was announced."""
        limit = MAX_JSON_BYTES if name.lower().endswith(".json") else MAX_BYTES
        if member.size > limit:
            raise ArchiveError(
                f"{name} in {self.path.name} has {member.size} bytes; {limit} are the most that can be read.",
                _ANOTHER_ARCHIVE,
            )
        seen = 0
        try:
            for chunk in member.chunks():
                seen += len(chunk)
                if seen > member.size:
                    break
                yield chunk
        except _BROKEN_ZIP as error:
            raise ArchiveError(f"{name} in {self.path.name} is damaged: {error}.", _ANOTHER_ARCHIVE) from error
        if seen != member.size:
            comparison = "more" if seen > member.size else "fewer"
            raise ArchiveError(
                f"{name} in {self.path.name} has {comparison} than the {member.size} bytes it announces.",
                _ANOTHER_ARCHIVE,
            )

    @cached_property
    def checksum(self) -> str:
        """``sha256:`` and the SHA-256 of all of the model, in hexadecimal digits.

        For a zip, HDF5 or ONNX file this is the hash of that file. For a folder it is the hash, over the files in the
        order of their names, of each name in UTF-8, a zero byte, the size as eight bytes (little endian) and the
        content; before them stand the entry's name (or nothing) and a zero byte, for two topologies may share a folder.
        """
        digest = hashlib.sha256()
        if self.kind in _WHOLE:
            for chunk in _file_chunks(self.path):
                digest.update(chunk)
        else:
            digest.update((self.entry or "").encode() + b"\0")
            for name, member in self._members.items():
                digest.update(name.encode() + b"\0" + member.size.to_bytes(8, "little"))
                for chunk in self._chunks(name, member):
                    digest.update(chunk)
        return f"sha256:{digest.hexdigest()}"


def open_files(path: Path) -> ModelFiles:
    """Open a model folder, a topology ``.json`` (with its folder), a zip, HDF5 or ONNX file; nothing is unpacked.

    What a file is, its content tells, not its name. Hidden files, ``__MACOSX`` and zips within are left out. Of a
    folder only files that can belong to a model count: ``.json``, ``.yaml``, ``.bin``, ``.txt``, ``.onnx``, ``.h5``,
    ``.pb``, names without a suffix, and names with ``shard`` in them, at most four folders deep. Beside an HDF5 or ONNX
    file only those count that can name its classes (`napari_webipred.catalogue.own.SIDE_FILES`).

    Parameters
    ----------
    path : Path
        Folder, JSON file, zip archive, HDF5 or ONNX file.

    Returns
    -------
    ModelFiles
        Its files. The names are safe: relative, without ``..``, and no two are the same but for case.

    Raises
    ------
    ArchiveError
        There is nothing at `path`, it is something else (which the message names), it is damaged, encrypted or unsafe,
        or it holds more than 2000 files or 4 GiB (64 MiB in one JSON).
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return ModelFiles(path, _folder_members(path))
        if not stat.S_ISREG(mode):
            raise ArchiveError(
                f"{path.name} is neither a file nor a folder.", "Choose a model folder or a zip archive."
            )
        with path.open("rb") as file:
            kind = kind_of(file.read(512))
        if kind == "json":
            members = _folder_members(path.parent)
            members[path.name] = _file_member(path)
            return ModelFiles(path, members, path.name, kind)
        if kind == "zip":
            return _open_zip(path)
        if kind in _WHOLE:
            beside = {name: path.with_name(name) for name in SIDE_FILES}
            members = {name: _file_member(file) for name, file in beside.items() if _is_plain_file(file)}
            members[path.name] = _file_member(path)
            return ModelFiles(path, members, path.name, kind)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArchiveError(f"There is no file or folder {path}.", "Check the path for typing errors.") from error
    except OSError as error:
        raise ArchiveError(f"{path} cannot be read: {error.strerror}.", "Check the permissions of the file.") from error
    what, hint = _NO_MODEL[kind]
    raise ArchiveError(f"{path.name} {what}.", hint)


_NO_MODEL = {
    "empty": ("is an empty file", "Get the file again; its download was probably interrupted."),
    "html": (
        "is a web page, not a zip archive",
        "A server or proxy has sent a page instead of the file: open it in a browser and read what it says.",
    ),
    "unknown": (
        "is not a model",
        "Choose a TensorFlow.js model (a zip archive, a folder or a model.json), a Keras file or an ONNX file.",
    ),
}


# --- folders ---------------------------------------------------------------------------------------------------------


def _folder_members(folder: Path) -> dict[str, _Member]:
    root = folder.resolve()
    members: dict[str, _Member] = {}
    for name in _names_below(folder):
        path = folder / name
        if path.is_dir():
            continue
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise ArchiveError(f"{name} in {folder.name} is a link to a place outside the folder.", _OWN_FOLDER)
        if path.is_file():
            members[name] = _file_member(path)
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
                if _is_noise(name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if depth < _MAX_DEPTH:
                        todo.append((f"{name}/", depth + 1))
                elif Path(name).suffix.lower() in _MODEL_SUFFIXES or _is_part(entry.name):
                    yield name


def _is_part(name: str) -> bool:
    """Tell whether this is one of several files that hold the weights, such as ``group1-shard1of8``."""
    return bool(re.search(r"shard|data-\d+-of-\d+$", name.lower()))


def _is_plain_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _file_member(path: Path) -> _Member:
    return _Member(path.stat().st_size, partial(_file_chunks, path))


def _file_chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise ArchiveError(f"{path} cannot be read: {error.strerror}.", "Check the permissions of the file.") from error


# --- archives --------------------------------------------------------------------------------------------------------


class _DirectoryTooLargeError(Exception):
    """The table of contents is larger than any honest one with the permitted number of files."""


class _ZipFile(FileIO):
    """A zip on disk of which never more than a few MiB are read at once, so that no size in it must be believed."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _MAX_DIRECTORY_BYTES:
            raise _DirectoryTooLargeError
        return super().read(size) or b""


# What zipfile raises on malformed input: a negative offset is an OSError, a name that is not UTF-8 a ValueError.
_BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


def _open_zip(path: Path) -> ModelFiles:
    file = _ZipFile(path)
    try:
        archive = zipfile.ZipFile(file)
        infos = archive.infolist()
        _check_archive(path.name, infos)
    except _DirectoryTooLargeError as error:
        file.close()
        raise ArchiveError(f"The table of contents of {path.name} is too large.", _ANOTHER_ARCHIVE) from error
    except _BROKEN_ZIP as error:
        file.close()
        raise ArchiveError(f"{path.name} is a damaged zip archive: {error}.", _ANOTHER_ARCHIVE) from error
    except ArchiveError:
        file.close()
        raise
    members = {
        info.filename: _Member(info.file_size, partial(_zip_chunks, archive, info))
        for info in infos
        if not info.is_dir() and not _is_noise(info.filename)
    }
    files = ModelFiles(path, members, kind="zip")
    weakref.finalize(files, file.close)
    return files


def _zip_chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(info) as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _check_archive(name: str, infos: list[zipfile.ZipInfo]) -> None:
    """Refuse the whole archive for a single bad member: an honest one has none."""
    if len(infos) > MAX_FILES:
        raise ArchiveError(f"{name} holds {len(infos)} files; {MAX_FILES} are the most allowed.", _ANOTHER_ARCHIVE)
    total = sum(info.file_size for info in infos)
    if total > MAX_BYTES:
        raise ArchiveError(f"{name} unpacks to {total} bytes; {MAX_BYTES} are the most allowed.", _ANOTHER_ARCHIVE)
    taken: set[str] = set()
    for info in infos:
        member = info.orig_filename
        if fault := _fault(info):
            raise ArchiveError(f"{name} is refused: its member {member[:200]!r} {fault}.", _ANOTHER_ARCHIVE)
        key = unicodedata.normalize("NFC", member.rstrip("/")).casefold()
        if key in taken:
            raise ArchiveError(
                f"{name} is refused: it holds {member[:200]!r} twice, or another that differs only in case.",
                _ANOTHER_ARCHIVE,
            )
        taken.add(key)


def _fault(info: zipfile.ZipInfo) -> str | None:
    """Say what makes a member unacceptable, if anything does.

    zipfile cuts names at a zero byte and, on Windows, turns backslashes round; so the name in the file is judged.
    """
    name = info.orig_filename
    if not name.rstrip("/") or any(ord(letter) < 32 for letter in name):
        return "has no proper name"
    if "\\" in name or name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/"):
        return "points outside the archive"
    if "" in name.rstrip("/").split("/") or "." in name.split("/"):
        return "has no proper name"
    if len(name) > 1024:
        return "has too long a name"
    if info.flag_bits & 0x1:
        return "is encrypted"
    if stat.S_IFMT(info.external_attr >> 16) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "is a link or a device, not a file"
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        # zipfile inflates bz2 and LZMA without a bound on what comes out at once.
        return f"is compressed by method {info.compress_type}; only stored and deflated files are read"
    return None


def _is_noise(name: str) -> bool:
    """Tell whether this is what operating systems add, a hidden file or an archive within."""
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") or part == "__MACOSX" for part in parts) or name.lower().endswith(".zip")
