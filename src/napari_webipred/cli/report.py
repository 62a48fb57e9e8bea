"""The command that makes reports on results, for a patient's record or for people."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_webipred.cli import pacs, terminal
from napari_webipred.cli.parser import Parser
from napari_webipred.errors import OptionError

if TYPE_CHECKING:
    from napari_webipred.pacs.connection import Connection
    from napari_webipred.reports.capture import Explain
    from napari_webipred.reports.report import Report
    from napari_webipred.reports.results import Results

KINDS = ("sr", "fhir", "html")
_KIND_OF = {
    "pictures": "html",
    "patient_system": "fhir",
    "send": "fhir",
    "corrects": "sr",
    "store": "sr",
    "heat_maps": "sr",
}


def add_report(parser: Parser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("results", type=Path, metavar="RESULTS", help="table that classify has written")
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
    heat_maps = "add an image of what speaks for the assigned class (sr)"
    parser.add_argument("--heat-maps", action="store_true", help=heat_maps)
    _add_targets(parser)
    parser.set_defaults(run=_report)


def _add_targets(report: argparse.ArgumentParser) -> None:
    """Add the options about servers that a report is sent to, or that images come from."""
    fetch = "retrieve the images again from an archive, as `pacs list` shows it"
    report.add_argument("--from", dest="archive", metavar="NAME", help=fetch)
    store = "store the reports in an archive, as `pacs list` shows it (sr)"
    report.add_argument("--store", metavar="NAME", help=store)
    report.add_argument("--send", metavar="URL", help="send the report to a FHIR server (fhir)")
    report.add_argument("--token", action="store_true", help="ask for the token of the FHIR server")
    token = "read the token of the FHIR server from standard input"
    report.add_argument("--token-stdin", action="store_true", help=token)
    report.add_argument("--password-stdin", action="store_true", help="read the password of the archive there")
    report.add_argument("--ca-file", default="", metavar="FILE", help="certificate (PEM) that has signed the server's")
    trust = "send it also to another computer over a connection that is not encrypted"
    report.add_argument("--trust-network", action="store_true", help=trust)
    report.add_argument("--yes", action="store_true", help="do not ask before something is sent")


def _report(options: argparse.Namespace) -> None:
    if not (options.output or options.store or options.send):
        raise OptionError("There is nowhere to write the report to.", "Add --output, --store or --send.")
    _check(options)
    server = _server(options)
    made = _made(options)
    for note in made.notes:
        terminal.message(note)
    told = f"It tells of the patient: {', '.join(made.attributes) or 'nothing'}."
    if options.output:
        written = made.save(options.output, lambda there: terminal.may_replace(there, options.overwrite, "exists"))
        terminal.message(f"{len(written)} {'file' if len(written) == 1 else 'files'} written to {options.output}.")
        terminal.message(told)
    if server is not None:
        _send(options, made, server)
    if options.store:
        _store(options, made)


def _server(options: argparse.Namespace) -> Connection | None:
    """Return the way to the FHIR server, if there is one; a wrong address is told before the report is made."""
    from napari_webipred.reports.server import connection_to

    if not options.send:
        return None
    token, ca_file = options.token or options.token_stdin, options.ca_file
    return connection_to(options.send, token=token, trust=options.trust_network, ca_file=ca_file)


def _send(options: argparse.Namespace, made: Report, server: Connection) -> None:
    from napari_webipred.pacs.stream import awaited
    from napari_webipred.reports.server import posted

    if not _confirmed(made, server.host, options):
        return
    token = ""
    if options.token_stdin:
        token = sys.stdin.readline().strip()
    elif options.token:
        token = getpass.getpass(f"Token for {server.host}: ")
    places = terminal.shown(
        awaited(lambda: posted(made.documents[0], server, token), lambda: None), lambda step: ("Sending", 0, 0)
    )
    terminal.message(f"{server.host} has taken {len(places)} resources.")


def _store(options: argparse.Namespace, made: Report) -> None:
    from napari_webipred.pacs import connection_file
    from napari_webipred.pacs.stream import awaited

    if not _confirmed(made, connection_file.connection(options.store).host, options):
        return
    with pacs.opened(options.store, options.password_stdin) as archive:
        steps = awaited(lambda: archive.store(made.documents), archive.close)
        terminal.shown(steps, lambda step: ("Storing", 0, 0))
    terminal.message(f"{len(made.documents)} reports stored in {options.store}.")


def _confirmed(made: Report, host: str, options: argparse.Namespace) -> bool:
    """Say what is about to leave this computer, and ask whether it may."""
    size = terminal.size(sum(map(len, made.documents)))
    terminal.message(f"To {host}: {len(made.documents)} documents, {size}, with {'; '.join(made.holds)}.")
    terminal.message(f"Of the patient: {', '.join(made.attributes) or 'nothing'}.")
    return bool(options.yes) or terminal.agreed("Send it?", "Add --yes to send it without being asked.")


def _check(options: argparse.Namespace) -> None:
    """Refuse options that mean nothing for a kind of report."""
    for name, kind in _KIND_OF.items():
        if getattr(options, name) and options.to != kind:
            raise OptionError(f"--{name.replace('_', '-')} is for reports of the kind {kind} only.", "Leave it out.")


def _made(options: argparse.Namespace) -> Report:
    """Make the report, and show how far it is."""
    from napari_webipred.reports import results

    found = results.of_file(options.results)
    if options.archive:
        return _made_of_archive(options, found)
    return _making(options, found)


def _made_of_archive(options: argparse.Namespace, found: Results) -> Report:
    """Make the report of images that are retrieved for it, into a folder that is deleted again."""
    from napari_webipred.pacs import folder
    from napari_webipred.reports.retrieval import retrieved

    made = folder.make()
    try:
        with pacs.opened(options.archive, options.password_stdin) as archive:
            steps = retrieved(archive, found, made)
            terminal.shown(steps, lambda step: (f"Images: {step.done} of {step.total}", step.done, step.total))
        return _making(argparse.Namespace(**{**vars(options), "images": [made]}), found)
    finally:
        folder.delete(made)


def _making(options: argparse.Namespace, found: Results) -> Report:
    from napari_webipred.reports.making import Wishes, making
    from napari_webipred.reports.pictures import pictures

    shown: dict[int, bytes] = {}
    if options.pictures:
        shown = terminal.counted(_of(pictures(found, options.images), len(found.rows)), "Pictures")
    wishes = Wishes(
        tuple(options.images),
        reader=options.reader,
        organisation=options.organisation,
        name=options.name,
        patient_system=options.patient_system,
        corrects=tuple(options.corrects),
        pictures=shown,
        explain=_explain(found) if options.heat_maps else None,
    )
    report: Report = terminal.counted(_of(making(found, options.to, wishes), len(found.rows)), "Reporting")
    return report


def _explain(found: Results) -> Explain:
    """Open the model of the rows again, to make maps of what it has seen."""
    from napari_webipred.cli.arguments import open_model
    from napari_webipred.cli.rerun import given_model, options_of
    from napari_webipred.explanations.overlay import laying

    if "reference" not in found.record["model"]:
        raise OptionError("The record does not say how its model is opened.", "Classify the images again.")
    given = given_model(found.record, None)
    model = open_model(Path(given.reference) if given.is_path else given.reference, **given.settings)
    if model.checksum != found.record["model"]["checksum"]:
        raise OptionError("The model has changed since the images were classified.", "Classify them again.")
    return laying(model, options_of(found.record["options"]))


def _of(steps: Any, total: int) -> Any:
    """Say of how many each step is."""
    while True:
        try:
            done = next(steps)
        except StopIteration as finished:
            return finished.value
        yield min(done, total), total
