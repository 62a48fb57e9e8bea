"""FHIR transactions: what they say, and of whom."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from napari_webipred.card import ClassEntry
from napari_webipred.errors import OptionError
from napari_webipred.reports.making import Wishes, making
from napari_webipred.reports.report import Report
from napari_webipred.reports.results import Results
from napari_webipred.steps import result_of

RITA = {"reader": "Reader, Rita", "organisation": "Clinic"}


def reported(results: Results, **wishes: Any) -> tuple[Report, dict[str, list[dict[str, Any]]]]:
    report = result_of(making(results, "fhir", Wishes(**{**RITA, **wishes})))
    (content,) = report.documents
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in json.loads(content)["entry"]:
        found.setdefault(entry["resource"]["resourceType"], []).append(entry)
    return report, found


def resources(found: dict[str, list[dict[str, Any]]], kind: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in found.get(kind, [])]


def test_the_numbers_are_those_of_the_table(study) -> None:
    _, found = reported(study.results())
    observed = [part for part in resources(found, "Observation") if part["code"]["text"] == "AI class probabilities"]
    numbers = [[each["valueQuantity"]["value"] for each in part["component"]] for part in observed]
    assert numbers == study.numbers()
    assert {part["status"] for part in observed} == {"preliminary"}


def test_references_lead_to_resources_of_the_bundle(study) -> None:
    _, found = reported(study.results({0: ("noisy", "")}))
    there = {entry["fullUrl"] for entries in found.values() for entry in entries}
    referred = set(re.findall(r'"reference": "([^"]+)"', json.dumps(found)))
    assert len(referred) > 5
    assert referred <= there
    assert len(there) == sum(map(len, found.values()))


def test_a_reader_makes_final_what_he_has_confirmed(study) -> None:
    _, found = reported(study.results({0: ("noisy", "grain"), 1: ("", ""), 3: ("none", "")}))
    answers = [part for part in resources(found, "Observation") if part["status"] == "final"]
    assert [part["valueCodeableConcept"]["text"] for part in answers] == [
        "Noisy: grain covers the structure",
        "None of the classes",
    ]
    assert answers[0]["effectiveDateTime"] == "2026-11-26T10:00:00+00:00"
    assert {"text": "grain"} in answers[0]["note"]
    series, radiograph = resources(found, "DiagnosticReport")
    assert (series["status"], radiograph["status"]) == ("partial", "final")
    (person,) = resources(found, "Practitioner")
    assert person["name"] == [{"family": "Reader", "given": ["Rita"]}]


def test_without_a_reader_all_is_preliminary(study) -> None:
    _, found = reported(study.results(), reader="", organisation="")
    assert {part["status"] for part in resources(found, "DiagnosticReport")} == {"preliminary"}
    assert not resources(found, "Practitioner")
    assert not any("resultsInterpreter" in part for part in resources(found, "DiagnosticReport"))


def test_the_study_is_named_with_its_series_and_images(study) -> None:
    _, found = reported(study.results())
    (imaging,) = resources(found, "ImagingStudy")
    assert imaging["identifier"][0] == {"system": "urn:dicom:uid", "value": "urn:oid:1.2.826.0.1.3680043.8.498.1"}
    assert imaging["identifier"][1]["value"] == "A77"
    assert [(each["modality"]["code"], len(each["instance"])) for each in imaging["series"]] == [("CT", 3), ("CR", 1)]


def test_the_name_of_the_patient_is_written_only_when_asked_for(study) -> None:
    plain, found = reported(study.results())
    assert not any(word in plain.documents[0] for word in (b"Mustermann", b"Erika", b"19610101", b"Dora"))
    assert resources(found, "Patient") == [{"resourceType": "Patient", "identifier": [{"value": "P-17"}]}]
    named, found = reported(study.results(), name=True)
    (patient,) = resources(found, "Patient")
    assert patient["name"] == [{"family": "Mustermann", "given": ["Erika"]}]
    assert (patient["birthDate"], patient["gender"]) == ("1961-01-01", "female")
    assert b"Dora" not in named.documents[0]


def test_a_patient_is_looked_for_only_where_it_is_known_whose_number_it_is(study) -> None:
    report, found = reported(study.results())
    assert "ifNoneExist" not in found["Patient"][0]["request"]
    assert "ifNoneExist" not in found["ImagingStudy"][0]["request"]
    assert any("which system" in note for note in report.notes)
    report, found = reported(study.results(), patient_system="urn:oid:1.2.3")
    assert found["Patient"][0]["request"]["ifNoneExist"] == "identifier=urn:oid:1.2.3|P-17"
    assert "ifNoneExist" in found["ImagingStudy"][0]["request"]
    assert not any("which system" in note for note in report.notes)


def test_codes_come_from_the_card_only(study, change_record) -> None:
    entries = [dict(entry) for entry in study.results().record["model"]["classes"]]
    entries[2]["codes"] = [{"scheme": "SCT", "code": "1234", "meaning": "Noise"}]
    change_record(classes=entries)
    _, found = reported(study.results({0: ("noisy", ""), 1: ("sharp", "")}))
    answers = [part["valueCodeableConcept"] for part in resources(found, "Observation") if part["status"] == "final"]
    assert answers[0]["coding"] == [{"system": "http://snomed.info/sct", "code": "1234", "display": "Noise"}]
    assert "coding" not in answers[1]


@pytest.mark.parametrize("code", ["A1", {"scheme": "ICD", "code": "J18"}, {"scheme": "SCT", "code": "1 or more"}])
def test_what_is_no_code_is_refused(study, change_record, code: Any) -> None:
    entries = [dict(entry) for entry in study.results().record["model"]["classes"]]
    entries[0]["codes"] = [code]
    change_record(classes=entries)
    with pytest.raises(OptionError, match="odd code"):
        reported(study.results())


def test_a_card_keeps_the_codes_of_its_classes() -> None:
    codes = [{"scheme": "SCT", "code": "233604007", "meaning": "Pneumonia"}]
    assert ClassEntry(index=0, name="a", codes=codes).model_dump()["codes"] == codes
