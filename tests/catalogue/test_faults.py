"""The table of faults in docs/downloads.md: each one made by the imitated Zenodo, and what the user then sees.

Run with ``WRITE_FAULT_TABLE=1`` in the environment to write the table anew.
"""

from __future__ import annotations

import errno
import gzip
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from napari_webipred.cache import index, store
from napari_webipred.download import partial, request_context
from napari_webipred.errors import CatalogueError
from zenodo_server import CONVERTED, Answer, ZenodoServer, model_zip

PAGE = Path(__file__).parents[2] / "docs" / "downloads.md"
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
RECORD = "7785993"
ZIP = model_zip()
FILE = f"/api/records/{RECORD}/files/{CONVERTED}/content"
PEOPLE = f"/records/{RECORD}/files/{CONVERTED}"
HTML = b"<!DOCTYPE html><html><body>Welcome to the guest network</body></html>"


@dataclass
class Fault:
    what: str
    make: Callable[[ZenodoServer, pytest.MonkeyPatch], object]


def everywhere(**answer: object) -> Callable[[ZenodoServer, pytest.MonkeyPatch], None]:
    """Spoil the file under both of its addresses."""

    def make(zenodo: ZenodoServer, _: pytest.MonkeyPatch) -> None:
        zenodo.answers[FILE] = zenodo.answers[PEOPLE] = Answer(**answer)  # type: ignore[arg-type]

    return make


def first(*answers: Answer) -> Callable[[ZenodoServer, pytest.MonkeyPatch], None]:
    def make(zenodo: ZenodoServer, _: pytest.MonkeyPatch) -> None:
        zenodo.answers[FILE] = [*answers, Answer(body=ZIP)]

    return make


def record(**change: object) -> Callable[[ZenodoServer, pytest.MonkeyPatch], None]:
    """Change what the record says of itself, or of its file."""

    def make(zenodo: ZenodoServer, _: pytest.MonkeyPatch) -> None:
        document = zenodo.publish(RECORD, {CONVERTED: ZIP})
        for key, value in change.items():
            target = document["files"][0] if key in {"checksum", "size", "key"} else document["metadata"]
            if key == "files":
                document["files"] = value
            elif value is None:
                del target[key]
            else:
                target[key] = value
        zenodo.set_record(document)

    return make


def failing(path: str, error: str) -> Callable[[ZenodoServer, pytest.MonkeyPatch], None]:
    return lambda zenodo, _: zenodo.fail(path, error)


def gone_offline(zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")


def no_server(zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_WEBIPRED_ZENODO_URL", "http://127.0.0.1:9")


def no_proxy(zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_WEBIPRED_ZENODO_URL", "https://zenodo.invalid")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)


def disk_full(zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(partial.PartialDownload, "_write", full)


def silent(zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_webipred import limits

    monkeypatch.setattr(limits, "SILENT_SECONDS", 0.05)
    zenodo.answers[FILE] = zenodo.answers[PEOPLE] = Answer(body=ZIP, stall_after=0)


def slow(zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_webipred import limits

    # The message tells the true limits, but nobody waits for so long.
    monkeypatch.setattr(limits, "DOWNLOAD_CHUNK", 64 * 2**10)
    monkeypatch.setattr(
        request_context.RequestContext, "time_limit", soon_over(request_context.RequestContext.time_limit)
    )
    zenodo.answers[FILE] = zenodo.answers[PEOPLE] = Answer(body=ZIP, stall_after=250)


def soon_over(time_limit: Callable[[request_context.RequestContext], AbstractContextManager[None]]) -> object:
    @contextmanager
    def soon(context: request_context.RequestContext) -> Iterator[None]:
        with time_limit(context):
            context._set_deadline(time.monotonic() + 0.2)
            yield

    return soon


def other_content(zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the publisher change the file after it was fetched once, and removed."""
    zenodo.publish(RECORD, {CONVERTED: model_zip(3)})
    card = index.find("webipred-16")
    assert card is not None
    for _ in store.fetch(card):
        pass
    store.remove("webipred-16")
    zenodo.publish(RECORD, {CONVERTED: ZIP})


def other_program(zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_webipred.download.client.user_agent", lambda: "python-requests/2.34")


LONG = {"Content-Length": str(len(ZIP) + 50)}
SHORT = {"Content-Length": str(len(ZIP) - 50)}
GZIP = {"Content-Encoding": "gzip"}
MANY = {f"X-{number}": "flood" for number in range(200)}
REDIRECT = {"Location": "http://localhost:9/file.zip"}

FAULTS = [
    Fault("the record does not exist (404)", failing(f"/api/records/{RECORD}", "404_unknown_id")),
    Fault("the record was deleted (410)", failing(f"/api/records/{RECORD}", "410_tombstone")),
    Fault("the file does not exist (404)", failing(FILE, "404_file_key")),
    Fault("the file is closed to the public (403, JSON)", failing(FILE, "403_restricted_files")),
    Fault("a restricted record lists no files", record(files=[], access_right="restricted")),
    Fault("an embargoed record lists no files", record(files=[], access_right="embargoed", embargo_date="2027-01-31")),
    Fault("blocked by the edge (403, HTML)", failing(FILE, "403_edge_html")),
    Fault("a program without a name of its own is blocked", other_program),
    Fault("429 with Retry-After 30, once", first(Answer(429, b"{}", {"Retry-After": "30"}))),
    Fault("429 with Retry-After 30, again and again", everywhere(status=429, headers={"Retry-After": "30"})),
    Fault("429 with Retry-After 3600", everywhere(status=429, headers={"Retry-After": "3600"})),
    Fault("Retry-After on a good answer", first(Answer(200, ZIP, {"Retry-After": "60"}))),
    Fault("502 twice", first(Answer(502, HTML), Answer(502, HTML))),
    Fault("503, again and again", everywhere(status=503, body=HTML, headers={})),
    Fault("the connection breaks after 600 bytes, once", first(Answer(body=ZIP, reset_after=600))),
    Fault("it breaks; the server ignores Range", everywhere(body=ZIP, reset_after=600)),
    Fault("it breaks; the server answers with a wrong Content-Range", first(Answer(body=ZIP, reset_after=600))),
    Fault("it breaks again and again", everywhere(body=ZIP, reset_after=600)),
    Fault("no answer", silent),
    Fault("a few bytes at a time", everywhere(body=ZIP, pieces=7)),
    Fault("less than 64 kB a minute", slow),
    Fault("compressed, though nobody asked for it", everywhere(body=gzip.compress(ZIP, mtime=0), headers=GZIP)),
    Fault("said to be compressed, but it is not", everywhere(body=ZIP, headers=GZIP)),
    Fault("compressed in a way that is not known", everywhere(body=ZIP, headers={"Content-Encoding": "br"})),
    Fault("200 headers", everywhere(body=ZIP, headers=MANY)),
    Fault("a part of the file that nobody asked for", everywhere(status=206, body=ZIP[:50])),
    Fault("the file was changed by its publisher since it was first fetched", other_content),
    Fault("Content-Length larger than the file", everywhere(body=ZIP, headers=LONG)),
    Fault("Content-Length smaller than the file", everywhere(body=ZIP, headers=SHORT)),
    Fault("no Content-Length", everywhere(body=ZIP, headers={"Content-Length": None})),
    Fault("the record tells too small a size", record(size=100)),
    Fault("the record tells too large a size", record(size=len(ZIP) + 9)),
    Fault("the record tells 5 GiB", record(size=5 * 2**30)),
    Fault("the record tells no checksum", record(checksum=None)),
    Fault("a wrong checksum", record(checksum="md5:" + "0" * 32)),
    Fault("another file of the same size", everywhere(body=ZIP[:-1] + b"?")),
    Fault("an empty file", everywhere(body=b"")),
    Fault("a login page instead of the file (200, HTML)", everywhere(body=HTML)),
    Fault(
        "a login page instead of the record",
        lambda zenodo, _: zenodo.put(f"/api/records/{RECORD}", HTML, **{"Content-Type": "text/html"}),
    ),
    Fault(
        "the record is broken JSON",
        lambda zenodo, _: zenodo.put(f"/api/records/{RECORD}", b"{", **{"Content-Type": "application/json"}),
    ),
    Fault("a Keras file called .zip", everywhere(body=b"\x89HDF\r\n\x1a\n" + bytes(50))),
    Fault("the file lies on another server, which is not there", everywhere(status=302, headers=REDIRECT)),
    Fault(
        "the record redirects to another server",
        lambda zenodo, _: zenodo.answers.update({f"/api/records/{RECORD}": Answer(302, b"", REDIRECT)}),
    ),
    Fault(
        "the record has neither licence, keywords nor description",
        record(license=None, keywords=None, description=None),
    ),
    Fault(
        "the record redirects to itself",
        lambda zenodo, _: zenodo.answers.update(
            {f"/api/records/{RECORD}": Answer(302, b"", {"Location": f"/api/records/{RECORD}"})}
        ),
    ),
    Fault("no network", no_server),
    Fault("the proxy is not there", no_proxy),
    Fault("off-line by choice", gone_offline),
    Fault("the disk is full", disk_full),
]


def prepare(fault: Fault, zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    zenodo.publish(RECORD, {CONVERTED: ZIP})
    fault.make(zenodo, monkeypatch)
    if "ignores Range" in fault.what:
        zenodo.answers[FILE] = [Answer(body=ZIP, reset_after=600), Answer(body=ZIP)]
        zenodo.fail(PEOPLE, "403_edge_html")
    if "wrong Content-Range" in fault.what:
        zenodo.answers[PEOPLE] = Answer(body=ZIP, ranges="wrong")


def seen(tmp_path: Path, waits: list[float]) -> str:
    """Fetch the model; return what the user sees, without what is of this machine only."""
    card = index.find("webipred-16")
    assert card is not None
    error = None
    try:
        for _ in store.fetch(card):
            pass
    except CatalogueError as told:
        error = told
    if error:
        assert error.message.endswith(".")
        assert not error.message.endswith("..")
        assert error.hint.endswith(".")
        assert store.path_of(card) is None
        text = f"{error.message} *{error.hint}*" + (f" ({', '.join(error.remedies)})" if error.remedies else "")
    else:
        path = store.path_of(card)
        assert path is not None
        assert path.read_bytes() == ZIP
        text = "The model is fetched" + (f" after waiting {len(waits)} times" if len(waits) > 1 else "")
        text += (
            (f" after {int(waits[0])} seconds" if waits[0] > 10 else " at the second try") if len(waits) == 1 else ""
        )
        text += "."
    text = (
        text.replace(str(tmp_path / "cache"), "CACHE")
        .replace("\\", "/")  # of Windows
        .replace("127.0.0.1", "zenodo.org")
        .replace("zenodo.invalid", "zenodo.org")
        .replace("|", "/")
    )
    # How much of the last piece arrives before a connection breaks differs from system to system.
    text = re.sub(r"after \d+ bytes", "after N bytes", text)
    return re.sub(r"md5:(?!0{32})[0-9a-f]{32}", "md5:4f...", text)  # the model was zipped a moment ago


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_the_page_tells_what_the_user_sees(
    fault: Fault, zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(request_context, "sleep", lambda cancelled, seconds: waits.append(seconds))
    monkeypatch.setattr("napari_webipred.limits.DOWNLOAD_CHUNK", 100)
    monkeypatch.setattr("random.uniform", lambda low, high: 1.0)
    prepare(fault, zenodo, monkeypatch)
    line = f"| {fault.what} | {seen(tmp_path, waits)} |"
    page = PAGE.read_text(encoding="utf-8")
    if os.environ.get("WRITE_FAULT_TABLE"):
        before, table = page[: page.index(END)], page[page.index(END) :]
        if fault is FAULTS[0]:
            before = before[: before.index(BEGIN)] + f"{BEGIN}\n\n| fault | what you see |\n|---|---|\n"
        PAGE.write_text(before + line + "\n" + ("\n" if fault is FAULTS[-1] else "") + table, encoding="utf-8")
    else:
        assert line in page


def test_the_page_has_no_other_faults() -> None:
    table = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert re.findall(r"^\| (.+?) \| ", table, re.MULTILINE)[1:] == [fault.what for fault in FAULTS]
