"""The commands about models: which there are, and which are kept on this machine."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from napari_webipred import settings, terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_webipred.catalogue.card import ModelCard

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_commands(commands: Commands) -> None:
    """Add these commands to the parser of the program."""
    models = commands.add_parser("models", help="list the catalogue, without a network, or search Zenodo")
    models.add_argument("--search", default="", metavar="TEXT", help="words that must occur")
    models.add_argument("--discipline", metavar="D", help="such as Radiology")
    models.add_argument("--zenodo", metavar="TEXT", help="search Zenodo for these words instead, of which it learns")
    models.add_argument("--page", type=int, default=1, metavar="N", help="of what is found on Zenodo; default: 1")
    models.add_argument("--json", action="store_true", help="print the whole cards as JSON")
    models.set_defaults(run=_models)

    fetch = commands.add_parser("fetch", help="download a model, to use it without a network later")
    fetch.add_argument("model", help="catalogue id, Zenodo id or DOI, hf:owner/name or https address")
    fetch.set_defaults(run=_fetch)

    remove = commands.add_parser("remove", help="delete a downloaded model")
    remove.add_argument("model", help="catalogue id")
    remove.set_defaults(run=_remove)

    cache = commands.add_parser("cache", help="list what is kept on this machine")
    cache.add_argument("--wipe", action="store_true", help="delete all of it")
    cache.set_defaults(run=_cache)


def _models(options: argparse.Namespace) -> None:
    from napari_webipred.catalogue import index, store

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
        terminal.tell("no model fits; `napari-webipred models` lists all of them.")


def _print_json(cards: Sequence[ModelCard]) -> None:
    print(json.dumps([card.model_dump(mode="json") for card in cards], indent=2, ensure_ascii=True))


def _search_zenodo(text: str, number: int, as_json: bool) -> None:
    from napari_webipred.catalogue import zenodo

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
            str(card.provenance["published"] or ""),
        )
        rows.append((zenodo.reference(card), *facts, by, card.name[:120]))
    if rows:
        terminal.show_table(("MODEL", "FORMAT", "SIZE", "LICENCE", "DATE", "BY", "NAME"), rows, sys.stdout)
    found = f"page {number} of {page.pages}; {page.total} records fit" if page.total else "no record fits"
    more = f"; `--page {number + 1}` shows more" if number < page.pages else ""
    terminal.tell(f"{found}{more}.")


def _fetch(options: argparse.Namespace) -> None:
    from napari_webipred.model import opening

    model = terminal.follow(opening(options.model), options.model)
    terminal.tell(f"{model.card.id} is on this machine: {model.card.name}.")


def _remove(options: argparse.Namespace) -> None:
    from napari_webipred.catalogue import store

    store.remove(options.model)
    terminal.tell(f"{options.model} is removed from this machine.")


def _cache(options: argparse.Namespace) -> None:
    from napari_webipred.catalogue import store

    print(settings.current().cache_folder)
    if options.wipe:
        store.wipe()
        terminal.tell("the cache is empty now.")
        return
    rows = [(entry.id, terminal.size(entry.size), entry.fetched) for entry in store.entries()]
    if rows:
        terminal.show_table(("MODEL", "SIZE", "FETCHED"), rows, sys.stdout)
    else:
        terminal.tell("no model has been fetched yet; `napari-webipred fetch MODEL` does.")
