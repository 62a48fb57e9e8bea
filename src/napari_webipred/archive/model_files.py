"""The files of a model, read from a folder or a zip archive without trusting either."""

from __future__ import annotations

import hashlib
import stat
import weakref
from collections.abc import Iterator, Mapping
from functools import cached_property
from io import BytesIO, IOBase
from pathlib import Path, PurePosixPath

from napari_webipred import file_errors, formats, safe_json
from napari_webipred.archive.entry import (
    ANOTHER_ARCHIVE,
    MAX_BYTES,
    MAX_SIDE_BYTES,
    ArchiveEntry,
    file_chunks,
    file_entry,
)
from napari_webipred.archive.label_files import SIDE_FILES
from napari_webipred.archive.model_folder import folder_entries
from napari_webipred.archive.needed_files import is_plain_file, needed_files
from napari_webipred.errors import ArchiveError, ModelError, TooLargeError


class ModelFiles(Mapping[str, bytes]):
    """The files of one model: relative names with ``/`` to content. Made by `open_files`.

    A content is read when it is asked for and is not kept. Reading raises `ArchiveError` if a file is not what was
    announced when it was opened, and `TooLargeError` for a JSON file of more than 8 MiB and a text, CSV or
    YAML file of more than 1 MiB.

    Attributes
    ----------
    path : Path
        What was opened.
    entry : str or None
        Name of the model's file, if the user pointed at it; None when it is still to be found.
    kind : str
        What was opened: ``"folder"``, or the kind of the file, see `napari_webipred.formats.kind_of`.
    """

    def __init__(
        self,
        path: Path,
        entries: Mapping[str, ArchiveEntry],
        entry: str | None = None,
        kind: str = "folder",
        beside: Mapping[str, ArchiveEntry] | None = None,
    ) -> None:
        self.path = path
        self.entry = entry
        self.kind = kind
        self._numbers = dict(sorted(entries.items()))  # on which the numbers of the model depend
        self._entries = dict(sorted({**(beside or {}), **entries}.items()))

    def __getitem__(self, name: str) -> bytes:
        file, limit = self._entries[name], _limit(name)
        if file.size > limit:
            raise TooLargeError(
                f"{name} in {self.path.name} has {file.size} bytes; {limit} are the most that can be read.",
                ANOTHER_ARCHIVE,
            )
        content = BytesIO()  # unlike `bytes.join`, it never holds everything twice
        for chunk in self._chunks(name, file):
            content.write(chunk)
        return content.getvalue()

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def _chunks(self, name: str, file: ArchiveEntry) -> Iterator[bytes]:
        """Yield the content of a file, which must be exactly as long as it was announced."""
        seen = 0
        for chunk in file.chunks():
            seen += len(chunk)
            if seen > file.size:
                break
            yield chunk
        if seen != file.size:
            comparison = "more" if seen > file.size else "fewer"
            raise ArchiveError(
                f"{name} in {self.path.name} has {comparison} than the {file.size} bytes it announces.",
                ANOTHER_ARCHIVE,
            )

    def unpacked(self, name: str) -> ModelFiles:
        """Open an archive that is one of the files, a model that Keras 3 saved.

        Raises
        ------
        ArchiveError
            It is damaged, unsafe or too large.
        """
        file = self._entries[name]
        last = PurePosixPath(name).name
        return _of_zip(self.path / name, *_unzipped(last, self[name] if file.path is None else file.path))

    def model_file(self, named: str | None) -> str | None:
        """Return the name of the model's file: what the user pointed at, else what its card names, if anything.

        Raises
        ------
        ModelError
            There is no such file.
        """
        if self.entry is None and named is not None and named not in self:
            present = ", ".join(list(self)[:10]) or "no file at all"
            raise ModelError(
                f"The card of {self.path.name} says weights.entry_point = {named!r}. It is not there; found {present}.",
                "Correct it in the card, or remove it.",
            )
        return self.entry or named

    def on_disk(self) -> list[tuple[str, Path]]:
        """Return what the checksum depends on: names, and the files that they lie in; empty if that is not known."""
        if self.path.is_file() and self.kind == "zip":
            return [(self.entry or "", self.path)]
        places = [(f"{self.entry or ''}/{name}", file.path) for name, file in self._numbers.items()]
        found = [(name, path) for name, path in places if path is not None]
        return found if len(found) == len(places) else []

    @cached_property
    def checksum(self) -> str:
        """``sha256:`` and the SHA-256 of all that the model's numbers depend on, in hexadecimal digits.

        For a model in one file this is the hash of that file. For several it is the hash, over the files in the
        order of their names, of each name in UTF-8, a zero byte, the size as eight bytes (little endian) and the
        content; before them stand the entry's name (or nothing) and a zero byte, for two topologies may share a folder.
        What only names the classes of a model in one file is no part of it.
        """
        digest = hashlib.sha256()
        alone = self.entry is None or list(self._numbers) == [self.entry]
        if alone and self.path.is_file() and self.kind != "json":
            for chunk in file_chunks(self.path):
                digest.update(chunk)
        else:
            digest.update(_encoded(self.entry or "") + b"\0")
            for name, file in self._numbers.items():
                digest.update(_encoded(name) + b"\0" + file.size.to_bytes(8, "little"))
                for chunk in self._chunks(name, file):
                    digest.update(chunk)
        return f"sha256:{digest.hexdigest()}"


def _encoded(name: str) -> bytes:
    """Encode a name in UTF-8; surrogates stand for the bytes of one that is not UTF-8 on disk."""
    return name.encode("utf-8", "surrogatepass")


def _limit(name: str) -> int:
    """Return how many bytes a file may have, which bounds the memory before it is unpacked."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ".json":
        return safe_json.MAX_BYTES
    return MAX_SIDE_BYTES if suffix in {".txt", ".csv", ".yaml", ".yml"} else MAX_BYTES


def open_files(path: Path) -> ModelFiles:
    """Open a model folder, a topology ``.json`` (with its folder), a zip, Keras or ONNX file; nothing is unpacked.

    A file ``saved_model.pb`` stands for its folder. A path that goes on behind a zip archive, as in
    ``models.zip/small/model.onnx``, means that file in it.

    What a file is, its content tells, not its name. Hidden files, ``__MACOSX`` and zips within are left out. Of a
    folder only files that can belong to a model count, at most four folders deep
    (`napari_webipred.archive.model_folder`). Beside a Keras or ONNX file only those count that can name its classes
    (`napari_webipred.archive.label_files.SIDE_FILES`) and those that it needs (`napari_webipred.archive.needed_files`).

    Parameters
    ----------
    path : Path
        Folder, JSON file, zip archive, Keras or ONNX file.

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
        if (outer := _zip_around(path)) is not None:
            return _file_in_zip(outer, path.relative_to(outer).as_posix())
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return ModelFiles(path, folder_entries(path))
        if not stat.S_ISREG(mode):
            raise ArchiveError(
                f"{path.name} is neither a file nor a folder.", "Choose a model folder or a zip archive."
            )
        if path.name == formats.BY_ID["saved-model"].file_name:
            return ModelFiles(path.parent, folder_entries(path.parent))
        return _of_file(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArchiveError(f"There is no file or folder {path}.", "Check the path for typing errors.") from error
    except OSError as error:
        reason, remedy = file_errors.reading(error)
        raise ArchiveError(f"{path.name} cannot be read: {reason}.", remedy) from error


def in_memory(name: str, archive: bytes) -> ModelFiles:
    """Open a zip archive that is in memory; its checksum is the one that it will have as a file.

    Raises
    ------
    ArchiveError
        It is damaged, unsafe or too large.
    """
    files = _of_zip(Path(name), *_unzipped(name, archive))
    files.checksum = f"sha256:{hashlib.sha256(archive).hexdigest()}"
    return files


def exists(path: Path) -> bool:
    """Tell whether there is something at a path, or whether it could lie in a zip archive."""
    try:
        return path.exists() or _zip_around(path) is not None
    except OSError:  # what is too long for a path is an address, or nothing
        return False


def _of_file(path: Path) -> ModelFiles:
    with path.open("rb") as opened:
        kind = formats.kind_of(opened.read(512))
    own = {path.name: file_entry(path)}
    beside = {name: file_entry(path.with_name(name)) for name in SIDE_FILES if is_plain_file(path, name)}
    match kind:
        case "json":
            return ModelFiles(path, folder_entries(path.parent) | own, path.name, kind)
        case "zip":
            entries, file = _unzipped(path.name, path)
            packed = (each for each in formats.FORMATS if each.members and entries.keys() >= set(each.members))
            if (found := next(packed, None)) is None:
                return _of_zip(path, entries, file)
            file.close()
            return ModelFiles(path, own, path.name, found.id, beside)
        case _ if kind in _NO_MODEL:
            what, hint = _NO_MODEL[kind]
            raise ArchiveError(f"{path.name} {what}.", hint)
    own |= {name: file_entry(place) for name, place in needed_files(path, kind).items()}
    return ModelFiles(path, own, path.name, kind, beside)


def _unzipped(name: str, archive: Path | bytes) -> tuple[dict[str, ArchiveEntry], IOBase]:
    """List the entries of a zip archive; what reads archives is imported with the first one."""
    from napari_webipred.archive.zip_file import zip_entries

    return zip_entries(name, archive)


def _of_zip(path: Path, entries: Mapping[str, ArchiveEntry], file: IOBase, entry: str | None = None) -> ModelFiles:
    files = ModelFiles(path, entries, entry, "zip")
    weakref.finalize(files, file.close)
    return files


def _zip_around(path: Path) -> Path | None:
    """Return the zip archive that a path goes on behind; None if it does not."""
    around = next((parent for parent in path.parents if parent.is_file()), None)
    if around is None:
        return None
    from zipfile import is_zipfile

    return around if is_zipfile(around) else None


def _file_in_zip(archive: Path, entry: str) -> ModelFiles:
    """Open one of several models in a zip archive, with the files of its folder and those in the folders around it."""
    entries, file = _unzipped(archive.name, archive)
    if entry not in entries:
        file.close()
        present = ", ".join(list(entries)[:10]) or "no file at all"
        raise ArchiveError(f"There is no file {entry} in {archive.name}; found {present}.", "Choose one of its files.")
    folder = PurePosixPath(entry).parent
    around = {
        name: each
        for name, each in entries.items()
        if (place := PurePosixPath(name).parent).is_relative_to(folder) or folder.is_relative_to(place)
    }
    return _of_zip(archive, around, file, entry)


_NO_MODEL = {
    "empty": ("is an empty file", "Get the file again; its download was probably interrupted."),
    "html": (
        "is a web page, not a zip archive",
        "A server or proxy has sent a page instead of the file: open it in a browser and read what it says.",
    ),
    "unknown": (
        "is not a model",
        f"Choose {formats.listed()}, or a folder or zip archive that holds one.",
    ),
}
