"""Makes a report, and writes it, step by step."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

from msgspec import Struct

from napari_webipred._napari.chosen_file import completed, named_briefly
from napari_webipred.errors import OptionError
from napari_webipred.imaging.source import Source
from napari_webipred.reports.report import SUFFIXES, Report, ReportKind
from napari_webipred.results.session_table import Entry


class Asked(Struct, frozen=True):
    """What the user wants: see `napari_webipred.reports.making.Wishes`."""

    kind: ReportKind
    pictures: bool
    name: bool
    reader: str
    organisation: str
    patient_system: str = ""


class Saved(Struct, frozen=True):
    """The files, and what in them tells of the patient."""

    files: Sequence[Path]
    attributes: Sequence[str]


def made(entries: Sequence[Entry], sources: Sequence[Source | None], asked: Asked) -> Generator[int, None, Report]:
    """Make a report of rows of one run.

    Parameters
    ----------
    entries : sequence of Entry
    sources : sequence of Source or None
        The images of the run; None stands for one that is gone.
    asked : Asked

    Raises
    ------
    WebIPredError
        It cannot be made.
    """
    from napari_webipred.reports.making import Wishes, making
    from napari_webipred.reports.pictures import pictures
    from napari_webipred.reports.results import of_entries

    yield 0
    results = of_entries(entries)
    shown = (yield from pictures(results, known=sources)) if asked.pictures else {}
    wishes = Wishes(
        known=sources,
        reader=asked.reader,
        organisation=asked.organisation,
        name=asked.name,
        patient_system=asked.patient_system,
        pictures=shown,
    )
    return (yield from making(results, asked.kind, wishes))


def saving(
    entries: Sequence[Entry], sources: Sequence[Source | None], asked: Asked, path: Path
) -> Generator[int, None, Saved]:
    """Make a report of rows of one run, and write it.

    Raises
    ------
    WebIPredError
        It cannot be made or written.
    """
    report = yield from made(entries, sources, asked)
    path = path if path.is_dir() else completed(path, SUFFIXES[asked.kind])
    try:
        files = report.save(path, lambda there: there == path)  # which the dialog has asked about
    except OptionError as error:
        raise named_briefly(error, path) from error
    return Saved(files, report.attributes)
