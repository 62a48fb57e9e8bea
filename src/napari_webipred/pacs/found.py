"""What an archive has: studies, their series, and the instances of these; plain data of what was searched for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
STUDY: tuple[str, ...] = (
    "StudyInstanceUID",
    "PatientID",
    "PatientName",
    "StudyDate",
    "ModalitiesInStudy",
    "StudyDescription",
)
STUDY += ("AccessionNumber", "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances")
SERIES = ("SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription", "NumberOfSeriesRelatedInstances")
INSTANCE = ("SOPInstanceUID", "SOPClassUID", "InstanceNumber")
TAGS = {
    "0020000D": "StudyInstanceUID",
    "00100020": "PatientID",
    "00100010": "PatientName",
    "00080020": "StudyDate",
    "00080061": "ModalitiesInStudy",
    "00081030": "StudyDescription",
    "00080050": "AccessionNumber",
    "00201206": "NumberOfStudyRelatedSeries",
    "00201208": "NumberOfStudyRelatedInstances",
    "0020000E": "SeriesInstanceUID",
    "00080060": "Modality",
    "00200011": "SeriesNumber",
    "0008103E": "SeriesDescription",
    "00201209": "NumberOfSeriesRelatedInstances",
    "00080018": "SOPInstanceUID",
    "00080016": "SOPClassUID",
    "00200013": "InstanceNumber",
}
LONGEST = 1000  # characters of a value
Hit: TypeAlias = Mapping[str, tuple[str, ...]]  # the values of an answer, by their keywords


class Study(Struct, frozen=True):
    """A study of a patient.

    Attributes
    ----------
    uid : str
    patient_id, patient_name, date, description, accession_number : str
        As the archive has them: a name as ``Doe^Jane``, perhaps followed by ``=`` and the name in another script; a
        date as ``20260131``.
    modalities : tuple of str
    series, instances : int or None
        How many there are; None if the archive does not say.
    """

    uid: str
    patient_id: str = ""
    patient_name: str = ""
    date: str = ""
    modalities: tuple[str, ...] = ()
    description: str = ""
    accession_number: str = ""
    series: int | None = None
    instances: int | None = None

    @classmethod
    def of(cls, hit: Hit) -> Study | None:
        """Make one of an answer; None if it has no identifier."""
        uid = _uid(hit, "StudyInstanceUID")
        if not uid:
            return None
        return cls(
            uid,
            _text(hit, "PatientID"),
            _text(hit, "PatientName"),
            _text(hit, "StudyDate"),
            tuple(dict.fromkeys(hit.get("ModalitiesInStudy", ()))),
            _text(hit, "StudyDescription"),
            _text(hit, "AccessionNumber"),
            _count(hit, "NumberOfStudyRelatedSeries"),
            _count(hit, "NumberOfStudyRelatedInstances"),
        )


class Series(Struct, frozen=True):
    """A series of a study; see `Study`."""

    study: str
    uid: str
    modality: str = ""
    number: int | None = None
    description: str = ""
    instances: int | None = None

    @classmethod
    def of(cls, hit: Hit, study: str) -> Series | None:
        """Make one of an answer; None if it has no identifier."""
        uid = _uid(hit, "SeriesInstanceUID")
        return uid and cls(  # type: ignore[return-value]
            study,
            uid,
            _text(hit, "Modality"),
            _count(hit, "SeriesNumber"),
            _text(hit, "SeriesDescription"),
            _count(hit, "NumberOfSeriesRelatedInstances"),
        )


class Instance(Struct, frozen=True):
    """An image, or something else, of a series. ``kind`` is the identifier of its class (SOP class)."""

    study: str
    series: str
    uid: str
    kind: str = ""
    number: int | None = None

    @classmethod
    def of(cls, hit: Hit, study: str, series: str) -> Instance | None:
        """Make one of an answer; None if it has no identifier."""
        uid = _uid(hit, "SOPInstanceUID")
        return uid and cls(study, series, uid, _uid(hit, "SOPClassUID"), _count(hit, "InstanceNumber"))  # type: ignore[return-value]


def is_uid(text: str) -> bool:
    """Tell whether a text is a unique identifier: it goes into addresses, so nothing else may."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def from_dataset(dataset: Dataset) -> Hit:
    """Return the values of an answer of DIMSE."""
    found: dict[str, tuple[str, ...]] = {}
    for element in dataset:
        try:
            value = element.value
            several = value if element.VM > 1 else [value]
            found[element.keyword] = tuple(_cut(each) for each in several if each not in (None, ""))
        except Exception:  # pydicom converts values when they are asked for, and raises whatever conversions raise
            continue
    return found


def from_json(answer: Mapping[str, Any]) -> Hit:
    """Return the values of an answer of DICOMweb."""
    found: dict[str, tuple[str, ...]] = {}
    for tag, element in answer.items():
        values = element.get("Value") if isinstance(element, dict) else None
        if (keyword := TAGS.get(tag.upper())) and isinstance(values, list):
            found[keyword] = tuple(
                _cut(_name(each) if isinstance(each, dict) else each) for each in values if each not in (None, "", {})
            )
    return found


def _name(parts: Mapping[str, Any]) -> str:
    """Write a name in several scripts as DICOM does."""
    groups = [str(parts.get(kind) or "") for kind in ("Alphabetic", "Ideographic", "Phonetic")]
    return "=".join(groups).rstrip("=")


def _cut(value: Any) -> str:
    return str(value).strip("\0 ")[:LONGEST]


def _uid(hit: Hit, keyword: str) -> str:
    found = _text(hit, keyword)
    return found if is_uid(found) else ""


def _text(hit: Hit, keyword: str) -> str:
    return "\\".join(hit.get(keyword, ()))


def _count(hit: Hit, keyword: str) -> int | None:
    try:
        return int(_text(hit, keyword))
    except ValueError:
        return None
