"""The commands about models: which there are, and which are kept on this machine."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from napari_webipred import settings, terminal

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_commands(commands: Commands) -> None:
    """Add these commands to the parser of the program."""
    models = commands.add_parser("models", help="list the catalogue; needs no network")
    models.add_argument("--search", default="", metavar="TEXT", help="words that must occur")
    models.add_argument("--discipline", metavar="D", help="such as Radiology")
    models.add_argument("--json", action="store_true", help="print the whole cards as JSON")
    models.set_defaults(run=_models)

    fetch = commands.add_parser("fetch", help="download a model, to use it without a network later")
    fetch.add_argument("model", help="catalogue id, Zenodo id, DOI or URL")
    fetch.set_defaults(run=_fetch)

    remove = commands.add_parser("remove", help="delete a downloaded model")
    remove.add_argument("model", help="catalogue id")
    remove.set_defaults(run=_remove)

    cache = commands.add_parser("cache", help="list what is kept on this machine")
    cache.add_argument("--wipe", action="store_true", help="delete all of it")
    cache.set_defaults(run=_cache)


def _models(options: argparse.Namespace) -> None:
    from napari_webipred.catalogue import index, store

    cards = index.search(options.search, options.discipline)
    if options.json:
        print(json.dumps([card.model_dump(mode="json") for card in cards], indent=2, ensure_ascii=True))
        return
    rows = [
        (card.id, "yes" if store.path_of(card) else "", card.discipline or "", card.procedure or "", card.name)
        for card in cards
    ]
    terminal.show_table(("ID", "HERE", "DISCIPLINE", "PROCEDURE", "NAME"), rows, sys.stdout)
    if not cards:
        terminal.tell("no model fits; `napari-webipred models` lists all of them.")


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
