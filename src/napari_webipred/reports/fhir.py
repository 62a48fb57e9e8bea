"""FHIR R4 transactions: what the model says as preliminary observations, what a reader says as final ones."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from napari_webipred.imaging.dicom.attribute import items, text
from napari_webipred.reports.coding import SYSTEMS, Code, code_of
from napari_webipred.reports.origin import Origin
from napari_webipred.reports.person import Person
from napari_webipred.reports.results import Result, Results
from napari_webipred.reports.structured import chosen, is_confirmed

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Resource: TypeAlias = dict[str, Any]
_HL7 = "http://terminology.hl7.org/CodeSystem"
_UNITS = "http://unitsofmeasure.org"
_LOINC = "http://loinc.org"
_SEX = {"M": "male", "F": "female", "O": "other"}


class _Bundle:
    """The resources of a transaction, each once."""

    def __init__(self) -> None:
        self.entries: list[Resource] = []
        self._known: dict[Any, Resource] = {}

    def add(self, resource: Resource, *, once: str = "") -> Resource:
        """Add a resource and return what refers to it; `once` is a search by which the server finds one it has."""
        address = uuid.uuid4().urn
        request = {"method": "POST", "url": resource["resourceType"], **({"ifNoneExist": once} if once else {})}
        self.entries.append({"fullUrl": address, "resource": resource, "request": request})
        return {"reference": address}

    def known(self, key: Any, resource: Resource, *, once: str = "") -> Resource:
        """Return what refers to a resource, which is added when it is first needed."""
        if key not in self._known:
            self._known[key] = self.add(resource, once=once)
        return self._known[key]


def bundle(results: Results, origins: Sequence[Sequence[Origin]], reader: Person | None, system: str = "") -> Resource:
    """Make a transaction of all rows.

    Parameters
    ----------
    results : Results
    origins : sequence of sequence of Origin
        The images that each row is of.
    reader : Person, optional
        Who has answered; needed if anybody has.
    system : str
        The address of the system that has given the numbers of patients, where the images do not say so.
    """
    found = _Bundle()
    device = found.add(_device(results.record), once=_search("urn:ietf:rfc:3986", _checksum(results.record)))
    studies = _studies(found, origins, system)
    person = None
    if reader is not None and any(row.reading for row in results.rows):
        person = found.add(_practitioner(reader))
    first = 0
    for rows in results.by_image:
        own = origins[first : first + len(rows)]
        first += len(rows)
        shared = {**studies[own[0][0].study], "device": device, "reader": person}
        _report(found, rows, own, results.record, shared)
    return {"resourceType": "Bundle", "type": "transaction", "entry": found.entries}


def _search(system: str, value: str) -> str:
    return f"identifier={system}|{value}"


def _checksum(record: Mapping[str, Any]) -> str:
    return f"urn:checksum:{record['model']['checksum']}"


def _studies(found: _Bundle, origins: Sequence[Sequence[Origin]], system: str) -> dict[str, dict[str, Resource]]:
    """Add the studies with their series and images, and return what refers to each and to its patient."""
    datasets: dict[str, dict[str, Dataset]] = {}
    for origin in (each for own in origins for each in own):
        datasets.setdefault(origin.study, {})[origin.instance] = origin.attributes
    studies = {}
    for study, instances in datasets.items():
        first = next(iter(instances.values()))
        identifier = _patient_identifier(first, system)
        once = _search(identifier["system"], identifier["value"]) if "system" in identifier else ""
        key = (identifier.get("system"), identifier.get("value") or study)
        patient = found.known(key, _patient(first, identifier), once=once)
        resource = _study(study, list(instances.values()), patient)
        # A server that cannot know the patient must not put the findings of a new one beside a study that it has.
        imaging = found.add(resource, once=_search("urn:dicom:uid", f"urn:oid:{study}") if once else "")
        studies[study] = {"patient": patient, "study": imaging}
    return studies


def _patient_identifier(dataset: Dataset, system: str) -> Resource:
    """Return the number of the patient with the system that it is of, if that is known."""
    number, issuer = text(dataset, "PatientID"), text(dataset, "IssuerOfPatientID")
    if not number:
        return {}
    system = patient_system(dataset, system)
    found: Resource = {**({"system": system} if system else {}), "value": number}
    return {**found, **({"assigner": {"display": issuer}} if issuer else {})}


def patient_system(dataset: Dataset, given: str = "") -> str:
    """Return the address of the system that has given the number of a patient; empty if nobody says so."""
    for qualifier in items(dataset, "IssuerOfPatientIDQualifiersSequence"):
        if not given and text(qualifier, "UniversalEntityIDType") == "ISO" and text(qualifier, "UniversalEntityID"):
            return f"urn:oid:{text(qualifier, 'UniversalEntityID')}"
    return given


def _patient(dataset: Dataset, identifier: Resource) -> Resource:
    found: Resource = {"resourceType": "Patient"}
    if identifier:
        found["identifier"] = [identifier]
    name = dataset.get("PatientName")
    if name:
        family, given = str(name.family_name), [str(part) for part in (name.given_name, name.middle_name) if part]
        found["name"] = [{key: part for key, part in (("family", family), ("given", given)) if part}]
    if (sex := _SEX.get(text(dataset, "PatientSex"))) is not None:
        found["gender"] = sex
    if (born := _date(text(dataset, "PatientBirthDate"))) is not None:
        found["birthDate"] = born
    return found


def _date(written: str) -> str | None:
    try:
        return datetime.strptime(written, "%Y%m%d").date().isoformat()
    except ValueError:
        return None


def _study(study: str, datasets: Sequence[Dataset], patient: Resource) -> Resource:
    identifiers: list[Resource] = [{"system": "urn:dicom:uid", "value": f"urn:oid:{study}"}]
    if number := text(datasets[0], "AccessionNumber"):
        kind = {"coding": [{"system": f"{_HL7}/v2-0203", "code": "ACSN"}]}
        identifiers.append({"type": kind, "value": number})
    series: dict[str, Resource] = {}
    for dataset in datasets:
        uid = text(dataset, "SeriesInstanceUID")
        modality = {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": text(dataset, "Modality") or "OT"}
        one = series.setdefault(uid, {"uid": uid, "modality": modality, "instance": []})
        sop = {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{text(dataset, 'SOPClassUID')}"}
        one["instance"].append({"uid": text(dataset, "SOPInstanceUID"), "sopClass": sop})
    found: Resource = {"resourceType": "ImagingStudy", "status": "available", "subject": patient}
    if (day := _date(text(datasets[0], "StudyDate"))) is not None:
        found["started"] = day
    return {**found, "identifier": identifiers, "series": list(series.values())}


def _device(record: Mapping[str, Any]) -> Resource:
    model = record["model"]
    found: Resource = {
        "resourceType": "Device",
        "status": "active",
        "deviceName": [{"name": model["name"], "type": "model-name"}],
        "type": {"text": "AI image classification model"},
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": _checksum(record)}],
        "version": [{"value": model.get("version") or "unknown"}],
        "note": [{"text": f"Run by napari-webipred {record['versions']['napari-webipred']}."}],
    }
    if model.get("doi"):
        found["identifier"].append({"system": "https://doi.org", "value": model["doi"]})
    if model.get("authors"):
        found["manufacturer"] = ", ".join(model["authors"])
    return found


def _practitioner(reader: Person) -> Resource:
    name: Resource = {"family": reader.family, **({"given": reader.given.split()} if reader.given else {})}
    organisation = {"issuer": {"display": reader.organisation}, "code": {"text": "Reader"}}
    return {"resourceType": "Practitioner", "name": [name], "qualification": [organisation]}


def _report(
    found: _Bundle,
    rows: Sequence[Result],
    origins: Sequence[Sequence[Origin]],
    record: Mapping[str, Any],
    shared: Mapping[str, Any],
) -> None:
    """Add what is said of an image or series: observations of the model and the reader, and the report on them."""
    answers: list[Resource] = []
    predictions: list[Resource] = []
    conclusions: list[Resource] = []
    for row, own in zip(rows, origins, strict=True):
        if row.probabilities is None:
            continue
        predicted = found.add(_prediction(row, own, record, shared))
        predictions.append(predicted)
        if shared["reader"] is not None and row.reading is not None and not row.reading.unsure:
            answer = _answer(row, own, record, shared, predicted)
            answers.append(found.add(answer))
            if answer["valueCodeableConcept"] not in conclusions:
                conclusions.append(answer["valueCodeableConcept"])
    if not predictions:
        return
    readers = {"resultsInterpreter": [shared["reader"]]} if answers else {}
    found.add(
        {
            "resourceType": "DiagnosticReport",
            "status": "final" if is_confirmed(rows) else "partial" if answers else "preliminary",
            "subject": shared["patient"],
            **readers,
            "category": [_coded(f"{_HL7}/v2-0074", "RAD")],
            "code": {**_coded(_LOINC, "18748-4"), "text": "Diagnostic imaging study"},
            "effectiveDateTime": _time(record),
            "issued": datetime.now(UTC).isoformat(timespec="seconds"),
            "result": [*answers, *predictions],
            "imagingStudy": [shared["study"]],
            "conclusion": "; ".join(_conclusion(row) for row in rows if row.probabilities is not None),
            **({"conclusionCode": conclusions} if conclusions else {}),
        }
    )


def _prediction(
    row: Result, origins: Sequence[Origin], record: Mapping[str, Any], shared: Mapping[str, Any]
) -> Resource:
    entries = record["model"]["classes"]
    found: Resource = {
        "resourceType": "Observation",
        "status": "preliminary",
        "category": [_coded(f"{_HL7}/observation-category", "imaging")],
        "code": {"text": "AI class probabilities"},
        "subject": shared["patient"],
        "device": shared["device"],
        "derivedFrom": [shared["study"]],
        "effectiveDateTime": _time(record),
        "note": [{"text": _which(row, origins)}],
        "component": [
            {
                "code": _concept(code_of(entry)),
                "valueQuantity": {"value": number, "unit": "1", "system": _UNITS, "code": "1"},
            }
            for entry, number in zip(entries, row.probabilities or (), strict=True)
        ],
    }
    assigned = [code_of(entry) for entry in entries if entry["name"] in row.assigned]
    if assigned:
        found["valueCodeableConcept"] = _concept(*assigned)
    return found


def _answer(
    row: Result,
    origins: Sequence[Origin],
    record: Mapping[str, Any],
    shared: Mapping[str, Any],
    predicted: Resource,
) -> Resource:
    reading = row.reading
    assert reading is not None
    labels = reading.labels([entry["name"] for entry in record["model"]["classes"]])
    notes = [{"text": _which(row, origins)}, *([{"text": reading.comment}] if reading.comment else [])]
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [_coded(f"{_HL7}/observation-category", "imaging")],
        "code": {**_coded(_LOINC, "18782-3"), "text": "Radiology study observation"},
        "subject": shared["patient"],
        "performer": [shared["reader"]],
        "derivedFrom": [shared["study"], predicted],
        "effectiveDateTime": reading.time.isoformat(),
        "valueCodeableConcept": _concept(*chosen(labels, record)),
        "note": notes,
    }


def _which(row: Result, origins: Sequence[Origin]) -> str:
    """Say which image or plane an observation is about, by its identifier and never by a name of a file."""
    frames = "".join(f", frame {origin.frame}" for origin in origins if origin.frame is not None)
    which = origins[0].instance if len(origins) == 1 else f"{len(origins)} images of the series"
    return f"Image {which}{frames}{f' ({row.place})' if row.place else ''}"


def _conclusion(row: Result) -> str:
    numbers = row.probabilities or ()
    said = f"{', '.join(row.assigned) or 'no class'} {max(numbers, default=0.0):.3f}"
    where = f"{row.place}: " if row.place else ""
    if row.reading is None:
        return f"{where}AI: {said} (not validated)"
    if row.reading.unsure:
        return f"{where}AI: {said} (the reader is unsure)"
    return f"{where}{', '.join(row.reading.classes)} (validated by reader; AI: {said})"


def _time(record: Mapping[str, Any]) -> str:
    """Return when the rows were made."""
    return str(record["made"])


def _coded(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}


def _concept(*codes: Code) -> Resource:
    """Write codes: those of a card with their system, our own as text only."""
    public = [
        {"system": SYSTEMS.get(code.scheme, code.scheme), "code": code.value, "display": code.meaning}
        for code in codes
        if not code.is_private
    ]
    return {**({"coding": public} if public else {}), "text": ", ".join(code.meaning for code in codes)}
