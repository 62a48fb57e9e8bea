"""A zip archive on disk, read as the files of a model without believing anything that it says about itself."""

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

from napari_webipred.archive.entry import CHUNK, MAX_BYTES, MAX_FILES, ArchiveEntry, is_noise
from napari_webipred.errors import ArchiveError

ANOTHER_ARCHIVE = "Get the archive again from its publisher, or choose another model."

# Weights hardly shrink, but those that are all zero shrink a thousandfold: a ratio alone says little.
_MAX_SUSPICIOUS_BYTES = 128 * 2**20
_MAX_RATIO = 100
_MAX_DIRECTORY_BYTES = 2 * 2**20
_MAX_NAME = 1024
_LOCAL_HEADER = struct.Struct("<4sHHHHHLLLHH")
_ENCRYPTED, _SIZES_FOLLOW, _UTF8 = 0x1, 0x8, 0x800
_IN_EXTRA_FIELD = 0xFFFF_FFFF

# What zipfile raises on malformed input: a negative offset is an OSError, a name that is not UTF-8 a ValueError.
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
    """A zip on disk of which never more than a few MiB are read at once, so that no size in it must be believed."""

    def read(self, size: int | None = -1, /) -> bytes:
        _check_read(size)
        return super().read(size) or b""


class _InMemory(BytesIO):
    """A zip that lies in another archive, read as one on disk."""

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


def zip_members(name: str, source: Path | bytes) -> tuple[dict[str, ArchiveEntry], FileIO | BytesIO]:
    """List the members of a zip archive; nothing is unpacked.

    One bad member refuses the whole archive, for an honest one has none: a name that leads outside, twice the same name
    (also when it differs only in case or in how accents are written), a link, a device, an encrypted member, members
    that share bytes, and a table of contents that contradicts what it points to.

    Parameters
    ----------
    name : str
        What to call the archive in messages.
    source : Path or bytes
        Where it lies, or its content.

    Returns
    -------
    members : dict of str to ArchiveEntry
        Without what operating systems add, hidden files and zips within. Reading them raises ArchiveError.
    file : FileIO or BytesIO
        To be closed when they are no longer needed.

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
    members = {
        info.filename: ArchiveEntry(info.file_size, partial(_chunks, name, archive, info))
        for info in infos
        if not info.is_dir() and not is_noise(info.filename)
    }
    return members, file


def _chunks(name: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    with _explained(f"{info.filename} in {name} is damaged"), archive.open(info) as member:
        while chunk := member.read(CHUNK):
            yield chunk


def _check_amount(name: str, packed: int, infos: list[zipfile.ZipInfo]) -> None:
    if len(infos) > MAX_FILES:
        raise ArchiveError(f"{name} holds {len(infos)} files; {MAX_FILES} are the most allowed.", ANOTHER_ARCHIVE)
    total = sum(info.file_size for info in infos)
    if total > MAX_BYTES:
        raise ArchiveError(f"{name} unpacks to {total} bytes; {MAX_BYTES} are the most allowed.", ANOTHER_ARCHIVE)
    if total > _MAX_SUSPICIOUS_BYTES and total > _MAX_RATIO * packed:
        raise ArchiveError(
            f"{name} is refused: its {packed} bytes unpack to {total}, {total // packed} times as many.",
            ANOTHER_ARCHIVE,
        )


def _check_names(name: str, infos: list[zipfile.ZipInfo]) -> None:
    taken: set[str] = set()
    for info in infos:
        member = info.orig_filename
        if fault := _fault(info):
            raise ArchiveError(f"{name} is refused: its member {member[:200]!r} {fault}.", ANOTHER_ARCHIVE)
        key = unicodedata.normalize("NFC", info.filename.rstrip("/")).casefold()
        if key in taken:
            raise ArchiveError(
                f"{name} is refused: it holds {member[:200]!r} twice, or another that differs only in spelling.",
                ANOTHER_ARCHIVE,
            )
        taken.add(key)


def _fault(info: zipfile.ZipInfo) -> str | None:  # noqa: C901, PLR0911 - a list of faults, one after the other
    """Say what makes a member unacceptable, if anything does.

    zipfile cuts names at a zero byte, turns backslashes round on Windows and, in newer versions of Python, prefers a
    second name from an extra field; so both names are judged, the one in the file and the one that is used.
    """
    for name in {info.orig_filename, info.filename}:
        if not name.rstrip("/") or any(ord(letter) < 32 for letter in name):
            return "has no proper name"
        if "\\" in name or name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/"):
            return "points outside the archive"
        if "" in name.rstrip("/").split("/") or "." in name.split("/"):
            return "has no proper name"
        if len(name) > _MAX_NAME:
            return "has too long a name"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if stat.S_IFMT(info.external_attr >> 16) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "is a link or a device, not a file"
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        # zipfile inflates bz2 and LZMA without a bound on what comes out at once.
        return f"is compressed by method {info.compress_type}; only stored and deflated files are read"
    if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
        return "is not compressed, but has two sizes"
    if info.volume:
        return "lies in another part of an archive in several parts"
    if info.is_dir() and info.file_size:
        return "is a folder with content"
    return None


def _check_places(name: str, file: FileIO | BytesIO, infos: list[zipfile.ZipInfo], directory: int) -> None:
    """Refuse members that share bytes, and those of which header and table of contents say different things."""
    end = 0
    for number, info in enumerate(sorted(infos, key=lambda info: info.header_offset)):
        member = f"its member {info.orig_filename[:200]!r}"
        if number == 0 and info.header_offset:
            # Programs that begin to read at the front would find another archive than those that begin at the back.
            raise ArchiveError(f"{name} is refused: something else stands before {member}.", ANOTHER_ARCHIVE)
        if info.header_offset < end:
            raise ArchiveError(f"{name} is refused: {member} overlaps another.", ANOTHER_ARCHIVE)
        length = _length_of_header(file, info)
        if length is None:
            raise ArchiveError(
                f"{name} is refused: its table of contents contradicts the header of {member}.", ANOTHER_ARCHIVE
            )
        end = info.header_offset + length + info.compress_size
        if end > directory:
            raise ArchiveError(f"{name} is refused: {member} does not end where it should.", ANOTHER_ARCHIVE)


def _length_of_header(file: FileIO | BytesIO, info: zipfile.ZipInfo) -> int | None:
    """Read the header before the content of a member; None if it contradicts the table of contents."""
    file.seek(info.header_offset)
    fields = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    signature, _, flags, method, _, _, _, packed, size = fields[:9]
    name_length, extra_length = int(fields[9]), int(fields[10])
    written = file.read(name_length).decode("utf-8" if flags & _UTF8 else "cp437")
    sizes_agree = bool(flags & _SIZES_FOLLOW) or (
        packed in {info.compress_size, _IN_EXTRA_FIELD} and size in {info.file_size, _IN_EXTRA_FIELD}
    )
    if (
        signature != b"PK\x03\x04"
        or flags & _ENCRYPTED
        or method != info.compress_type
        or written != info.orig_filename
        or not sizes_agree
    ):
        return None
    return _LOCAL_HEADER.size + name_length + extra_length
