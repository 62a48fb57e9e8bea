"""Connections to servers: whose certificates are trusted, through which proxy, and how they can be ended."""

from __future__ import annotations

import ssl
from typing import Any

import requests
import truststore
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from napari_webipred import settings
from napari_webipred.download import request_context
from napari_webipred.errors import CatalogueError


def session(loopback: bool) -> requests.Session:
    """Return a session for one request.

    Proxies and further certificates come from the environment, as `requests` reads it; for this machine itself there
    are none. No name or password is sent, also if there is one for the host in ``.netrc``. Trusted are the certificates
    of the operating system (there a hospital puts its own), those that come with `requests`, and those in the file of
    the settings.

    Raises
    ------
    CatalogueError
        The certificate file of the settings cannot be read.
    """
    made = requests.Session()
    made.trust_env = not loopback
    made.auth = _Nobody()  # else `requests` looks into .netrc, whose default would go to every host
    made.mount("http://", _Adapter())
    made.mount("https://", _Adapter(_trust()))
    return made


def _trust() -> ssl.SSLContext:
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if (file := settings.current().ca_file) is not None:
        try:
            context.load_verify_locations(file)
        except OSError as error:  # also what is no certificate: an SSLError is one
            raise CatalogueError(
                f"The certificate file {file} cannot be used: {error.strerror or error}.",
                "Choose a file in PEM format, or none.",
                "add certificate",
            ) from error
    return context


class _Nobody(AuthBase):
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class _Connection(HTTPConnection):
    def _new_conn(self) -> Any:
        made = super()._new_conn()
        request_context.current().watch(made)
        return made


class _SecureConnection(HTTPSConnection):
    def _new_conn(self) -> Any:
        made = super()._new_conn()
        request_context.current().watch(made)
        return made


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}


class _Adapter(HTTPAdapter):
    """What `requests` does, over connections that a `RequestContext` can end."""

    def __init__(self, trust: ssl.SSLContext | None = None) -> None:
        self._trust = trust
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **more: Any) -> None:
        super().init_poolmanager(*arguments, **self._with_trust(more))
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **self._with_trust(more))
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def _with_trust(self, more: dict[str, Any]) -> dict[str, Any]:
        return more if self._trust is None else {**more, "ssl_context": self._trust}
