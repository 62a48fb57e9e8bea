"""Models written into a bundle: fetched ones, and the user's own that are one file."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Collection, Generator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from napari_webipred import file_errors, limits, safe_json
from napari_webipred.archive import model_files
from napari_webipred.cache import index, own_file, store
from napari_webipred.cache.entry import FILES, Entry, KeptFile, find_entries
from napari_webipred.cache.importer import Count, copy
from napari_webipred.cache.manifest import FORMAT, NAME, OWN, VERSION, File
from napari_webipred.cache.store import Download
from napari_webipred.card import ModelCard
from napari_webipred.download.remote_file import wanted
from napari_webipred.errors import ArchiveError, CatalogueError, OptionError


class _Packed(Struct, frozen=True):
    """A model to be written: its card, its files, where they lie, and what is noted of it if it is in the cache."""

    card: ModelCard
    source: dict[str, Any]
    files: tuple[tuple[KeptFile, Path], ...]
    entry: Entry | None = None

    def is_there(self) -> bool:
        """Tell whether nobody has removed or replaced it since; own files are never touched."""
        return self.entry is None or self.entry.is_there()


def write(references: Sequence[str | Path], path: Path) -> Generator[Download, None, Path]:
    """Write models, fetched first where they are not on this machine, into a bundle.

    A generator that tells how far it is and returns the path; closing it leaves nothing behind.

    Parameters
    ----------
    references : sequence of str or Path
        Names of models, DOIs, addresses, and files of the user's own.
    path : Path
        The bundle to write; it appears when it is complete.

    Raises
    ------
    OptionError
        A model needs no bundle, or there is too much for one. An own model is not one file, or is called like another.
    ArchiveError, ModelError
        An own model cannot be read, or it is none.
    CatalogueError
        A model cannot be had, or the bundle cannot be written.
    """
    for _ in range(limits.OPENING_TRIES):
        found = yield from _fetched(references)
        try:
            yield from _write(found.values(), path)
            return path
        except (ArchiveError, CatalogueError):
            if all(each.is_there() for each in found.values()):
                raise
    raise CatalogueError(
        "Another program keeps removing these models while they are written.", "Try again when it has finished."
    )


def _fetched(references: Sequence[str | Path]) -> Generator[Download, None, dict[str, _Packed]]:
    """Fetch models, and look at own files; return them by their identifiers, in lower case."""
    found: dict[str, _Packed] = {}
    for reference in references:
        if isinstance(reference, Path) or _is_path(reference):
            own = own_file.read(Path(reference))
            _add(found, _Packed(own.card, OWN.model_dump(), ((own.file, own.path),)))
            continue
        card = index.resolve(reference)
        weights = wanted(card)
        if weights is None:
            raise OptionError(
                f"The model {card.id} is part of napari-webipred.", "Leave it out: it is already on every machine."
            )
        entries: list[Entry] = []
        while not entries:  # Another program may remove what has just come.
            yield from store.fetch(card)
            entries = find_entries(card.id, weights)
        entry = entries[0]
        files = tuple((file, entry.folder / FILES / file.name) for file in entry.files)
        _add(found, _Packed(card, entry.source, files, entry))
    return found


def _is_path(reference: str) -> bool:
    """Tell whether a reference means a file of the user's own: names of models come first, as everywhere."""
    return model_files.exists(Path(reference)) and index.find(reference) is None


def _add(found: dict[str, _Packed], model: _Packed) -> None:
    """Add a model, unless it is there already; two that only share a name cannot be told apart later."""
    there = found.setdefault(model.card.id.casefold(), model)
    # The card of an own model has its checksum; that of a published one may have been read in two ways.
    if there.source != model.source or (model.card.is_unpublished and there.card != model.card):
        raise OptionError(
            f"Two of these models are called {model.card.id}.",
            "Write a bundle for each, or rename the file of one. If it contains a webipred.json, change the id there.",
        )


def _write(found: Collection[_Packed], path: Path) -> Generator[Download, None, None]:
    contents = {file.sha256: (place, file) for model in found for file, place in model.files}
    count = Count(sum(file.size for _, file in contents.values()))
    models = [
        {
            "card": model.card.model_dump(mode="json", exclude_unset=True),
            "source": model.source,
            "files": [{key: getattr(file, key) for key in File.model_fields} for file, _ in model.files],
        }
        for model in found
    ]
    manifest = json.dumps({"format": FORMAT, "version": VERSION, "models": models}, indent=1)
    if count.total > limits.BUNDLE_BYTES or len(contents) > limits.BUNDLE_FILES or safe_json.excess(manifest):
        raise OptionError("These models are too large for one bundle.", "Write several bundles with fewer models each.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with zipfile.ZipFile(temporary, "w") as bundle:
            bundle.writestr(zipfile.ZipInfo(NAME), manifest)
            for digest, (place, file) in contents.items():
                with (
                    place.open("rb") as source,
                    bundle.open(zipfile.ZipInfo(f"{digest}.bin"), "w", force_zip64=True) as target,
                ):
                    yield from copy(source, target, file.name, file.size, [f"sha256:{digest}"], count)
        temporary.replace(path)
    except OSError as error:
        reason, remedy = file_errors.writing(error)
        raise CatalogueError(f"The bundle {path.name} cannot be written: {reason}.", remedy) from error
    finally:
        temporary.unlink(missing_ok=True)
