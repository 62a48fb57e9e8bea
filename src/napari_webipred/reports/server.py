"""Sends a transaction to a FHIR server: to no other host, and encrypted unless the server is on this computer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from napari_webipred import safe_json, settings
from napari_webipred.errors import OptionError, PacsError, SecretError
from napari_webipred.names import readable
from napari_webipred.pacs.connection import Connection

if TYPE_CHECKING:
    import requests

_KIND = "application/fhir+json"
_SAID_AT_MOST = 300  # characters of what a server says


def connection_to(address: str, *, token: bool, trust: bool = False, ca_file: str = "") -> Connection:
    """Describe the way to a server; nothing is sent.

    Parameters
    ----------
    address : str
        Of the server, below which the resources lie, such as ``https://host/fhir``.
    token : bool
        Whether the server wants a bearer token.
    trust : bool
        Whether the user has confirmed that reports may go to another computer without encryption.
    ca_file : str
        Certificates (PEM) of which one has signed that of the server; by default those of the system.

    Raises
    ------
    WebIPredError
        This is no address, it is not encrypted, or the network is switched off.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise OptionError(f"{address} is no address of a FHIR server.", "Write it as https://host/path.")
    made = Connection("FHIR server", address=address.rstrip("/"), token=token, plain=trust, ca_file=ca_file)
    made.check()
    if settings.current().offline:
        raise PacsError(
            f"Nothing is sent to {made.host}: the network is switched off (offline).", "Allow the network.", "go online"
        )
    return made


def posted(content: bytes, connection: Connection, token: str = "") -> list[str]:
    """Send a transaction, once, and return where the server keeps its resources.

    Parameters
    ----------
    content : bytes
        A bundle as JSON.
    connection : Connection
        What `connection_to` returns.
    token : str
        The bearer token; it is kept nowhere.

    Raises
    ------
    PacsError
        The server cannot be reached, refuses, or did not take all.
    """
    headers = {"Content-Type": _KIND, "Accept": _KIND}
    with _session(connection, token) as http:
        answer = http.request("POST", connection.address, data=content, headers=headers)
        found = _answer(answer)
    entries = found.get("entry") if isinstance(found, dict) else None
    responses = [each.get("response") for each in entries or [] if isinstance(each, dict)]
    done = [each for each in responses if isinstance(each, dict) and str(each.get("status")).startswith("2")]
    asked = len(json.loads(content)["entry"])
    if len(done) != asked:
        raise PacsError(
            f"The FHIR server has taken {len(done)} of {asked} resources.", "Ask its administrator what has happened."
        )
    return [str(each.get("location") or "") for each in done]


def _session(connection: Connection, token: str) -> requests.Session:
    from napari_webipred.pacs.http import Http

    class _Server(Http):
        def _check_status(self, response: requests.Response) -> None:
            status = response.status_code
            if 200 <= status < 300:
                return
            if status in (401, 403):
                response.close()
                raise SecretError("The FHIR server does not accept the token.", "Get a new one.", "give token")
            said = _outcome(response)
            raise PacsError(
                f"The FHIR server has refused the report (HTTP {status}){f': {said}' if said else ''}.",
                "Check the address, or ask its administrator.",
            )

    return _Server(connection, token)


def _outcome(response: requests.Response) -> str:
    """Return what a server says about what is wrong."""
    from napari_webipred.pacs.http import bounded

    try:
        found = safe_json.parse(b"".join(bounded(response, 2**20)))
        issues = [
            " ".join([str(each.get("diagnostics") or each["details"]["text"]), *map(str, each.get("expression", ()))])
            for each in found["issue"]
        ]
    except (ValueError, LookupError, TypeError, AttributeError, PacsError):
        return ""
    return readable("; ".join(issues), _SAID_AT_MOST).replace("\n", " ").rstrip(".")


def _answer(response: requests.Response) -> Any:
    try:
        return safe_json.parse(response.content)
    except ValueError:
        raise PacsError("The FHIR server answers in an unknown way.", "Check the address.") from None
