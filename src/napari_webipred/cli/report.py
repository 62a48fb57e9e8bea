"""The command that makes reports on results, for a patient's record or for people."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_webipred.cli import terminal
from napari_webipred.cli.parser import Parser
from napari_webipred.errors import OptionError

if TYPE_CHECKING:
    from napari_webipred.reports.report import Report

KINDS = ("sr", "fhir", "html")


def add_report(parser: Parser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("results", type=Path, metavar="RESULTS", help="CSV or TSV file that classify has written")
    kinds = "sr: DICOM structured reports; fhir: a FHIR R4 transaction; html: a page for people"
    parser.add_argument("--to", choices=KINDS, required=True, help=kinds)
    parser.add_argument("-o", "--output", type=Path, metavar="PATH", help="file, or folder for several reports")
    where = "where the images are now, if not where they were; may be repeated"
    parser.add_argument("--images", type=Path, action="append", default=[], metavar="PATH", help=where)
    who = "name of the reader whose answers are in the table: 'Rita Reader' or 'Reader, Rita'"
    parser.add_argument("--reader", default="", metavar="NAME", help=who)
    parser.add_argument("--organisation", default="", metavar="NAME", help="where the reader works")
    name = "write the patient's name, date of birth and sex, too"
    parser.add_argument("--name", action="store_true", help=name)
    parser.add_argument("--pictures", action="store_true", help="show the images on the page")
    system = "address of the system that has given the numbers of patients, if the images do not say so (fhir)"
    parser.add_argument("--patient-system", default="", metavar="URL", help=system)
    corrects = "earlier reports (files or a folder) on the same images, which are corrected (sr)"
    parser.add_argument("--corrects", type=Path, action="append", default=[], metavar="PATH", help=corrects)
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there already")
    parser.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> None:
    if options.output is None:
        raise OptionError("There is nowhere to write the report to.", "Add --output.")
    _check(options)
    made = _made(options)
    for note in made.notes:
        terminal.message(note)
    written = made.save(options.output, lambda there: terminal.may_replace(there, options.overwrite))
    terminal.message(f"{len(written)} {'file' if len(written) == 1 else 'files'} written to {options.output}.")
    terminal.message(f"It tells of the patient: {', '.join(made.attributes) or 'nothing'}.")


def _check(options: argparse.Namespace) -> None:
    """Refuse options that mean nothing for a kind of report."""
    for name, kind in (("pictures", "html"), ("patient_system", "fhir"), ("corrects", "sr")):
        if getattr(options, name) and options.to != kind:
            raise OptionError(f"--{name.replace('_', '-')} is for reports of the kind {kind} only.", "Leave it out.")


def _made(options: argparse.Namespace) -> Report:
    """Make the report, and show how far it is."""
    from napari_webipred.reports import results
    from napari_webipred.reports.making import Wishes, making
    from napari_webipred.reports.pictures import pictures

    found = results.of_file(options.results)
    shown: dict[int, bytes] = {}
    if options.pictures:
        shown = terminal.counted(_of(pictures(found, options.images), len(found.rows)), "Pictures")
    wishes = Wishes(
        tuple(options.images),
        options.reader,
        options.organisation,
        options.name,
        options.patient_system,
        tuple(options.corrects),
        shown,
    )
    report: Report = terminal.counted(_of(making(found, options.to, wishes), len(found.rows)), "Reporting")
    return report


def _of(steps: Any, total: int) -> Any:
    """Say of how many each step is."""
    while True:
        try:
            done = next(steps)
        except StopIteration as finished:
            return finished.value
        yield min(done, total), total
