"""Makes a report, and writes it, step by step."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from napari_webipred._napari.chosen_file import completed, named_briefly
from napari_webipred._napari.explanations.run_sources import why_unknown
from napari_webipred._napari.images.layer_input import file_again
from napari_webipred.errors import OptionError, WebIPredError
from napari_webipred.imaging.source import Source
from napari_webipred.reports.report import SUFFIXES, Report, ReportKind
from napari_webipred.results.inputs import ImageInput
from napari_webipred.results.session_table import Entry

Given: TypeAlias = Source | ImageInput | None


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


def made(entries: Sequence[Entry], sources: Sequence[Given], asked: Asked) -> Generator[int, None, Report]:
    """Make a report of rows of one run.

    Parameters
    ----------
    entries : sequence of Entry
    sources : sequence of Source, ImageInput or None
        The images of the run; an input stands for a file that is to be described, None for an image that is gone.
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
    results, known = of_entries(entries), _described(entries, sources)
    shown = (yield from pictures(results, known=known)) if asked.pictures else {}
    wishes = Wishes(
        known=known,
        reader=asked.reader,
        organisation=asked.organisation,
        name=asked.name,
        patient_system=asked.patient_system,
        pictures=shown,
    )
    return (yield from making(results, asked.kind, wishes))


def _described(entries: Sequence[Entry], sources: Sequence[Given]) -> list[Source | WebIPredError | None]:
    """Describe the files that rows are about, or say why one cannot be described; None stands for others."""
    by_number = {entry.row.source: entry for entry in entries}
    return [_source(given, by_number.get(number)) for number, given in enumerate(sources)]


def _source(given: Given, entry: Entry | None) -> Source | WebIPredError | None:
    if entry is None:
        return None
    try:
        found = file_again(given) if isinstance(given, ImageInput) else given
    except WebIPredError as error:
        return error
    return found or why_unknown(entry, "report")


def saving(entries: Sequence[Entry], sources: Sequence[Given], asked: Asked, path: Path) -> Generator[int, None, Saved]:
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
