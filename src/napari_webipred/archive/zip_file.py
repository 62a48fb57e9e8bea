"""A zip archive, read as the files of a model. Nothing that it declares is trusted without a check."""

from __future__ import annotations

import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import SEEK_END, BytesIO, FileIO
from pathlib import Path

from napari_webipred.archive.entry import ANOTHER_ARCHIVE, CHUNK, MAX_BYTES, MAX_FILES, ArchiveEntry, is_noise
from napari_webipred.errors import ArchiveError

# Weights hardly compress, but zeros compress by a factor of 1000, so the ratio counts only for large archives.
_MAX_SUSPICIOUS_BYTES = 128 * 2**20
_MAX_RATIO = 100
_MAX_DIRECTORY_BYTES = 2 * 2**20
_MAX_NAME = 1024
_LOCAL_HEADER = struct.Struct("<4sHHHHHLLLHH")
_ENCRYPTED, _SIZES_FOLLOW, _UTF8 = 0x1, 0x8, 0x800
_IN_EXTRA_FIELD = 0xFFFF_FFFF

# Errors of zipfile for malformed input: OSError for a negative offset, ValueError for a name that is not UTF-8.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


class _OnDisk(FileIO):
    """A zip archive on disk. At most a few MiB are read at once, whatever sizes it declares."""

    def read(self, size: int | None = -1, /) -> bytes:
        _check_read(size)
        return super().read(size) or b""


class _InMemory(BytesIO):
    """A zip archive inside another archive."""

    def read(self, size: int | None = -1, /) -> bytes:
        _check_read(size)
        return super().read(size)


def _check_read(size: int | None) -> None:
    if size is not None and size > _MAX_DIRECTORY_BYTES:
        raise zipfile.BadZipFile("its table of contents is too large")


@contextmanager
def _explained(damage: str) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise ArchiveError(f"{damage}: {error}.", ANOTHER_ARCHIVE) from error


def zip_entries(name: str, source: Path | bytes) -> tuple[dict[str, ArchiveEntry], FileIO | BytesIO]:
    """List the entries of a zip archive; nothing is unpacked.

    The whole archive is refused if one entry is unsafe: if its name points outside the archive or occurs twice (names
    that differ only in case or accents count as equal), if it is a link, a device or encrypted, if it overlaps another
    entry, or if the table of contents does not match its header.

    Parameters
    ----------
    name : str
        Name of the archive, for messages.
    source : Path or bytes
        Path or content of the archive.

    Returns
    -------
    entries : dict of str to ArchiveEntry
        Without files that operating systems add, hidden files and nested archives. Reading a damaged entry raises
        ArchiveError.
    file : FileIO or BytesIO
        Must be closed when the entries are no longer needed.

    Raises
    ------
    ArchiveError
        The archive is damaged, unsafe or too large.
    """
    file = _OnDisk(source) if isinstance(source, Path) else _InMemory(source)
    try:
        with _explained(f"{name} is a damaged zip archive"):
            archive = zipfile.ZipFile(file)
            infos = archive.infolist()
            _check_amount(name, file.seek(0, SEEK_END), infos)
            _check_names(name, infos)
            _check_places(name, file, infos, archive.start_dir)
    except ArchiveError:
        file.close()
        raise
    entries = {
        info.filename: ArchiveEntry(info.file_size, partial(_chunks, name, archive, info))
        for info in infos
        if not info.is_dir() and not is_noise(info.filename)
    }
    return entries, file


def _chunks(name: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    with _explained(f"{info.filename} in {name} is damaged"), archive.open(info) as entry:
        while chunk := entry.read(CHUNK):
            yield chunk


def _check_amount(name: str, packed: int, infos: list[zipfile.ZipInfo]) -> None:
    if len(infos) > MAX_FILES:
        raise ArchiveError(f"{name} contains {len(infos)} files; at most {MAX_FILES} are allowed.", ANOTHER_ARCHIVE)
    total = sum(info.file_size for info in infos)
    if total > MAX_BYTES:
        raise ArchiveError(f"{name} unpacks to {total} bytes; at most {MAX_BYTES} are allowed.", ANOTHER_ARCHIVE)
    if total > _MAX_SUSPICIOUS_BYTES and total > _MAX_RATIO * packed:
        raise ArchiveError(
            f"{name} is refused: its {packed} bytes unpack to {total} bytes, {total // packed} times as many.",
            ANOTHER_ARCHIVE,
        )


def _check_names(name: str, infos: list[zipfile.ZipInfo]) -> None:
    seen: set[str] = set()
    for info in infos:
        entry = info.orig_filename
        if fault := _fault(info):
            raise ArchiveError(f"{name} is refused: its entry {entry[:200]!r} {fault}.", ANOTHER_ARCHIVE)
        key = unicodedata.normalize("NFC", info.filename.rstrip("/")).casefold()
        if key in seen:
            raise ArchiveError(
                f"{name} is refused: it contains {entry[:200]!r} twice (case is ignored).",
                ANOTHER_ARCHIVE,
            )
        seen.add(key)


def _fault(info: zipfile.ZipInfo) -> str | None:  # noqa: C901, PLR0911 - a list of faults, one after the other
    """Return the reason to refuse an entry; None if there is none.

    zipfile cuts names at a zero byte, replaces backslashes on Windows and, in newer versions of Python, prefers a
    second name from an extra field. So both names are checked: the one in the file and the one that is used.
    """
    for name in {info.orig_filename, info.filename}:
        if not name.rstrip("/") or any(ord(letter) < 32 for letter in name):
            return "has no valid name"
        if "\\" in name or name.startswith("/") or re.match(r".:", name) or ".." in name.split("/"):
            return "points outside the archive"
        if "" in name.rstrip("/").split("/") or "." in name.split("/"):
            return "has no valid name"
        if len(name) > _MAX_NAME:
            return f"has a name of more than {_MAX_NAME} characters"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if stat.S_IFMT(info.external_attr >> 16) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "is a link or a device, not a file"
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        # zipfile decompresses bz2 and LZMA without a limit for the output of one step.
        return f"has the unsupported compression method {info.compress_type}"
    if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
        return "is not compressed, but its two sizes differ"
    if info.volume:
        return "is in another part of a split archive"
    if info.is_dir() and info.file_size:
        return "is a folder with content"
    return None


def _check_places(name: str, file: FileIO | BytesIO, infos: list[zipfile.ZipInfo], directory: int) -> None:
    """Refuse entries that overlap, and entries whose header does not match the table of contents."""
    end = 0
    for number, info in enumerate(sorted(infos, key=lambda info: info.header_offset)):
        entry = f"its entry {info.orig_filename[:200]!r}"
        if number == 0 and info.header_offset:
            # Programs that read from the front would find another archive than programs that read from the back.
            raise ArchiveError(f"{name} is refused: there is other data before {entry}.", ANOTHER_ARCHIVE)
        if info.header_offset < end:
            raise ArchiveError(f"{name} is refused: {entry} overlaps another entry.", ANOTHER_ARCHIVE)
        length = _length_of_header(file, info)
        if length is None:
            raise ArchiveError(
                f"{name} is refused: its table of contents does not match the header of {entry}.", ANOTHER_ARCHIVE
            )
        end = info.header_offset + length + info.compress_size
        if end > directory:
            raise ArchiveError(f"{name} is refused: {entry} overlaps the table of contents.", ANOTHER_ARCHIVE)


def _length_of_header(file: FileIO | BytesIO, info: zipfile.ZipInfo) -> int | None:
    """Read the header of an entry and return its length; None if it does not match the table of contents."""
    file.seek(info.header_offset)
    fields = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    signature, _, flags, method, _, _, _, packed, size = fields[:9]
    name_length, extra_length = int(fields[9]), int(fields[10])
    stored_name = file.read(name_length).decode("utf-8" if flags & _UTF8 else "cp437")
    sizes_agree = bool(flags & _SIZES_FOLLOW) or (
        packed in {info.compress_size, _IN_EXTRA_FIELD} and size in {info.file_size, _IN_EXTRA_FIELD}
    )
    if (
        signature != b"PK\x03\x04"
        or flags & _ENCRYPTED
        or method != info.compress_type
        or stored_name != info.orig_filename
        or not sizes_agree
    ):
        return None
    return _LOCAL_HEADER.size + name_length + extra_length
