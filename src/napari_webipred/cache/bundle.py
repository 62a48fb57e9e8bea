"""A bundle: models in one file, to be carried to a machine without a network.

It is a zip archive, not compressed, of ``bundle.json`` (the cards, and which files belong to them) and the files,
each under its SHA-256. No name in it becomes a path that is not checked, and nothing is unpacked but into the cache.
"""

from __future__ import annotations

import json
import os
import struct
import zipfile
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainValidator

from napari_webipred import file_errors, limits, safe_json
from napari_webipred.archive import model_files
from napari_webipred.cache import fingerprints, index, own_file, store
from napari_webipred.cache.arrival import accept, changed, place_for
from napari_webipred.cache.entry import FILES, Entry, KeptFile, Origin, find_entries, read_entry
from napari_webipred.cache.folders import can_be_folder
from napari_webipred.cache.importer import Count, copy, is_another, is_confirmed, place, put
from napari_webipred.cache.store import Download
from napari_webipred.card import ModelCard
from napari_webipred.catalogue import built_in
from napari_webipred.download.remote_file import is_harmless, wanted
from napari_webipred.errors import ArchiveError, CatalogueError, OptionError

_FORMAT = "napari-webipred bundle"
_MANIFEST = "bundle.json"


class _File(BaseModel):
    model_config = ConfigDict(strict=True)

    name: str
    url: str
    checksum: str | None = Field(default=None, pattern=r"^(md5|sha1|sha256|sha512):[0-9a-f]+$")
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class _Model(BaseModel):
    card: Annotated[ModelCard, PlainValidator(ModelCard.model_validate)]
    source: dict[str, Any]
    files: list[_File] = Field(min_length=1, max_length=limits.BUNDLE_FILES)

    @property
    def fingerprint(self) -> str:
        """One SHA-256 of all files, see `fingerprints.fingerprint`."""
        return fingerprints.fingerprint((file.name, file.sha256) for file in self.files)


class _Manifest(BaseModel):
    format: str
    version: int
    models: list[_Model] = Field(min_length=1, max_length=limits.BUNDLE_MODELS)


@dataclass(frozen=True, slots=True)
class _Packed:
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
            _add(found, _Packed(own.card, own_file.SOURCE.model_dump(), ((own.file, own.path),)))
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
    sums = [[(file.name, file.sha256) for file, _ in each.files] for each in (there, model)]
    if there.source != model.source or sums[0] != sums[1]:
        raise OptionError(
            f"Two of these models are called {model.card.id}.",
            "Write a bundle for each, or give one another name: rename its file, or change the id in its webipred.json.",
        )


def _write(found: Collection[_Packed], path: Path) -> Generator[Download, None, None]:
    contents = {file.sha256: (place, file) for model in found for file, place in model.files}
    count = Count(sum(file.size for _, file in contents.values()))
    models = [
        {
            "card": model.card.model_dump(mode="json", exclude_unset=True),
            "source": model.source,
            "files": [{key: getattr(file, key) for key in _File.model_fields} for file, _ in model.files],
        }
        for model in found
    ]
    manifest = json.dumps({"format": _FORMAT, "version": 1, "models": models}, indent=1)
    if count.total > limits.BUNDLE_BYTES or len(contents) > limits.BUNDLE_FILES or safe_json.excess(manifest):
        raise OptionError("These models are too large for one bundle.", "Write several bundles with fewer models each.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with zipfile.ZipFile(temporary, "w") as bundle:
            bundle.writestr(zipfile.ZipInfo(_MANIFEST), manifest)
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
    manifest = _manifest(path)
    count = Count(sum(file.size for model in manifest.models for file in model.files))
    others = [m.card.id for m in manifest.models if is_another(m.card, m.source, m.fingerprint)]
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
        _manifest(path)
    except ArchiveError:
        return False
    return True


def _origin(model: _Model) -> Origin:
    """Tell whether the files are known to be those of the source; the card of a bundle cannot vouch for them."""
    there = read_entry(model.card.id)
    sure = (
        built_in.pinned(model.card.id) is not None
        or is_confirmed(model.card.id, model.source, model.fingerprint)
        or (there is not None and there.origin == "source" and there.fingerprint == model.fingerprint)
    )
    return "source" if sure else "bundle"


def _manifest(path: Path) -> _Manifest:
    """Read what a bundle says that it holds, believing nothing of it."""
    files = model_files.open_files(path)
    if files.kind != "zip" or _MANIFEST not in files:
        raise ArchiveError(
            f"{path.name} is not a bundle of models.",
            "If it is the file of one model, say which model it is.",
            "import file",
        )
    try:
        manifest = _Manifest.model_validate(safe_json.parse(files[_MANIFEST]))
    except ValueError as error:
        raise _unsound(path, "its table of contents cannot be read") from error
    if (manifest.format, manifest.version) != (_FORMAT, 1):
        raise _unsound(path, "it was written by another version of napari-webipred")
    ids = [model.card.id.casefold() for model in manifest.models]
    if len(set(ids)) < len(ids):
        raise _unsound(path, "it contains a model twice")
    for model in manifest.models:
        names = [file.name.casefold() for file in model.files]
        if not all(map(is_harmless, names)) or len(set(names)) < len(names):
            raise _unsound(path, "a file in it has an invalid name")
        if not can_be_folder(model.card.id):
            raise _unsound(path, f"no folder can be called {model.card.id} on every operating system")
        if any(f"{file.sha256}.bin" not in files for file in model.files):
            raise _unsound(path, f"a file of {model.card.id} is missing")
        weights = wanted(model.card)
        if weights is None or weights.source.model_dump() != model.source:
            raise _unsound(path, f"the card of {model.card.id} does not belong to its files")
        if model.card.is_unpublished:
            _check_own(path, model)
    return manifest


def _check_own(path: Path, model: _Model) -> None:
    """Check somebody's own model: nothing but its checksum says which file its card means."""
    if own_file.belongs_to_catalogue(model.card.id):
        raise _unsound(path, f"an own model in it is called {model.card.id}, like a model of the catalogue")
    weights = [(each.source, each.checksum) for each in model.card.weights]
    if weights != [(own_file.SOURCE, f"sha256:{model.files[0].sha256}")] or len(model.files) > 1:
        raise _unsound(path, f"the card of {model.card.id} does not belong to its files")


def _unsound(path: Path, why: str) -> ArchiveError:
    return ArchiveError(
        f"The bundle {path.name} is refused: {why}.", "Write it again, or ask the person who gave it to you."
    )


def _is_here(model: _Model) -> bool:
    there = read_entry(model.card.id)
    return (
        there is not None
        and {(file.name, file.sha256) for file in there.files} == {(file.name, file.sha256) for file in model.files}
        and there.source == model.source
        and there.is_sound()
    )


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive that was found to be safe; nothing in it may be compressed, so that it unpacks to what it is."""
    try:
        with zipfile.ZipFile(path) as bundle:
            if any(info.compress_type != zipfile.ZIP_STORED for info in bundle.infolist()):
                raise _unsound(path, "it is compressed")
            yield bundle
    except (zipfile.BadZipFile, struct.error, EOFError, OverflowError, RuntimeError) as error:
        raise _unsound(path, f"it is damaged ({error})") from error
