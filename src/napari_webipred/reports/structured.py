"""DICOM structured reports of TID 1500: what the model says of an image or series, and what a reader says of it."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from napari_webipred.errors import OptionError
from napari_webipred.names import visible
from napari_webipred.reports.coding import PRIVATE, Code, code_of, short
from napari_webipred.reports.origin import PERSONAL, Origin
from napari_webipred.reports.person import Person
from napari_webipred.reports.results import Result

if TYPE_CHECKING:
    from highdicom.sr import Comprehensive3DSR, MeasurementsAndQualitativeEvaluations, SourceImageForMeasurementGroup
    from pydicom.dataset import Dataset

MAKER = "napari-webipred"
# What was done to the patient, by modality, in SNOMED CT; anything else is an imaging procedure.
_PROCEDURES = {
    "CT": ("77477000", "Computed tomography"),
    "MR": ("113091000", "Magnetic resonance imaging"),
    "US": ("16310003", "Ultrasonography"),
    "CR": ("168537006", "Plain radiography"),
    "DX": ("168537006", "Plain radiography"),
    "MG": ("71651007", "Mammography"),
}
_PROCEDURE = ("363679005", "Imaging")
_SERIES_NUMBER = 9100
_EMPTY = ("PatientID", "StudyID", "StudyDate", "StudyTime", "AccessionNumber", *PERSONAL)


def structured(
    rows: Sequence[Result],
    origins: Sequence[Sequence[Origin]],
    record: Mapping[str, Any],
    reader: Person | None,
    previous: Dataset | None = None,
) -> Comprehensive3DSR:
    """Make the report on an image, or on the planes of a series.

    Parameters
    ----------
    rows : sequence of Result
        Of one image or series.
    origins : sequence of sequence of Origin
        The images that each row is of.
    record : mapping
        How the rows were made.
    reader : Person, optional
        Who has answered; needed if anybody has.
    previous : Dataset, optional
        An earlier report on the same images, which this one corrects.

    Raises
    ------
    OptionError
        The images are of several studies.
    """
    from highdicom import UID, sr
    from pydicom.sr.codedict import codes

    evidence = _evidence(origins)
    groups = []
    for row, own in zip(rows, origins, strict=True):
        sources = [_source(origin) for origin in own]
        groups += _groups(row, sources, record)
    content = sr.MeasurementReport(
        observation_context=_context(record, reader if any(row.reading for row in rows) else None),
        procedure_reported=_procedure(str(evidence[0].get("Modality", ""))),
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    verified = reader if is_confirmed(rows) else None
    found = sr.Comprehensive3DSR(
        evidence=evidence,
        content=content,
        series_instance_uid=UID(),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=UID(),
        instance_number=1,
        manufacturer=MAKER,
        is_complete=not any(row.error for row in rows),
        is_final=verified is not None,
        is_verified=verified is not None,
        verifying_observer_name=verified.in_dicom if verified else None,
        verifying_organization=verified.organisation if verified else None,
        previous_versions=[previous] if previous is not None else None,
        series_description="AI classification" if verified is None else "AI classification, validated by a reader",
    )
    _finish(found, rows, record, is_verified=verified is not None)
    return found


def is_confirmed(rows: Sequence[Result]) -> bool:
    """Tell whether a reader has said of all rows which classes they have; being unsure is no confirmation."""
    done = [row for row in rows if not row.error]
    return bool(done) and all(row.reading is not None and not row.reading.unsure for row in done)


def completed(origin: Origin) -> Dataset:
    """Return the header of an image with all attributes that a document about it must have."""
    made = copy.copy(origin.attributes)
    for keyword in _EMPTY:
        if keyword not in made:
            setattr(made, keyword, "")
    return made


def _evidence(origins: Sequence[Sequence[Origin]]) -> list[Dataset]:
    """Return the headers of all images, each once and with all attributes that a report must have."""
    found: dict[str, Dataset] = {}
    for origin in (each for own in origins for each in own):
        if origin.instance not in found:
            found[origin.instance] = completed(origin)
    if len({str(each.StudyInstanceUID) for each in found.values()}) != 1:
        raise OptionError("An image of the table is made of several studies.", "Classify each study by itself.")
    return list(found.values())


def _source(origin: Origin) -> SourceImageForMeasurementGroup:
    from highdicom.sr import SourceImageForMeasurementGroup

    found = origin.attributes
    frames = [origin.frame] if origin.frame is not None else None
    return SourceImageForMeasurementGroup(str(found.SOPClassUID), origin.instance, frames)


def _context(record: Mapping[str, Any], reader: Person | None) -> Any:
    from highdicom import UID, sr
    from pydicom.sr.codedict import codes

    model = record["model"]
    device = sr.ObserverContext(
        codes.DCM.Device,
        sr.DeviceObserverIdentifyingAttributes(
            UID(device_uid(model)),
            name=MAKER,
            manufacturer_name="The napari-webipred developers",
            model_name=visible(str(model["name"])),
        ),
    )
    if reader is None:
        return sr.ObservationContext(observer_device_context=device)
    person = sr.ObserverContext(
        codes.DCM.Person, sr.PersonObserverIdentifyingAttributes(reader.in_dicom, organization_name=reader.organisation)
    )
    return sr.ObservationContext(observer_person_context=person, observer_device_context=device)


def device_uid(model: Mapping[str, Any]) -> str:
    """Return the unique identifier of a model, the same for the same files."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, str(model['checksum'])).int}"


def _procedure(modality: str) -> Any:
    from pydicom.sr.coding import Code as Concept

    value, meaning = _PROCEDURES.get(modality, _PROCEDURE)
    return Concept(value, "SCT", meaning)


def _groups(
    row: Result, sources: Sequence[SourceImageForMeasurementGroup], record: Mapping[str, Any]
) -> list[MeasurementsAndQualitativeEvaluations]:
    """Return what the model says of a row, and what the reader says of it."""
    if row.probabilities is None:
        return []
    found = [_prediction(row, sources, record)]
    if row.reading is None or (row.reading.unsure and not row.reading.comment):
        return found
    return [*found, *_validation(row, sources, record)]


def _prediction(row: Result, sources: Sequence[SourceImageForMeasurementGroup], record: Mapping[str, Any]) -> Any:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    entries = record["model"]["classes"]
    numbers = [
        sr.Measurement(
            name=_concept(Code(f"PROB{place + 1}", PRIVATE, short(f"Probability of {code_of(entry).meaning}"))),
            value=number,
            unit=codes.UCUM.NoUnits,
        )
        for place, (entry, number) in enumerate(zip(entries, row.probabilities or (), strict=True))
    ]
    label = _concept(Code("AILABEL", PRIVATE, "AI predicted class"))
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking("AI prediction", row),
        algorithm_id=_algorithm(record),
        measurements=numbers,
        qualitative_evaluations=[
            sr.QualitativeEvaluation(label, _concept(code_of(entry)))
            for entry in entries
            if entry["name"] in row.assigned
        ],
        source_images=sources,
    )


def _validation(row: Result, sources: Sequence[SourceImageForMeasurementGroup], record: Mapping[str, Any]) -> list[Any]:
    """Return a group for each class that the reader has chosen; a group has one finding."""
    from highdicom import sr
    from pydicom.sr.codedict import codes

    names = [entry["name"] for entry in record["model"]["classes"]]
    reading = row.reading
    assert reading is not None
    labels = reading.labels(names)
    findings = [_concept(code) for code in chosen(labels, record)]
    agrees = _concept(Code("AGREE", PRIVATE, "Reader agreement with AI"))
    answer = codes.SCT.Yes if labels is not None and {*labels} == {*row.assigned} else codes.SCT.No
    found = []
    for finding, comment in zip_longest(findings, [reading.comment]):
        group = sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=_tracking("Reader validation", row),
            finding_type=finding,
            qualitative_evaluations=[sr.QualitativeEvaluation(agrees, answer)] if finding is not None else None,
            source_images=sources,
        )
        if comment:
            group[0].ContentSequence.append(_comment(comment))
        found.append(group)
    return found


def chosen(labels: Sequence[str] | None, record: Mapping[str, Any]) -> list[Code]:
    """Return the codes of the classes that a reader has chosen; one that says so if there are none of them."""
    if labels is None:
        return []
    found = [code_of(entry) for entry in record["model"]["classes"] if entry["name"] in labels]
    return found or [Code("NOCLASS", PRIVATE, "None of the classes")]


def _comment(text: str) -> Any:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    return sr.TextContentItem(
        name=codes.DCM.Comment, value=visible(text), relationship_type=sr.RelationshipTypeValues.CONTAINS
    )


def _tracking(what: str, row: Result) -> Any:
    from highdicom import UID, sr

    return sr.TrackingIdentifier(UID(), identifier=visible(f"{what}, {row.place}" if row.place else what))


def _algorithm(record: Mapping[str, Any]) -> Any:
    from highdicom import sr

    model = record["model"]
    said = {
        "doi": model.get("doi"),
        "sha256": str(model["checksum"]).removeprefix("sha256:"),
        "license": model.get("license"),
        "preprocessing": _listed(record.get("preprocessing")),
        "options": _listed(record.get("options")),
        "thresholds": model.get("thresholds"),
        "program": f"{MAKER} {record['versions'][MAKER]}",
    }
    long = {f"class {i}": entry["name"] for i, entry in enumerate(model["classes"], 1) if len(entry["name"]) > 40}
    return sr.AlgorithmIdentification(
        name=visible(str(model["name"])),
        version=visible(str(model.get("version") or "unknown")),
        parameters=[visible(f"{key}={value}") for key, value in {**said, **long}.items() if value],
        manufacturer=", ".join(model.get("authors") or ()) or None,
    )


def _listed(values: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{key} {value}" for key, value in (values or {}).items() if value not in (None, False))


def _concept(code: Code) -> Any:
    from highdicom.sr import CodedConcept

    return CodedConcept(code.value, code.scheme, visible(code.meaning))


def _finish(found: Any, rows: Sequence[Result], record: Mapping[str, Any], *, is_verified: bool) -> None:
    """Set what highdicom does not: when the reader has verified, whose codes ours are, and the program."""
    from pydicom.dataset import Dataset

    found.SpecificCharacterSet = "ISO_IR 192"  # UTF-8
    found.SoftwareVersions = str(record["versions"][MAKER])
    found.DeviceSerialNumber = "0"
    found.ManufacturerModelName = MAKER
    if is_verified:
        time = max(row.reading.time for row in rows if row.reading is not None)
        found.VerifyingObserverSequence[0].VerificationDateTime = in_dicom(time)
    scheme = Dataset()
    scheme.CodingSchemeDesignator = PRIVATE
    scheme.CodingSchemeName = "Classes of a model, named by napari-webipred"
    scheme.CodingSchemeResponsibleOrganization = "The napari-webipred developers"
    sequence = list(found.get("CodingSchemeIdentificationSequence") or ())
    found.CodingSchemeIdentificationSequence = [
        *(each for each in sequence if each.CodingSchemeDesignator != PRIVATE),
        scheme,
    ]


def in_dicom(time: datetime) -> str:
    """Write a time with its zone as DICOM does."""
    return time.astimezone(UTC).strftime("%Y%m%d%H%M%S+0000")
