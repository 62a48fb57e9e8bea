"""Sending a transaction: to the named host alone, once, with the token."""

from __future__ import annotations

import io
import json
import sys

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from napari_webipred import cli
from napari_webipred.errors import PacsError, WebIPredError
from napari_webipred.reports.server import connection_to, posted

BUNDLE = json.dumps({"entry": [{"resource": {}}, {"resource": {}}]}).encode()


def taken(count: int) -> dict[str, object]:
    return {"entry": [{"response": {"status": "201", "location": f"Observation/{i}"}} for i in range(count)]}


def test_it_arrives_with_the_token(httpserver: HTTPServer) -> None:
    seen: list[tuple[str | None, bytes, str | None]] = []

    def take(request: Request) -> Response:
        seen.append((request.headers.get("Authorization"), request.data, request.content_type))
        return Response(json.dumps(taken(2)))

    httpserver.expect_request("/fhir", method="POST").respond_with_handler(take)
    places = posted(BUNDLE, connection_to(httpserver.url_for("/fhir/"), token=True), "t0ken")
    assert places == ["Observation/0", "Observation/1"]
    assert seen == [("Bearer t0ken", BUNDLE, "application/fhir+json")]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Response("", 401), "does not accept the token"),
        (Response("", 302, {"Location": "http://127.0.0.1:9/"}), "not followed"),
        (Response(json.dumps({"issue": [{"diagnostics": "no\ncode"}]}), 422), r"HTTP 422\): no code"),
        (Response("<html>", 500), r"HTTP 500\)"),
        (Response("<html>", 200), "unknown way"),
        (Response(json.dumps(taken(1)), 200), "taken 1 of 2"),
        (Response(json.dumps([]), 200), "taken 0 of 2"),
    ],
)
def test_what_goes_wrong_is_said_in_words(httpserver: HTTPServer, answer: Response, said: str) -> None:
    httpserver.expect_request("/fhir").respond_with_response(answer)
    with pytest.raises(PacsError, match=said):
        posted(BUNDLE, connection_to(httpserver.url_for("/fhir"), token=True), "t0ken")


@pytest.mark.parametrize(
    "address", ["host/fhir", "ftp://host", "https://user:secret@host", "http://hospital.example/fhir"]
)
def test_an_address_that_is_none_or_not_encrypted_is_refused(address: str) -> None:
    with pytest.raises(WebIPredError):
        connection_to(address, token=False)
    assert connection_to("http://hospital.example/fhir", token=False, trust=True).host == "hospital.example"


def test_the_user_sees_what_leaves_the_computer_and_has_to_agree(
    study, httpserver: HTTPServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(request: Request) -> Response:
        return Response(json.dumps(taken(len(request.json["entry"]))))  # type: ignore[index]

    httpserver.expect_request("/fhir").respond_with_handler(take)
    command = [
        "report",
        str(study.table),
        "--to",
        "fhir",
        "--send",
        httpserver.url_for("/fhir"),
        "--name",
        "--token-stdin",
    ]
    monkeypatch.setattr(sys, "stdin", io.StringIO("t0ken\n"))
    assert cli.main(command) == 2
    said = capsys.readouterr().err
    assert "Add --yes" in said
    assert httpserver.log == []
    for words in ("To localhost: 1 documents", "PatientName", "PatientID", "AccessionNumber", "4 rows"):
        assert words in said
    assert "Mustermann" not in said
    assert cli.main([*command, "--yes"]) == 0
    assert len(httpserver.log) == 1
    assert httpserver.log[0][0].headers["Authorization"] == "Bearer t0ken"


def test_nothing_is_sent_while_the_network_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    with pytest.raises(PacsError, match="offline"):
        connection_to("https://host/fhir", token=False)
