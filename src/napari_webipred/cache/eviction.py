"""The room that the cache takes: how much it is, and how it is made free.

Whoever removes a model locks it first. A model that another program is changing is waited for if it is to be removed by
name, and passed over if room is made. Programs that are reading a model find out that it has gone and fetch it again.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from napari_webipred import file_errors, settings
from napari_webipred.atomic_file import patiently
from napari_webipred.cache import last_choice, local_models, refused_models, remembered, shared_file
from napari_webipred.cache.entry import (
    ARRIVING,
    CARD,
    FILES,
    LEFT_OVER,
    NOTE,
    USED,
    all_entries,
    files_below,
    read_entry,
)
from napari_webipred.cache.folders import (
    COMPILED,
    KNOWN,
    MODELS,
    OVERRIDES,
    REFERENCE_SUFFIX,
    REFERENCES,
    can_be_folder,
    holds_link,
)
from napari_webipred.cache.graphs import GRAPH
from napari_webipred.cache.lock import LOCK_SUFFIX, delete_lock, exclusive, lock_path, unless_busy
from napari_webipred.card import read_card
from napari_webipred.download.request_context import RequestContext
from napari_webipred.errors import CatalogueError, OptionError
from napari_webipred.limits import bytes_of

_log = logging.getLogger(__name__)
_NOTED = rf"[0-9a-f]{{64}}(\.json|{REFERENCE_SUFFIX})"


class _Piece(Struct, frozen=True):
    """What is removed at once: a model with its graphs, or (without a name) a graph of a model from elsewhere.

    A model of somebody's own can be downloaded nowhere, so it is not ``replaceable``.
    """

    last_use: float
    name: str
    files: tuple[Path, ...]
    size: int
    replaceable: bool = True


def remove(id: str) -> int:  # noqa: A002
    """Remove a fetched model and what was compiled from it; return how many bytes that freed.

    What its files were is remembered: other ones that come from the same source are not taken without asking.

    Raises
    ------
    CatalogueError
        No such model has been fetched, or its files cannot be removed.
    """
    entry = read_entry(id)
    if entry is None:
        raise _not_removable(id)
    if link := holds_link(entry.folder):
        raise CatalogueError(f"{link} is a link, and links in the cache are not followed.", "Remove the link yourself.")
    refused_models.note(id, "")
    with exclusive(entry.folder, RequestContext(longest_wait=0)):
        freed = _delete([*_own_files(entry.folder), *_made_of(entry.checksum)])
        delete_lock(lock_path(entry.folder))
    return freed


def forget(path: Path) -> int:
    """Forget one of the user's own models, its settings and what was compiled from it; return the bytes freed.

    The model itself stays where it is. What belongs to another model with the same files stays as well.

    Raises
    ------
    CatalogueError
        Something cannot be removed.
    """
    refused_models.note(path, "")
    model = local_models.forget(path)
    checksum = model.checksum if model else ""
    others = {other.checksum for other in local_models.own_models()} | {entry.checksum for entry in all_entries()}
    return _delete(_made_of(checksum)) if checksum and checksum not in others else 0


def _made_of(checksum: str) -> list[Path]:
    """Return the settings and the reference of a model, and the graphs that were compiled from it."""
    digest = checksum.removeprefix("sha256:")
    noted = [*_below(OVERRIDES), *_below(REFERENCES)]
    return [
        *_compiled_of(digest),
        *(path for path in noted if path.name in {f"{digest}.json", digest + REFERENCE_SUFFIX}),
    ]


def _not_removable(id: str) -> CatalogueError:  # noqa: A002
    there = {entry.id: entry for entry in all_entries()}
    if id in there and not there[id].shared:
        return CatalogueError(
            f"The model {id!r} was there before the private session, which does not change it.",
            "Turn off the private session to remove it.",
        )
    if id in there:
        return CatalogueError(f"The model {id!r} is in the shared cache, which is read-only.", "", "list stored models")
    import difflib

    similar = difflib.get_close_matches(id, there, n=2)
    hint = f"Did you mean {' or '.join(similar)}?" if similar else "Choose one of the models that you have downloaded."
    return CatalogueError(f"There is no downloaded model {id!r} to remove.", hint, "list stored models")


def wipe() -> tuple[int, dict[str, str]]:
    """Remove all models, compiled graphs, what is remembered of models, and the list of the user's own models.

    Nothing else in the cache folder is touched, nothing that lies behind a link, and the user's own models stay where
    they are.

    Returns
    -------
    int
        The bytes that this freed.
    dict of str to str
        What stays, and why: another program is fetching a model, or removing it, a folder cannot be read, or a model
        was there before the private session.

    Raises
    ------
    CatalogueError
        A file cannot be removed.
    """
    cache, kinds = settings.current().cache_folder, (COMPILED, KNOWN, OVERRIDES, REFERENCES, MODELS)
    freed, stays = 0, {kind: why for kind in kinds if (why := _unreadable(cache / kind))}
    for name in sorted(_names_of_models()):
        folder = cache / MODELS / name
        with unless_busy(folder) as free:
            if why := _unreadable(folder) if free else "another program is using it":
                stays[name] = why
                continue
            freed += _delete(_own_files(folder))
            delete_lock(lock_path(folder))
    freed += _delete(path for path in _below(COMPILED) if _is_compiled(path))
    for kind in (KNOWN, OVERRIDES, REFERENCES):
        freed += _delete(path for path in _below(kind) if re.fullmatch(_NOTED, path.name) or _is_left_over(path))
    for name in (local_models.FILE, refused_models.FILE, last_choice.FILE, remembered.FILE) if cache.is_dir() else ():
        with shared_file.locked(name):
            freed += _delete(shared_file.files(name))
            delete_lock(shared_file.lock_path(name))
    kept = (entry.id for entry in all_entries() if entry.read_only and not entry.shared)
    stays |= dict.fromkeys(kept, "it was there before the private session")
    for kind in kinds:
        with suppress(OSError):  # It does not exist, or holds something of the user's.
            (cache / kind).rmdir()
    return freed, stays


def _unreadable(folder: Path) -> str:
    """Tell why what is in a folder cannot be seen; empty if it can, or if there is none."""
    try:
        next(folder.iterdir(), None)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    return ""


def _names_of_models() -> set[str]:
    """Return the names of folders of models, and of those that only a lock is left of."""
    names = (
        path.name.removesuffix(LOCK_SUFFIX)[1:] if path.name.endswith(LOCK_SUFFIX) else path.name
        for path in _below(MODELS)
    )
    return {name for name in names if can_be_folder(name)}


def _below(kind: str) -> list[Path]:
    """List a folder of the cache; nothing if it is not there, cannot be read or is a link."""
    folder = settings.current().cache_folder / kind
    with suppress(OSError):
        if not folder.is_symlink():
            return list(folder.iterdir())
    return []


def usage() -> int:
    """Return how many bytes the models and what was made of them take in the user's own cache."""
    return sum(piece.size for piece in _pieces())


def limit(most: int, keep: str | None = None) -> list[str]:
    """Remove what has not been used for longest until the cache takes no more than `most` bytes.

    Models of somebody's own, which came in a bundle, stay.

    Parameters
    ----------
    most : int
        Bytes.
    keep : str, optional
        A model that stays in any case.

    Returns
    -------
    list of str
        The models that were removed, with the graphs compiled of them, the first removed first.
    """
    pieces = _pieces()
    taken, removed = sum(piece.size for piece in pieces), []
    for piece in pieces:
        if taken <= most:
            break
        if (piece.name and piece.name == keep) or not piece.replaceable or not _remove(piece):
            continue
        taken -= piece.size
        if piece.name:
            removed.append(piece.name)
    return removed


def keep_limit(keep: str) -> None:
    """Bring the cache under the limit of the settings, if there is one; a model that has just come stays."""
    if not (text := settings.current().cache_limit):
        return
    try:
        if removed := limit(bytes_of(text), keep):
            _log.warning("To keep the limit of %s, these models were removed: %s", text, ", ".join(removed))
    except (CatalogueError, OptionError) as error:
        _log.warning("The limit of the cache is not kept: %s", error)


def _pieces() -> list[_Piece]:
    """Return models (and, without a name, graphs of models that are not in the cache), the longest unused first."""
    pieces = []
    graphs = {path for path in _below(COMPILED) if _is_compiled(path)}
    for folder in _below(MODELS):
        files = _own_files(folder)
        entry = read_entry(folder.name)
        if entry is not None:
            made = _compiled_of(entry.checksum.removeprefix("sha256:"))
            graphs -= set(made)
            found = (*files, *made)
            pieces.append(_Piece(entry.last_use, entry.id, found, _size(found), not entry.is_unpublished))
        elif files:
            pieces.append(_Piece(0.0, folder.name, tuple(files), _size(files)))  # left of a download that was killed
    for path in graphs:
        with suppress(OSError):
            pieces.append(_Piece(path.lstat().st_mtime, "", (path,), _size([path])))
    return sorted(pieces, key=lambda piece: (piece.last_use, piece.name))


def _size(files: Iterable[Path]) -> int:
    """Add up the bytes of files, of which others may be removing some."""
    size = 0
    for path in files:
        with suppress(OSError):
            size += path.lstat().st_size
    return size


def _remove(piece: _Piece) -> bool:
    """Remove a piece, unless another program is just changing it."""
    if not piece.name:
        return _delete(piece.files) >= 0
    folder = settings.current().cache_folder / MODELS / piece.name
    with unless_busy(folder) as free:
        if free:
            _delete(piece.files)
            delete_lock(lock_path(folder))
    return free


def _compiled_of(digest: str) -> list[Path]:
    """Return the graphs that were compiled from a model with this SHA-256."""
    return [path for path in _below(COMPILED) if path.name.startswith(f"{digest}-") and _is_compiled(path)]


def _own_files(folder: Path) -> list[Path]:
    """Return the files in a model's folder that we have put there; none if the folder is not ours.

    The note comes first: without it there is no model. The card comes last: by it the folder is ours, should this
    process be killed in between.
    """
    if holds_link(folder) or (read_entry(folder.name) is None and not _holds_our_card(folder)):
        return []
    with suppress(OSError):  # Another program is just removing it, or it cannot be read.
        left = [path for path in folder.iterdir() if path.name == USED or LEFT_OVER.fullmatch(path.name)]
        return [
            folder / NOTE,
            *left,
            *(path for name in (FILES, ARRIVING) for path in files_below(folder / name)),
            folder / CARD,
        ]
    return []


def _holds_our_card(folder: Path) -> bool:
    """Tell whether a download was begun here that never came to an end."""
    try:
        return read_card(folder / CARD).id == folder.name
    except CatalogueError:
        return False


def _is_compiled(path: Path) -> bool:
    """Tell whether this is a compiled graph, or what is left of writing one."""
    return bool(GRAPH.fullmatch(path.name)) or _is_left_over(path)


def _is_left_over(path: Path) -> bool:
    return bool(LEFT_OVER.fullmatch(path.name))


def _delete(files: Iterable[Path]) -> int:
    """Delete files and the folders that this leaves empty; return the bytes freed."""
    freed, folders = 0, set()
    for path in files:
        folders.add(path.parent)
        try:
            size = path.lstat().st_size
            patiently(path.unlink)
        except FileNotFoundError:
            continue  # Another program was faster.
        except OSError as error:
            reason, _ = file_errors.writing(error)
            raise CatalogueError(
                f"{path} cannot be removed: {reason}.", "Close programs that use it, or change its permissions."
            ) from error
        freed += size
    folders |= {folder.parent for folder in folders if folder.name in {FILES, ARRIVING}}
    for folder in sorted(folders, key=lambda folder: len(folder.parts), reverse=True):
        with suppress(OSError):  # Something else lies there.
            folder.rmdir()
    return freed
