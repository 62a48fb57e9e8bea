"""Saving and sending a report from the panel: the dialog says what will be in it, and asks before anything is sent."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

pytest.importorskip("napari")

from msgspec.structs import replace
from pydicom import Dataset, dcmread
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QMessageBox
from tests.gui.conftest import open_again
from werkzeug import Request, Response

from dicom_maker import RAMP, ct_slice, written
from napari_webipred._napari.images.dicom_layers import reader
from napari_webipred._napari.reports.report_dialog import ReportDialog
from napari_webipred.results.reading import Reading, now


@pytest.fixture
def classified(viewer, panel, classify, tmp_path):
    """Two slices, classified, of which a reader has confirmed the first one."""
    for number in range(2):
        about = {"PatientID": "P-17", "PatientName": "Mustermann^Erika", "SOPInstanceUID": f"1.2.3.4.{number}"}
        written(tmp_path / f"IM{number}", ct_slice(5.0 * number, number + 1, RAMP + number, **about))
    open_files = reader(str(tmp_path))
    assert open_files is not None
    ((data, options, _),) = open_files(str(tmp_path))
    viewer.add_image(data, **options)
    panel.form.planes.value = "all"
    classify(panel)
    panel.results._session.table.read(0, Reading(("noisy",), "grain", now()))
    return panel


@pytest.fixture
def dialog(classified, qtbot):
    """Open the dialog for a kind of report, with the name of the reader."""

    def open_it(kind: str) -> ReportDialog:
        classified.results.buttons.menu.report.trigger()
        shown = classified.window().findChildren(ReportDialog)[-1]
        qtbot.waitUntil(shown.isVisible)
        shown.kind.setCurrentIndex(shown.kind.findData(kind))
        shown.reader.setText("Rita Reader")
        shown.organisation.setText("Clinic")
        return shown

    return open_it


def asked(shown: ReportDialog, qtbot) -> QMessageBox:
    """The question before something is sent."""
    qtbot.waitUntil(lambda: shown.findChild(QMessageBox) is not None, timeout=30_000)
    return shown.findChild(QMessageBox)


def test_a_transaction_goes_to_a_fhir_server_after_the_user_has_agreed(classified, dialog, qtbot, httpserver):
    came: list[tuple[str | None, dict]] = []

    def take(request: Request) -> Response:
        came.append((request.headers.get("Authorization"), request.json))
        if came[-1][0] != "Bearer t0ken":
            return Response("", 401)
        return Response(json.dumps({"entry": [{"response": {"status": "201"}} for _ in request.json["entry"]]}))

    httpserver.expect_request("/fhir", method="POST").respond_with_handler(take)
    shown = dialog("fhir")
    assert "Nothing is sent." in shown.content.text()
    qtbot.keyClicks(shown.target.where, "a FHIR")
    shown.target.address.setText("http://hospital.example/fhir")
    assert shown.target.trust.isVisible()
    qtbot.mouseClick(shown.save, Qt.MouseButton.LeftButton)
    assert "not encrypted" in shown.message.text
    shown.target.address.setText(httpserver.url_for("/fhir"))
    assert f"It goes to {httpserver.host}, once you have agreed." in shown.content.text()
    shown.patient_system.setText("urn:oid:1.2.3")
    qtbot.mouseClick(shown.save, Qt.MouseButton.LeftButton)
    question = asked(shown, qtbot)
    assert f"to {httpserver.host}?" in question.text()
    assert "PatientID" in question.text()
    assert "Rita Reader, Clinic" in question.text()
    question.button(QMessageBox.StandardButton.Cancel).click()
    assert came == []  # nothing was sent
    qtbot.waitUntil(lambda: shown.findChild(QMessageBox) is None)
    for token in ("wrong", "t0ken"):
        shown.target.token.setText(token)
        qtbot.mouseClick(shown.save, Qt.MouseButton.LeftButton)
        question = asked(shown, qtbot)
        next(each for each in question.buttons() if each.text() == "Send").click()
        if token == "wrong":
            qtbot.waitUntil(lambda: "does not accept the token" in shown.message.text)
            assert shown.target.token.text() == ""
    message = classified.results.buttons.message
    qtbot.waitUntil(lambda: "has taken" in message.text)
    assert "PatientID" in message.text
    assert [given for given, _ in came] == ["Bearer wrong", "Bearer t0ken"]
    assert "urn:oid:1.2.3" in json.dumps(came[1][1])
    assert "Mustermann" not in json.dumps(came[1][1])
    assert dialog("fhir").target.address.text() == httpserver.url_for("/fhir")  # for the next one


def test_structured_reports_are_stored_in_an_archive_that_asks_for_a_password(
    classified, dialog, qtbot, httpserver, monkeypatch
):
    pytest.importorskip("highdicom", reason="LEFT OUT: DICOM reports in the panel, because highdicom is missing")
    pytest.importorskip("dicomweb_client", reason="LEFT OUT: storing reports, because dicomweb-client is missing")
    from napari_webipred.pacs import connection_file, secret
    from napari_webipred.pacs.connection import Connection

    monkeypatch.setattr(secret, "_known", {})
    stored: list[Dataset] = []

    def store(request: Request) -> Response:
        if request.authorization is None or request.authorization.password != "secret":
            return Response("", 401)
        content = request.data[request.data.index(b"\r\n\r\n") + 4 :]
        stored.append(dcmread(io.BytesIO(content), force=True))
        named = {"00081155": {"vr": "UI", "Value": [stored[-1].SOPInstanceUID]}}
        answer = {"00081199": {"vr": "SQ", "Value": [named]}}
        return Response(json.dumps(answer), content_type="application/dicom+json")

    httpserver.expect_request("/rs/studies", method="POST").respond_with_handler(store)
    connection_file.add(Connection("hospital", "dicomweb", httpserver.url_for("/rs"), user="jane"))
    shown = dialog("sr")
    qtbot.waitUntil(lambda: shown.target.where.count() == 2)
    qtbot.keyClicks(shown.target.where, "the archive")
    for password in ("", "wrong", "secret"):
        shown.target.password.setText(password)
        qtbot.mouseClick(shown.save, Qt.MouseButton.LeftButton)
        question = asked(shown, qtbot)
        assert question.text().startswith("Send 1 document (")
        next(each for each in question.buttons() if each.text() == "Send").click()
        if password != "secret":
            qtbot.waitUntil(lambda: "password" in shown.message.text)
            assert shown.target.password.isVisible()
            assert stored == []
    message = classified.results.buttons.message
    qtbot.waitUntil(lambda: "1 report stored in hospital." in message.text)
    assert [(each.Modality, each.PatientID, str(each.PatientName)) for each in stored] == [("SR", "P-17", "")]


def test_a_report_of_the_shown_rows_is_saved(classified, qtbot, monkeypatch, tmp_path):
    panel = classified
    buttons = panel.results.buttons
    session = panel.results._session

    def dialog() -> ReportDialog:
        buttons.menu.report.trigger()
        made = panel.window().findChildren(ReportDialog)[-1]
        qtbot.waitUntil(made.isVisible)
        return made

    def save(shown: ReportDialog, path) -> None:
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
        shown.save.click()

    page = tmp_path / "page.html"
    shown = dialog()
    assert "2 rows" in shown.content.text()
    assert "Nothing of the patient" in shown.content.text()
    assert shown.reader.isVisible()
    assert not shown.run.isVisible()
    shown.reader.setText("Rita Reader")
    shown.organisation.setText("Clinic")
    shown.pictures.setChecked(True)
    assert "the images" in shown.content.text()
    save(shown, page)
    qtbot.waitUntil(lambda: "Saved page.html" in buttons.message.text)
    content = page.read_text(encoding="utf-8")
    assert content.count("data:image/png") == 2
    assert "Rita Reader" in content
    assert "Mustermann" not in content

    record = tmp_path / "report.json"
    shown = dialog()
    shown.kind.setCurrentIndex(shown.kind.findData("fhir"))
    assert "patient ID" in shown.content.text()
    assert not shown.pictures.isVisible()
    save(shown, record)
    qtbot.waitUntil(lambda: "names the reader" in shown.message.text)  # nobody has said who
    assert not record.exists()
    shown.reader.setText("Rita Reader")
    shown.organisation.setText("Clinic")
    shown.name.setChecked(True)
    assert "name, date of birth" in shown.content.text()
    save(shown, record)
    qtbot.waitUntil(lambda: "PatientName" in buttons.message.text)
    bundle = json.loads(record.read_text(encoding="utf-8"))
    observed = [each["resource"] for each in bundle["entry"] if "component" in each["resource"]]
    numbers = [[part["valueQuantity"]["value"] for part in each["component"]] for each in observed]
    rows = session.table.rows.values("probabilities")
    assert np.array_equal(np.array(numbers, np.float32), np.array(list(rows)))
    assert "1.2.3.4.1" in observed[1]["note"][0]["text"]


@pytest.fixture
def namesakes(panel, classify, qtbot, tmp_path):
    """Two files of one name, of different patients."""
    files = [tmp_path / folder / "IM1" for folder in ("first", "second")]
    for patient, file in enumerate(files, 1):
        about = {"PatientID": f"P-{patient}", "StudyInstanceUID": f"1.{patient}", "SOPInstanceUID": f"1.2.9.{patient}"}
        file.parent.mkdir()
        written(file, ct_slice(0.0, pixels=RAMP + patient, **about))
    panel.form.images.value = files
    qtbot.waitUntil(lambda: not any(entry.finding for entry in panel._session.images.files))
    classify(panel)
    return panel


def transaction(panel, qtbot, monkeypatch, path) -> ReportDialog:
    panel.results.buttons.menu.report.trigger()
    shown = panel.window().findChildren(ReportDialog)[-1]
    qtbot.waitUntil(shown.isVisible)
    shown.kind.setCurrentIndex(shown.kind.findData("fhir"))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    shown.save.click()
    return shown


def test_files_of_one_name_are_reported_to_the_patients_they_are_of(namesakes, qtbot, monkeypatch, tmp_path):
    path = tmp_path / "report.json"
    transaction(namesakes, qtbot, monkeypatch, path)
    qtbot.waitUntil(path.exists)
    entries = json.loads(path.read_text(encoding="utf-8"))["entry"]
    resources = {each["fullUrl"]: each["resource"] for each in entries}
    found = {
        each["note"][0]["text"]: resources[each["subject"]["reference"]]["identifier"][0]["value"]
        for each in resources.values()
        if "component" in each
    }
    assert found == {"Image 1.2.9.1": "P-1", "Image 1.2.9.2": "P-2"}


def test_a_file_that_is_another_image_now_is_not_reported(namesakes, qtbot, monkeypatch, tmp_path):
    (tmp_path / "first" / "IM1").write_bytes((tmp_path / "second" / "IM1").read_bytes())  # as from another disk
    shown = transaction(namesakes, qtbot, monkeypatch, tmp_path / "report.json")
    qtbot.waitUntil(lambda: "was changed since it was classified." in shown.message.text)
    assert not (tmp_path / "report.json").exists()


def test_a_row_whose_image_is_gone_is_not_reported_with_another_file_of_its_name(
    namesakes, qtbot, monkeypatch, tmp_path
):
    run = namesakes._session.run
    open_again(namesakes, run.details, [replace(run.rows[0], image="IM1")])
    namesakes._session.delete([0, 1])
    monkeypatch.chdir(tmp_path / "second")
    shown = transaction(namesakes, qtbot, monkeypatch, tmp_path / "report.json")
    qtbot.waitUntil(lambda: "How IM1 was read is not known any more." in shown.message.text)
    assert not (tmp_path / "report.json").exists()
