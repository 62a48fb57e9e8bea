"""A server on this machine that answers as Zenodo does, faults included. Any test can use the fixture ``zenodo``."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import socket
import struct
import threading
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.error import HTTPError
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from urllib.request import urlopen

import numpy as np
import pytest

DATA = Path(__file__).parent / "catalogue" / "data"
ERRORS = json.loads((DATA / "errors.SOURCE_DERIVED.json").read_text())
TEMPLATE = json.loads((DATA / "record_7785993.SYNTHETIC.json").read_text())
CONVERTED = "257299_model_converted.zip"


def model_zip(classes: int = 2, size: int = 224, channels: int = 3, activation: str = "softmax") -> bytes:
    """Return a zip with a very small TensorFlow.js Layers model: global average, then a dense layer with softmax."""
    layers = [
        {
            "class_name": "InputLayer",
            "config": {"name": "image", "batch_input_shape": [None, size, size, channels], "dtype": "float32"},
        },
        {"class_name": "GlobalAveragePooling2D", "config": {"name": "average", "data_format": "channels_last"}},
        {
            "class_name": "Dense",
            "config": {"name": "classes", "units": classes, "activation": activation, "use_bias": True},
        },
    ]
    kernel = np.linspace(-1, 1, channels * classes, dtype="<f4").reshape(channels, classes)
    weights = [
        {"name": "classes/kernel", "shape": [channels, classes], "dtype": "float32"},
        {"name": "classes/bias", "shape": [classes], "dtype": "float32"},
    ]
    topology = {
        "format": "layers-model",
        "generatedBy": "keras v2.11.0",
        "convertedBy": "TensorFlow.js Converter v4.2.0",
        "modelTopology": {
            "keras_version": "2.11.0",
            "backend": "tensorflow",
            "model_config": {"class_name": "Sequential", "config": {"name": "sequential", "layers": layers}},
        },
        "weightsManifest": [{"paths": ["group1-shard1of1.bin"], "weights": weights}],
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        # Without a date, so that the same model is the same archive a minute later.
        for name, content in (
            ("model.json", json.dumps(topology).encode()),
            ("group1-shard1of1.bin", kernel.tobytes() + np.zeros(classes, "<f4").tobytes()),
        ):
            archive.writestr(zipfile.ZipInfo(f"257299_model_converted/{name}"), content)
    return buffer.getvalue()


@dataclass
class Answer:
    """What the server sends: anything about it can be wrong."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str | None] = field(default_factory=dict)
    """None leaves a header out that would be sent else, such as Content-Length."""
    stall_after: int | None = None
    """Send so many bytes, then fall silent until the test is over."""
    reset_after: int | None = None
    """Send so many bytes, then break the connection."""
    pieces: int | None = None
    """Send so many bytes at a time."""
    ranges: Literal["honoured", "ignored", "wrong"] = "ignored"
    """What is done if only a part of the body is asked for; a wrong part begins and ends elsewhere."""


class _Server(ThreadingHTTPServer):
    """Counts the connections that it is still serving."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self.served = threading.Condition()
        self.serving = 0
        super().__init__(("127.0.0.1", 0), handler)

    def process_request(self, *connection: Any) -> None:
        with self.served:
            self.serving += 1
        super().process_request(*connection)

    def process_request_thread(self, *connection: Any) -> None:
        try:
            super().process_request_thread(*connection)
        finally:
            with self.served:
                self.serving -= 1
                self.served.notify_all()


class ZenodoServer:
    """The imitation. ``answers`` holds what it sends by path; change or add what a test needs.

    Of a list of answers each is sent once and the last one ever after. ``ranges`` are the parts that were asked for.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer | list[Answer]] = {}
        self.requests: list[str] = []
        self.ranges: list[str] = []
        self.queries: list[dict[str, str]] = []
        self.user_agents: set[str] = set()
        self.stalled = threading.Event()
        self.released = threading.Event()
        self._server = _Server(self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def settle(self) -> None:
        """Wait until whatever was asked so far has been noted, also by those who have not waited for the answer.

        Connections are accepted in the order in which they were made, so that ours is the last.
        """
        try:
            urlopen(f"{self.url}/settle").close()
        except HTTPError as error:
            error.close()
        with self._server.served:
            self._server.served.wait_for(lambda: self._server.serving == 0)

    def publish(self, record_id: str, files: dict[str, bytes], **metadata: Any) -> dict[str, Any]:
        """Put a record with these files (names to contents) on the server and return its JSON, which may be changed."""
        record = copy.deepcopy(TEMPLATE)
        for old, new in (("7785993", record_id), ("7785991", str(int(record_id) - 1))):
            record = json.loads(json.dumps(record).replace(old, new))
        known = {entry["key"]: entry["id"] for entry in record["files"]}
        record["metadata"].update(metadata)
        record["files"] = []
        for number, (key, content) in enumerate(files.items()):
            # No client asks for a path with `..` in it, so such a file needs another address.
            name = quote(key) if ".." not in key else str(number)
            path = f"/api/records/{record_id}/files/{name}/content"
            record["files"].append(
                {
                    "id": known.get(key, f"00000000-0000-4000-8000-{number:012}"),
                    "key": key,
                    "size": len(content),
                    "checksum": "md5:" + hashlib.md5(content, usedforsecurity=False).hexdigest(),
                    "links": {"self": self.url + path},
                }
            )
            self.answers[unquote(path)] = Answer(body=content, headers={"Content-Type": "application/octet-stream"})
            # Zenodo gives parts of files under the address for people, but not under the other.
            self.answers[f"/records/{record_id}/files/{unquote(name)}"] = Answer(body=content, ranges="honoured")
        concept = f"/api/records/{record['conceptrecid']}"
        self.answers[concept] = Answer(302, b"<!doctype html>", {"Location": f"/api/records/{record_id}"})
        self.set_record(record)
        return record

    def set_record(self, record: dict[str, Any]) -> None:
        """Answer with this JSON when the record is asked for."""
        body = json.dumps(record).encode()
        self.answers[f"/api/records/{record['id']}"] = Answer(body=body, headers={"Content-Type": "application/json"})

    def put(self, path: str, content: bytes | dict[str, Any], **headers: str) -> str:
        """Answer with this at a path, as any server might; return the address."""
        body, kind = (
            (content, "text/plain")
            if isinstance(content, bytes)
            else (json.dumps(content).encode(), "application/json")
        )
        self.answers[path] = Answer(body=body, headers={"Content-Type": kind, **headers})
        return self.url + quote(path)

    def found(self, records: list[dict[str, Any]], total: int | None = None) -> None:
        """Answer a search with these records."""
        total = len(records) if total is None else total
        self.put("/api/records", {"hits": {"hits": records, "total": total}, "aggregations": {}, "links": {}})

    def file(self, record_id: str, key: str) -> Answer:
        """Return the answer for a file, to be spoilt."""
        answer = self.answers[f"/api/records/{record_id}/files/{key}/content"]
        assert isinstance(answer, Answer)
        return answer

    def fail(self, path: str, error: str) -> None:
        """Answer at a path with one of the errors of ``errors.SOURCE_DERIVED.json``."""
        self.answers[path] = error_answer(error)

    def _handler(zenodo) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                path = unquote(urlsplit(self.path).path)
                zenodo.requests.append(path)
                if query := urlsplit(self.path).query:
                    zenodo.queries.append(dict(parse_qsl(query)))
                agent = self.headers["User-Agent"]
                zenodo.user_agents.add(agent)
                if "python-requests" in agent or "pooch" in agent:
                    answer = error_answer("403_edge_html")
                else:
                    answer = zenodo.answers.get(path) or error_answer("404_unknown_id")
                    if isinstance(answer, list):
                        answer = answer.pop(0) if len(answer) > 1 else answer[0]
                self.close_connection = True
                status, body, more = answer.status, answer.body, {}
                if wanted := self.headers["Range"]:
                    zenodo.ranges.append(f"{path} {wanted}")
                    if status == 200 and answer.ranges != "ignored":
                        status, body, more = part_of(body, wanted, answer.ranges == "wrong")
                if "Date" in answer.headers:
                    self.send_response_only(status)
                else:
                    self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **more, **answer.headers}.items():
                    if value is not None:
                        self.send_header(name, value)
                # Zenodo sends these with every answer, so they must not be obeyed on a good one.
                self.send_header("X-RateLimit-Limit", "133")
                if "Retry-After" not in answer.headers:
                    self.send_header("Retry-After", "60")
                self.end_headers()
                until = answer.stall_after if answer.reset_after is None else answer.reset_after
                body = body[:until]
                step = answer.pieces or len(body) or 1
                with suppress(ConnectionError):  # They have heard enough.
                    for begin in range(0, len(body), step):
                        self.wfile.write(body[begin : begin + step])
                        self.wfile.flush()
                if answer.stall_after is not None:
                    zenodo.stalled.set()
                    zenodo.released.wait()
                if answer.reset_after is not None:
                    # Closing with this set sends RST instead of FIN.
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()

        return Handler


HOSTILE = "\u202egpj.\u202c <img src=http://x/y.png><b>\x1b]0;owned\x07\x1b[2J\r\n\u2066\u200b\x00" + "Ä" * 3000


def hostile_record(zenodo: ZenodoServer, text: str = HOSTILE) -> dict[str, Any]:
    """A record that says the same bad thing in every field where anybody can write something."""
    record = zenodo.publish("123", {f"{text[:50]}.onnx": b"x" * 10, "m.zip": model_zip()}, title=text)
    creators = [{"name": text}] * 20
    record["metadata"] |= {"creators": creators, "description": text, "keywords": [text] * 20, "version": text}
    record["metadata"] |= {"license": {"id": text}, "publication_date": text, "embargo_date": text}
    return record | {"doi": text, "conceptrecid": text}


def part_of(body: bytes, wanted: str, wrong: bool) -> tuple[int, bytes, dict[str, str]]:
    first = int(wanted.removeprefix("bytes=").removesuffix("-"))
    if first >= len(body):
        return 416, b"", {"Content-Range": f"bytes */{len(body)}"}
    first += wrong
    return 206, body[first:], {"Content-Range": f"bytes {first}-{len(body) - 1}/{len(body)}"}


def error_answer(name: str) -> Answer:
    error = ERRORS[name]
    body = error["body"] if isinstance(error["body"], str) else json.dumps(error["body"])
    content_type = error["content_type"].split(" ")[0].rstrip(";")
    return Answer(error["status"], body.encode(), {"Content-Type": content_type, **error.get("headers", {})})


@pytest.fixture
def zenodo(monkeypatch: pytest.MonkeyPatch) -> Iterator[ZenodoServer]:
    """Zenodo on this machine; the settings point at it. It begins without records."""
    server = ZenodoServer()
    monkeypatch.setenv("NAPARI_WEBIPRED_ZENODO_URL", server.url)
    yield server
    server.close()
