"""One way to ask a server for something: who asks, how long to wait, and how often."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from napari_webipred import limits, safe_json, settings
from napari_webipred.download import http_errors, request_context
from napari_webipred.download.http_errors import host_of
from napari_webipred.errors import CatalogueError

if TYPE_CHECKING:
    import requests

_GZIP = {"gzip", "x-gzip"}


def open_url(
    url: str, what: str, accept: str = "*/*", elsewhere: bool = False, offset: int = 0, tries: int | None = None
) -> requests.Response:
    """Send a GET request and return the answer, of which only the head has been read.

    Only https is spoken, except with this machine itself, where nobody else sends us. If the server cannot be reached
    or is too busy, it is asked again, up to five times; the `RequestContext` of this thread limits how long that takes.

    Parameters
    ----------
    url : str
        Address.
    what : str
        What is asked for, as it shall stand in an error: "record 123".
    accept : str
        Media type that is wanted.
    elsewhere : bool
        True follows redirects to other hosts, for files that a server keeps on another one. Nothing that was sent to
        the first host is sent on: no name, no password.
    offset : int
        Ask only for what comes after so many bytes. The answer may be all of it (200) or a part (206), perhaps not the
        right one.
    tries : int, optional
        How often to ask; five times if left out.

    Returns
    -------
    requests.Response
        An answer with status 200; with an `offset` also 206 or 416. Close it, best with a ``with`` statement.

    Raises
    ------
    CatalogueError
        The network is switched off, the server cannot be reached, or it answers anything else. It is a
        `napari_webipred.download.request_context.TemporaryError` if that may pass.
    """
    tried = 0
    while True:
        try:
            return _ask(url, what, accept, elsewhere, offset)
        except request_context.TemporaryError as error:
            tried += 1
            if tried >= (tries or limits.DOWNLOAD_TRIES):
                raise
            request_context.current().back_off(error, tried)


def _ask(url: str, what: str, accept: str, elsewhere: bool, offset: int) -> requests.Response:
    import requests

    from napari_webipred.download import transport

    if settings.current().offline:
        raise CatalogueError(
            f"{what[:1].upper()}{what[1:]} cannot be downloaded: downloads are switched off (offline).",
            "Allow downloads, or choose a model on this machine.",
            "go online",
        )
    headers = {"User-Agent": user_agent(), "Accept": accept, "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    from_here = check_address(url)
    for _ in range(limits.REDIRECTS):
        loopback = check_address(url)
        request_context.current().raise_if_cancelled()
        try:
            with transport.session(loopback) as session, request_context.current().time_limit():
                response = session.get(
                    url,
                    headers=headers,
                    timeout=(limits.CONNECT_SECONDS, limits.SILENT_SECONDS),
                    stream=True,
                    allow_redirects=False,
                )
        except (requests.RequestException, OSError, ValueError) as error:  # ValueError: sent on to what is no address
            request_context.current().release_connection()
            raise _broken(url, error) from error
        if not response.is_redirect:
            break
        response.close()
        request_context.current().release_connection()
        target = urljoin(url, response.headers["Location"])
        allowed = elsewhere and (from_here or not check_address(target))
        if urlsplit(target).hostname != urlsplit(url).hostname and not allowed:
            raise CatalogueError(
                f"{host_of(url)} redirects to {host_of(target)} for {what}, which is not allowed.",
                "Check the address of the server, or log in to this network first.",
            )
        url = target
    else:
        raise CatalogueError(
            f"{host_of(url)} redirects too many times for {what}.",
            "Try again later. If this happens again, you may have to log in to this network first.",
        )
    if response.status_code == 200 or (offset and response.status_code in {206, 416}):
        return response
    with response:
        raise http_errors.refused(response, what, read_beginning(response))


def read_json(response: requests.Response, what: str) -> Any:
    """Read an answer that must be JSON of at most 8 MiB."""
    host = host_of(response.url)
    content_type = response.headers.get("Content-Type", "")
    if "json" not in content_type:
        raise CatalogueError(
            f"{host} answers with {content_type or 'an unknown type'} instead of data for {what}.",
            "There may be a proxy or a login page: open the URL in a browser.",
        )
    try:
        return safe_json.parse(read_bytes(response, what, safe_json.MAX_BYTES))
    except ValueError as error:
        raise CatalogueError(f"{host} returned invalid data for {what}.", "Try again later.") from error


def read_bytes(response: requests.Response, what: str, limit: int) -> bytes:
    """Read an answer of at most `limit` bytes."""
    body = bytearray()
    for chunk in chunks(response, what, limit + 1):
        body += chunk
        if len(body) > limit:
            host = host_of(response.url)
            raise CatalogueError(f"{host} returned too much data for {what}.", "Try again later.")
    return bytes(body)


def chunks(response: requests.Response, what: str, size: int | None = None) -> Generator[bytes, None, None]:
    """Yield what an answer holds as it comes, in pieces of at most `size` bytes (or `limits.DOWNLOAD_CHUNK`).

    Servers are asked not to compress; gzip is understood nevertheless, for some proxies do not listen.

    Raises
    ------
    CatalogueError
        The answer is compressed in another way or not as it says, or the connection breaks or is too slow (which is an
        `request_context.TemporaryError`).
    """
    import http.client

    import urllib3

    size = min(size or limits.DOWNLOAD_CHUNK, limits.DOWNLOAD_CHUNK)
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"identity", "", *_GZIP}:
        raise CatalogueError(
            f"{host_of(response.url)} sends {what} compressed as {encoding[:40]}, although this was not requested.",
            "There may be a proxy: ask your administrator.",
            http_errors.BY_HAND,
        )
    unpack = zlib.decompressobj(31) if encoding in _GZIP else None
    context = request_context.current()
    try:
        while unpack is None or not unpack.eof:
            # What `requests` does instead would unpack any amount, and read lines between chunks of any length.
            with context.time_limit():
                data = response.raw.read(size, decode_content=False)
            context.raise_if_cancelled()
            if context.timed_out:  # A connection that was ended from here looks like one that has come to its end.
                raise OSError("too slow")
            if not data and unpack is not None:
                raise zlib.error("cut short")
            if not data:
                return
            yield from [data] if unpack is None else _unpacked(unpack, data, size)
    except zlib.error as error:
        raise _packed_wrongly(response, what) from error
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
        raise _broken(response.url, error) from error
    finally:
        context.release_connection()


def _unpacked(unpack: Any, data: bytes, size: int) -> Iterator[bytes]:
    """Yield what is packed in a piece of gzip, never more than `size` bytes at a time."""
    while data and not unpack.eof:
        if piece := unpack.decompress(data, size):
            yield piece
        data = unpack.unconsumed_tail


def _packed_wrongly(response: requests.Response, what: str) -> CatalogueError:
    return CatalogueError(
        f"{host_of(response.url)} announces gzip data for {what}, but the data are invalid or incomplete.",
        "There may be a proxy: ask your administrator.",
        http_errors.BY_HAND,
    )


def _broken(url: str, error: Exception) -> CatalogueError:
    """Say why an answer has not come; raise if nobody waits for it any more."""
    context = request_context.current()
    context.raise_if_cancelled()
    if context.timed_out:
        return request_context.TemporaryError(
            f"{host_of(url)} is too slow: it sends less than {limits.DOWNLOAD_CHUNK // 2**10} kB in "
            f"{limits.SLOW_SECONDS:.0f} seconds.",
            "Try again later, or use another connection.",
            http_errors.BY_HAND,
        )
    return http_errors.broken_connection(url, error)


def user_agent() -> str:
    """Return how this program calls itself; Zenodo turns away programs that do not name themselves."""
    from napari_webipred import __version__

    return f"napari-webipred/{__version__} (+{settings.PROJECT_URL})"


def check_address(url: str) -> bool:
    """Refuse unencrypted addresses; tell whether the server is this machine itself."""
    try:
        parts = urlsplit(url)
        loopback = parts.hostname in {"127.0.0.1", "::1", "localhost"}
    except ValueError as error:
        raise CatalogueError(f"{url} is not a valid URL.", "Check it for typing errors.") from error
    if not (parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and loopback))):
        raise CatalogueError(f"{url} is not an https URL.", "Give a URL that starts with https://.")
    return loopback


def read_beginning(response: requests.Response, length: int = 2**16) -> bytes:
    """Read no more than so many bytes; none if the connection breaks."""
    beginning = bytearray()
    with closing(chunks(response, "the answer", length)) as pieces, suppress(CatalogueError):
        while len(beginning) < length and (piece := next(pieces, b"")):
            beginning += piece
    return bytes(beginning[:length])  # without it, the status alone has to do
