"""A bundle: models in one file, to be carried to a machine without a network.

It is a zip archive, not compressed, of ``bundle.json`` (the cards, and which files belong to them) and the files,
each under its SHA-256. No name in it becomes a path that is not checked, and nothing is unpacked but into the cache.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_webipred.cache.arrival import accept, changed, place_for
from napari_webipred.cache.entry import Entry, KeptFile, Origin, read_entry
from napari_webipred.cache.importer import Count, is_another, is_confirmed, place, put
from napari_webipred.cache.manifest import Model, read_manifest, unsound
from napari_webipred.cache.packing import write as write
from napari_webipred.cache.store import Download
from napari_webipred.card import ModelCard
from napari_webipred.catalogue import built_in
from napari_webipred.errors import ArchiveError


def read(path: Path, *, replace: bool = False) -> Generator[Download, None, list[ModelCard]]:
    """Put the models of a bundle into the cache, after comparing every checksum. No network is used.

    A generator that tells how far it is and returns the cards; closing it leaves the models that are complete.

    Parameters
    ----------
    path : Path
        The bundle.
    replace : bool
        True takes models even if they are not what is here, or was, under the same name.

    Raises
    ------
    ArchiveError
        The bundle is damaged or unsafe, or it is none.
    ChangedModelError
        Some models are not what is here, or was, under the same name; nothing has been read in.
    CatalogueError
        The cache cannot be written.
    """
    manifest = read_manifest(path)
    count = Count(sum(file.size for model in manifest.models for file in model.files))
    others = [model.card.id for model in manifest.models if _is_another(model)]
    if others and not replace:
        raise changed(others)
    with _opened(path) as bundle:
        for model in manifest.models:
            if _is_here(model):
                count.done += sum(file.size for file in model.files)
                yield Download(count.done, count.total)
                continue
            pinned = built_in.pinned(model.card.id)
            with place(model.card):
                for file in model.files:
                    sums = [f"sha256:{file.sha256}", *filter(None, (file.checksum, pinned))]
                    with bundle.open(f"{file.sha256}.bin") as source:
                        yield from put(source, place_for(model.card, file.name), file.size, sums, count)
                files = [KeptFile(**file.model_dump()) for file in model.files]
                accept(model.card, files, model.source, _origin(model), anyway=True)
    return [model.card for model in manifest.models]


def is_bundle(path: Path) -> bool:
    """Tell whether a file is a bundle of models that can be read."""
    try:
        read_manifest(path)
    except ArchiveError:
        return False
    return True


def _origin(model: Model) -> Origin:
    """Tell whether the files are known to be those of the source; the card of a bundle cannot vouch for them."""
    there = read_entry(model.card.id)
    sure = (
        built_in.pinned(model.card.id) is not None
        or is_confirmed(model.card.id, model.source, model.fingerprint)
        or (there is not None and there.origin == "source" and there.fingerprint == model.fingerprint)
    )
    return "source" if sure else "bundle"


def _is_another(model: Model) -> bool:
    there = read_entry(model.card.id)
    return is_another(model.card, there, model.source, model.fingerprint) or _has_new_card(model, there)


def _is_here(model: Model) -> bool:
    there = read_entry(model.card.id)
    return (
        there is not None
        and {(file.name, file.sha256) for file in there.files} == {(file.name, file.sha256) for file in model.files}
        and there.source == model.source
        and there.is_sound()
        and not _has_new_card(model, there)
    )


def _has_new_card(model: Model, there: Entry | None) -> bool:
    """Tell whether somebody's own model has another card than here: classes may be known from nowhere else."""
    return model.card.is_unpublished and there is not None and there.card() not in (None, model.card)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive that was found to be safe; nothing in it may be compressed, so that it unpacks to what it is."""
    try:
        with zipfile.ZipFile(path) as bundle:
            if any(info.compress_type != zipfile.ZIP_STORED for info in bundle.infolist()):
                raise unsound(path, "it is compressed")
            yield bundle
    except (zipfile.BadZipFile, struct.error, EOFError, OverflowError, RuntimeError) as error:
        raise unsound(path, f"it is damaged ({error})") from error
