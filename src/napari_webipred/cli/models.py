"""The commands about models: which there are, and which are kept on this machine."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from napari_webipred import settings
from napari_webipred.cli import performance, terminal
from napari_webipred.cli.parser import whole_number
from napari_webipred.errors import OptionError
from napari_webipred.limits import bytes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_webipred.cache.entry import Entry
    from napari_webipred.card import ModelCard
    from napari_webipred.cli.parser import Parser

    Commands = argparse._SubParsersAction[Parser]


def add_models(parser: Parser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--search", default="", metavar="TEXT", help="show only models with these words")
    parser.add_argument("--discipline", metavar="D", help="show only models of this discipline, such as Radiology")
    parser.add_argument("--zenodo", metavar="TEXT", help="search Zenodo instead; sends TEXT to Zenodo")
    parser.add_argument(
        "--page", type=whole_number, default=1, metavar="N", help="page of the Zenodo results (default: 1)"
    )
    parser.add_argument("model", nargs="?", metavar="MODEL", help="with --performance: which model")
    good = "show how good MODEL is said to be by those who published it"
    parser.add_argument("--performance", action="store_true", help=good)
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="with --performance: folder for figures")
    parser.add_argument("--overwrite", action="store_true", help="write into the folder even if it holds other files")
    parser.add_argument("--json", action="store_true", help="print the full model cards as JSON")
    parser.set_defaults(run=_models)


def add_fetch(parser: Parser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("model", help="catalogue id, Zenodo id or DOI, hf:owner/name or URL")
    parser.add_argument("--replace", action="store_true", help="download again, even if the files have changed")
    parser.set_defaults(run=_fetch)


def add_remove(parser: Parser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("model", help="catalogue id")
    parser.set_defaults(run=_remove)


def add_cache(parser: Parser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--limit", metavar="SIZE", help="delete the least recently used models until the cache is no larger than SIZE"
    )
    parser.add_argument("--wipe", action="store_true", help="delete all downloaded models")
    parser.set_defaults(run=_cache)


def add_bundle(parser: Parser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("models", nargs="+", metavar="MODEL", help="like MODEL of fetch, or your own model in one file")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("models.zip"), help="file to write (default: %(default)s)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the output file even if it is not a bundle")
    parser.set_defaults(run=_bundle)


def add_import(parser: Parser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a bundle, or with --as the file of one model")
    parser.add_argument("--as", dest="model", metavar="MODEL", help="which model FILE is")
    parser.add_argument(
        "--replace", action="store_true", help="replace a model on this machine even if its files differ"
    )
    parser.set_defaults(run=_import)


def _models(options: argparse.Namespace) -> None:
    from napari_webipred.cache import index, store

    if options.performance or options.model:
        if not (options.performance and options.model):
            raise OptionError(
                "Of a single model only its published performance is shown.", "Write `models MODEL --performance`."
            )
        performance.show(options.model, options.output, options.overwrite)
        return
    if options.zenodo is not None:
        _search_zenodo(options.zenodo, options.page, options.json)
        return
    cards = index.search(options.search, options.discipline)
    if options.json:
        _print_json(cards)
        return
    rows = [
        (card.id, "yes" if store.path_of(card) else "", card.discipline or "", card.procedure or "", card.name)
        for card in cards
    ]
    terminal.show_table(("ID", "HERE", "DISCIPLINE", "PROCEDURE", "NAME"), rows, sys.stdout)
    if not cards:
        terminal.message("No models found. `napari-webipred models` lists all of them.")


def _print_json(cards: Sequence[ModelCard]) -> None:
    text = json.dumps([card.model_dump(mode="json") for card in cards], indent=2, ensure_ascii=True)
    print(text.replace("\x7f", "\\u007f"))  # the one control character that JSON does not escape


def _search_zenodo(text: str, number: int, as_json: bool) -> None:
    from napari_webipred.catalogue.providers import zenodo

    page = zenodo.search(text, number)
    if as_json:
        _print_json(page.cards)
        return
    rows = []
    for card in page.cards:
        weights, authors = card.weights[0], [author.name for author in card.authors]
        by = (authors[0][:30] if authors else "") + (" et al." if len(authors) > 1 else "")
        facts = (
            weights.format,
            terminal.size(weights.size),
            card.license or "?",
            card.provenance.published or "",
        )
        rows.append((zenodo.reference(card), *facts, by, card.name))
    if rows:
        terminal.show_table(("MODEL", "FORMAT", "SIZE", "LICENCE", "DATE", "BY", "NAME"), rows, sys.stdout)
    found = f"Page {number} of {page.pages}, {page.total} records." if page.total else "No records found."
    more = f" `--page {number + 1}` shows more." if number < page.pages else ""
    terminal.message(f"{found}{more}")


def _refuse_in_private() -> None:
    if settings.current().private:
        raise OptionError(
            "In a private session, models are deleted when the command ends.",
            "Turn off the private session in napari's preferences, or set NAPARI_WEBIPRED_PRIVATE=0.",
        )


def _fetch(options: argparse.Namespace) -> None:
    _refuse_in_private()
    from napari_webipred.cache import importer, index
    from napari_webipred.opening import opening

    if not options.replace and not settings.current().offline and (card := index.find(options.model)):
        importer.confirm(card)
    model = terminal.follow(
        opening(options.model, allow_slow=True, replace=options.replace),  # whoever classifies with it is asked
        lambda step: step.waiting or f"{terminal.STAGES[step.stage]} {options.model}",
    )
    doubt = model.card.provenance.origin or ""
    terminal.message(f"{model.card.id} is on this machine: {model.card.name}. {doubt}".strip())


def _remove(options: argparse.Namespace) -> None:
    from napari_webipred.cache import index, store

    card = index.find(options.model)
    name = card.id if card else options.model
    if card and store.is_built_in(card):
        raise OptionError(f"The {name} model is part of napari-webipred and cannot be removed.")
    store.remove(name)
    terminal.message(f"Removed {name}.")


def _cache(options: argparse.Namespace) -> None:
    from napari_webipred.cache import store

    now = settings.current()
    if options.wipe:
        freed, stays = store.wipe()
        left = "; ".join(f"{name} was not removed: {why}" for name, why in stays.items())
        terminal.message(f"Removed {terminal.size(freed)}; {left or 'the cache is empty'}.")
        return
    if options.limit:
        removed = store.limit(bytes_of(options.limit))
        terminal.message(f"Removed: {', '.join(removed) or 'nothing'}.")
    rows = [
        (entry.id, terminal.size(entry.size), entry.used, _place(entry), _origin(entry)) for entry in store.entries()
    ]
    terminal.show(str(now.cache_folder))
    if now.kept_cache:
        terminal.show(f"{now.kept_cache} (kept: a private session does not change it)")
    if now.shared_cache:
        terminal.show(f"{now.shared_cache} (shared)")
    if rows:
        terminal.show_table(("MODEL", "SIZE", "USED", "", "FROM"), rows, sys.stdout)
    else:
        terminal.message("No models downloaded yet. `napari-webipred fetch MODEL` downloads one.")
    terminal.message(f"{terminal.size(store.usage())} in total, including compiled models.")


def _place(entry: Entry) -> str:
    return "shared" if entry.shared else "kept" if entry.read_only else ""


def _origin(entry: Entry) -> str:
    """Write in a few words where a model came from."""
    if entry.is_unpublished:
        return "an own model, from a bundle"
    source = entry.source
    place = source.get("doi") or source.get("repo") or source.get("url") or source.get("type") or ""
    if source.get("record_id"):
        place = source.get("doi") or f"Zenodo {source['record_id']}"
    return str(place) if entry.origin == "source" else f"from a {entry.origin}, not confirmed as {place}"


def _bundle(options: argparse.Namespace) -> None:
    from napari_webipred.cache import bundle
    from napari_webipred.results.output import Kind, claimed

    kind = Kind("a bundle is a zip archive", (".zip",), bundle.is_bundle)
    with claimed(options.output, kind, lambda there: terminal.may_replace(there, options.overwrite)) as output:
        path = terminal.follow(
            bundle.write(options.models, output), lambda step: step.waiting or f"Writing {options.output.name}"
        )
    terminal.message(
        f"Wrote {', '.join(options.models)} to {path}. Run `napari-webipred import {path.name}` on the other machine."
    )


def _import(options: argparse.Namespace) -> None:
    _refuse_in_private()
    from napari_webipred.cache import bundle, importer

    name = options.file.name
    if not options.model:
        cards = terminal.follow(bundle.read(options.file, replace=options.replace), lambda _: f"Reading {name}")
        terminal.message(f"Imported {', '.join(card.id for card in cards)}.")
        return
    card, compared = terminal.follow(
        importer.take(options.file, options.model, replace=options.replace), lambda _: f"Reading {name}"
    )
    doubt = "" if compared else " No checksum is known for this file, so it was not compared."
    terminal.message(f"Imported {card.id}.{doubt}")
