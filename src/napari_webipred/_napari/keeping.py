"""What is done to the models on this machine: generators that run beside the window and return what to tell.

They look into files, which may take long on a network drive.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from napari_webipred._napari.entry import megabytes
from napari_webipred._napari.kept_list import Kept
from napari_webipred.catalogue.store import Download
from napari_webipred.errors import WebIPredError


@dataclass(frozen=True, slots=True)
class Look:
    """What is in the cache: the models, and how many bytes they and what was made of them take."""

    kept: tuple[Kept, ...]
    usage: int


def look() -> Generator[None, None, Look]:
    """List the models, those used last first."""
    from napari_webipred.catalogue import store

    yield
    names = {card.id: card.name for card in store.cards()}
    kept = [Kept(entry, names.get(entry.id, entry.id), entry.used) for entry in store.entries()]
    return Look(tuple(sorted(kept, key=lambda each: each.used, reverse=True)), store.usage())


def remove(ids: Sequence[str]) -> Generator[None, None, str]:
    """Delete models."""
    from napari_webipred.catalogue import store

    freed = 0
    for id in ids:  # noqa: A001
        yield
        freed += store.remove(id)
    return f"{megabytes(freed)} freed."


def wipe() -> Generator[None, None, str]:
    """Delete all models, and what was told about models."""
    from napari_webipred.catalogue import store

    yield
    return f"{megabytes(store.wipe())} freed."


def limit(most: int) -> Generator[None, None, str]:
    """Delete what was not used for longest, until the rest takes no more than so many bytes."""
    from napari_webipred.catalogue import store

    yield
    removed = store.limit(most)
    return f"Removed: {', '.join(removed)}." if removed else "Nothing had to be removed."


def export(ids: Sequence[str], path: Path) -> Generator[Download, None, str]:
    """Write models into a bundle."""
    from napari_webipred.catalogue import bundle

    yield Download(0, None)
    yield from bundle.write(ids, path)
    return f"{len(ids)} model{'s' * (len(ids) != 1)} in {path.name}."


def is_bundle(path: Path) -> bool:
    """Tell whether a file is a bundle of models rather than one model."""
    from napari_webipred.catalogue.archive import open_files

    if path.suffix.lower() != ".zip":
        return False
    with suppress(WebIPredError):
        return "bundle.json" in open_files(path)
    return False  # opening it as a model will tell what is wrong with it


def take_in(path: Path) -> Generator[Download, None, str]:
    """Put the models of a bundle into the cache."""
    from napari_webipred.catalogue import bundle

    yield Download(0, None)
    cards = yield from bundle.read(path)
    return f"Imported: {', '.join(card.name for card in cards)}."
