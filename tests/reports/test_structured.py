"""DICOM structured reports: what they say, of whom, and what tools of others think of them."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_webipred import cli
from napari_webipred.errors import OptionError
from napari_webipred.reports.making import Wishes, making
from napari_webipred.reports.report import Report
from napari_webipred.reports.results import Results
from napari_webipred.steps import result_of

pytest.importorskip("highdicom", reason="LEFT OUT: DICOM reports, because highdicom is not installed")

RITA = {"reader": "Rita Reader", "organisation": "Clinic"}
ALL = dict.fromkeys(range(4), ("noisy", ""))


def reported(results: Results, **wishes: Any) -> Report:
    return result_of(making(results, "sr", Wishes(**{**RITA, **wishes})))


def documents(report: Report) -> list[Any]:
    from highdicom.sr import srread

    return [srread(io.BytesIO(content)) for content in report.documents]


def groups(document: Any, what: str) -> list[Any]:
    found = document.content.get_image_measurement_groups()
    return [group for group in found if group.tracking_identifier.startswith(what)]


def test_each_image_or_series_has_a_report_with_the_numbers_of_the_table(study) -> None:
    series, radiograph = documents(reported(study.results()))
    assert [len(groups(document, "AI prediction")) for document in (series, radiograph)] == [3, 1]
    found = [
        [measured.value for measured in group.get_measurements()]
        for document in (series, radiograph)
        for group in groups(document, "AI prediction")
    ]
    assert found == study.numbers()
    referred = [group.source_images[0].referenced_sop_instance_uid for group in groups(series, "AI")]
    assert referred == [f"1.2.826.0.1.3680043.8.498.2.{number}" for number in range(3)]
    assert groups(radiograph, "AI")[0].source_images[0].referenced_sop_instance_uid == "1.2.826.0.1.3680043.8.498.4.1"
    assert series.StudyInstanceUID == radiograph.StudyInstanceUID == "1.2.826.0.1.3680043.8.498.1"
    assert series.AccessionNumber == "A77"
    for document in (series, radiograph):  # no reader has said anything
        assert (document.VerificationFlag, document.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
        assert not groups(document, "Reader validation")


def test_the_model_is_named_with_its_doi_and_checksum(study, change_record) -> None:
    change_record(doi="10.5281/zenodo.7", version="1.2.0", authors=["Ada", "Grace"])
    group = groups(documents(reported(study.results()))[1], "AI")[0]
    text = "\n".join(str(item.get("TextValue", "")) for item in group[0].ContentSequence)
    assert "doi=10.5281/zenodo.7" in text
    assert f"sha256={study.results().record['model']['checksum'].removeprefix('sha256:')}" in text
    assert "1.2.0" in text
    assert "Ada, Grace" in text


def test_a_report_is_verified_only_where_a_reader_has_confirmed_all_of_it(study) -> None:
    answers = {0: ("noisy", "grain"), 1: ("", ""), 3: ("sharp", "")}  # about row 1 the reader is unsure
    series, radiograph = documents(reported(study.results(answers)))
    assert (series.VerificationFlag, series.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert (radiograph.VerificationFlag, radiograph.PreliminaryFlag) == ("VERIFIED", "FINAL")
    observer = radiograph.VerifyingObserverSequence[0]
    assert (str(observer.VerifyingObserverName), observer.VerifyingOrganization) == ("Reader^Rita", "Clinic")
    assert observer.VerificationDateTime == "20261126100000+0000"
    found = groups(series, "Reader validation")
    assert [group.finding_type.meaning for group in found] == ["Noisy: grain covers the structure"]
    assert "grain" in str(found[0][0])


def test_the_reader_agrees_or_not(study) -> None:
    assigned = study.results().rows[0].assigned[0]
    other = "sharp" if assigned != "sharp" else "noisy"
    series = documents(reported(study.results({0: (assigned, ""), 1: (other, ""), 2: ("none", "")})))[0]
    found = [
        (group.finding_type.value, group.get_qualitative_evaluations()[0].value.meaning)
        for group in groups(series, "Reader validation")
    ]
    names = study.results().classes
    assert found[0] == (f"CLASS{names.index(assigned) + 1}", "Yes")
    assert found[1] == (f"CLASS{names.index(other) + 1}", "No")
    assert found[2] == ("NOCLASS", "No")


def test_of_several_classes_each_is_a_finding(study) -> None:
    series = documents(reported(study.results({0: ("sharp; noisy", "both")})))[0]
    assert [group.finding_type.value for group in groups(series, "Reader validation")] == ["CLASS1", "CLASS3"]


def test_codes_come_from_the_card_and_long_names_are_cut(study, change_record) -> None:
    entries = [dict(entry) for entry in study.results().record["model"]["classes"]]
    entries[0]["codes"] = [{"scheme": "SCT", "code": "233604007", "meaning": "Pneumonia"}]
    entries[1]["label"] = "long " * 40
    change_record(classes=entries)
    series = documents(reported(study.results({0: ("sharp", ""), 1: ("blurred", "")})))[0]
    codes = [group.finding_type for group in groups(series, "Reader validation")]
    assert [(code.value, code.scheme_designator) for code in codes] == [("233604007", "SCT"), ("CLASS2", "99WEBIPRED")]
    assert len(codes[1].meaning) == 64


def test_the_name_of_the_patient_is_written_only_when_asked_for(study) -> None:
    plain, named = reported(study.results()), reported(study.results(), name=True)
    assert not any(
        word in content for content in plain.documents for word in (b"Mustermann", b"Erika", b"19610101", b"Dora")
    )
    assert documents(plain)[0].PatientID == "P-17"
    assert str(documents(plain)[0].PatientName) == ""
    assert str(documents(named)[0].PatientName) == "Mustermann^Erika"
    assert not any(b"Dora" in content or b"065Y" in content for content in named.documents)
    assert "PatientName" not in plain.attributes
    assert {"PatientName", "PatientBirthDate", "PatientID", "AccessionNumber"} <= set(named.attributes)


def test_a_correction_is_a_new_version_that_refers_to_the_old_one(study, tmp_path) -> None:
    first = tmp_path / "first"
    old = reported(study.results(ALL))
    old.save(first)
    again = reported(study.results({**ALL, 0: ("sharp", "")}), corrects=(first,))
    from pydicom import dcmread

    for before, now in zip(sorted(first.iterdir()), documents(again), strict=True):
        (study_,) = now.PredecessorDocumentsSequence
        referred = study_.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        assert referred == dcmread(before).SOPInstanceUID != now.SOPInstanceUID
    assert not any("PredecessorDocumentsSequence" in document for document in documents(old))


def test_what_is_corrected_has_to_be_about_the_same_images(study, tmp_path, change_record) -> None:
    reported(study.results()).save(tmp_path / "all")
    rows = study.table.read_text(encoding="utf-8").splitlines(keepends=True)
    study.table.write_text("".join(rows[:-1]), encoding="utf-8")
    with pytest.raises(OptionError, match="other images"):
        reported(study.results(), corrects=(tmp_path / "all",))
    with pytest.raises(OptionError, match="no structured report"):
        reported(study.results(), corrects=(study.images / "IM0",))


def test_a_damaged_row_makes_the_report_partial(study) -> None:
    lines = study.table.read_text(encoding="utf-8").splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([*cells[:2], *[""] * 6, "It could not be read."])
    study.table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    series = documents(reported(study.results()))[0]
    assert series.CompletionFlag == "PARTIAL"
    assert len(groups(series, "AI")) == 2


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="LEFT OUT: dciodvfy (dicom3tools) is not installed")
def test_dciodvfy_finds_no_error(study, tmp_path: Path) -> None:
    odd = {0: ("sharp; noisy", "Größe, 日本"), 1: ("none", ""), 2: ("", "?")}
    for name, answers in (("read", ALL), ("odd", odd), ("unread", None)):
        reported(study.results(answers)).save(tmp_path / name)
    reported(study.results(odd), name=True, corrects=(tmp_path / "odd",)).save(tmp_path / "again")
    paths = sorted(tmp_path.glob("*/report-*.dcm"))
    assert len(paths) == 8
    for path in paths:
        done = subprocess.run(["dciodvfy", str(path)], capture_output=True, encoding="latin-1", check=False, timeout=60)
        assert "Comprehensive3DSR" in done.stdout + done.stderr
        assert "Error" not in done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("dsrdump") is None, reason="LEFT OUT: dsrdump (dcmtk) is not installed")
def test_dcmtk_reads_the_same_numbers(study, tmp_path: Path) -> None:
    reported(study.results(ALL)).save(tmp_path)
    for path, rows in ((tmp_path / "report-1.dcm", slice(3)), (tmp_path / "report-2.dcm", slice(3, 4))):
        done = subprocess.run(["dsrdump", "+Pl", str(path)], capture_output=True, text=True, check=True, timeout=60)
        found = [float(line.rpartition('")="')[2].split('"')[0]) for line in done.stdout.splitlines() if "NUM:" in line]
        assert found == [number for row in study.numbers()[rows] for number in row]
        assert "VERIFIED" in done.stdout


def test_a_heat_map_is_an_image_that_refers_to_its_source(study, tmp_path) -> None:
    from pydicom import dcmread

    folder = tmp_path / "maps"
    assert cli.main(["report", str(study.table), "--to", "sr", "--heat-maps", "-o", str(folder)]) == 0
    paths = sorted(folder.iterdir())
    made = [dcmread(path) for path in paths]
    captures = [each for each in made if each.Modality != "SR"]
    assert [str(each.SOPClassUID) for each in captures] == ["1.2.840.10008.5.1.4.1.1.7"] * 4
    sources = [each.SourceImageSequence[0].ReferencedSOPInstanceUID for each in captures]
    assert sources == [*(f"1.2.826.0.1.3680043.8.498.2.{i}" for i in range(3)), "1.2.826.0.1.3680043.8.498.4.1"]
    assert captures[3].pixel_array.shape == (64, 64, 3)
    assert np.ptp(captures[3].pixel_array) > 50
    assert study.results().rows[3].assigned[0] in captures[3].SeriesDescription
    assert "Class activation map" in captures[3].DerivationDescription
    assert (captures[0].PatientID, str(captures[0].PatientName), captures[0].StudyID) == ("P-17", "", "S1")
    if shutil.which("dciodvfy"):
        for path in paths[-4:]:
            done = subprocess.run(["dciodvfy", str(path)], capture_output=True, encoding="latin-1", check=False)
            assert "Error" not in done.stdout + done.stderr
