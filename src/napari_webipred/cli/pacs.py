"""The commands about archives of images (PACS): which are known, what is in them, and classifying it."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import asdict

from napari_webipred.cli import classify, terminal
from napari_webipred.cli.parser import Parser, whole_number
from napari_webipred.errors import OptionError, SecretError

if TYPE_CHECKING:
    from napari_webipred.imaging.source import Source
    from napari_webipred.pacs.archive import Archive
    from napari_webipred.pacs.connection import Connection
    from napari_webipred.pacs.found import Series, Study
    from napari_webipred.pacs.query import Query
    from napari_webipred.pacs.retrieval import Progress

Result = TypeVar("Result")

PAGE, CLASSIFIED = 100, 20  # studies
TITLES = ("STUDY", "PATIENT ID", "NAME", "DATE", "MODALITIES", "SERIES", "IMAGES", "ACCESSION", "DESCRIPTION")


def add_pacs(parser: Parser) -> None:
    """Add the arguments of the command."""
    below = parser.add_subparsers(required=True, metavar="ACTION")
    _add_settings(below)

    test = below.add_parser("test", help="make sure that an archive answers")
    _add_archive(test)
    test.set_defaults(run=_test)

    find = below.add_parser("find", help="search an archive for studies")
    _add_archive(find)
    _add_filters(find)
    find.add_argument("--limit", type=whole_number, default=PAGE, metavar="N", help="studies of a page (default: 100)")
    find.add_argument(
        "--page", type=whole_number, default=1, metavar="N", help="which page of the results (default: 1)"
    )
    find.add_argument("--series", action="store_true", help="list the series of each study")
    find.add_argument("--json", action="store_true", help="print the results as JSON")
    find.set_defaults(run=_find)

    run = below.add_parser("classify", help="classify the images of all studies that are found")
    _add_archive(run)
    _add_filters(run)
    most = f"stop if more than N studies are found (default: {CLASSIFIED})"
    run.add_argument("--limit", type=whole_number, default=CLASSIFIED, metavar="N", help=most)
    classify.add_arguments(run, files=False)
    run.set_defaults(run=_classify)
    parser.commands = below.choices


def _add_settings(below: argparse._SubParsersAction[Parser]) -> None:
    add = below.add_parser("add", help="describe an archive")
    add.add_argument("name", metavar="NAME", help="what you want to call it")
    add.add_argument("address", metavar="ADDRESS", help="DICOMweb: https://host/path; DIMSE: host:port")
    add.add_argument("--title", metavar="AET", help="AE title of the archive; means DIMSE in place of DICOMweb")
    add.add_argument("--own-title", metavar="AET", help="AE title of this program, as the archive knows it")
    add.add_argument("--own-port", type=whole_number, metavar="N", help="port that takes images of C-MOVE")
    add.add_argument("--user", metavar="NAME", help="DICOMweb: user; the password is asked for when it is needed")
    add.add_argument("--token", action="store_true", help="DICOMweb: a token is asked for instead of a password")
    add.add_argument("--tls", action="store_true", help="DIMSE: encrypt the connection")
    add.add_argument("--ca-file", metavar="FILE", help="certificate (PEM) that has signed that of the archive")
    add.add_argument("--keyring", action="store_true", help="keep the password or token in the system's keyring")
    trust = "use a connection to another computer that is not encrypted"
    add.add_argument("--trust-network", action="store_true", help=trust)
    add.set_defaults(run=_add)

    every = below.add_parser("list", help="list the archives that you have described")
    every.set_defaults(run=_list)

    remove = below.add_parser("remove", help="forget an archive and its password")
    remove.add_argument("name", metavar="NAME")
    remove.set_defaults(run=_remove)


def _add_archive(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="an archive, as `pacs list` shows it")
    parser.add_argument("--password-stdin", action="store_true", help="read the password or token from standard input")


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--patient-id", default="", metavar="ID")
    parser.add_argument(
        "--patient-name", default="", metavar="NAME", help="beginning of it, as Doe^Jane; * and ? count"
    )
    parser.add_argument("--date", default="", metavar="DATE", help="2026-01-31, or 2026-01-01..2026-01-31")
    parser.add_argument("--modality", default="", metavar="M", help="such as CT, MR, CR, DX or US")
    parser.add_argument("--accession-number", default="", metavar="N")


def _add(options: argparse.Namespace) -> None:
    from napari_webipred.pacs import connection_file
    from napari_webipred.pacs.connection import OWN_TITLE, Connection

    made = Connection(
        options.name,
        "dimse" if options.title else "dicomweb",
        options.address,
        title=options.title or "",
        own_title=options.own_title or OWN_TITLE,
        own_port=options.own_port or 0,
        user=options.user or "",
        token=options.token,
        tls=options.tls,
        ca_file=str(Path(options.ca_file).absolute()) if options.ca_file else "",
        plain=options.trust_network,
        keyring=options.keyring,
    )
    connection_file.add(made)
    terminal.message(f"{made.name} is kept in {connection_file.path()}. `napari-webipred pacs test` tries it.")


def _list(options: argparse.Namespace) -> None:
    from napari_webipred.pacs import connection_file

    known = connection_file.connections().values()
    rows = [(each.name, each.kind, each.address, each.title, each.user or "token" * each.token) for each in known]
    terminal.show_table(("NAME", "KIND", "ADDRESS", "AE TITLE", "USER"), rows, sys.stdout)


def _remove(options: argparse.Namespace) -> None:
    from napari_webipred.pacs import connection_file

    connection_file.remove(options.name)


def _test(options: argparse.Namespace) -> None:
    from napari_webipred.pacs.stream import awaited

    with opened(options.name, options.password_stdin) as archive:
        _waited(awaited(archive.check, archive.close), "Asking the archive")
        terminal.message(f"The archive {options.name} answers, and lets you search.")


def _find(options: argparse.Namespace) -> None:
    if options.limit < 1 or options.page < 1:
        raise OptionError("--limit and --page count from 1.", "Give larger numbers.")
    with opened(options.name, options.password_stdin) as archive:
        studies = _studies(archive, _query(options), options.limit, (options.page - 1) * options.limit)
        series = {study.uid: _series(archive, study) for study in studies} if options.series else {}
    if options.json:
        found = [{**asdict(each), "series_found": list(map(asdict, series.get(each.uid, ())))} for each in studies]
        print(json.dumps(found, indent=2, ensure_ascii=True))
        return
    terminal.show_table(TITLES, [row for study in studies for row in _rows(study, series)], sys.stdout)
    if not studies:
        terminal.message("No studies found.")
    elif len(studies) == options.limit:
        terminal.message(f"There may be more: see --page {options.page + 1}.")


def _rows(study: Study, series: dict[str, list[Series]]) -> Iterator[tuple[str, ...]]:
    yield (
        study.uid,
        study.patient_id,
        study.patient_name,
        study.date,
        ", ".join(study.modalities),
        _number(study.series),
        _number(study.instances),
        study.accession_number,
        study.description,
    )
    for each in series.get(study.uid, ()):
        number = f"series {_number(each.number)}".strip()
        yield f"  {each.uid}", "", "", "", each.modality, number, _number(each.instances), "", each.description


def _number(count: int | None) -> str:
    return "" if count is None else str(count)


def _classify(options: argparse.Namespace) -> int:
    from napari_webipred.pacs import folder

    made = folder.make()
    try:
        return classify.classify_found(options, lambda: _retrieved(options, made))
    finally:
        folder.delete(made)


def _retrieved(options: argparse.Namespace, folder: Path) -> Sequence[Source]:
    from napari_webipred.pacs.retrieval import listing, retrieving

    def words(step: Progress) -> tuple[str, int, int]:
        how_far = f"Retrieving images: {step.done} of {step.total}" if step.total else "Listing images"
        return how_far, step.done, step.total

    with opened(options.name, options.password_stdin) as archive:
        studies = _studies(archive, _query(options), options.limit + 1, 0)
        if len(studies) > options.limit:
            raise OptionError(
                f"More than {options.limit} studies are found.", "Search for fewer, or allow more with --limit."
            )
        wanted = terminal.shown(listing(archive, studies, options.modality), words)
        sources = terminal.shown(retrieving(archive, wanted, folder), words)
    terminal.message(f"{len(wanted)} images of {len(studies)} studies were retrieved.")
    return sources


def _query(options: argparse.Namespace) -> Query:
    from napari_webipred.pacs.query import Query

    return Query(options.patient_id, options.patient_name, options.date, options.modality, options.accession_number)


def _studies(archive: Archive, query: Query, limit: int, offset: int) -> list[Study]:
    from napari_webipred.pacs.stream import awaited

    query.filters()  # what is wrong with them is said before anybody is asked
    return _waited(awaited(lambda: archive.studies(query, limit, offset), archive.close), "Searching")


def _series(archive: Archive, study: Study) -> list[Series]:
    from napari_webipred.pacs.stream import awaited

    return _waited(awaited(lambda: archive.series(study.uid), archive.close), "Listing series")


def _waited(steps: Generator[None, None, Result], what: str) -> Result:
    return terminal.shown(steps, lambda step: (what, 0, 0))


@contextmanager
def opened(name: str, password_stdin: bool) -> Iterator[Archive]:
    """Open an archive, with a password that is asked for, or read from standard input, if it is needed."""
    from napari_webipred.pacs import access, connection_file, secret

    connection = connection_file.connection(name)
    if connection.needs_secret and password_stdin and not secret.is_known(connection):
        secret.remember(connection, sys.stdin.readline().rstrip("\r\n"))
    try:
        secret.secret_of(connection)
    except SecretError:
        if not sys.stdin.isatty():
            raise
        secret.remember(connection, _asked(connection))
    terminal.message(f"Asking {connection.host}.")
    archive = access.opened(connection)
    try:
        yield archive
    finally:
        archive.close()


def _asked(connection: Connection) -> str:
    what = "Token" if connection.token else f"Password of {connection.user}"
    return getpass.getpass(f"{what} for {connection.name} ({connection.host}): ")
