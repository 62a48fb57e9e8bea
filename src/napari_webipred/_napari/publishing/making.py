"""The work behind the form: a model is opened and its folder made; and which folder is meant."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from napari_webipred.card import PartialCard
from napari_webipred.publishing.checklist import Item, slug

if TYPE_CHECKING:
    from napari_webipred._napari.models.entry import Entry
    from napari_webipred.model import Model
    from napari_webipred.publishing.material import Material


class Asked(Struct, frozen=True):
    """What the user wants.

    Attributes
    ----------
    folder : Path
    said : PartialCard
    evaluation : Path or None
    verify : bool
    packages : Path or None
    overwrite : bool
    """

    folder: Path
    said: PartialCard
    evaluation: Path | None = None
    verify: bool = True
    packages: Path | None = None
    overwrite: bool = False


class Made(Struct, frozen=True):
    """What was made: the folder, how many files are in it, and the check list."""

    folder: Path
    files: int
    items: tuple[Item, ...]


def opening(entry: Entry, model: Model | None) -> Generator[str, None, Material]:
    """Open a model with its files, or only these if the model is open."""
    from napari_webipred.publishing.material import preparing

    steps = preparing(model or entry.reference, **entry.overrides, allow_slow=True)
    try:
        while True:
            yield next(steps).waiting or "Opening the model"
    except StopIteration as finished:
        material: Material = finished.value
        return material
    finally:
        steps.close()


def making(material: Material, asked: Asked) -> Generator[str, None, Made]:
    """Make the folder, and say what is being done."""
    from napari_webipred.publishing import folder
    from napari_webipred.publishing.deposit import Wishes, packing

    folder.check(asked.folder, overwrite=asked.overwrite)
    wishes = Wishes(asked.said, asked.evaluation, asked.verify, asked.packages)
    deposit = yield from packing(material, wishes)
    yield "Writing the files"
    folder.write(asked.folder, deposit.files, overwrite=asked.overwrite)
    return Made(asked.folder, len(deposit.files), deposit.items)


def place_in(chosen: Path, name: str) -> Path:
    """Return the folder that is meant: the chosen one if it is empty or a deposit, else a new one in it."""
    from napari_webipred.publishing.deposit import SUMS

    if not chosen.exists() or not any(chosen.iterdir()) or (chosen / SUMS).exists():
        return chosen
    return chosen / f"{slug(name)}-deposit"
