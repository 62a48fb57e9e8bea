"""Saving a report from the panel: the dialog says what will be in it."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtWidgets import QFileDialog

from dicom_maker import RAMP, ct_slice, written
from napari_webipred._napari.images.dicom_layers import reader
from napari_webipred._napari.reports.report_dialog import ReportDialog
from napari_webipred.results.reading import Reading, now


def test_a_report_of_the_shown_rows_is_saved(viewer, panel, qtbot, classify, monkeypatch, tmp_path):
    for number in range(2):
        about = {"PatientID": "P-17", "PatientName": "Mustermann^Erika", "SOPInstanceUID": f"1.2.3.4.{number}"}
        written(tmp_path / f"IM{number}", ct_slice(5.0 * number, number + 1, RAMP + number, **about))
    open_files = reader(str(tmp_path))
    assert open_files is not None
    ((data, options, _),) = open_files(str(tmp_path))
    viewer.add_image(data, **options)
    panel.form.planes.value = "all"
    classify(panel)
    buttons = panel.results.buttons
    session = panel.results._session
    session.table.read(0, Reading(("noisy",), "grain", now()))

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
