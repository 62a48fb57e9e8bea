"""Looking up a model before it is added to the list, in a background thread."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from napari_webipred._napari.models.cache_tasks import is_bundle
from napari_webipred._napari.models.entry import Entry, is_there, local_entry

if TYPE_CHECKING:
    from napari_webipred.cache.store import Download


class Added(Struct, frozen=True):
    """Models for the list, and what the user should know about them."""

    entries: tuple[Entry, ...]
    note: str = ""


def look_up(reference: str | Path, *, replace: bool = False) -> Generator[Download, None, Added]:
    """Find out what a reference means.

    A server is asked about an identifier or a URL. A bundle is imported. The file of a known model is imported as that
    model; any other path becomes one of the user's own models.
    """
    from napari_webipred.cache import bundle, importer, index, known_file, local_models, store
    from napari_webipred.catalogue import local_model

    if isinstance(reference, str):
        card = index.resolve(reference)
        return Added((Entry(card, reference, store.path_of(card) is not None),))
    if is_bundle(reference):
        cards = yield from bundle.read(reference, replace=replace)
        return Added(tuple(Entry(card, card.id, here=True) for card in cards))
    if (known := (yield from known_file.known_model(reference))) is not None:
        if store.path_of(known) is None:
            yield from importer.take(reference, known.id, replace=replace)
        where = ", which came in a bundle" if known.is_unpublished else " from the catalogue"
        note = f"{reference.name} is “{known.name}”{where}."
        return Added((Entry(known, known.id, here=True),), note)
    name = local_model.card_of_path(reference).name
    listed = is_there(reference) and local_models.remember(reference, name)
    return Added((local_entry(reference.absolute(), name, listed=listed),))
