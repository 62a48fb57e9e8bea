"""Archives that misbehave, each in its own way, on this machine."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.server.answer(self)  # type: ignore[attr-defined]

    def log_message(self, *arguments: object) -> None:
        pass

    @property
    def place(self) -> str:
        return urlsplit(self.path).path

    def number(self, name: str) -> int:
        return int(parse_qs(urlsplit(self.path).query)[name][0])

    def send(self, content: bytes, kind: str, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def send_json(self, found: Any) -> None:
        self.send(json.dumps(found).encode(), "application/dicom+json")

    def send_parts(self, contents: list[bytes], but: int = 0) -> None:
        """Send several images, and die some bytes before their end."""
        head = b"\r\n--xyz\r\nContent-Type: application/dicom\r\n\r\n"
        whole = b"".join(head + each for each in contents) + b"\r\n--xyz--\r\n"
        self.send_response(200)
        self.send_header("Content-Type", 'multipart/related; type="application/dicom"; boundary=xyz')
        self.send_header("Content-Length", str(len(whole)))
        self.end_headers()
        self.wfile.write(whole[: len(whole) - but])
        if but:
            self.close_connection = True


@contextmanager
def web(answer: Answer, certificate: Path | None = None) -> Iterator[ThreadingHTTPServer]:
    """An archive that answers requests so; ``.asked`` has their paths."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    server.answer, server.asked = answer, []  # type: ignore[attr-defined]
    server.handle_error = lambda *arguments: None  # type: ignore[method-assign]
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def mute() -> Iterator[int]:
    """The port of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            with suppress(OSError):
                while True:
                    taken.append(server.accept()[0])

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for each in taken:
            each.close()


@contextmanager
def dimse(handlers: list[Any], context: ssl.SSLContext | None = None, **settings: Any) -> Iterator[int]:
    """The port of an archive that speaks DIMSE, made of these handlers; settings are those of pynetdicom's AE."""
    from pynetdicom import AE, build_role
    from pynetdicom.sop_class import CTImageStorage

    entity = AE("PACS")
    entity.add_supported_context("1.2.840.10008.5.1.4.1.2.2.1")
    entity.add_supported_context("1.2.840.10008.5.1.4.1.2.2.3")
    entity.add_supported_context(CTImageStorage, scu_role=True, scp_role=True)
    assert build_role is not None
    for name, value in settings.items():
        setattr(entity, name, value)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers, ssl_context=context)
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
