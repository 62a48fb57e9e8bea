"""What an archive has: studies, their series, and the instances of these; plain data of what was searched for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
# What counts is asked for, but some archives do not know it and then leave it out.


@dataclass(frozen=True, slots=True)
class Study:
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
    def of(cls, hit: Dataset) -> Study | None:
        """Make one of an answer; None if it has no identifier."""
        uid = _uid(hit, "StudyInstanceUID")
        if not uid:
            return None
        return cls(
            uid,
            _text(hit, "PatientID"),
            _text(hit, "PatientName"),
            _text(hit, "StudyDate"),
            tuple(dict.fromkeys(_texts(hit, "ModalitiesInStudy"))),
            _text(hit, "StudyDescription"),
            _text(hit, "AccessionNumber"),
            _count(hit, "NumberOfStudyRelatedSeries"),
            _count(hit, "NumberOfStudyRelatedInstances"),
        )


@dataclass(frozen=True, slots=True)
class Series:
    """A series of a study; see `Study`."""

    study: str
    uid: str
    modality: str = ""
    number: int | None = None
    description: str = ""
    instances: int | None = None

    @classmethod
    def of(cls, hit: Dataset, study: str) -> Series | None:
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


@dataclass(frozen=True, slots=True)
class Instance:
    """An image, or something else, of a series. ``kind`` is the identifier of its class (SOP class)."""

    study: str
    series: str
    uid: str
    kind: str = ""
    number: int | None = None

    @classmethod
    def of(cls, hit: Dataset, study: str, series: str) -> Instance | None:
        """Make one of an answer; None if it has no identifier."""
        uid = _uid(hit, "SOPInstanceUID")
        return uid and cls(study, series, uid, _uid(hit, "SOPClassUID"), _count(hit, "InstanceNumber"))  # type: ignore[return-value]


def is_uid(text: str) -> bool:
    """Tell whether a text is a unique identifier: it goes into addresses, so nothing else may."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def _uid(hit: Dataset, keyword: str) -> str:
    found = _text(hit, keyword)
    return found if is_uid(found) else ""


def _value(hit: Dataset, keyword: str) -> Any:
    try:
        return hit[keyword].value if keyword in hit else None
    except Exception:  # pydicom converts values when they are asked for, and raises whatever conversions raise
        return None


def _text(hit: Dataset, keyword: str) -> str:
    found = _value(hit, keyword)
    return "" if found is None else str(found).strip("\0 ")[:1000]


def _texts(hit: Dataset, keyword: str) -> Iterable[str]:
    found = _value(hit, keyword)
    if found is None or isinstance(found, str):
        return found.split("\\") if found else ()
    return (str(each) for each in found)


def _count(hit: Dataset, keyword: str) -> int | None:
    try:
        return int(str(_value(hit, keyword)))
    except ValueError:
        return None
