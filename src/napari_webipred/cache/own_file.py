"""A model that is the user's own file, as it travels in a bundle: one file, and a card that says where it came from."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from msgspec import Struct

from napari_webipred import file_errors, formats
from napari_webipred.archive.label_files import SIDE_FILES
from napari_webipred.archive.model_files import ModelFiles, open_files
from napari_webipred.cache.entry import KeptFile
from napari_webipred.cache.folders import can_be_folder
from napari_webipred.cache.manifest import NAME, OWN, belongs_to_catalogue
from napari_webipred.card import ModelCard
from napari_webipred.catalogue import local_model, side_files
from napari_webipred.download.remote_file import harmless
from napari_webipred.errors import ArchiveError, OptionError
from napari_webipred.merge import merge


class OwnFile(Struct, frozen=True):
    """A model that is one file of the user's own.

    Attributes
    ----------
    path : Path
        Where it lies; that goes nowhere.
    card : ModelCard
        What the file, and the small files beside it, say of the model; nothing that the user has entered.
    file : KeptFile
        What it is called in the bundle, its size and its checksum.
    """

    path: Path
    card: ModelCard
    file: KeptFile


def read(path: Path) -> OwnFile:
    """Look at a file of the user's own, and make the card with which it travels.

    Raises
    ------
    OptionError
        It is not one file, or cannot have the name that it has on another machine.
    ArchiveError, ModelError
        It cannot be read, it is no model, or its card is not valid.
    """
    files = open_files(path)
    if not _is_one_file(files):
        raise OptionError(
            f"{path.name} is not a single file, and a bundle takes only own models that are one file.",
            "Put all files of the model into a zip archive of their own, and give that one.",
        )
    if files.kind == "zip" and not any(map(_may_be_model, files)):
        raise ArchiveError(f"{path.name} contains no model that can go into a bundle.", "Choose another file.")
    try:
        size, digest = path.stat().st_size, files.checksum.removeprefix("sha256:")
    except OSError as error:
        reason, remedy = file_errors.reading(error)
        raise ArchiveError(f"{path.name} cannot be read: {reason}.", remedy) from error
    card = side_files.completed(local_model.card_of_path(path), files, files.entry)
    card = merge(card, local_model.describe_choice(card, files.entry))
    _check_name(card, path)
    sent = {"source": OWN, "size": size, "checksum": f"sha256:{digest}"}
    card = card.model_copy(update={"weights": (card.weights[0].model_copy(update=sent),)})
    return OwnFile(path, card, KeptFile(harmless(path.name), OWN.type, None, size, digest))


def _is_one_file(files: ModelFiles) -> bool:
    """Tell whether the numbers of a model depend on one file alone, and all of that file is the model."""
    if files.kind == "zip":
        return files.entry is None
    return files.kind not in {"folder", "json"} and len(files.on_disk()) == 1


def _may_be_model(name: str) -> bool:
    """Tell by the name of a file in a zip archive whether it may be a model; a topology can have any name."""
    last = PurePosixPath(name).name
    is_topology = last.endswith(".json") and last not in {*SIDE_FILES, NAME}
    return is_topology or formats.format_of(name) is not None


def _check_name(card: ModelCard, path: Path) -> None:
    rename = "Rename the file. If it contains a webipred.json, change the id there."
    if belongs_to_catalogue(card.id):
        raise OptionError(f"{path.name} is called {card.id}, like a model of the catalogue.", rename)
    if not can_be_folder(card.id):
        raise OptionError(f"{path.name} is called {card.id}, which is no file name on some systems.", rename)
