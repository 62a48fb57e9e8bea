"""One way to ask a server for something: who asks, how long to wait, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from napari_webipred import outside_json, settings
from napari_webipred.catalogue import errand, refusal
from napari_webipred.catalogue.refusal import host_of
from napari_webipred.errors import CatalogueError

if TYPE_CHECKING:
    import requests

CHUNK = 64 * 2**10  # what a broken connection loses at most

_CONNECT_SECONDS, _READ_SECONDS = 10.0, 20.0
_MAX_REDIRECTS = 5


def open_url(
    url: str, what: str, accept: str = "*/*", elsewhere: bool = False, offset: int = 0, tries: int = errand.TRIES
) -> requests.Response:
    """Send a GET request and return the answer, of which only the head has been read.

    Only https is spoken, except with this machine itself, where nobody else sends us. If the server cannot be reached
    or is too busy, it is asked again, up to five times; how long that may last says the `errand` of this thread.

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
    tries : int
        How often to ask.

    Returns
    -------
    requests.Response
        An answer with status 200; with an `offset` also 206 or 416. Close it, best with a ``with`` statement.

    Raises
    ------
    CatalogueError
        The network is switched off, the server cannot be reached, or it answers anything else. It is a
        `napari_webipred.catalogue.errand.PassingError` if that may pass.
    """
    tried = 0
    while True:
        try:
            return _ask(url, what, accept, elsewhere, offset)
        except errand.PassingError as trouble:
            tried += 1
            if tried >= tries:
                raise
            errand.current().bide(trouble, tried)


def _ask(url: str, what: str, accept: str, elsewhere: bool, offset: int) -> requests.Response:
    import requests

    from napari_webipred.catalogue import connection

    if settings.current().offline:
        raise CatalogueError(
            f"{what[:1].upper()}{what[1:]} cannot be fetched: use of the network is switched off.",
            "Allow it (untick Offline in the panel, or unset NAPARI_WEBIPRED_OFFLINE), or choose a model that is on "
            "this machine.",
        )
    headers = {"User-Agent": user_agent(), "Accept": accept, "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    from_here = check_address(url)
    for _ in range(_MAX_REDIRECTS):
        loopback = check_address(url)
        errand.current().go_on()
        try:
            with connection.session(loopback) as session:
                response = session.get(
                    url,
                    headers=headers,
                    timeout=(_CONNECT_SECONDS, _READ_SECONDS),
                    stream=True,
                    allow_redirects=False,
                )
        except (requests.RequestException, OSError) as error:
            errand.current().go_on()
            raise refusal.broken_connection(url, error) from error
        if not response.is_redirect:
            break
        response.close()
        target = urljoin(url, response.headers["Location"])
        allowed = elsewhere and (from_here or not check_address(target))
        if urlsplit(target).hostname != urlsplit(url).hostname and not allowed:
            raise CatalogueError(
                f"{host_of(url)} sends us on to {host_of(target)} for {what}, which is not followed.",
                "Check the address of the server, or whether this network wants you to log in first.",
            )
        url = target
    if response.status_code == 200 or (offset and response.status_code in {206, 416}):
        return response
    with response:
        raise refusal.refused(response, what, read_beginning(response))


def read_json(response: requests.Response, what: str) -> Any:
    """Read an answer that must be JSON of at most 8 MiB."""
    host = host_of(response.url)
    content_type = response.headers.get("Content-Type", "")
    if "json" not in content_type:
        raise CatalogueError(
            f"{host} answers with {content_type or 'something unnamed'} instead of data about {what}.",
            "A proxy or login page may stand in between: open the address in a browser.",
        )
    try:
        return outside_json.parse(read_bytes(response, what, outside_json.MAX_BYTES))
    except ValueError as error:
        raise CatalogueError(f"{host} answers with broken data about {what}.", "Try again later.") from error


def read_bytes(response: requests.Response, what: str, limit: int) -> bytes:
    """Read an answer of at most `limit` bytes."""
    import requests

    body = bytearray()
    try:
        for chunk in response.iter_content(min(CHUNK, limit + 1)):
            body += chunk
            if len(body) > limit:
                host = host_of(response.url)
                raise CatalogueError(f"{host} answers with too much data about {what}.", "Try again later.")
    except requests.RequestException as error:
        raise refusal.broken_connection(response.url, error) from error
    return bytes(body)


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
        raise CatalogueError(f"{url} is not an address.", "Check it for typing errors.") from error
    if not (parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and loopback))):
        raise CatalogueError(f"{url} is not an https address.", "Give an address that starts with https://.")
    return loopback


def read_beginning(response: requests.Response, length: int = 2**16) -> bytes:
    """Read no more than so many bytes; none if the connection breaks."""
    import requests

    try:
        return next(response.iter_content(length), b"")
    except requests.RequestException:
        return b""  # the status alone has to do
