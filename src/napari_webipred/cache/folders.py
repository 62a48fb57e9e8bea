"""The folders of models in the cache: what they may be called, and that nothing is changed through a link."""

from __future__ import annotations

import re
from pathlib import Path

from napari_webipred import settings
from napari_webipred.download.remote_file import is_harmless
from napari_webipred.errors import CatalogueError

MODELS, COMPILED, KNOWN, OVERRIDES, REFERENCES = "models", "compiled", "known", "told", "references"
REFERENCE_SUFFIX = ".reference"

_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"


def can_be_folder(id: str) -> bool:  # noqa: A002
    """Tell whether a folder can be called like this identifier on every operating system.

    Windows keeps ``CON`` and ``aux.txt`` for devices and drops a dot at the end.
    """
    return bool(re.fullmatch(_ID, id)) and is_harmless(id)


def model_folder(id: str, cache: Path | None = None) -> Path:  # noqa: A002
    """Return the folder of a model, whether or not it exists.

    Raises
    ------
    CatalogueError
        There can be no such folder.
    """
    if not can_be_folder(id):
        raise CatalogueError(
            f"A model cannot be stored under the name {id!r}: some operating systems do not allow a folder "
            "with this name.",
            "Ask the author of the model card for another id.",
        )
    return (cache or settings.current().cache_folder) / MODELS / id


def new_model_folder(id: str) -> Path:  # noqa: A002
    """Return the folder in the user's own cache that a model can be put into; it need not exist.

    Raises
    ------
    CatalogueError
        There can be no such folder, one that Windows or macOS take for the same exists, or the folder is a link.
    OSError
        The folder around it cannot be made or read.
    """
    folder = model_folder(id)
    refuse_links(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    for other in folder.parent.iterdir():
        if other.name.casefold() == id.casefold() and other.name != id:
            raise CatalogueError(
                f"The model {id} cannot be stored beside {other.name}: on Windows and macOS these names are the same.",
                f"Remove {other.name} first.",
                "list stored models",
            )
    return folder


def holds_link(path: Path) -> Path | None:
    """Return what is a link on the way from the user's own cache folder to a path; None if nothing is.

    The cache folder itself may be a link: where it lies is for the user to say.
    """
    cache = settings.current().cache_folder
    parts = path.relative_to(cache).parts
    steps = (cache.joinpath(*parts[: count + 1]) for count in range(len(parts)))
    return next((step for step in steps if step.is_symlink()), None)


def refuse_links(path: Path) -> None:
    """Raise CatalogueError if something on the way from the cache folder to a path is a link."""
    if link := holds_link(path):
        raise CatalogueError(
            f"{link} is a link, and links in the cache are not followed.",
            "Remove the link. To store models elsewhere, choose another cache folder.",
            "choose cache folder",
        )
