"""Requests to one archive: to no other host, by no proxy, and every failure in words that quote no address."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
import truststore
import urllib3
from requests.adapters import HTTPAdapter

from napari_webipred import limits
from napari_webipred.errors import PacsError, SecretError
from napari_webipred.pacs import secret
from napari_webipred.pacs.connection import Connection
from napari_webipred.pacs.silence import silence

CHUNK = 2**16  # bytes; a read waits until so many have come
ANSWER_AT_MOST = 64 * 2**20  # bytes of a list; one of 10,000 studies has 10 MB


class _Adapter(HTTPAdapter):
    def __init__(self, trust: ssl.SSLContext) -> None:
        self._trust = trust
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **more: Any) -> None:
        super().init_poolmanager(*arguments, **more, ssl_context=self._trust)


class _Token(requests.auth.AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Password(requests.auth.AuthBase):
    def __init__(self, user: str, password: str) -> None:
        self._sent = b64encode(f"{user}:{password}".encode()).decode()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Basic {self._sent}"
        return request


class Http(requests.Session):
    """The requests to an archive.

    Parameters
    ----------
    connection : Connection
    password : str
        Password or token; empty for none.
    """

    def __init__(self, connection: Connection, password: str) -> None:
        super().__init__()
        self.connection = connection
        self.trust_env = False  # no proxy, no certificates and no .netrc of the environment
        if connection.token:
            self.auth = _Token(password)
        elif connection.user:
            self.auth = _Password(connection.user, password)
        self.mount("https://", _Adapter(trust(connection)))

    def request(self, method: str, url: str, **more: Any) -> requests.Response:  # type: ignore[override]
        """Send a request and return the answer, which is one of success.

        Raises
        ------
        PacsError
        """
        streamed = more.pop("stream", None)
        more |= {
            "timeout": (limits.ARCHIVE_CONNECT_SECONDS, limits.ARCHIVE_SILENT_SECONDS),
            "allow_redirects": False,
            "stream": True,
        }
        with self.explained():
            response = super().request(method, url, **more)
            if response.is_redirect:
                response.close()
                said = f"{self.connection.host} sends requests on to another address, which is not followed."
                raise PacsError(said, "Give the final address.")
            self._check_status(response)
            if not streamed:
                response._content = b"".join(bounded(response, ANSWER_AT_MOST))
        return response

    def _check_status(self, response: requests.Response) -> None:
        status = response.status_code
        if 200 <= status < 300:
            return
        response.close()
        name, host = self.connection.name, self.connection.host
        if status == 401:
            secret.reject(self.connection)
            said = "does not accept the user or password" if self.auth else "needs a user and password, or a token"
            raise SecretError(f"The archive {name} {said}.", "Check them.", "give password")
        if status == 403:
            raise PacsError(f"The archive {name} does not allow this.", "Ask its administrator for the right to do it.")
        if status in (400, 404, 405, 406):
            raise PacsError(f"{host} does not have this, or no DICOMweb at this address.", "Check the address.")
        if status == 409:
            raise PacsError(f"The archive {name} refused what was to be stored.", "Ask its administrator why.")
        raise PacsError(f"The archive {name} failed (HTTP {status}).", "Try again, or ask its administrator.")

    def explained(self) -> _Explained:
        """Turn whatever goes wrong with the connection into a PacsError: those of `requests` quote the address."""
        return _Explained(self.connection)


def bounded(response: requests.Response, at_most: int | None = None) -> Iterator[bytes]:
    """Yield an answer as it comes, up to so many bytes."""
    done = 0
    for piece in response.iter_content(CHUNK):
        done += len(piece)
        if at_most is not None and done > at_most:
            response.close()
            raise PacsError("The archive answers with too much.", "Search for less.")
        yield piece


def trust(connection: Connection) -> ssl.SSLContext:
    """Return whose certificates are trusted: those of the file, if there is one, else those of the system."""
    if not connection.ca_file:
        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return ssl.create_default_context(cafile=str(Path(connection.ca_file).expanduser()))
    except OSError as error:  # also what is no certificate: an SSLError is one
        raise PacsError(
            f"The certificate file {connection.ca_file} cannot be used: {error.strerror or error}.",
            "Choose a file in PEM format, or none.",
        ) from None


def about_tls(error: BaseException) -> tuple[str, str] | None:
    """Say why a certificate is refused; None if that is not what is wrong."""
    seen: list[BaseException] = []
    todo: list[Any] = [error]
    while todo and len(seen) < 50:
        each = todo.pop()
        if isinstance(each, BaseException) and each not in seen:
            seen.append(each)
            todo += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
    for each in seen:
        if isinstance(each, ssl.SSLCertVerificationError):
            if each.verify_code == 62 or "match" in str(each):
                return "its certificate is of another host", "Use the name that stands in the certificate."
            return "its certificate is signed by nobody who is trusted", "Choose the CA file of the archive."
        if isinstance(each, ssl.SSLError):
            return "it does not speak TLS as expected", "Check the port, and whether the address begins with https."
    return None


class _Explained:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._silence = silence()

    def __enter__(self) -> None:
        self._silence.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        self._silence.__exit__(None, None, None)
        if isinstance(error, (requests.RequestException, urllib3.exceptions.HTTPError, OSError)):
            raise self._in_words(error) from None

    def _in_words(self, error: Exception) -> PacsError:
        host, port = self._connection.host, self._connection.port
        if (tls := about_tls(error)) is not None:
            return PacsError(f"{host} is not trusted: {tls[0]}.", tls[1])
        if isinstance(error, requests.exceptions.ConnectTimeout):
            return PacsError(f"{host} does not answer at port {port}.", "Check the address and the network.")
        if isinstance(error, (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError)) or (
            "Read timed out" in str(error)
        ):
            return PacsError(
                f"{host} has sent nothing for {limits.ARCHIVE_SILENT_SECONDS:.0f} seconds.", "Try again later."
            )
        if "NameResolution" in repr(error):
            return PacsError(f"There is no computer {host} in the network.", "Check the address.")
        if "NewConnectionError" in repr(error) or "refused" in str(error):
            return PacsError(
                f"{host} cannot be reached at port {port}.", "Check the address, and that the archive runs."
            )
        return PacsError(f"The connection to {host} broke off.", "Try again.")
