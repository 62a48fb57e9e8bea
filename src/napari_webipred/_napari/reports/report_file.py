"""Makes a report and writes it, step by step."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_webipred._napari.chosen_file import completed, named_briefly
from napari_webipred.errors import OptionError
from napari_webipred.imaging.source import Source
from napari_webipred.reports.report import SUFFIXES, ReportKind
from napari_webipred.results.session_table import Entry


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user wants: see `napari_webipred.reports.making.Wishes`."""

    kind: ReportKind
    path: Path
    pictures: bool
    name: bool
    reader: str
    organisation: str


@dataclass(frozen=True, slots=True)
class Saved:
    """The files, and what in them tells of the patient."""

    files: Sequence[Path]
    attributes: Sequence[str]


def saving(entries: Sequence[Entry], sources: Sequence[Source], asked: Asked) -> Generator[int, None, Saved]:
    """Make a report of rows of one run, and write it.

    Raises
    ------
    WebIPredError
        It cannot be made or written.
    """
    from napari_webipred.reports.making import Wishes, making
    from napari_webipred.reports.pictures import pictures
    from napari_webipred.reports.results import of_entries

    yield 0
    results = of_entries(entries)
    path = asked.path if asked.path.is_dir() else completed(asked.path, SUFFIXES[asked.kind])
    shown = (yield from pictures(results, known=sources)) if asked.pictures else {}
    wishes = Wishes(
        known=tuple(sources), reader=asked.reader, organisation=asked.organisation, name=asked.name, pictures=shown
    )
    report = yield from making(results, asked.kind, wishes)
    try:
        files = report.save(path, lambda there: there == path)  # which the dialog has asked about
    except OptionError as error:
        raise named_briefly(error, path) from error
    return Saved(files, report.attributes)
