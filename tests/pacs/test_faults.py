"""What an archive does wrong, and what the user sees of it."""

from __future__ import annotations

import gc
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pynetdicom", reason="LEFT OUT: the tests of archives, because pynetdicom is not installed")
pytest.importorskip("dicomweb_client", reason="LEFT OUT: the tests of archives, because dicomweb-client is missing")

import servers
from faults import SEEN, table

from dicom_maker import content, ct_slice
from napari_webipred import engine, limits
from napari_webipred.errors import PacsError
from napari_webipred.opening import opening
from napari_webipred.pacs import access, folder, secret
from napari_webipred.pacs.connection import Connection
from napari_webipred.pacs.found import Instance, Study
from napari_webipred.pacs.query import Query
from napari_webipred.pacs.retrieval import Wanted, listing, retrieving
from napari_webipred.pacs.stream import awaited
from napari_webipred.steps import result_of

CT = "1.2.840.10008.5.1.4.1.1.2"


# pynetdicom leaves the sockets of connections open that fail; what collects them says so.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module", autouse=True)
def _collected() -> Iterator[None]:
    """Collect them here, and not in another test."""
    yield
    for thread in threading.enumerate():
        if type(thread).__module__.startswith("pynetdicom"):
            thread.join(10)
    gc.collect()


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(secret, "_known", {})
    yield
    folder.delete_all()
    assert not folder.parent().exists()


def web(port: int, host: str = "127.0.0.1", scheme: str = "http", **more: Any) -> Any:
    return access.opened(Connection("web", "dicomweb", f"{scheme}://{host}:{port}/rs", **more))


def dimse(port: int, host: str = "127.0.0.1", **more: Any) -> Any:
    return access.opened(Connection("dimse", "dimse", f"{host}:{port}", title="PACS", **more))


def seen(archive: Any) -> str:
    with pytest.raises(PacsError) as caught:
        archive.check()
    archive.close()
    assert caught.value.__suppress_context__ or caught.value.__context__ is None, "a traceback could quote an address"
    return str(caught.value)


def closed_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        port: int = made.getsockname()[1]
        return port


def test_the_table_of_the_documentation_is_this_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "archives.md").read_text(encoding="utf-8")
    assert table() in page


def test_nothing_listens() -> None:
    for made in (web, dimse):
        port = closed_port()
        assert seen(made(port)) == SEEN["nothing listens at the port"].format(port=port)


def test_there_is_no_such_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*arguments: object, **more: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert seen(dimse(104, "nowhere.invalid", plain=True)) == SEEN["no such computer"]
    assert seen(web(80, "nowhere.invalid", plain=True)) == SEEN["no such computer"]


def test_a_mute_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ARCHIVE_SILENT_SECONDS", 1.0)
    with servers.mute() as port:
        assert seen(web(port)) == SEEN["mute server"]
        assert seen(dimse(port)) == SEEN["mute server, by DIMSE"].format(port=port)


@pytest.mark.parametrize("made", [web, dimse])
def test_cancel_ends_the_waiting_for_a_mute_server(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No time is measured: the generator would not come back before the server answers, which it never does."""
    monkeypatch.setattr(limits, "ARCHIVE_SILENT_SECONDS", 3600.0)
    with servers.mute() as port:
        archive = made(port)
        steps = awaited(archive.check, archive.close)
        next(steps)
        steps.close()
        ours = [thread for thread in threading.enumerate() if thread.name == "end of archive"]
        for thread in ours:
            thread.join(10)
        assert not any(thread.is_alive() for thread in ours)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost, not of 127.0.0.1, signed by itself."""
    made = tmp_path_factory.mktemp("tls") / "localhost.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    try:
        subprocess.run([*command.split(), "-keyout", made, "-out", f"{made}.crt"], capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("LEFT OUT: certificates, because openssl is not installed")
    made.write_bytes(made.read_bytes() + Path(f"{made}.crt").read_bytes())
    return made


def test_certificates(certificate: Path) -> None:
    unknown, another = SEEN["certificate of an unknown authority"], SEEN["certificate of another host"]
    with servers.web(lambda request: request.send_json([]), certificate) as server:
        port = server.server_port
        assert seen(web(port, "localhost", "https")) == unknown
        assert seen(web(port, "127.0.0.1", "https", ca_file=str(certificate))) == another
        assert server.asked == []  # type: ignore[attr-defined]
        web(port, "localhost", "https", ca_file=str(certificate)).check()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    from pynetdicom import evt

    with servers.dimse([(evt.EVT_C_FIND, lambda event: iter([(0, None)]))], context) as port:
        assert seen(dimse(port, "localhost", tls=True)) == unknown
        assert seen(dimse(port, tls=True, ca_file=str(certificate))) == another
        dimse(port, "localhost", tls=True, ca_file=str(certificate)).check()


def test_an_archive_that_refuses_associations() -> None:
    with servers.dimse([], require_calling_aet=["SOMEBODY"]) as port:
        assert seen(dimse(port)) == SEEN["unknown AE title of this program, refused at once"]
    with servers.dimse([], maximum_associations=1) as port:
        first = dimse(port)
        with first._associations.opened([_context()]):
            assert seen(dimse(port)) == SEEN["too many connections"]


def elsewhere(request: servers.Handler) -> None:
    request.send(b"", "text/plain", 302, Location=f"http://127.0.0.1:{request.server.other}/stolen")  # type: ignore[attr-defined]


def test_no_redirect_is_followed() -> None:
    with servers.web(lambda request: request.send_json([])) as other, servers.web(elsewhere) as server:
        server.other = other.server_port  # type: ignore[attr-defined]
        assert seen(web(server.server_port)) == SEEN["redirect to another host"]
        assert other.asked == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: request.send_json(["a", "list", "of", "Orthanc's", "own"]),
        lambda request: request.send_json([{"00100020": {"vr": "LO", "Value": ["no study"]}}]),
        lambda request: request.send_json({"an": "object"}),
        lambda request: request.send(b"<html>Log in</html>", "text/html"),
        lambda request: request.send_json([{"0020000D": {"vr": "UI", "Value": ["../../secret"]}}]),
    ],
)
def test_what_answers_but_is_no_dicomweb(answer: servers.Answer) -> None:
    with servers.web(answer) as server:
        archive = web(server.server_port)
        with pytest.raises(PacsError) as caught:
            archive.studies(Query())
        assert str(caught.value) == SEEN["address of something else"]
        archive.close()


def test_an_error_of_the_server() -> None:
    with servers.web(lambda request: request.send(b"Doe", "text/plain", 503)) as server:
        assert seen(web(server.server_port)) == SEEN["error of the server"]


def test_the_environment_leads_nobody_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxy sees a name, and no certificate file of the environment counts."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("default login stolen password stolen\n")
    heads: list[Any] = []

    def answer(request: servers.Handler) -> None:
        heads.append(request.headers)
        request.send_json([])

    with servers.web(answer) as server:
        assert web(server.server_port).studies(Query(patient_name="Doe")) == []
    assert "Authorization" not in heads[0]


def many(request: servers.Handler) -> None:
    """10,000 studies, in pages of 200 at most; with filters, all of the same."""
    first, count = request.number("offset"), min(request.number("limit"), 200)
    request.send_json(
        [
            {"0020000D": {"vr": "UI", "Value": [f"1.2.{number}"]}, "00100020": {"vr": "LO", "Value": [f"{number:05}"]}}
            for number in range(first, min(first + count, 10_000))
        ]
    )


def test_ten_thousand_matches_come_page_by_page() -> None:
    with servers.web(many) as server:
        archive = web(server.server_port)
        assert [study.uid for study in archive.studies(Query(), 100, 100)] == [f"1.2.{n}" for n in range(100, 200)]
        assert len(server.asked) == 1  # type: ignore[attr-defined]
        assert [study.uid for study in archive.studies(Query(patient_id="0*99"))][:2] == ["1.2.99", "1.2.199"]
        assert archive.studies(Query(patient_id="x")) == []
        assert len(server.asked) < 200  # type: ignore[attr-defined]
        archive.close()


def test_ten_thousand_matches_by_dimse_end_when_there_are_enough() -> None:
    from pydicom.dataset import Dataset
    from pynetdicom import evt

    sent = []

    def find(event: Any) -> Iterator[Any]:
        for number in range(10_000):
            if event.assoc.is_aborted or event.is_cancelled:
                return
            hit = Dataset()
            hit.StudyInstanceUID, hit.QueryRetrieveLevel = f"1.2.{number}", "STUDY"
            sent.append(number)
            yield 0xFF00, hit

    with servers.dimse([(evt.EVT_C_FIND, find)]) as port:
        archive = dimse(port)
        assert len(archive.studies(Query(), 50)) == 50
        archive.close()
    assert len(sent) < 10_000


def slices(count: int) -> dict[str, bytes]:
    noise = np.random.default_rng(0).integers(-900, 900, (200, 256)).astype(np.int16)
    found = {}
    for number in range(count):
        made = ct_slice(number * 2.0, number + 1, np.roll(noise, number))
        made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = f"1.2.9.{number}"
        found[f"1.2.9.{number}"] = content(made)
    return found


FILES = slices(4)


def wanted() -> list[Wanted]:
    return [Wanted(Instance("1.2", "1.3", uid, CT), f"study 1/CT series 3 image {n}") for n, uid in enumerate(FILES)]


def rows(archive: Any) -> list[Any]:
    """Retrieve, classify, and delete the images."""
    made = folder.make()
    model = result_of(opening("demo"))
    sources = result_of(retrieving(archive, wanted(), made))
    found = [event.row for event in engine.classify(model, sources) if isinstance(event, engine.RowDone)]
    archive.close()
    folder.delete(made)
    return found


def test_a_server_that_dies_in_the_middle_costs_only_what_has_not_come() -> None:
    def answer(request: servers.Handler) -> None:
        if request.place.endswith("/series/1.3"):
            request.send_parts(list(FILES.values()), but=len(FILES["1.2.9.3"]) + 2000)
        else:
            request.close_connection = True

    with servers.web(answer) as server:
        found = rows(web(server.server_port))
    assert [row.failed for row in found] == [False, False, True, True]
    assert found[3].error == SEEN["server that dies while it sends images"]


def test_a_server_that_dies_in_the_middle_of_a_c_get() -> None:
    from pydicom import dcmread
    from pydicom.filebase import DicomBytesIO
    from pynetdicom import evt

    def get(event: Any) -> Iterator[Any]:
        yield 4
        yield 0xFF00, dcmread(DicomBytesIO(FILES["1.2.9.0"]))
        event.assoc.abort()

    with servers.dimse([(evt.EVT_C_GET, get)]) as port:
        found = rows(dimse(port))
    assert [row.failed for row in found] == [False, True, True, True]
    assert found[3].error == SEEN["server that dies while it sends images, by DIMSE"]


def test_a_lost_and_a_truncated_image_cost_their_rows_and_a_double_one_nothing() -> None:
    def answer(request: servers.Handler) -> None:
        cut = FILES["1.2.9.2"][:-3000]
        if request.place.endswith("/series/1.3"):
            request.send_parts([FILES["1.2.9.0"], FILES["1.2.9.1"], FILES["1.2.9.1"], cut])
        else:
            request.send(b"", "text/plain", 404)

    with servers.web(answer) as server:
        found = rows(web(server.server_port))
    assert [row.failed for row in found] == [False, False, True, True]
    slice_, error = "The slice is CT series 3 image 2. ", found[2].error
    assert slice_ in error
    assert error.replace(slice_, "").endswith(SEEN["image that is cut short"])
    assert found[3].error == SEEN["image that the archive has lost, or an address without DICOMweb"]


def test_an_identifier_that_is_listed_twice_is_one_image() -> None:
    def answer(request: servers.Handler) -> None:
        if request.place.endswith("/series"):
            request.send_json(
                [{"0020000E": {"vr": "UI", "Value": ["1.3"]}, "00080060": {"vr": "CS", "Value": ["CT"]}}] * 2
            )
        else:
            request.send_json([{"00080018": {"vr": "UI", "Value": ["1.2.9.1"]}}] * 2)

    with servers.web(answer) as server:
        archive = web(server.server_port)
        assert len(result_of(listing(archive, [Study("1.2"), Study("1.2")]))) == 1
        archive.close()


def test_cancel_in_the_middle_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ARCHIVE_SILENT_SECONDS", 3600.0)
    release = threading.Event()

    def answer(request: servers.Handler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "multipart/related; boundary=xyz")
        request.send_header("Content-Length", "200000")
        request.end_headers()
        request.wfile.write(b"--xyz\r\n\r\n" + FILES["1.2.9.0"] + b"\r\n--xyz\r\n\r\n" + bytes(90_000))
        release.wait(60)

    with servers.web(answer) as server:
        made = folder.make()
        archive = web(server.server_port)
        steps = retrieving(archive, wanted(), made)
        while next(steps).done < 1:
            pass
        next(steps)
        begin = time.monotonic()
        steps.close()
        print(f"ended after {time.monotonic() - begin:.2f} s")
        folder.delete(made)
        release.set()
    assert not folder.parent().exists()


def test_small_messages_are_sent_at_once() -> None:
    """Without it, each image takes 40 ms longer."""
    from pynetdicom import evt

    options = []

    def find(event: Any) -> Iterator[Any]:
        yield 0, None

    with servers.dimse([(evt.EVT_C_FIND, find)]) as port:
        archive = dimse(port)
        with archive._associations.opened([_context()]) as association:
            made = association.dul.socket.socket
            options.append(made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        archive.close()
    assert options[0]


def _context() -> Any:
    from pynetdicom import build_context

    return build_context("1.2.840.10008.5.1.4.1.2.2.1")
