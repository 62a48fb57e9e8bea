"""Answers of servers that are slow, flooding, compressed, changed or sent on: bounded, and told in words."""

from __future__ import annotations

import gzip
import os
import socket
import ssl
import subprocess
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bombs import gzip_bomb
from napari_webipred import limits
from napari_webipred.cache import index, store
from napari_webipred.card import ModelCard
from napari_webipred.download import client, request_context
from napari_webipred.download.request_context import TemporaryError
from napari_webipred.errors import CatalogueError, ChangedModelError
from napari_webipred.steps import result_of
from zenodo_server import CONVERTED, Answer, ZenodoServer, model_zip

RECORD = "7785993"
ZIP = model_zip()
FILE = f"/api/records/{RECORD}/files/{CONVERTED}/content"
PAGE = f"/records/{RECORD}/files/{CONVERTED}"

Talk = Callable[[socket.socket], None]


class RawServer:
    """A server that says to each who connects what a test wants, byte by byte."""

    def __init__(self, talk: Talk, context: ssl.SSLContext | None = None) -> None:
        self.heads: list[str] = []
        self.ended = threading.Event()
        self._talk, self._context = talk, context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self.ended.is_set():
            connection, _ = self._listening.accept()
            with connection, suppress(OSError):
                if self._context is not None:
                    connection = self._context.wrap_socket(connection, server_side=True)
                with connection:
                    if head := connection.recv(65536):
                        self.heads.append(head.decode("latin-1"))
                        self._talk(connection)

    def close(self) -> None:
        self.ended.set()
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._listening.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., RawServer]]:
    servers: list[RawServer] = []

    def start(talk: Talk, context: ssl.SSLContext | None = None) -> RawServer:
        servers.append(RawServer(talk, context))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def card(zenodo: ZenodoServer) -> ModelCard:
    zenodo.publish(RECORD, {CONVERTED: ZIP})
    found = index.find("webipred-16")
    assert found is not None
    return found


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up soon on servers that are slow, but not on those that are silent: these must not be what ends a test."""
    monkeypatch.setattr(limits, "SLOW_SECONDS", 0.3)
    monkeypatch.setattr(limits, "SILENT_SECONDS", 300)


def get(card: ModelCard, **how: bool) -> Path:
    return result_of(store.fetch(card, **how))


def read(url: str, limit: int = 1000) -> bytes:
    with client.open_url(url, "the file", elsewhere=True, tries=1) as response:
        return client.read_bytes(response, "the file", limit)


# --- slow -------------------------------------------------------------------------------------------------------------


def drip(server: list[RawServer], before: bytes, drop: bytes) -> Talk:
    """Say something, then a little again and again, faster than silence would be noticed, for ever."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(before)
        while not server[0].ended.wait(0.02):
            connection.sendall(drop)

    return talk


@pytest.mark.parametrize(
    ("before", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["status", "header", "body", "endless body", "chunks", "length of a chunk", "trailers", "100 Continue"],
)
def test_a_server_that_drips_is_given_up_with_words(
    serve: Callable[..., RawServer], impatient: None, before: bytes, drop: bytes
) -> None:
    servers: list[RawServer] = []
    servers.append(serve(drip(servers, before, drop)))
    with pytest.raises(TemporaryError, match=r"127\.0\.0\.1 is too slow: it sends less than 64 kB in") as caught:
        read(servers[0].url, 10**6)
    assert caught.value.remedies == ("import file",)


def test_a_download_that_drips_is_given_up_after_five_tries_and_its_part_waits(
    zenodo: ZenodoServer, card: ModelCard, impatient: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DOWNLOAD_CHUNK", 100)
    zenodo.answers[FILE] = zenodo.answers[PAGE] = Answer(body=ZIP, stall_after=250)
    with pytest.raises(CatalogueError, match="is too slow"):
        get(card)
    assert zenodo.requests.count(FILE) == 5
    (part,) = (tmp_path / "cache" / "models" / "webipred-16").glob(".*.part")
    assert part.read_bytes() == ZIP[:200]


def test_whoever_takes_their_time_with_what_has_come_is_not_taken_for_a_slow_server(
    zenodo: ZenodoServer, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DOWNLOAD_CHUNK", 100)
    url = zenodo.put("/file", bytes(1000))
    with client.open_url(url, "the file") as response:
        pieces = client.chunks(response, "the file")
        next(pieces)
        assert not threading.Event().wait(3 * limits.SLOW_SECONDS)
        assert sum(map(len, pieces)) == 900


def test_nothing_is_left_of_a_connection_when_all_of_it_is_read(zenodo: ZenodoServer) -> None:
    url = zenodo.put("/file", b"x")
    assert read(url) == b"x"
    assert request_context.current()._socket is None
    for thread in threading.enumerate():
        if thread.name == "slow server":
            thread.join(30)
            assert not thread.is_alive()


# --- floods -----------------------------------------------------------------------------------------------------------


def flood(drop: bytes, before: bytes = b"HTTP/1.1 200 OK\r\n") -> Talk:
    def talk(connection: socket.socket) -> None:
        connection.sendall(before)
        for _ in range(2000):
            connection.sendall(drop * 10)

    return talk


@pytest.mark.parametrize(
    "talk",
    [
        flood(b"X: y\r\n" * 1000),
        flood(b"x" * 10_000),
        flood(b"x" * 10_000, b"HTTP/1.1 "),
        flood(b"1" * 10_000, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"),
    ],
    ids=["many headers", "a long header", "a long status", "a long length of a chunk", "no HTTP at all"],
)
def test_a_flood_of_headers_takes_little_memory_and_is_told(serve: Callable[..., RawServer], talk: Talk) -> None:
    server = serve(talk)
    read_one = read  # what is imported on the way is not of the server
    with suppress(CatalogueError):
        read_one(server.url)
    tracemalloc.start()
    try:
        with pytest.raises(CatalogueError, match="does not answer like a web server"):
            read_one(server.url)
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()


# --- compressed -------------------------------------------------------------------------------------------------------


def test_a_file_that_comes_compressed_is_what_its_checksum_says(zenodo: ZenodoServer, card: ModelCard) -> None:
    zenodo.answers[FILE] = Answer(body=gzip.compress(ZIP), headers={"Content-Encoding": "gzip"})
    assert get(card).read_bytes() == ZIP


def test_a_part_of_what_is_compressed_is_not_taken_for_a_part_of_the_file(
    zenodo: ZenodoServer, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DOWNLOAD_CHUNK", 100)
    packed = {"Content-Encoding": "gzip"}
    # The same number of bytes, so that only the header tells that these are others.
    other = gzip.compress(os.urandom(len(ZIP) - 23), 0)
    assert len(other) == len(ZIP)
    zenodo.answers[PAGE] = Answer(body=other, headers=packed, ranges="honoured")
    zenodo.answers[FILE] = [Answer(body=ZIP, reset_after=600), Answer(body=gzip.compress(ZIP), headers=packed)]
    assert get(card).read_bytes() == ZIP


@pytest.mark.parametrize("kind", ["gzip", "x-gzip", "GZIP"])
def test_a_bomb_in_gzip_takes_little_memory(zenodo: ZenodoServer, kind: str) -> None:
    bomb = gzip_bomb(200 * 2**20)
    url = zenodo.put("/bomb", bomb, **{"Content-Encoding": kind})
    tracemalloc.start()
    try:
        with pytest.raises(CatalogueError, match="too much data"):
            read(url)
        assert tracemalloc.get_traced_memory()[1] < 5 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("body", "encoding", "words"),
    [
        (b"plain", "gzip", "the data are invalid or incomplete"),
        (gzip.compress(b"cut short")[:-4], "gzip", "the data are invalid or incomplete"),
        (gzip.compress(b"damaged")[:-8] + bytes(8), "gzip", "announces gzip data for the file"),
        (zlib.compress(b"deflate"), "deflate", "compressed as deflate, although this was not requested"),
        (gzip.compress(gzip.compress(b"twice")), "gzip, gzip", "compressed as gzip, gzip"),
    ],
)
def test_what_cannot_be_unpacked_is_told(zenodo: ZenodoServer, body: bytes, encoding: str, words: str) -> None:
    url = zenodo.put("/file", body, **{"Content-Encoding": encoding})
    with pytest.raises(CatalogueError, match=words) as caught:
        read(url)
    assert "proxy" in caught.value.hint


# --- changed on the way -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "continued"),
    [
        ({"ETag": '"one"'}, {"ETag": '"two"'}, False),
        ({"ETag": '"one"'}, {"ETag": '"one"'}, True),
        ({"Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT"}, {"Last-Modified": "Sat, 03 Jan 2026 03:04:05 GMT"}, False),
        ({"ETag": 'W/"weak"'}, {"ETag": 'W/"other"'}, True),
        ({}, {"ETag": '"one"'}, False),
        ({"ETag": '"one"'}, {}, True),
        ({}, {}, True),
    ],
)
def test_a_file_that_has_changed_on_the_server_is_not_gone_on_with(
    zenodo: ZenodoServer,
    card: ModelCard,
    monkeypatch: pytest.MonkeyPatch,
    before: dict[str, str | None],
    after: dict[str, str | None],
    continued: bool,
) -> None:
    monkeypatch.setattr(limits, "DOWNLOAD_CHUNK", 100)
    old = b"PK\x03\x04" + bytes(len(ZIP) - 4)
    zenodo.fail(PAGE, "403_edge_html")
    begun = ZIP if continued else old
    zenodo.answers[FILE] = [
        Answer(body=begun, headers=before, reset_after=600),
        Answer(body=ZIP, headers=after, ranges="honoured"),
    ]
    assert get(card).read_bytes() == ZIP
    # Else it is noticed at the end by the checksum, after one more request for all of it.
    assert zenodo.requests.count(FILE) == (2 if continued else 3)


def test_the_version_of_a_part_is_remembered_by_the_next_process(
    zenodo: ZenodoServer, card: ModelCard, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(limits, "DOWNLOAD_CHUNK", 100)
    zenodo.fail(PAGE, "403_edge_html")
    zenodo.answers[FILE] = Answer(body=b"PK\x03\x04" + bytes(5000), headers={"ETag": '"one"'}, reset_after=150)
    with pytest.raises(CatalogueError, match="broke off"):
        get(card)
    assert list((tmp_path / "cache").rglob(".*.version"))
    zenodo.answers[FILE] = Answer(body=ZIP, headers={"ETag": '"two"'}, ranges="honoured")
    zenodo.requests.clear()
    assert get(card).read_bytes() == ZIP
    assert zenodo.requests.count(FILE) == 2
    assert not list((tmp_path / "cache").rglob(".*.version"))


@pytest.mark.parametrize(
    "content_range",
    [
        "bytes 600-999/1000",
        "bytes 0-{last}/{size}",
        "bytes 599-{last}/{size}",
        "bytes 600-601/{size}",
        "bytes 600-{last}/*",
        "bytes 600-{last}/99999999999999999999999999",
        "bytes -600/{size}",
        "items 600-{last}/{size}",
        "bytes 600-{last}/{size}, bytes 0-1/2",
        "",
    ],
)
def test_a_wrong_range_is_refused(
    zenodo: ZenodoServer, card: ModelCard, monkeypatch: pytest.MonkeyPatch, content_range: str
) -> None:
    monkeypatch.setattr(limits, "DOWNLOAD_CHUNK", 100)
    says = content_range.format(last=len(ZIP) - 1, size=len(ZIP))
    wrong = Answer(206, b"?" * (len(ZIP) - 600), {"Content-Range": says})
    zenodo.answers[PAGE] = wrong
    zenodo.answers[FILE] = [Answer(body=ZIP, reset_after=600), wrong, Answer(body=ZIP)]
    assert get(card).read_bytes() == ZIP


def test_a_file_that_its_publisher_has_changed_is_not_taken_without_asking(
    zenodo: ZenodoServer, card: ModelCard
) -> None:
    get(card)
    store.remove(card.id)
    new = model_zip(3)
    zenodo.publish(RECORD, {CONVERTED: new})
    with pytest.raises(ChangedModelError, match="The files of webipred-16 are not the same as before") as caught:
        get(card)
    assert caught.value.remedies == ("replace model",)
    assert store.path_of(card) is None
    assert get(card, replace=True).read_bytes() == new
    store.remove(card.id)
    assert get(card).read_bytes() == new  # what the user has accepted is what is remembered


# --- sent on ----------------------------------------------------------------------------------------------------------


def test_no_name_password_or_cookie_is_sent_to_anyone(
    serve: Callable[..., RawServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    second = serve(lambda connection: connection.sendall(body))
    elsewhere = f"http://localhost:{second.port}/file"
    cookie = "Set-Cookie: session=secret; Path=/"
    go = f"HTTP/1.1 302 Found\r\nLocation: {elsewhere}\r\n{cookie}\r\nContent-Length: 0\r\n\r\n"
    first = serve(lambda connection: connection.sendall(go.encode()))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\ndefault login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    # As with a server that is not this machine, for which the environment counts.
    from napari_webipred.download import transport

    session = transport.session
    monkeypatch.setattr(transport, "session", lambda loopback: session(loopback=False))
    monkeypatch.setenv("NO_PROXY", "*")
    assert read(first.url) == b"ok"
    for head in first.heads + second.heads:
        names = {line.partition(":")[0].lower() for line in head.splitlines()[1:] if line}
        assert names <= {"host", "user-agent", "accept", "accept-encoding", "connection"}
        assert "secret" not in head


def test_a_redirect_to_a_server_without_encryption_is_not_followed(zenodo: ZenodoServer) -> None:
    zenodo.answers["/file"] = Answer(302, b"", {"Location": "http://example.org/file"})
    with pytest.raises(CatalogueError, match=r"http://example\.org/file is not an https URL"):
        read(f"{zenodo.url}/file")


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/x", "//", "https://", "http://[::1", "\x00"])
def test_a_redirect_to_something_odd_is_not_followed(zenodo: ZenodoServer, place: str) -> None:
    zenodo.answers["/file"] = Answer(302, b"", {"Location": place})
    with pytest.raises(CatalogueError):
        read(f"{zenodo.url}/file")


# --- encryption -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def expired(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine that has ended, signed by itself."""
    folder = tmp_path_factory.mktemp("expired")
    (folder / "index.txt").touch()
    (folder / "serial").write_text("01\n")
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=own\n[own]\nnew_certs_dir=.\ndatabase=index.txt\nserial=serial\ndefault_md=sha256\n"
        "policy=any\nx509_extensions=names\n[any]\ncommonName=supplied\n[names]\nsubjectAltName=IP:127.0.0.1\n"
    )
    for command in (
        "req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout key.pem -out request.pem",
        "ca -batch -selfsign -config ca.cnf -keyfile key.pem -in request.pem -out certificate.pem -notext"
        " -startdate 20200101000000Z -enddate 20200102000000Z",
    ):
        try:
            subprocess.run(["openssl", *command.split()], cwd=folder, capture_output=True, check=True)
        except FileNotFoundError:
            pytest.skip("openssl is not on this machine")
    return folder


def test_a_certificate_that_has_expired_makes_one_look_at_the_clock(
    serve: Callable[..., RawServer], expired: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(expired / "certificate.pem", expired / "key.pem")
    monkeypatch.setenv("NAPARI_WEBIPRED_CA_FILE", str(expired / "certificate.pem"))
    server = serve(lambda connection: None, context)
    with pytest.raises(CatalogueError, match=r"is not valid today \(certificate has expired\)") as caught:
        read(f"{server.url}/x")
    assert "date and time of this computer" in caught.value.hint


def test_a_server_that_speaks_no_tls_is_told(zenodo: ZenodoServer) -> None:
    with pytest.raises(CatalogueError, match=r"No encrypted connection to 127\.0\.0\.1 is possible") as caught:
        read(zenodo.url.replace("http://", "https://"))
    assert "certificate" not in str(caught.value)


def test_a_server_of_old_tls_only_is_told(serve: Callable[..., RawServer], expired: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(expired / "certificate.pem", expired / "key.pem")
    context.set_alpn_protocols(["none"])
    context.set_ciphers("AES128-SHA")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    server = serve(lambda connection: None, context)
    with pytest.raises(CatalogueError, match="No encrypted connection"):
        read(f"{server.url}/x")
