"""One way to ask a server for something: who asks, how long to wait, and what went wrong in plain words."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from napari_webipred import settings
from napari_webipred.errors import CatalogueError

if TYPE_CHECKING:
    import requests

CHUNK = 256 * 2**10

_CONNECT_SECONDS, _READ_SECONDS = 10.0, 20.0
_MAX_REDIRECTS = 5
_MAX_JSON_BYTES = 16 * 2**20
_BY_HAND = "Or download the file in a browser and open it from disk."


def open_url(url: str, what: str, accept: str = "*/*", elsewhere: bool = False) -> requests.Response:
    """Send a GET request and return the answer, of which only the head has been read.

    Only https is spoken, except with this machine itself, where nobody else sends us.

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

    Returns
    -------
    requests.Response
        An answer with status 200. Close it, best with a ``with`` statement.

    Raises
    ------
    CatalogueError
        The network is switched off, the server cannot be reached, or it answers anything but 200.
    """
    import requests

    if settings.current().offline:
        raise CatalogueError(
            f"{what} cannot be fetched: use of the network is switched off.",
            "Unset NAPARI_WEBIPRED_OFFLINE, or choose a model that is on this machine.",
        )
    headers = {"User-Agent": user_agent(), "Accept": accept, "Accept-Encoding": "identity"}
    from_here = check_address(url)
    for _ in range(_MAX_REDIRECTS):
        loopback = check_address(url)
        try:
            with requests.Session() as session:
                session.trust_env = not loopback
                response = session.get(
                    url,
                    headers=headers,
                    timeout=(_CONNECT_SECONDS, _READ_SECONDS),
                    stream=True,
                    allow_redirects=False,
                )
        except requests.RequestException as error:
            raise broken_connection(url, error) from error
        if not response.is_redirect:
            break
        response.close()
        target = urljoin(url, response.headers["Location"])
        allowed = elsewhere and (from_here or not check_address(target))
        if urlsplit(target).hostname != urlsplit(url).hostname and not allowed:
            raise CatalogueError(
                f"{_host(url)} sends us on to {_host(target)} for {what}, which is not followed.",
                "Check the address of the server, or whether this network wants you to log in first.",
            )
        url = target
    if response.status_code != 200:
        with response:
            raise _refusal(response, what)
    return response


def read_json(response: requests.Response, what: str) -> Any:
    """Read an answer that must be JSON of at most 16 MiB."""
    host = _host(response.url)
    content_type = response.headers.get("Content-Type", "")
    if "json" not in content_type:
        raise CatalogueError(
            f"{host} answers with {content_type or 'something unnamed'} instead of data about {what}.",
            "A proxy or login page may stand in between: open the address in a browser.",
        )
    try:
        return json.loads(read_bytes(response, what, _MAX_JSON_BYTES))
    except (ValueError, RecursionError) as error:
        raise CatalogueError(f"{host} answers with broken data about {what}.", "Try again later.") from error


def read_bytes(response: requests.Response, what: str, limit: int) -> bytes:
    """Read an answer of at most `limit` bytes."""
    import requests

    body = bytearray()
    try:
        for chunk in response.iter_content(min(CHUNK, limit + 1)):
            body += chunk
            if len(body) > limit:
                host = _host(response.url)
                raise CatalogueError(f"{host} answers with too much data about {what}.", "Try again later.")
    except requests.RequestException as error:
        raise broken_connection(response.url, error) from error
    return bytes(body)


def user_agent() -> str:
    """Return how this program calls itself; Zenodo turns away programs that do not name themselves."""
    from napari_webipred import __version__

    return f"napari-webipred/{__version__} (+{settings.PROJECT_URL})"


def broken_connection(url: str, error: Exception) -> CatalogueError:
    """Say in words why a server could not be reached or fell silent."""
    import requests

    host = _host(url)
    if isinstance(error, requests.exceptions.SSLError):
        return CatalogueError(
            f"The certificate of {host} cannot be verified.",
            "If your institution inspects traffic, set REQUESTS_CA_BUNDLE to its certificate file. " + _BY_HAND,
        )
    if isinstance(error, requests.exceptions.ProxyError):
        return CatalogueError(
            f"The proxy does not lead to {host}.", "Check HTTPS_PROXY with your administrator. " + _BY_HAND
        )
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return CatalogueError(f"{host} does not answer.", "Try again later. " + _BY_HAND)
    return CatalogueError(
        f"{host} cannot be reached.", "Check the network connection and the proxy settings. " + _BY_HAND
    )


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


def _host(url: str) -> str:
    return urlsplit(url).hostname or url


def _refusal(response: requests.Response, what: str) -> CatalogueError:
    """Turn a status other than 200 into words; servers answer with JSON, what stands before them with HTML."""
    host, status = _host(response.url), response.status_code
    body = read_beginning(response)
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    answer = answer if isinstance(answer, dict) else {}
    said = re.sub(r"\s+", " ", str(answer.get("message") or answer.get("error") or ""))[:200]
    match status:
        case 404:
            return CatalogueError(f"{host} does not have {what}.", "Check the number, DOI or address.")
        case 410:
            return CatalogueError(
                f"{what} was deleted from {host}{_tombstone(answer)}.", "Choose another model or another version."
            )
        case 401 | 403 if answer:
            return CatalogueError(
                f"{host} does not give {what} to everybody: {said or 'permission denied'}.",
                "Ask its owners for access, download the file in a browser and open it from disk.",
            )
        case 403:
            reference = re.search(rb"<code>([0-9A-Za-z-]{8,64})</code>", body)
            code = f" (reference {reference[1].decode()})" if reference else ""
            return CatalogueError(
                f"{host} has blocked requests from this network{code}.",
                "Wait some minutes; if it stays so, try without VPN or proxy. " + _BY_HAND,
            )
        case 429:
            seconds = response.headers.get("Retry-After", "")
            wait = f"{seconds} seconds" if seconds.isdecimal() else "a minute"
            return CatalogueError(f"{host} has had too many requests from here.", f"Try again in {wait}.")
        case status if status >= 500:
            return CatalogueError(
                f"{host} is out of order or too busy (status {status}).", "Try again later. " + _BY_HAND
            )
        case _:
            return CatalogueError(f"{host} refuses {what} (status {status}). {said}".strip(), "Check the address.")


def _tombstone(answer: dict[str, Any]) -> str:
    """Return when and why a record was deleted, as far as the server says."""
    tombstone = answer.get("tombstone")
    if not isinstance(tombstone, dict):
        return ""
    reason = tombstone.get("removal_reason")
    why = str(tombstone.get("note") or (reason.get("id", "") if isinstance(reason, dict) else ""))[:200]
    when = str(tombstone.get("removal_date", ""))[:10]
    return (f" on {when}" if when else "") + (f" ({why})" if why else "")


def read_beginning(response: requests.Response, length: int = 2**16) -> bytes:
    """Read no more than so many bytes; none if the connection breaks."""
    import requests

    try:
        return next(response.iter_content(length), b"")
    except requests.RequestException:
        return b""  # the status alone has to do
