"""Downloads over bad lines, from servers with faults, by processes that are killed."""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from napari_webipred import limits
from napari_webipred.cache import index, store
from napari_webipred.cache.entry import LEFT_OVER, read_entry
from napari_webipred.cache.store import Download, fetch
from napari_webipred.cache.transfer import time_left
from napari_webipred.card import ModelCard
from napari_webipred.download import client, http_errors, request_context, transport
from napari_webipred.errors import CatalogueError
from napari_webipred.steps import result_of
from zenodo_server import CONVERTED, Answer, ZenodoServer, model_zip

RECORD = "7785993"
BIG = model_zip() + os.urandom(1000)  # what follows the end of an archive does no harm here
FILE = f"/api/records/{RECORD}/files/{CONVERTED}/content"
PAGE = f"/records/{RECORD}/files/{CONVERTED}"


@pytest.fixture
def card() -> ModelCard:
    found = index.find("webipred-16")
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def published(zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch) -> ZenodoServer:
    monkeypatch.setattr(limits, "DOWNLOAD_CHUNK", 100)
    # On a busy machine this server may be silent for long, and what is asked for again would be counted.
    monkeypatch.setattr(limits, "SILENT_SECONDS", 300)
    monkeypatch.setattr(limits, "SLOW_SECONDS", 300)
    zenodo.publish(RECORD, {CONVERTED: BIG})
    return zenodo


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How many seconds would have been waited each time."""
    seconds: list[float] = []
    monkeypatch.setattr(request_context, "sleep", lambda cancelled, time: seconds.append(time))
    return seconds


def get(card: ModelCard) -> Path:
    return result_of(fetch(card))


def part(tmp_path: Path) -> Path | None:
    return next((tmp_path / "cache" / "models" / "webipred-16").glob(".*.part"), None)


def test_a_download_changes_the_level_of_no_logger(card: ModelCard, monkeypatch: pytest.MonkeyPatch) -> None:
    changed: list[str] = []
    monkeypatch.setattr(logging.Logger, "setLevel", lambda logger, level: changed.append(logger.name))
    get(card)
    assert changed == []


def test_a_file_that_has_arrived_is_read_once_whatever_its_checksum_is_made_with(
    card: ModelCard, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened: list[Path] = []
    truly_open = Path.open

    def watched(path: Path, mode: str = "r", *arguments: object, **more: object) -> object:
        if "models" in path.parts and path.suffix in {".part", ".zip"} and "r" in mode:
            opened.append(path)
        return truly_open(path, mode, *arguments, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", watched)
    get(card)
    assert [path.suffix for path in opened] == [".part"]
    entry = read_entry(card.id)
    assert entry is not None
    (kept,) = entry.files
    assert kept.checksum == f"md5:{hashlib.md5(BIG).hexdigest()}"
    assert kept.sha256 == hashlib.sha256(BIG).hexdigest()


def break_off(zenodo: ZenodoServer, after: int, **more: object) -> None:
    """Let the connection break after so many bytes, the first time."""
    zenodo.answers[FILE] = [Answer(body=BIG, reset_after=after), Answer(body=BIG, **more)]  # type: ignore[arg-type]


def test_after_a_broken_connection_only_the_rest_is_fetched(zenodo: ZenodoServer, card: ModelCard) -> None:
    break_off(zenodo, 600)
    assert get(card).read_bytes() == BIG
    assert zenodo.ranges
    assert zenodo.requests[-1] == PAGE
    assert zenodo.ranges[-1].startswith(f"{PAGE} bytes=")
    assert zenodo.ranges[-1] != f"{PAGE} bytes=0-"


def test_the_first_address_is_asked_for_the_rest_if_the_page_does_not_give_it(
    zenodo: ZenodoServer, card: ModelCard
) -> None:
    zenodo.fail(PAGE, "403_edge_html")
    break_off(zenodo, 600, ranges="honoured")
    assert get(card).read_bytes() == BIG
    assert [line.split()[0] for line in zenodo.ranges] == [PAGE, FILE]


@pytest.mark.parametrize("how", ["ignored", "wrong"])
def test_a_server_that_gives_another_part_is_asked_for_all_of_it(
    zenodo: ZenodoServer, card: ModelCard, how: str
) -> None:
    zenodo.answers[PAGE] = Answer(body=BIG, ranges=how)  # type: ignore[arg-type]
    break_off(zenodo, 600, ranges=how)
    assert get(card).read_bytes() == BIG
    assert len(zenodo.ranges) == 2
    assert zenodo.requests.count(FILE) == (2 if how == "ignored" else 3)


def test_a_line_that_breaks_again_and_again_is_no_reason_to_give_up_while_it_brings_something(
    zenodo: ZenodoServer, card: ModelCard, waits: list[float]
) -> None:
    zenodo.answers[FILE] = Answer(body=BIG, reset_after=300)
    # Ten breaks, twice as many as there are tries without progress.
    zenodo.answers[PAGE] = [*(Answer(body=BIG, ranges="honoured", reset_after=220) for _ in range(9)), Answer(body=BIG)]
    zenodo.answers[PAGE][-1].ranges = "honoured"
    assert get(card).read_bytes() == BIG
    assert max(waits) < 0.5 * 1.3 + 0.01


def test_a_line_that_never_brings_more_is_given_up_after_five_tries_and_the_part_waits(
    zenodo: ZenodoServer, card: ModelCard, waits: list[float], tmp_path: Path
) -> None:
    zenodo.answers[FILE] = Answer(body=BIG, reset_after=150)
    zenodo.answers[PAGE] = Answer(body=BIG, reset_after=150)
    with pytest.raises(CatalogueError, match="broke off after"):
        get(card)
    for wait, longest in zip(waits[-3:], (1, 2, 4), strict=True):
        assert longest <= wait <= 1.3 * longest
    left = part(tmp_path)
    assert left is not None
    assert BIG.startswith(left.read_bytes())
    assert store.entries() == []
    zenodo.answers[PAGE] = Answer(body=BIG, ranges="honoured")
    assert get(card).read_bytes() == BIG
    assert zenodo.ranges[-1] == f"{PAGE} bytes={left_size(zenodo)}-"
    assert part(tmp_path) is None


def left_size(zenodo: ZenodoServer) -> int:
    return int(zenodo.ranges[-1].split("=")[1].rstrip("-"))


def test_the_part_of_a_file_that_has_changed_is_not_used(zenodo: ZenodoServer, card: ModelCard, tmp_path: Path) -> None:
    zenodo.answers[FILE] = zenodo.answers[PAGE] = Answer(body=BIG, reset_after=150)
    with pytest.raises(CatalogueError):
        get(card)
    old = part(tmp_path)
    assert old is not None
    new = BIG[:-1] + b"?"
    zenodo.publish(RECORD, {CONVERTED: new})
    zenodo.settle()
    zenodo.ranges.clear()
    assert get(card).read_bytes() == new
    assert zenodo.ranges == []
    assert not old.exists()


def test_a_part_that_is_not_what_it_was_is_fetched_once_more(
    zenodo: ZenodoServer, card: ModelCard, tmp_path: Path
) -> None:
    zenodo.answers[FILE] = [Answer(body=BIG, reset_after=150)] * 5 + [Answer(body=BIG)]
    zenodo.fail(PAGE, "403_edge_html")
    with pytest.raises(CatalogueError):
        get(card)
    left = part(tmp_path)
    assert left is not None
    left.write_bytes(b"?" * left.stat().st_size)
    zenodo.answers[PAGE] = Answer(body=BIG, ranges="honoured")
    assert get(card).read_bytes() == BIG
    assert zenodo.requests[-2:] == [PAGE, FILE]


@pytest.mark.parametrize("error", ["429", "503"])
def test_a_busy_server_is_left_alone_for_as_long_as_it_says(
    zenodo: ZenodoServer, card: ModelCard, waits: list[float], error: str
) -> None:
    busy = Answer(int(error), b"{}", {"Retry-After": "33", "Content-Type": "application/json"})
    zenodo.answers[FILE] = [busy, Answer(body=BIG)]
    assert get(card).read_bytes() == BIG
    assert len(waits) == 1
    assert 33 <= waits[0] < 44


@pytest.mark.parametrize(("status", "tries"), [(408, 5), (425, 5), (500, 5), (502, 5), (504, 5), (404, 1), (403, 1)])
def test_only_what_may_pass_is_tried_again(
    zenodo: ZenodoServer, card: ModelCard, waits: list[float], status: int, tries: int
) -> None:
    zenodo.answers[FILE] = Answer(status, b"<html>", {"Retry-After": "100"})
    with pytest.raises(CatalogueError):
        get(card)
    assert zenodo.requests.count(FILE) == tries
    assert all(wait < 10 for wait in waits)  # Retry-After counts for 429 and 503 alone


def test_a_server_that_wants_more_than_two_minutes_is_not_waited_for(
    zenodo: ZenodoServer, card: ModelCard, waits: list[float]
) -> None:
    zenodo.answers[FILE] = Answer(429, b"{}", {"Retry-After": "3600"})
    with pytest.raises(CatalogueError, match="Try again in 60 minutes"):
        get(card)
    assert waits == []


def test_retry_after_may_be_a_date() -> None:
    now = "Fri, 02 Jan 2026 03:04:05 GMT"
    assert http_errors.retry_after("Fri, 02 Jan 2026 03:05:00 GMT", now) == 55
    assert http_errors.retry_after("Fri, 02 Jan 2026 03:00:00 GMT", now) == 0
    soon = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    assert 3500 < (http_errors.retry_after(soon) or 0) <= 3600
    assert http_errors.retry_after(soon, soon) == 0  # by the clock of the server, which is an hour ahead
    assert http_errors.retry_after("17") == 17
    assert [http_errors.retry_after(text) for text in (None, "", "soon", "-3", "1.5", "²")] == [None] * 6


def test_while_a_server_is_waited_for_the_reason_is_told_and_it_can_be_cancelled(
    zenodo: ZenodoServer, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = threading.Event()

    def sleep(cancelled: threading.Event, seconds: float) -> None:
        waiting.set()
        cancelled.wait(30)

    monkeypatch.setattr(request_context, "sleep", sleep)
    zenodo.answers[FILE] = Answer(503, b"", {"Retry-After": "100"})
    fetching = fetch(card)
    step = next(fetching)
    assert waiting.wait(30)
    while not step.waiting:
        step = next(fetching)
    assert "too busy (status 503)" in step.waiting
    fetching.close()
    assert "fetch webipred-16" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_accepts_and_says_nothing_can_be_cancelled(
    card: ModelCard, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("NAPARI_WEBIPRED_ZENODO_URL", f"{scheme}://127.0.0.1:{listening.getsockname()[1]}")
        fetching = fetch(card)
        assert next(fetching) == Download(0, None)
        silent, _ = listening.accept()
        with silent:
            silent.recv(1)  # the request, or the beginning of the encryption, is here
            fetching.close()
            assert "fetch webipred-16" not in [thread.name for thread in threading.enumerate()]


def test_progress_tells_the_time_that_is_left() -> None:
    assert time_left(2.0, 100, 300) == 6.0
    assert time_left(2.0, 0, 300) is None
    assert time_left(2.0, 100, 0) == 0.0


FETCH = """
from napari_webipred import limits
from napari_webipred.cache import index
from napari_webipred.cache import store
limits.DOWNLOAD_CHUNK = 100
list(store.fetch(index.find('webipred-16')))
"""


def test_what_a_killed_process_has_fetched_is_not_fetched_again(
    zenodo: ZenodoServer, card: ModelCard, tmp_path: Path
) -> None:
    zenodo.answers[FILE] = Answer(body=BIG, stall_after=750, pieces=50)
    process = subprocess.Popen([sys.executable, "-c", FETCH])
    assert zenodo.stalled.wait(60)
    while (left := part(tmp_path)) is None or left.stat().st_size < 700:
        assert process.poll() is None
    process.kill()
    process.wait()
    assert store.entries() == []
    assert store.path_of(card) is None
    assert get(card).read_bytes() == BIG
    assert zenodo.ranges == [f"{PAGE} bytes=700-"]
    assert not [path for path in (tmp_path / "cache").rglob("*") if LEFT_OVER.fullmatch(path.name)]


KILLED = """
import os, signal, sys
left, cache = int(sys.argv[1]), os.environ["NAPARI_WEBIPRED_CACHE"]
def count(event, arguments):
    # Every step that changes something in the cache.
    global left
    if event in {"os.mkdir", "os.rename", "os.remove", "open"} and cache in str(arguments[0]):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no such signal")
@pytest.mark.parametrize("step", [*range(1, 29, 3), 1000])
def test_a_process_killed_at_any_step_leaves_nothing_that_confuses(
    zenodo: ZenodoServer, card: ModelCard, tmp_path: Path, step: int
) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED + FETCH, str(step)], check=False).returncode
    assert ended == (0 if step == 1000 else -9)
    if (path := store.path_of(card)) is not None:
        assert path.read_bytes() == BIG
    assert get(card).read_bytes() == BIG
    assert [entry.id for entry in store.entries()] == ["webipred-16"]
    assert not [path for path in (tmp_path / "cache").rglob("*") if LEFT_OVER.fullmatch(path.name)]
    store.wipe()
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_what_is_left_of_a_killed_download_goes_with_the_rest(
    zenodo: ZenodoServer, card: ModelCard, tmp_path: Path
) -> None:
    zenodo.answers[FILE] = zenodo.answers[PAGE] = Answer(body=BIG, reset_after=150)
    with pytest.raises(CatalogueError):
        get(card)
    assert part(tmp_path) is not None
    assert store.usage() > 100
    assert store.limit(0) == ["webipred-16"]
    assert store.usage() == 0
    assert part(tmp_path) is None


def test_ten_processes_download_once(zenodo: ZenodoServer) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", FETCH]) for _ in range(10)]
    assert [process.wait() for process in processes] == [0] * 10
    assert zenodo.requests.count(FILE) == 1


# --- proxies and certificates -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an authority of our own (ca.pem) and a certificate by it for a server that does not exist (server.pem)."""
    folder = tmp_path_factory.mktemp("certificates")
    key = ["-newkey", "rsa:2048", "-nodes", "-days", "2"]
    name = "zenodo.invalid"
    try:
        for command in (
            ["req", "-x509", *key, "-subj", "/CN=Hospital", "-keyout", "ca.key", "-out", "ca.pem"],
            ["req", *key[:3], "-subj", f"/CN={name}", "-keyout", "server.key", "-out", "server.csr"],
            [
                *["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"],
                *["-days", "2", "-extfile", "names", "-out", "server.crt"],
            ],
        ):
            (folder / "names").write_text(f"subjectAltName=DNS:{name}\n")
            subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not on this machine")
    (folder / "server.pem").write_bytes((folder / "server.key").read_bytes() + (folder / "server.crt").read_bytes())
    return folder


class Proxy:
    """A proxy on this machine that leads every tunnel to one server behind TLS."""

    def __init__(self, certificate: Path, content: bytes) -> None:
        import ssl

        self.asked: list[str] = []
        self._content = content
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            with connection:
                head = connection.recv(65536)
                if not head:
                    return
                self.asked.append(head.split(b"\r\n")[0].decode())
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                try:
                    with self._context.wrap_socket(connection, server_side=True) as inner:
                        inner.recv(65536)
                        size = len(self._content)
                        inner.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (size, self._content))
                except OSError:
                    continue  # they do not trust us

    def close(self) -> None:
        socket.create_connection(self._listening.getsockname()).close()
        self._thread.join()
        self._listening.close()


@pytest.fixture
def proxy(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    proxy = Proxy(certificates / "server.pem", b"through the proxy")
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NO_PROXY", "no_proxy", "https_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    yield proxy
    proxy.close()


def read(url: str) -> bytes:
    with client.open_url(url, "the file", tries=1) as response:
        return client.read_bytes(response, "the file", 100)


@pytest.mark.parametrize("variable", ["NAPARI_WEBIPRED_CA_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_proxy_and_a_certificate_of_the_institution_are_used(
    proxy: Proxy, certificates: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(certificates / "ca.pem"))
    assert read("https://zenodo.invalid/x") == b"through the proxy"
    assert [line.rpartition(" ")[0] for line in proxy.asked] == ["CONNECT zenodo.invalid:443"]


def test_a_certificate_that_nobody_vouches_for_is_refused(proxy: Proxy) -> None:
    with pytest.raises(CatalogueError, match=r"certificate of zenodo\.invalid cannot be verified") as caught:
        read("https://zenodo.invalid/x")
    assert caught.value.remedies == ("add certificate", "import file")


def test_a_certificate_for_another_name_is_refused(
    proxy: Proxy, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_WEBIPRED_CA_FILE", str(certificates / "ca.pem"))
    with pytest.raises(CatalogueError, match=r"certificate of other\.invalid cannot be verified"):
        read("https://other.invalid/x")


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_certificate_file_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("NAPARI_WEBIPRED_CA_FILE", str(file))
    with pytest.raises(CatalogueError, match=r"certificate file .*ca\.pem cannot be used"):
        read("https://zenodo.invalid/x")


def test_a_proxy_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(CatalogueError, match=r"The proxy cannot reach zenodo\.invalid") as caught:
        read("https://zenodo.invalid/x")
    assert caught.value.remedies == ("set proxy", "import file")


def test_this_machine_itself_is_asked_without_a_proxy(zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert transport.session(loopback=True).trust_env is False
    with client.open_url(f"{zenodo.url}{PAGE}", "the page") as response:
        assert response.content == BIG
