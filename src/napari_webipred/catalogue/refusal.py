"""What servers say when they do not give what was asked for, in plain words, and what the user can do then."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from napari_webipred import outside_json
from napari_webipred.catalogue.errand import PassingError
from napari_webipred.errors import CatalogueError, Remedy

if TYPE_CHECKING:
    import requests


BY_HAND: Remedy = "import file"  # what always helps: the file comes by other means


def broken_connection(url: str, error: Exception) -> CatalogueError:
    """Say in words why a server could not be reached or fell silent."""
    import ssl

    import requests

    host = host_of(url)
    if isinstance(error, requests.exceptions.SSLError) or _cause(error, ssl.SSLCertVerificationError):
        return CatalogueError(
            f"The certificate of {host} cannot be verified.",
            "If your institution inspects traffic, set NAPARI_WEBIPRED_CA_FILE to its certificate file.",
            BY_HAND,
        )
    if isinstance(error, requests.exceptions.ProxyError):
        return CatalogueError(
            f"The proxy does not lead to {host}.", "Check HTTPS_PROXY with your administrator.", BY_HAND
        )
    if isinstance(error, requests.exceptions.InvalidProxyURL):
        return CatalogueError("The address of the proxy is none.", "Check HTTPS_PROXY with your administrator.")
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return PassingError(f"{host} does not answer.", "Try again later.", BY_HAND)
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
        # So says `requests` that REQUESTS_CA_BUNDLE names no file.
        return CatalogueError(f"{host} cannot be asked: {error}.", "Check REQUESTS_CA_BUNDLE.")
    return PassingError(f"{host} cannot be reached.", "Check the network connection and the proxy settings.", BY_HAND)


def _cause(error: BaseException | None, kind: type[BaseException]) -> bool:
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__cause__ or error.__context__
    return False


def host_of(url: str) -> str:
    """Return the name of the server in an address."""
    return urlsplit(url).hostname or url


def refused(response: requests.Response, what: str, body: bytes) -> CatalogueError:
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
        answer = outside_json.parse(body)
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
                f"{host} does not give {what} to everybody: {said or 'permission denied'}.",
                "Ask its owners for access, download the file in a browser and open it from disk.",
            )
        case 403:
            reference = re.search(rb"<code>([0-9A-Za-z-]{8,64})</code>", body)
            code = f" (reference {reference[1].decode()})" if reference else ""
            return CatalogueError(
                f"{host} has blocked requests from this network{code}.",
                "Wait some minutes; if it stays so, try without VPN or proxy.",
                BY_HAND,
            )
        case 407:
            return CatalogueError(
                f"The proxy does not lead to {host}: it wants to know who you are.",
                "Write HTTPS_PROXY as http://name:password@host:port, as your administrator tells you.",
                BY_HAND,
            )
        case 408 | 425:
            return PassingError(f"{host} was not ready for us (status {status}).", "Try again later.", BY_HAND)
        case 429:
            wait = retry_after(response.headers.get("Retry-After"))
            return PassingError(
                f"{host} has had too many requests from here.", f"Try again in {_in_words(wait)}.", wait=wait
            )
        case status if status >= 500:
            wait = retry_after(response.headers.get("Retry-After")) if status == 503 else None
            when = "later" if wait is None else f"in {_in_words(wait)}"
            return PassingError(
                f"{host} is out of order or too busy (status {status}).", f"Try again {when}.", BY_HAND, wait=wait
            )
        case _:
            return CatalogueError(
                f"{host} refuses {what} (status {status}{f': {said}' if said else ''}).", "Check the address."
            )


def retry_after(text: str | None, now: datetime | None = None) -> float | None:
    """Return how many seconds the server wants to be left alone: it says a number or a date. None: it does not say."""
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return None
    if then.tzinfo is None:  # a date without a zone is one of UTC
        then = then.replace(tzinfo=UTC)
    return max(0.0, (then - (now or datetime.now(UTC))).total_seconds())


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
