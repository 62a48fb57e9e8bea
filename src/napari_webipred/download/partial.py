"""A file on its way: what has arrived of it, and how the rest is fetched."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from napari_webipred import limits
from napari_webipred.archive.entry import MAX_BYTES
from napari_webipred.atomic_file import write_whole
from napari_webipred.download import client, http_errors, request_context
from napari_webipred.download.remote_file import RemoteFile
from napari_webipred.download.request_context import TemporaryError
from napari_webipred.errors import CatalogueError
from napari_webipred.formats import kind_by_suffix, kind_of

if TYPE_CHECKING:
    import requests

PART, VERSION = ".part", ".version"


class PartialDownload:
    """What has arrived of a file, in a file of its own that outlives the process.

    Parameters
    ----------
    file : RemoteFile
        What to fetch.
    folder : Path
        Where it is kept as long as it is not whole.
    on_progress : callable
        Is called with the bytes that are here, whenever more are.

    Attributes
    ----------
    path : Path
        Where it lies. The name stands for address, size and checksum: if one changes, it is not found again.
    resumed : bool
        True if a part of it was there before.
    """

    def __init__(self, file: RemoteFile, folder: Path, on_progress: Callable[[int], None]) -> None:
        self.path = folder / partial_name(file)
        self._version = self.path.with_suffix(VERSION)
        self._file = file
        self._on_progress = on_progress
        self._limit = MAX_BYTES if file.size is None else file.size
        # What cannot be compared with anything in the end is always fetched whole.
        if file.checksum is None or self.done > self._limit or not _is_own(self.path):
            self.delete()
        self.resumed = self.done > 0

    @property
    def done(self) -> int:
        """How many bytes are here."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def complete(self) -> None:
        """Fetch what is missing, however often the connection breaks, as long as each time brings something.

        Raises
        ------
        CatalogueError
            The server cannot be reached or does not have it, or it is not what it should be.
        OSError
            It cannot be written.
        """
        farthest, tried = self.done, 0
        self._on_progress(farthest)
        while self._file.size is None or self.done < self._file.size or not self.path.exists():
            try:
                with self._open() as response:
                    self._write_or_drop(response)
                return
            except TemporaryError as error:
                tried = 1 if self.done > farthest + limits.DOWNLOAD_CHUNK else tried + 1
                farthest = max(farthest, self.done)
                request_context.current().back_off(error, tried)

    def _open(self) -> requests.Response:
        """Ask for the rest of the file if the server gives that, else for all of it."""
        what = f"the file {self._file.name}"
        done = self.done
        if done and self._file.checksum:
            pages = [page] if (page := _page_of(self._file.url)) else []
            for url in [*pages, self._file.url]:
                try:
                    # The page is only a shorter way, for which nobody waits.
                    response = client.open_url(url, what, elsewhere=True, offset=done, tries=1)
                except CatalogueError:
                    if url != self._file.url:
                        continue
                    raise
                if self._continues(response, done, url):
                    return response
                if response.status_code == 200 and url == self._file.url:
                    return self._begin(response)  # It gives no parts, but has begun to give all of it.
                response.close()
        return self._begin(client.open_url(self._file.url, what, elsewhere=True, tries=1))

    def _begin(self, response: requests.Response) -> requests.Response:
        """Start from nothing, and note which version of the file the server gives."""
        self.delete()
        write_whole(self._version, f"{self._file.url}\n{_version_of(response)}".encode())
        return response

    def _continues(self, response: requests.Response, done: int, url: str) -> bool:
        """Tell whether an answer is the rest of the file, and of the same version of it as far as the server says.

        A part of what is compressed is another part than that of the file.
        """
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range", "").strip())
        if (
            response.status_code != 206
            or not found
            or response.headers.get("Content-Encoding", "identity") != "identity"
        ):
            return False
        first, last, total = (int(number) for number in found.groups())
        now, before = f"{url}\n{_version_of(response)}", self._noted_version()
        other = before.partition("\n")[0] == url and now != before and not now.endswith("\n")
        return not other and first == done and last == total - 1 and total == (self._file.size or total)

    def _noted_version(self) -> str:
        try:
            return self._version.read_text("utf-8", "replace")[:10_000]
        except FileNotFoundError:
            return ""

    def delete(self) -> None:
        """Delete what has arrived, so that the next try starts from nothing."""
        for path in (self.path, self._version):
            path.unlink(missing_ok=True)

    def move_to(self, target: Path) -> None:
        """Move the whole file to where it is wanted."""
        self.path.replace(target)
        self._version.unlink(missing_ok=True)

    def _write_or_drop(self, response: requests.Response) -> None:
        """Write what arrives; keep nothing of what cannot be gone on with."""
        try:
            self._write(response)
        except CatalogueError as error:
            if self.done == 0 or not isinstance(error, TemporaryError):
                self.delete()
            raise

    def _write(self, response: requests.Response) -> None:
        """Write what arrives, as long as it is what was announced."""
        name, done = self._file.name, self.done
        try:
            with self.path.open("ab") as target:
                for chunk in client.chunks(response, f"the file {name}"):
                    if done == 0:
                        check_kind(name, chunk)
                    done += len(chunk)
                    if done > self._limit:
                        raise CatalogueError(
                            f"{name} is larger than the expected {self._limit} bytes.",
                            "Try again later. If this happens again, tell the publisher of the model that "
                            "the file was changed.",
                        )
                    target.write(chunk)
                    target.flush()
                    self._on_progress(done)
        except TemporaryError as error:
            if done == self._file.size:
                return  # The server has announced more than there is.
            if not done or request_context.current().timed_out:
                raise
            raise self._broken_off(done) from error
        if done < (self._file.size if self._file.size is not None else 1):
            raise self._broken_off(done)

    def _broken_off(self, done: int) -> TemporaryError:
        return TemporaryError(
            f"The download of {self._file.name} broke off after {done} bytes.",
            "Try again: the download resumes if the server supports it.",
            http_errors.BY_HAND,
        )


def _version_of(response: requests.Response) -> str:
    """Return what tells one version of a file from another, as far as the server says; weak tags do not."""
    tag = response.headers.get("ETag", "").strip()
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "").strip()


def _is_own(path: Path) -> bool:
    """Tell whether a file is no link, so that what is written goes nowhere else."""
    try:
        stat = path.lstat()
    except FileNotFoundError:
        return True
    return S_ISREG(stat.st_mode) and stat.st_nlink == 1


def partial_name(file: RemoteFile) -> str:
    """Return under which name a file is kept while it is on its way."""
    digest = hashlib.sha256(f"{file.url}\n{file.size}\n{file.checksum}".encode()).hexdigest()
    return f".{digest[:16]}{PART}"


def _page_of(url: str) -> str | None:
    """Return the address under which people find a file on Zenodo: it gives parts of files, which the other may not."""
    page, found = re.subn(r"/api/(records/\d+/files/.+)/content$", r"/\1?download=1", url)
    return page if found else None


def check_kind(name: str, head: bytes) -> None:
    """Refuse at the first bytes what is something else: login pages come under any name."""
    kind = kind_of(head[:512])
    wanted, words = kind_by_suffix(name) or (kind, "")
    if kind == "html":
        raise CatalogueError(
            f"The server returned a web page instead of {name}.",
            "There may be a proxy or a login page: open the URL in a browser.",
            http_errors.BY_HAND,
        )
    if kind != wanted:
        raise CatalogueError(f"{name} is not {words}.", "Choose another model, or tell its publisher.")
