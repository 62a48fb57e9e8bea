"""What servers say when they do not give what was asked for, in plain words, and what the user can do then."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from napari_webipred import safe_json
from napari_webipred.download.request_context import TemporaryError
from napari_webipred.errors import CatalogueError, Remedy

if TYPE_CHECKING:
    import requests


BY_HAND: Remedy = "import file"  # what always helps: the file comes by other means


def broken_connection(url: str, error: Exception) -> CatalogueError:  # noqa: PLR0911 - a table of causes
    """Say in words why a server could not be reached or fell silent."""
    import http.client
    import ssl

    import requests

    host = host_of(url)
    if (wrong := _cause(error, ssl.SSLCertVerificationError)) is not None:
        why = str(getattr(wrong, "verify_message", ""))
        if "expired" in why or "not yet valid" in why:
            return CatalogueError(
                f"The certificate of {host} is not valid today ({why}).",
                "Check the date and time of this computer.",
                BY_HAND,
            )
        return CatalogueError(
            f"The certificate of {host} cannot be verified.",
            "If your institution inspects traffic, add its certificate.",
            "add certificate",
            BY_HAND,
        )
    if isinstance(error, requests.exceptions.SSLError) or _cause(error, ssl.SSLError):
        return CatalogueError(
            f"No encrypted connection to {host} is possible.",
            "There may be a proxy or firewall: ask your administrator.",
            BY_HAND,
        )
    odd = _cause(error, http.client.HTTPException)
    broken = (http.client.RemoteDisconnected, http.client.IncompleteRead)
    nowhere = isinstance(error, ValueError) and not isinstance(error, OSError)  # it redirects to no address
    if nowhere or (odd is not None and not isinstance(odd, broken)):
        return CatalogueError(
            f"{host} does not answer like a web server.",
            "There may be a proxy: open the URL in a browser.",
            BY_HAND,
        )
    if isinstance(error, requests.exceptions.ProxyError):
        return CatalogueError(
            f"The proxy cannot reach {host}.",
            "Check the proxy settings with your administrator.",
            "set proxy",
            BY_HAND,
        )
    if isinstance(error, requests.exceptions.InvalidProxyURL):
        return CatalogueError(
            "The address of the proxy is not valid.", "Check the proxy settings with your administrator.", "set proxy"
        )
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return TemporaryError(f"{host} does not answer.", "Try again later.", BY_HAND)
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
        # So says `requests` that REQUESTS_CA_BUNDLE names no file.
        return CatalogueError(f"{host} cannot be reached: {error}.", "Check the certificate file.", "add certificate")
    return TemporaryError(f"{host} cannot be reached.", "Check the network connection and the proxy settings.", BY_HAND)


def _cause(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    """Find what lies behind an error: the libraries raise from one another, or wrap each other's errors."""
    todo: list[object] = [error]
    for found in todo:
        if isinstance(found, kind):
            return found
        if isinstance(found, BaseException) and len(todo) < 50:
            todo += [found.__cause__, found.__context__, getattr(found, "reason", None), *found.args]
    return None


def host_of(url: str) -> str:
    """Return the name of the server in an address."""
    return urlsplit(url).hostname or url


def refused(response: requests.Response, what: str, body: bytes) -> CatalogueError:  # noqa: PLR0911 - a table
    """Turn a status other than 200 into words; servers answer with JSON, what stands before them with HTML.

    Parameters
    ----------
    response : requests.Response
        What has come.
    what : str
        What was asked for.
    body : bytes
        The beginning of the answer.
    """
    host, status = host_of(response.url), response.status_code
    try:
        answer = safe_json.parse(body)
    except ValueError:
        answer = None
    answer = answer if isinstance(answer, dict) else {}
    said = re.sub(r"\s+", " ", str(answer.get("message") or answer.get("error") or ""))[:200].strip(" .")
    match status:
        case 404:
            return CatalogueError(f"{host} does not have {what}.", "Check the number, DOI or address.")
        case 410:
            return CatalogueError(
                f"{what[:1].upper()}{what[1:]} was deleted from {host}{_tombstone(answer)}.",
                "Choose another model or another version.",
            )
        case 401 | 403 if answer:
            return CatalogueError(
                f"{host} restricts access to {what}: {said or 'permission denied'}.",
                "Ask its owners for access, download the file in a browser and open it from disk.",
            )
        case 403:
            reference = re.search(rb"<code>([0-9A-Za-z-]{8,64})</code>", body)
            code = f" (reference {reference[1].decode()})" if reference else ""
            return CatalogueError(
                f"{host} has blocked requests from this network{code}.",
                "Wait a few minutes. If this happens again, try without VPN or proxy.",
                BY_HAND,
            )
        case 407:
            return CatalogueError(
                f"The proxy cannot reach {host}: it requires a user name and password.",
                "Add them to the proxy address. Ask your administrator for them.",
                "set proxy",
                BY_HAND,
            )
        case 408 | 425:
            return TemporaryError(f"{host} was not ready (status {status}).", "Try again later.", BY_HAND)
        case 429:
            wait = retry_after(response.headers.get("Retry-After"), response.headers.get("Date"))
            return TemporaryError(
                f"{host} received too many requests from this network.", f"Try again in {_in_words(wait)}.", wait=wait
            )
        case status if status >= 500:
            asked = response.headers.get("Retry-After") if status == 503 else None
            wait = retry_after(asked, response.headers.get("Date"))
            when = "later" if wait is None else f"in {_in_words(wait)}"
            return TemporaryError(
                f"{host} is not available or too busy (status {status}).", f"Try again {when}.", BY_HAND, wait=wait
            )
        case _:
            return CatalogueError(
                f"{host} refuses {what} (status {status}{f': {said}' if said else ''}).", "Check the address."
            )


def retry_after(text: str | None, date: str | None = None) -> float | None:
    """Return how many seconds the server wants to be left alone: it says a number or a date. None: it does not say.

    A date is compared with `date`, that of the answer: the clock of this computer may be wrong.
    """
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    then = _time(text)
    return None if then is None else max(0.0, (then - (_time(date or "") or datetime.now(UTC))).total_seconds())


def _time(text: str) -> datetime | None:
    from email.utils import parsedate_to_datetime

    try:
        time = parsedate_to_datetime(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)  # a date without a zone is one of UTC


def _in_words(seconds: float | None) -> str:
    if seconds is None:
        return "a minute"
    return f"{max(1, math.ceil(seconds))} seconds" if seconds <= 120 else f"{math.ceil(seconds / 60)} minutes"


def _tombstone(answer: dict[str, Any]) -> str:
    """Return when and why a record was deleted, as far as the server says."""
    tombstone = answer.get("tombstone")
    if not isinstance(tombstone, dict):
        return ""
    reason = tombstone.get("removal_reason")
    why = str(tombstone.get("note") or (reason.get("id", "") if isinstance(reason, dict) else ""))[:200]
    when = str(tombstone.get("removal_date", ""))[:10]
    return (f" on {when}" if when else "") + (f" ({why})" if why else "")
