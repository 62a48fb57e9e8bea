"""The files of a model, read from a folder or a zip archive without trusting either."""

from __future__ import annotations

import hashlib
import stat
import weakref
from collections.abc import Iterator, Mapping
from functools import cached_property
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Literal

from napari_webipred import file_errors, outside_json
from napari_webipred.catalogue.member import MAX_BYTES, MAX_SIDE_BYTES, Member, file_chunks, file_member
from napari_webipred.catalogue.model_folder import folder_members
from napari_webipred.catalogue.own import SIDE_FILES
from napari_webipred.catalogue.zip_archive import ANOTHER_ARCHIVE, zip_members
from napari_webipred.errors import ArchiveError, TooLargeError

SAVED_MODEL = "saved_model.pb"  # one of the files of a TensorFlow SavedModel, which is a folder

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


class ModelFiles(Mapping[str, bytes]):
    """The files of one model: relative names with ``/`` to content. Made by `open_files`.

    A content is read when it is asked for and is not kept. Reading raises `ArchiveError` if a file is not what was
    announced when it was opened, and `TooLargeError` for a JSON file of more than 8 MiB and a text or
    YAML file of more than 1 MiB.

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
        members: Mapping[str, Member],
        entry: str | None = None,
        kind: Literal["folder"] | Kind = "folder",
    ) -> None:
        self.path = path
        self.entry = entry
        self.kind = kind
        self._members = dict(sorted(members.items()))

    def __getitem__(self, name: str) -> bytes:
        member, limit = self._members[name], _limit(name)
        if member.size > limit:
            raise TooLargeError(
                f"{name} in {self.path.name} has {member.size} bytes; {limit} are the most that can be read.",
                ANOTHER_ARCHIVE,
            )
        content = BytesIO()  # unlike `bytes.join`, it never holds everything twice
        for chunk in self._chunks(name, member):
            content.write(chunk)
        return content.getvalue()

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def _chunks(self, name: str, member: Member) -> Iterator[bytes]:
        """Yield the content of a member, which must be exactly as long as it was announced."""
        seen = 0
        for chunk in member.chunks():
            seen += len(chunk)
            if seen > member.size:
                break
            yield chunk
        if seen != member.size:
            comparison = "more" if seen > member.size else "fewer"
            raise ArchiveError(
                f"{name} in {self.path.name} has {comparison} than the {member.size} bytes it announces.",
                ANOTHER_ARCHIVE,
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
            for chunk in file_chunks(self.path):
                digest.update(chunk)
        else:
            digest.update(_encoded(self.entry or "") + b"\0")
            for name, member in self._members.items():
                digest.update(_encoded(name) + b"\0" + member.size.to_bytes(8, "little"))
                for chunk in self._chunks(name, member):
                    digest.update(chunk)
        return f"sha256:{digest.hexdigest()}"


def _encoded(name: str) -> bytes:
    """Encode a name in UTF-8; surrogates stand for the bytes of one that is not UTF-8 on disk."""
    return name.encode("utf-8", "surrogatepass")


def _limit(name: str) -> int:
    """Return how many bytes a file may have, which bounds the memory before it is unpacked."""
    limits = {".json": outside_json.MAX_BYTES, ".txt": MAX_SIDE_BYTES, ".yaml": MAX_SIDE_BYTES, ".yml": MAX_SIDE_BYTES}
    return limits.get(PurePosixPath(name).suffix.lower(), MAX_BYTES)


def open_files(path: Path) -> ModelFiles:
    """Open a model folder, a topology ``.json`` (with its folder), a zip, HDF5 or ONNX file; nothing is unpacked.

    A file ``saved_model.pb`` stands for its folder.

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
        or it holds more than 2000 files or 4 GiB.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return ModelFiles(path, folder_members(path))
        if not stat.S_ISREG(mode):
            raise ArchiveError(
                f"{path.name} is neither a file nor a folder.", "Choose a model folder or a zip archive."
            )
        if path.name == SAVED_MODEL:
            return ModelFiles(path.parent, folder_members(path.parent))
        with path.open("rb") as opened:
            kind = kind_of(opened.read(512))
        if kind == "json":
            members = folder_members(path.parent)
            members[path.name] = file_member(path)
            return ModelFiles(path, members, path.name, kind)
        if kind == "zip":
            members, file = zip_members(path)
            files = ModelFiles(path, members, kind=kind)
            weakref.finalize(files, file.close)
            return files
        if kind in _WHOLE:
            beside = {name: path.with_name(name) for name in SIDE_FILES}
            members = {name: file_member(other) for name, other in beside.items() if _is_plain_file(other)}
            members[path.name] = file_member(path)
            return ModelFiles(path, members, path.name, kind)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArchiveError(f"There is no file or folder {path}.", "Check the path for typing errors.") from error
    except OSError as error:
        reason, remedy = file_errors.reading(error)
        raise ArchiveError(f"{path} cannot be read: {reason}.", remedy) from error
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


def _is_plain_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
