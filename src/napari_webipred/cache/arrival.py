"""Files of a model that have arrived: accepted or refused, then put into place together.

They arrive in a folder of their own. What was there before stays until all of the new files are here and accepted.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from napari_webipred.archive.model_files import open_files
from napari_webipred.atomic_file import patiently
from napari_webipred.cache import fingerprints
from napari_webipred.cache.entry import (
    ARRIVING,
    CARD,
    FILES,
    NOTE,
    Entry,
    KeptFile,
    Origin,
    files_below,
    read_entry,
    write_card,
    write_entry,
)
from napari_webipred.cache.folders import model_folder, refuse_links
from napari_webipred.cache.lock import exclusive
from napari_webipred.card import ModelCard
from napari_webipred.download.remote_file import wanted
from napari_webipred.download.request_context import RequestContext
from napari_webipred.errors import ChangedModelError

_log = logging.getLogger(__name__)


def place_for(card: ModelCard, name: str) -> Path:
    """Return where a file of a model arrives, after making the folder for it.

    Raises
    ------
    CatalogueError
        The folder would be reached through a link.
    OSError
        It cannot be made.
    """
    path = model_folder(card.id) / ARRIVING / name
    refuse_links(path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def announce(card: ModelCard) -> None:
    """Write the card of a model that is about to come: by it the folder is ours, even if this process is killed now."""
    folder = model_folder(card.id)
    if read_entry(card.id) is None:
        write_card(folder, card)


def accept(
    card: ModelCard, files: Sequence[KeptFile], source: dict[str, Any], origin: Origin, *, anyway: bool
) -> Entry:
    """Put files that have arrived into place and note them; from then on the model is in the cache.

    Parameters
    ----------
    card : ModelCard
    files : sequence of KeptFile
        All of them have arrived and have the checksums that were known of them. They are not read again.
    source : dict
        The source of the weights.
    origin : str
        How they came, see `entry.Entry`.
    anyway : bool
        True if the user wants them even if they are not what came from this source before.

    Raises
    ------
    ChangedModelError
        They are not what came from this source before; they are taken away again.
    OSError
        They cannot be put into place.
    """
    folder = model_folder(card.id)
    made = fingerprints.fingerprint((file.name, file.sha256) for file in files)
    if not anyway and is_other(card, source, made):
        discard(folder)
        raise changed([card.id])
    for path in files_below(folder / ARRIVING):
        if path.relative_to(folder / ARRIVING).as_posix() not in {file.name for file in files}:
            path.unlink()  # of a download that was given up
    checksum = f"sha256:{files[0].sha256}" if len(files) == 1 else open_files(folder / ARRIVING).checksum
    _put_into_place(folder)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entry = write_entry(Entry(folder, card.id, tuple(files), checksum, source, now, origin, write_card(folder, card)))
    if origin == "source":
        fingerprints.remember(card.id, source, made)
    return entry


def is_other(card: ModelCard, source: dict[str, Any], fingerprint: str) -> bool:
    """Tell whether other files than these came from this source before.

    Where the card has a SHA-256, that was compared already, and counts more than what came before.
    """
    weights = wanted(card)
    pinned = weights is not None and (weights.checksum or "").startswith("sha256:")
    before = None if pinned else fingerprints.recall(card.id, source)
    return before is not None and before != fingerprint


def changed(models: Sequence[str]) -> ChangedModelError:
    """Return the error for files that are not those that are here, or were, under the same name."""
    return ChangedModelError(
        f"The files of {', '.join(models)} are not the same as before.",
        "The publisher may have changed them, or somebody else. Results may differ. Use the new files only if you know "
        "where they come from.",
        "replace model",
    )


def mend_card(entry: Entry, card: ModelCard) -> None:
    """Write the card of a model again if the one on the disk is damaged."""
    if entry.read_only or entry.card() is not None:
        return
    try:
        with exclusive(entry.folder, RequestContext(longest_wait=0)):
            if entry.is_there():
                write_entry(replace(entry, card_sha256=write_card(entry.folder, card)))
    except OSError as error:  # A cache that cannot be written works, too.
        _log.info("The card of %s is not written again: %s", entry.id, error.strerror)


def discard(folder: Path) -> None:
    """Take away what has arrived and is not wanted, and the card if there is no model."""
    if not (folder / ARRIVING).is_symlink():
        shutil.rmtree(folder / ARRIVING, ignore_errors=True)
    if [path.name for path in folder.iterdir()] == [CARD]:
        (folder / CARD).unlink()


def _put_into_place(folder: Path) -> None:
    """Exchange the files of a model. The note goes first: without it the model is not in the cache."""
    refuse_links(folder / FILES)
    (folder / NOTE).unlink(missing_ok=True)
    for path in files_below(folder / FILES):
        patiently(path.unlink)
    with suppress(FileNotFoundError):
        shutil.rmtree(folder / FILES)
    patiently(lambda: (folder / ARRIVING).rename(folder / FILES))
