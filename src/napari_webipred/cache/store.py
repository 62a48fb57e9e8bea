"""The models on this machine: fetched once, verified, kept in one folder.

Below the cache folder lie ``models/<id>/`` with the model's ``files``, ``card.json`` and ``entry.json``, ``compiled/``
with the graphs made of the models, ``known/`` with what their files were when they first came, and ``told/`` with what
the user has told about models that do not say it. ``own-models.json`` lists the user's own models, ``refused.json``
those that cannot be used, ``remembered.json`` the checksums of files that have not changed since they were read, and
``last-choice.json`` has what was chosen last in the panel.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator
from pathlib import Path

from msgspec import Struct

from napari_webipred import settings
from napari_webipred.cache import remembered
from napari_webipred.cache.arrival import mend_card
from napari_webipred.cache.entry import Entry, all_entries, find_entries
from napari_webipred.cache.eviction import forget as forget
from napari_webipred.cache.eviction import keep_limit
from napari_webipred.cache.eviction import limit as limit
from napari_webipred.cache.eviction import remove as remove
from napari_webipred.cache.eviction import usage as usage
from napari_webipred.cache.eviction import wipe as wipe
from napari_webipred.cache.graphs import compiled_paths as compiled_paths
from napari_webipred.cache.graphs import keep_compiled as keep_compiled
from napari_webipred.cache.graphs import verified as verified
from napari_webipred.card import ModelCard
from napari_webipred.catalogue import built_in
from napari_webipred.download.remote_file import wanted
from napari_webipred.errors import CatalogueError

_log = logging.getLogger(__name__)


class Download(Struct, frozen=True):
    """How far a download is.

    Attributes
    ----------
    done, total : int
        Bytes; ``total`` is None as long as the server has not said.
    seconds_left : float or None
        At the speed so far; None as long as nothing can be said.
    waiting : str
        Why nothing happens at the moment, such as that the server is busy; empty while something does.
    """

    done: int
    total: int | None
    seconds_left: float | None = None
    waiting: str = ""


def fetch(card: ModelCard, *, replace: bool = False) -> Generator[Download, None, Path]:
    """Bring a model to this machine, unless it is here, and verify it.

    A generator that tells of its progress about ten times a second and returns the path: of one file, or of a folder.
    Closing it cancels the download and leaves nothing behind. A model that is part of the program, or that is here and
    sound, yields nothing and needs no network; one that was damaged is fetched again. What a broken connection or a
    killed process leaves is gone on with the next time. In the end the cache is brought under its limit, if it has one.

    Parameters
    ----------
    card : ModelCard
    replace : bool
        True fetches a model that is here, too, and takes what comes even if other files came from its source before.

    Raises
    ------
    ChangedModelError
        Other files than these came from the same source before.
    CatalogueError
        The model cannot be found or fetched, arrives damaged, is something else, or cannot be written.
    """
    if (path := built_in.path_of(card)) is not None:
        return path
    weights = wanted(card)
    if weights is None:
        raise CatalogueError(
            f"The card of {card.id} names no file to download.",
            "Download the model in a browser and open it from disk.",
        )
    there = find_entries(card.id, weights)
    unpublished = card.is_unpublished
    for entry in () if replace and not unpublished else there:
        if _is_sound(entry):
            entry.use()
            mend_card(entry, card)
            return entry.path
    if unpublished:
        raise CatalogueError(
            f"The file of {card.id} is {'damaged' if there else 'not on this machine'}. It came in a bundle and is "
            "published nowhere.",
            "Import that bundle again.",
            "import file",
        )
    if settings.current().offline:
        here = ", ".join(["demo", *(entry.id for entry in entries())])
        damaged = bool(there) and not replace
        raise CatalogueError(
            f"The model {card.id} is {'damaged' if damaged else 'not on this machine'}, "
            "and downloads are switched off (offline).",
            f"Allow downloads, import a bundle, or choose a model on this machine: {here}.",
            "go online",
        )
    from napari_webipred.cache.transfer import Transfer

    transfer = Transfer(card, weights, replace=replace)
    thread = threading.Thread(target=transfer.run, name=f"fetch {card.id}", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            yield Download(transfer.done, transfer.total, transfer.seconds_left, transfer.waiting)
            thread.join(0.1)
    finally:
        transfer.cancel()
        thread.join(1)
    path = transfer.result()
    keep_limit(card.id)
    return path


def _is_sound(entry: Entry) -> bool:
    """Verify a model; its files are read only if they may have changed since they were verified last."""
    before = remembered.identity(entry.on_disk())
    if remembered.checksum_of(before) == entry.checksum:
        return entry.is_sound(unread=True)
    sound = entry.is_sound()
    if sound:
        remembered.note(before, remembered.identity(entry.on_disk()), entry.checksum)
    return sound


def path_of(card: ModelCard) -> Path | None:
    """Return where the model's files lie, or None if it is not on this machine. Their content is not read."""
    if (path := built_in.path_of(card)) is not None:
        return path
    return next((entry.path for entry in noted(card) if entry.path.exists()), None)


def noted(card: ModelCard) -> list[Entry]:
    """Return what is noted about the files that a card means, in the order in which the caches are searched."""
    weights = wanted(card)
    return find_entries(card.id, weights) if weights else []


def is_fetched(card: ModelCard) -> bool:
    """Tell whether the files of a card lie in the cache, where other programs may remove or replace them."""
    return wanted(card) is not None and built_in.path_of(card) is None


def entries() -> list[Entry]:
    """Return what has been fetched, in the order of the identifiers."""
    return all_entries()


def cards() -> list[ModelCard]:
    """Return the cards of what has been fetched."""
    found = []
    for entry in entries():
        if (card := entry.card()) is not None:
            found.append(card)
        elif entry.is_there():
            _log.warning("The card of the model %s is damaged.", entry.id)
    return found


def is_built_in(card: ModelCard) -> bool:
    """Tell whether a model is part of the program."""
    return built_in.path_of(card) is not None
