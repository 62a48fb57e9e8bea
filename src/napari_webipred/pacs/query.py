"""What is searched for in an archive, and whether a study is what was meant."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

from msgspec import Struct

from napari_webipred.errors import PacsError
from napari_webipred.pacs.found import Study

LONGEST = 64  # characters of a text, as in DICOM
_SAFE = re.compile(r"[^A-Za-z0-9._*?~-]")  # what an address means as it stands
_DATES = re.compile(r"(\d{4}-?\d{2}-?\d{2})?\s*(?:(-|\.\.|/|:)\s*(\d{4}-?\d{2}-?\d{2})?)?")
_MODALITY = re.compile(r"[A-Z0-9_]{2,16}")


class Query(Struct, frozen=True):
    """Which studies are searched for; what is empty does not matter.

    Attributes
    ----------
    patient_id, patient_name, accession_number : str
        ``*`` stands for any characters, ``?`` for one. A name without these matches names that begin so; capital
        letters make no difference.
    date : str
        ``20260131``, ``2026-01-31``, or a range with an open or closed end: ``2026-01-01..2026-01-31``.
    modality : str
        Such as ``CT``: of one of the series.
    """

    patient_id: str = ""
    patient_name: str = ""
    date: str = ""
    modality: str = ""
    accession_number: str = ""

    def filters(self) -> dict[str, str]:
        """Return what the archive is asked for, by the keywords of DICOM.

        Archives differ in how they read characters that an address writes as codes: some take ``%5E`` as it stands and
        find nothing. Each such character is asked for as ``?`` (or ``*`` beyond ASCII, where it may take several
        bytes), and `matches` takes out what is found beside.

        Raises
        ------
        PacsError
            A text is too long, or the date is none.
        """
        texts = {
            "PatientID": self.patient_id.strip(),
            "PatientName": self._name(),
            "AccessionNumber": self.accession_number.strip(),
        }
        for keyword, text in texts.items():
            if len(text) > LONGEST or "\\" in text or not text.isprintable():
                raise PacsError(f"{text[:LONGEST]!r} is no {keyword}.", f"Use up to {LONGEST} characters, without \\.")
        asked = {keyword: _widened(text) for keyword, text in texts.items() if text}
        if modality := self.modality.strip().upper():
            if not _MODALITY.fullmatch(modality):
                raise PacsError(f"{self.modality!r} is no modality.", "Give one such as CT, MR, CR, DX or US.")
            asked["ModalitiesInStudy"] = modality
        if self.date.strip():
            asked["StudyDate"] = _range(self.date.strip())
        return asked

    def matches(self, study: Study) -> bool:
        """Tell whether a study is one that was searched for."""
        return (
            _fits(self.patient_id.strip(), study.patient_id)
            and any(_fits(self._name(), group) for group in (study.patient_name, *study.patient_name.split("=")))
            and _fits(self.accession_number.strip(), study.accession_number)
            and (not (wanted := self.modality.strip().upper()) or not study.modalities or wanted in study.modalities)
        )

    def _name(self) -> str:
        name = self.patient_name.strip()
        return name if not name or "*" in name or "?" in name else f"{name}*"


def _widened(text: str) -> str:
    def wider(found: re.Match[str]) -> str:
        return "?" if found[0].isascii() else "*"

    return re.sub(r"\*{2,}", "*", _SAFE.sub(wider, text))


def _fits(pattern: str, text: str) -> bool:
    if not pattern:
        return True
    meant = re.escape(_plain(pattern)).replace(r"\?", ".").replace(r"\*", ".*")
    known = _plain(text)
    return any(re.fullmatch(meant, each, re.DOTALL) for each in (known, known.rstrip("^ ")))


def _plain(text: str) -> str:
    """Write a text so that capitals, and several ways to write an umlaut, make no difference."""
    return unicodedata.normalize("NFKC", text).casefold()


def _range(text: str) -> str:
    """Write a date or a range as DICOM does."""
    found = _DATES.fullmatch(text)
    ends = [end.replace("-", "") if end else "" for end in (found[1], found[3])] if found else []
    try:
        for end in ends:
            if end:
                date(int(end[:4]), int(end[4:6]), int(end[6:]))
    except ValueError:
        ends = []
    if not any(ends):
        raise PacsError(f"{text!r} is no date.", "Write it as 2026-01-31, or a range as 2026-01-01..2026-01-31.")
    assert found is not None
    return f"{ends[0]}-{ends[1]}" if found[2] else ends[0]
