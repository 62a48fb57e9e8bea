"""From rows to a report of any kind."""

from __future__ import annotations

import importlib.util
import io
import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from napari_webipred.errors import OptionError
from napari_webipred.execution.plane import Plane
from napari_webipred.imaging.quiet import quiet
from napari_webipred.reports.capture import Explain, capture
from napari_webipred.reports.images import Known
from napari_webipred.reports.images import found as images
from napari_webipred.reports.origin import IDENTIFYING, PERSONAL, Origin, origins
from napari_webipred.reports.person import Person, person
from napari_webipred.reports.report import Report, ReportKind
from napari_webipred.reports.results import Results

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_REFERRING = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_SHOWN = (*PERSONAL, "PatientID", "AccessionNumber", "StudyDate")  # on a page, if the name is


class Wishes(Struct, frozen=True, eq=False):
    """What the user wants of a report.

    Attributes
    ----------
    images : tuple of Path
        Files and folders of the images; by default where they were classified.
    known : sequence of Source, WebIPredError or None, optional
        The images of the run themselves, if they are known; see `napari_webipred.reports.images.found`.
    reader, organisation : str
        Who has answered, needed where somebody has.
    name : bool
        Whether the name of the patient, the date of birth and the sex are written.
    patient_system : str
        The address of the system that has given the numbers of patients, for FHIR.
    corrects : tuple of Path
        Earlier structured reports, of which those on the same images are corrected.
    pictures : mapping of int to bytes
        Images as PNG, by the numbers of their rows, for a page.
    explain : callable, optional
        Makes the heat map of a class, for structured reports.
    """

    images: tuple[Path, ...] = ()
    known: Known | None = None
    reader: str = ""
    organisation: str = ""
    name: bool = False
    patient_system: str = ""
    corrects: tuple[Path, ...] = ()
    pictures: Mapping[int, bytes] = field(default_factory=dict)
    explain: Explain | None = None


def making(results: Results, kind: ReportKind, wishes: Wishes) -> Generator[int, None, Report]:
    """Make a report.

    Parameters
    ----------
    results : Results
    kind : "sr", "fhir" or "html"
    wishes : Wishes

    Yields
    ------
    int
        How many files of images, and then documents, are done.

    Raises
    ------
    OptionError
        The images are not found or are no DICOM images, nobody has said who the reader is, or the package that writes
        DICOM reports is not installed.
    """
    if not results.rows:
        raise OptionError("The table has no rows.", "Classify some images first.")
    reader = _reader(results, wishes, needed=kind != "html")
    if kind == "html":
        return (yield from _page(results, wishes, reader))
    if results.record["model"].get("task") == "regression":
        raise OptionError(
            "The model gives values, for which there is no code of a unit.", "Make a report of the kind html."
        )
    if kind == "sr" and importlib.util.find_spec("highdicom") is None:
        raise OptionError(
            "DICOM reports are written by the package highdicom, which is not installed.", "", "install highdicom"
        )
    found = yield from origins(results, wishes.images, wishes.known, name=wishes.name)
    if kind == "sr":
        documents = yield from _structured(results, found, reader, wishes.corrects)
        if wishes.explain is not None:
            documents += yield from _heat_maps(results, found, wishes, wishes.explain)
    else:
        from napari_webipred.reports.fhir import bundle

        content = bundle(results, found, reader, wishes.patient_system)
        documents = [(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()]
    return Report(
        kind, tuple(documents), _attributes(found), _holds(results, reader), _notes(results, kind, found, wishes)
    )


def _reader(results: Results, wishes: Wishes, *, needed: bool) -> Person | None:
    answered = any(row.reading for row in results.rows)
    if not answered or not (needed or wishes.reader):
        return None
    return person(wishes.reader, wishes.organisation)


def _page(results: Results, wishes: Wishes, reader: Person | None) -> Generator[int, None, Report]:
    from napari_webipred.reports.page import page

    found = (yield from origins(results, wishes.images, wishes.known, name=True)) if wishes.name else []
    patients = _patients(found)
    content = page(results, wishes.pictures, patients, reader)
    named = tuple(dict.fromkeys(keyword for patient in patients for keyword in patient))
    pictures = ("pictures of the images",) if wishes.pictures else ()
    return Report(
        "html", (content.encode(),), named, ("names of the files", *pictures, *_holds(results, reader)), results.notes
    )


def _patients(found: Iterable[Sequence[Origin]]) -> list[dict[str, str]]:
    """Say of each study whose it is."""
    studies: dict[str, dict[str, str]] = {}
    for origin in (each for own in found for each in own):
        said = {keyword: _said(origin.attributes, keyword) for keyword in _SHOWN}
        studies.setdefault(origin.study, {keyword: value for keyword, value in said.items() if value})
    return list(studies.values())


def _said(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip()


def _structured(
    results: Results, found: Sequence[Sequence[Origin]], reader: Person | None, corrects: Sequence[Path]
) -> Generator[int, None, list[bytes]]:
    from napari_webipred.reports.previous import Previous
    from napari_webipred.reports.structured import structured

    previous = Previous(corrects)
    documents: list[bytes] = []
    first = 0
    for rows in results.by_image:
        own = found[first : first + len(rows)]
        first += len(rows)
        buffer = io.BytesIO()
        with quiet():
            made = structured(rows, own, results.record, reader, previous.on(own))
            made.save_as(buffer, enforce_file_format=True)
        documents.append(buffer.getvalue())
        yield len(documents)
    previous.check_used()
    return documents


def _heat_maps(
    results: Results, found: Sequence[Sequence[Origin]], wishes: Wishes, explain: Explain
) -> Generator[int, None, list[bytes]]:
    """Make a map of the first class that is assigned to each row."""
    from highdicom import UID

    known = yield from images(results, wishes.images, wishes.known)
    series, documents = str(UID()), []
    for row, own in zip(results.rows, found, strict=True):
        place = known.place_of(row)
        if not row.assigned or len(place.indices) != 1 or row.region:  # a map needs one whole plane
            continue
        image, method = explain(Plane(0, place.source, place.indices[0]), row.assigned[0])
        with quiet():
            documents.append(capture(own[0], image, row.assigned[0], method, results.record, series))
        yield len(documents)
    return documents


def _attributes(found: Iterable[Sequence[Origin]]) -> tuple[str, ...]:
    """Name what in a report tells of a patient, a study and its images."""
    datasets = [each.attributes for own in found for each in own]
    said = [keyword for keyword in (*PERSONAL, *IDENTIFYING) if any(_said(dataset, keyword) for dataset in datasets)]
    return tuple(dict.fromkeys((*said, *_REFERRING)))


def _holds(results: Results, reader: Person | None) -> tuple[str, ...]:
    return (
        f"{len(results.rows)} rows with the probabilities of {len(results.classes)} classes",
        f"the model {results.record['model']['name']}",
        *([f"the answers and the name of the reader {reader.name}, {reader.organisation}"] if reader else []),
    )


def _notes(results: Results, kind: ReportKind, found: Iterable[Sequence[Origin]], wishes: Wishes) -> tuple[str, ...]:
    notes = [*results.notes]
    if kind == "fhir":
        from napari_webipred.reports.fhir import patient_system

        if not all(patient_system(each.attributes, wishes.patient_system) for own in found for each in own):
            notes.append(
                "The images do not say which system has given the number of the patient, "
                "so that a server makes a new patient of it."
            )
    return tuple(notes)
