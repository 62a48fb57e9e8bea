"""The reader who has looked at the images."""

from __future__ import annotations

from msgspec import Struct

from napari_webipred.errors import OptionError


class Person(Struct, frozen=True):
    """A reader, and where he or she works."""

    family: str
    given: str
    organisation: str

    @property
    def name(self) -> str:
        """The name for people."""
        return f"{self.given} {self.family}".strip()

    @property
    def in_dicom(self) -> str:
        """The name as DICOM writes it: ``Reader^Rita``."""
        return f"{self.family}^{self.given}" if self.given else f"{self.family}^"


def person(name: str, organisation: str) -> Person:
    """Read a name as people write it, ``Rita Reader`` or ``Reader, Rita``, or as DICOM does, ``Reader^Rita``.

    Raises
    ------
    OptionError
        There is no name or no organisation, or one of them has a character that DICOM does not know.
    """
    name, organisation = " ".join(name.split()), " ".join(organisation.split())
    if not name or not organisation:
        raise OptionError(
            "A report with the answers of a reader names the reader and the organisation.",
            "",
            "name reader",
        )
    if any(character in text for text in (name, organisation) for character in "\\=") or len(name + organisation) > 120:
        raise OptionError(f"{name}, {organisation} cannot be written into a report.", "Give shorter, plain names.")
    for separator in ("^", ","):
        if separator in name:
            family, _, given = name.partition(separator)
            return Person(family.strip(), given.replace("^", " ").strip(), organisation)
    given, _, family = name.rpartition(" ")
    return Person(family, given, organisation)
