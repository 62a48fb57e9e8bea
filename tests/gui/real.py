"""From an archive to the record through the panel, with real servers, clicks and keys.

Run by `test_whole_way.py`, in a namespace without other networks.
"""

from __future__ import annotations

import io
import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMessageBox

import orthanc
import stored_study
from napari_webipred._napari.reports.report_dialog import ReportDialog
from napari_webipred.pacs import connection_file, folder, secret
from stored_study import SERIES, WEB, faults_of, fhir_server, reports

assert orthanc.INSIDE in os.environ, "run test_whole_way.py"
LEFT, Key = Qt.MouseButton.LeftButton, Qt.Key
PATIENCE = 60_000  # milliseconds


@pytest.fixture
def servers() -> Iterator[None]:
    with stored_study.servers():
        connection_file.add(WEB)
        secret.reject(WEB)  # the user enters it
        yield
    folder.delete_all()


def test_a_study_is_found_classified_reviewed_and_its_findings_are_in_archive_and_record(
    servers: None, viewer: Any, open_panel: Any, qtbot: Any, tmp_path: Path
) -> None:
    panel = open_panel()
    retrieve(panel, qtbot)
    panel.form.model.value = "demo"
    qtbot.waitUntil(panel.classify.button.isEnabled, timeout=PATIENCE)
    qtbot.mouseClick(panel.classify.button, LEFT)
    qtbot.waitUntil(lambda: panel._session.run is not None and not panel._session.running, timeout=PATIENCE)
    rows = list(panel._session.run.rows)
    assert [row.error for row in rows] == [""] * 4
    names = panel._session.run.details.classes

    qtbot.mouseClick(panel.results.buttons.review, LEFT)
    qtbot.mouseClick(panel.review._start.start, LEFT)
    view = panel.review.view
    other = next(number for number in range(5) if number not in rows[1].assigned)
    for key in (Key.Key_A, Key(Key.Key_1.value + other), Key.Key_U, Key.Key_A):
        qtbot.waitUntil(lambda: not panel.review.image.busy, timeout=PATIENCE)
        QTest.keyClick(QApplication.focusWidget() or view, key)
    table = panel._session.table
    said = [table.entry(number).reading.classes for number in range(4)]
    assert said == [(rows[0].prediction,), (names[other],), (), (rows[3].prediction,)]
    QTest.keyClick(view, Key.Key_Escape)

    send(panel, qtbot, "sr", "the archive web")
    ((_, content),) = reports().items()
    from highdicom.sr import srread

    document = srread(io.BytesIO(content))
    groups = document.content.get_image_measurement_groups()
    found = {
        group.source_images[0].referenced_sop_instance_uid: [each.value for each in group.get_measurements()]
        for group in groups
        if group.tracking_identifier.startswith("AI")
    }
    numbers = [[float(str(number)) for number in row.probabilities] for row in rows]
    assert found == {f"{SERIES}.{number}": each for number, each in enumerate(numbers)}
    findings = [group.finding_type.value for group in groups if group.tracking_identifier.startswith("Reader")]
    assert len(findings) == 3  # of one image the reader is unsure
    assert (document.PatientID, str(document.PatientName)) == ("P2", "")
    assert faults_of(content, tmp_path) == ""

    send(panel, qtbot, "fhir", "a FHIR server")
    observed = {
        each["note"][0]["text"].split()[1]: [part["valueQuantity"]["value"] for part in each["component"]]
        for each in kept("Observation")
        if "component" in each
    }
    assert observed == {f"{SERIES}.{number}": each for number, each in enumerate(numbers)}
    finals = [each["valueCodeableConcept"]["text"] for each in kept("Observation") if each["status"] == "final"]
    labels = {each.name: each.label for each in panel._session.run.details.card.classes}
    assert sorted(finals) == sorted(labels[classes[0]] for classes in said if classes)


def retrieve(panel: Any, qtbot: Any) -> None:
    """Search the archive with the name of the patient and the password, and take the study that is found."""
    qtbot.mouseClick(panel.images.choice.file_buttons.archive, LEFT)
    dialog = panel.images.choice.archive.dialog

    def idle() -> None:
        qtbot.waitUntil(lambda: dialog._task is None, timeout=PATIENCE)

    idle()
    qtbot.keyClicks(dialog.form.fields["patient_name"], "M")  # of which there is one, with an umlaut
    QTest.keyClick(dialog.form.fields["patient_name"], Key.Key_Return)
    idle()
    assert not dialog.secret.isHidden()
    qtbot.keyClicks(dialog.password, orthanc.PASSWORD)
    qtbot.mouseClick(dialog.search, LEFT)
    idle()
    study = dialog.tree.topLevelItem(0)
    at = dialog.tree.visualItemRect(study).center()
    qtbot.mouseClick(dialog.tree.viewport(), LEFT, pos=at)
    qtbot.mouseClick(dialog.classify, LEFT)
    idle()
    assert "4 images in the list" in dialog.message.text
    dialog.close()


def send(panel: Any, qtbot: Any, kind: str, where: str) -> None:
    """Make a report, send it, and agree."""
    panel.results.buttons.menu.report.trigger()
    dialog = panel.window().findChildren(ReportDialog)[-1]
    qtbot.waitUntil(dialog.isVisible)
    dialog.kind.setCurrentIndex(dialog.kind.findData(kind))
    qtbot.waitUntil(lambda: dialog.target.where.findText(where) >= 0)
    qtbot.keyClicks(dialog.target.where, where)
    qtbot.keyClicks(dialog.reader, "Rita Reader")
    qtbot.keyClicks(dialog.organisation, "Clinic")
    if kind == "fhir":
        qtbot.keyClicks(dialog.target.address, fhir_server.ADDRESS)
        qtbot.keyClicks(dialog.target.token, fhir_server.TOKEN)
    qtbot.mouseClick(dialog.save, LEFT)
    qtbot.waitUntil(lambda: dialog.findChild(QMessageBox) is not None, timeout=PATIENCE)
    question = dialog.findChild(QMessageBox)
    assert "127.0.0.1" in question.text()
    assert "PatientID" in question.text()
    assert "Müller" not in question.text()
    qtbot.mouseClick(next(each for each in question.buttons() if each.text() == "Send"), LEFT)
    words = "stored in web" if kind == "sr" else "has taken"
    qtbot.waitUntil(lambda: words in panel.results.buttons.message.text, timeout=PATIENCE)


def kept(kind: str) -> list[dict[str, Any]]:
    """The resources of a kind on the FHIR server."""
    request = urllib.request.Request(f"{fhir_server.ADDRESS}/{kind}?_count=100")
    request.add_header("Authorization", f"Bearer {fhir_server.TOKEN}")
    with urllib.request.urlopen(request) as answer:
        return [entry["resource"] for entry in json.load(answer).get("entry", [])]
