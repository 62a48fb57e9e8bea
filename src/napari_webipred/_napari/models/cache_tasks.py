"""What is done to the models on this machine: generators that run in a background thread and return a message.

They read files, which can take long on a network drive.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from napari_webipred._napari.models.entry import Entry, is_there, megabytes
from napari_webipred._napari.models.origin import OWN, origin_in_cache
from napari_webipred._napari.models.stored_model import StoredModel
from napari_webipred.errors import WebIPredError

if TYPE_CHECKING:
    from napari_webipred.cache.known_file import Proposal
    from napari_webipred.cache.store import Download


class CacheSnapshot(Struct, frozen=True):
    """What is on this machine: the models, and how many bytes those in the cache take, compiled ones included."""

    models: tuple[StoredModel, ...]
    usage: int


def snapshot() -> Generator[None, None, CacheSnapshot]:
    """List the models, those used last first."""
    from napari_webipred.cache import local_models, refused_models, store

    yield
    names = {card.id: card.name for card in store.cards()}
    reasons = refused_models.reasons()
    models = [
        StoredModel(
            entry.id,
            names.get(entry.id, entry.id),
            origin_in_cache(entry),
            entry.used,
            entry.size,
            fetched=entry.fetched[:10],
            shared=entry.shared,
            kept=entry.read_only and not entry.shared,
            refused=reasons.get(entry.id, ""),
        )
        for entry in store.entries()
    ]
    for model in local_models.own_models():
        why = reasons.get(str(model.path), "")
        gone = not is_there(model.path)
        models.append(StoredModel(model.path, model.title or model.name, OWN, model.used[:10], refused=why, gone=gone))
    return CacheSnapshot(tuple(sorted(models, key=lambda each: each.used, reverse=True)), store.usage())


def remove(references: Sequence[str | Path]) -> Generator[None, None, str]:
    """Delete models from the cache, and remove the user's own models from the list; their files are not deleted."""
    from napari_webipred.cache import store

    freed, own = 0, 0
    for reference in references:
        yield
        if isinstance(reference, Path):
            freed += store.forget(reference)
            own += 1
        else:
            freed += store.remove(reference)
    stay = {0: "", 1: " Your own file was not deleted."}.get(own, " Your own files were not deleted.")
    return f"Removed. {megabytes(freed)} freed.{stay}"


def rename(path: Path, title: str) -> Generator[None, None, bool]:
    """Note what the user calls one of their own models."""
    from napari_webipred.cache import local_models

    yield
    return local_models.rename(path, title)


def wipe() -> Generator[None, None, str]:
    """Delete all models and their settings, and empty the list of the user's own models."""
    from napari_webipred.cache import store

    yield
    freed, stays = store.wipe()
    left = [f"{name} was not removed: {why}." for name, why in stays.items()]
    return " ".join([*(left or ["All models removed."]), f"{megabytes(freed)} freed."])


def limit(most: int) -> Generator[None, None, str]:
    """Delete the least recently used models until the rest takes at most so many bytes."""
    from napari_webipred.cache import store

    yield
    removed = store.limit(most)
    return (
        f"Removed {', '.join(removed)}."
        if removed
        else "Nothing removed: the models already take less space than that."
    )


def export(references: Sequence[str | Path], path: Path) -> Generator[Download, None, str]:
    """Write models into a bundle."""
    from napari_webipred.cache import bundle
    from napari_webipred.cache.store import Download

    yield Download(0, None)
    yield from bundle.write(references, path)
    return f"Exported {len(references)} model{'s' * (len(references) != 1)} to {path.name}."


def is_bundle(path: Path) -> bool:
    """Return whether a file is a bundle of models rather than one model."""
    from napari_webipred.archive.model_files import open_files

    if path.suffix.lower() != ".zip":
        return False
    with suppress(WebIPredError):
        return "bundle.json" in open_files(path)
    return False  # opening it as a model gives the error


def examine(path: Path) -> Generator[Download, None, list[Proposal]]:
    """Return which models a file could be; empty if it is a bundle, which contains its model cards.

    Raises
    ------
    ArchiveError
        It is neither a bundle nor a model.
    """
    from napari_webipred.archive import model_files
    from napari_webipred.cache import known_file
    from napari_webipred.cache.store import Download

    yield Download(0, None)
    if is_bundle(path):
        return []
    model_files.open_files(path)
    return (yield from known_file.proposals(path))


def import_bundle(path: Path, *, replace: bool = False) -> Generator[Download, None, str]:
    """Put the models of a bundle into the cache."""
    from napari_webipred.cache import bundle
    from napari_webipred.cache.store import Download

    yield Download(0, None)
    cards = yield from bundle.read(path, replace=replace)
    return f"Imported {', '.join(card.name for card in cards)}."


def import_as(
    path: Path,
    id: str,  # noqa: A002
    *,
    replace: bool = False,
) -> Generator[Download, None, str]:
    """Put a file into the cache as the model of the catalogue that it is."""
    from napari_webipred.cache import importer

    card, compared = yield from importer.take(path, id, replace=replace)
    doubt = "" if compared else " The file could not be verified, because the checksum of this model is not known."
    return f"Imported {card.name}.{doubt}"


class Outcome(Struct, frozen=True):
    """What was recorded about a model that was opened, or could not be opened."""

    here: bool
    gone: bool
    refused: str


def record_opened(reference: str | Path, name: str, checksum: str) -> Generator[None, None, Outcome]:
    """Record that a model can be used."""
    from napari_webipred.cache import local_models, refused_models

    yield
    refused_models.note(reference, "")
    if isinstance(reference, Path):
        local_models.note_use(reference, name, checksum)
    return Outcome(here=True, gone=False, refused="")


def record_refused(entry: Entry, reason: str) -> Generator[None, None, Outcome]:
    """Record why a model cannot be used, unless its file is missing."""
    from napari_webipred.cache import refused_models, store

    yield
    if isinstance(entry.reference, Path) and not is_there(entry.reference):
        return Outcome(here=True, gone=True, refused="")
    refused_models.note(entry.key, reason)
    return Outcome(here=entry.is_local or store.path_of(entry.card) is not None, gone=False, refused=reason)
