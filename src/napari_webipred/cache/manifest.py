"""The table of contents of a bundle: the cards of its models, and which files belong to them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainValidator

from napari_webipred import limits, safe_json
from napari_webipred.archive.model_files import open_files
from napari_webipred.cache import fingerprints
from napari_webipred.cache.folders import can_be_folder
from napari_webipred.card import ModelCard, WeightSource
from napari_webipred.catalogue import built_in
from napari_webipred.download.remote_file import is_harmless, wanted
from napari_webipred.errors import ArchiveError

FORMAT = "napari-webipred bundle"
VERSION = 1
NAME = "bundle.json"
OWN = WeightSource(type="bundle")  # of somebody's own model, which lies nowhere else


class File(BaseModel):
    """One file of a model, and what is known of it."""

    model_config = ConfigDict(strict=True)

    name: str
    url: str
    checksum: str | None = Field(default=None, pattern=r"^(md5|sha1|sha256|sha512):[0-9a-f]+$")
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Model(BaseModel):
    """A model in a bundle: its card, where it came from, and its files."""

    card: Annotated[ModelCard, PlainValidator(ModelCard.model_validate)]
    source: dict[str, Any]
    files: list[File] = Field(min_length=1, max_length=limits.BUNDLE_FILES)

    @property
    def fingerprint(self) -> str:
        """One SHA-256 of all files, see `fingerprints.fingerprint`."""
        return fingerprints.fingerprint((file.name, file.sha256) for file in self.files)


class Manifest(BaseModel):
    """All that a bundle holds."""

    format: str
    version: int
    models: list[Model] = Field(min_length=1, max_length=limits.BUNDLE_MODELS)


def read_manifest(path: Path) -> Manifest:
    """Read what a bundle says that it holds, believing nothing of it.

    Raises
    ------
    ArchiveError
        It is no bundle, or what it says cannot be true.
    """
    files = open_files(path)
    if files.kind != "zip" or NAME not in files:
        raise ArchiveError(
            f"{path.name} is not a bundle of models.",
            "A model of your own needs no import: choose its file as the model. If it is a file of a published model, "
            "say which model it is.",
            "import file",
        )
    try:
        manifest = Manifest.model_validate(safe_json.parse(files[NAME]))
    except ValueError as error:
        raise unsound(path, "its table of contents cannot be read") from error
    if (manifest.format, manifest.version) != (FORMAT, VERSION):
        raise unsound(path, "it was written by another version of napari-webipred")
    ids = [model.card.id.casefold() for model in manifest.models]
    if len(set(ids)) < len(ids):
        raise unsound(path, "it contains a model twice")
    for model in manifest.models:
        _check(path, model, files)
    return manifest


def belongs_to_catalogue(id: str) -> bool:  # noqa: A002
    """Tell whether a built-in card has this identifier, which would hide any other model of this name."""
    return id.casefold() in {card.id.casefold() for card in built_in.cards()}


def _check(path: Path, model: Model, files: Collection[str]) -> None:
    """Check what a bundle says of one of its models."""
    names = [file.name.casefold() for file in model.files]
    if not all(map(is_harmless, names)) or len(set(names)) < len(names):
        raise unsound(path, "a file in it has an invalid name")
    if not can_be_folder(model.card.id):
        raise unsound(path, f"no folder can be called {model.card.id} on every operating system")
    if any(f"{file.sha256}.bin" not in files for file in model.files):
        raise unsound(path, f"a file of {model.card.id} is missing")
    weights = wanted(model.card)
    if weights is None or weights.source.model_dump() != model.source:
        raise unsound(path, f"the card of {model.card.id} does not belong to its files")
    if model.card.is_unpublished:
        _check_own(path, model)


def _check_own(path: Path, model: Model) -> None:
    """Check somebody's own model: nothing but its checksum says which file its card means."""
    if belongs_to_catalogue(model.card.id):
        raise unsound(path, f"an own model in it is called {model.card.id}, like a model of the catalogue")
    weights = [(each.source, each.checksum) for each in model.card.weights]
    if weights != [(OWN, f"sha256:{model.files[0].sha256}")] or len(model.files) > 1:
        raise unsound(path, f"the card of {model.card.id} does not belong to its files")


def unsound(path: Path, why: str) -> ArchiveError:
    """Return the error for a bundle that is refused."""
    return ArchiveError(
        f"The bundle {path.name} is refused: {why}.", "Write it again, or ask the person who gave it to you."
    )
