"""From an archive to the record, with real servers. Run by `test_servers.py`, in a namespace without other networks."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import orthanc
import stored_study
from napari_webipred import cli
from napari_webipred.pacs import connection_file, secret
from stored_study import DIMSE, WEB, faults_of, fhir_server, reports

assert orthanc.INSIDE in os.environ, "run test_servers.py"

RITA = ("--reader", "Rita Reader", "--organisation", "Clinic", "--yes")


@pytest.fixture(scope="module", autouse=True)
def servers() -> Iterator[None]:
    with stored_study.servers():
        connection_file.add(WEB)  # for the table, which is made before a test has a configuration of its own
        yield


@pytest.fixture(autouse=True)
def known() -> None:
    connection_file.add(WEB)
    connection_file.add(DIMSE)
    secret.remember(WEB, orthanc.PASSWORD)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study, found and classified, and read by a reader who agrees, differs and is unsure."""
    folder = tmp_path_factory.mktemp("table")
    path = folder / "out.csv"
    find = ("pacs", "classify", "web", "--patient-name", "Müller", "-m", "demo", "-o", str(path), "--identify")
    assert cli.main(find) == 0
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    own = rows[0][header.index("prediction")]
    answers = [(own, ""), ("blurred", "see the edge"), ("", ""), ("sharp", "")]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*header, "reader_class", "reader_comment", "reader_time"])
        writer.writerows([*row, *said, "2026-11-26T10:00:00+00:00"] for row, said in zip(rows, answers, strict=True))
    return path


def numbers(table: Path) -> dict[str, list[float]]:
    """The probabilities of each image, by its identifier."""
    with table.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    first, end = header.index("sharp"), header.index("prediction")
    return {row[header.index("instance")]: list(map(float, row[first:end])) for row in rows}


@pytest.mark.parametrize("name", ["web", "dimse"])
def test_structured_reports_come_back_from_the_archive_as_they_were(
    name: str, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from highdicom.sr import srread

    before = reports()
    assert cli.main(["report", str(table), "--to", "sr", "--from", name, "--store", name, *RITA]) == 0
    said = capsys.readouterr().err
    assert "To 127.0.0.1: 1 documents" in said
    assert "PatientID" in said
    assert "Müller" not in said
    (uid,) = reports().keys() - before.keys()
    document = srread(io.BytesIO(reports()[uid]))
    groups = document.content.get_image_measurement_groups()
    found = {
        group.source_images[0].referenced_sop_instance_uid: [each.value for each in group.get_measurements()]
        for group in groups
        if group.tracking_identifier.startswith("AI")
    }
    assert found == numbers(table)
    findings = [group.finding_type.value for group in groups if group.tracking_identifier.startswith("Reader")]
    assert len(findings) == 3  # of one image the reader is unsure
    assert (document.VerificationFlag, str(document.PatientName), document.PatientID) == ("UNVERIFIED", "", "P2")
    assert faults_of(reports()[uid], tmp_path) == ""


def test_observations_come_back_from_the_fhir_server_as_they_were(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.json"
    command = ["report", str(table), "--to", "fhir", "--from", "dimse", "--send", fhir_server.ADDRESS, "--token-stdin"]
    command += ["--patient-system", "urn:oid:1.2.3", "-o", str(path), *RITA]
    for token, status in (("wrong", 2), (fhir_server.TOKEN, 0), (fhir_server.TOKEN, 0)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{token}\n"))
        assert cli.main([*command, "--overwrite"]) == status
    assert "does not accept the token" in capsys.readouterr().err
    assert fhir_server.faults(json.loads(path.read_text(encoding="utf-8"))) == []
    observations = kept("Observation")
    found: dict[str, list[float]] = {}
    for each in observations:
        if "component" in each:
            image = each["note"][0]["text"].split()[1]
            found[image] = [part["valueQuantity"]["value"] for part in each["component"]]
    assert found == numbers(table)
    assert len(observations) == 2 * (4 + 3)
    assert len(kept("Patient")) == len(kept("ImagingStudy")) == len(kept("Device")) == 1  # the second time found again
    assert {each["status"] for each in kept("DiagnosticReport")} == {"partial"}
    assert "name" not in kept("Patient")[0]


def test_the_schema_and_the_server_refuse_what_is_no_fhir(table: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    assert cli.main(["report", str(table), "--to", "fhir", "--from", "web", "-o", str(path), *RITA]) == 0
    bundle = json.loads(path.read_text(encoding="utf-8"))
    del next(each for each in bundle["entry"] if "code" in each["resource"])["resource"]["code"]
    assert fhir_server.faults(bundle)
    from napari_webipred.errors import PacsError
    from napari_webipred.reports.server import connection_to, posted

    with pytest.raises(PacsError, match=r"HTTP 422.*code"):
        posted(json.dumps(bundle).encode(), connection_to(fhir_server.ADDRESS, token=True), fhir_server.TOKEN)


def kept(kind: str) -> list[dict[str, Any]]:
    request = urllib.request.Request(f"{fhir_server.ADDRESS}/{kind}?_count=100")
    request.add_header("Authorization", f"Bearer {fhir_server.TOKEN}")
    with urllib.request.urlopen(request) as answer:
        return [entry["resource"] for entry in json.load(answer).get("entry", [])]
