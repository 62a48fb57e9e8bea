"""The room that the cache takes: how much it is, and how it is made free."""

from __future__ import annotations

import difflib
import logging
import re
from contextlib import suppress
from pathlib import Path

from napari_webipred import file_errors, settings
from napari_webipred.catalogue import own_models, refused, small_file
from napari_webipred.catalogue.card import read_card
from napari_webipred.catalogue.compiled import COMPILED
from napari_webipred.catalogue.entry import FILES, LEFT_OVER, LOCK_SUFFIX, USED, all_entries, read_entry
from napari_webipred.errors import CatalogueError, OptionError
from napari_webipred.limits import bytes_of

_log = logging.getLogger(__name__)
_TOLD = re.compile(r"[0-9a-f]{64}\.json")


def remove(id: str) -> int:  # noqa: A002
    """Remove a fetched model and what was compiled from it; return how many bytes that freed.

    Raises
    ------
    CatalogueError
        No such model has been fetched, or its files cannot be removed.
    """
    entry = read_entry(id)
    if entry is None:
        raise _not_removable(id)
    refused.note(id, "")
    return _delete([*_own_files(entry.folder), *_made_of(entry.checksum)])


def forget(path: Path) -> int:
    """Forget one of the user's own models, its settings and what was compiled from it; return the bytes freed.

    The model itself stays where it is. What belongs to another model with the same files stays as well.

    Raises
    ------
    CatalogueError
        Something cannot be removed.
    """
    refused.note(path, "")
    model = own_models.forget(path)
    checksum = model.checksum if model else ""
    others = {other.checksum for other in own_models.own_models()} | {entry.checksum for entry in all_entries()}
    return _delete(_made_of(checksum)) if checksum and checksum not in others else 0


def _made_of(checksum: str) -> list[Path]:
    """Return the settings of a model, and the graphs that were compiled from it."""
    digest = checksum.removeprefix("sha256:")
    settings_file = settings.current().cache_folder / "told" / f"{digest}.json"
    return [*_compiled_of(digest), *([settings_file] if settings_file.exists() else [])]


def _not_removable(id: str) -> CatalogueError:  # noqa: A002
    there = [entry.id for entry in all_entries()]
    if id in there:
        return CatalogueError(
            f"The model {id!r} lies in the cache of all users, where nothing is removed.", remedy="list stored models"
        )
    similar = difflib.get_close_matches(id, there, n=2)
    hint = f"Did you mean {' or '.join(similar)}?" if similar else "Choose one of the models that you have downloaded."
    return CatalogueError(f"There is no fetched model {id!r} to remove.", hint, "list stored models")


def wipe() -> int:
    """Remove all models, compiled graphs, the settings of models and the list of own models; return the bytes freed.

    Nothing else in the cache folder is touched, and the user's own models stay where they are.
    """
    cache = settings.current().cache_folder
    files = [path for path in (cache / "compiled").glob("*") if _is_compiled(path)]
    files += [path for path in (cache / "told").glob("*") if _TOLD.fullmatch(path.name) or _is_left_over(path)]
    for path in (cache / "models").glob("*"):
        files += [path] if path.name.endswith(LOCK_SUFFIX) else _own_files(path)
    for name in (own_models.FILE, refused.FILE):
        noted = small_file.path_of(name)
        files += [path for path in (noted, Path(f"{noted}{small_file.LOCK_SUFFIX}")) if path.is_file()]
    freed = _delete(files)
    for folder in (cache / "compiled", cache / "told", cache / "models"):
        with suppress(OSError):  # It does not exist, or holds something of the user's.
            folder.rmdir()
    return freed


def usage() -> int:
    """Return how many bytes the models and what was made of them take in the user's own cache."""
    return sum(size for _, size, _ in _pieces())


def limit(most: int, keep: str | None = None) -> list[str]:
    """Remove what has not been used for longest until the cache takes no more than `most` bytes.

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
    taken, removed = sum(size for _, size, _ in pieces), []
    for name, size, files in pieces:
        if taken <= most:
            break
        if name == keep or not _remove(name, files):
            continue
        taken -= size
        if name:
            removed.append(name)
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


def _pieces() -> list[tuple[str, int, list[Path]]]:
    """Return models (and, without a name, graphs of models that are not in the cache), the longest unused first."""
    cache = settings.current().cache_folder
    found: list[tuple[float, str, list[Path]]] = []
    graphs = {path for path in (cache / "compiled").glob("*") if _is_compiled(path)}
    for folder in (cache / "models").glob("*"):
        files = _own_files(folder)
        entry = read_entry(folder.name)
        if entry is not None:
            made = _compiled_of(entry.checksum.removeprefix("sha256:"))
            graphs -= set(made)
            found.append((entry.last_use, entry.id, [*files, *made]))
        elif files:
            found.append((0.0, folder.name, files))  # what is left of a download that was killed
    for path in {path.with_name(path.name.removesuffix(".json")) for path in graphs}:
        both = sorted(graphs & {path, path.with_name(f"{path.name}.json")})
        found.append((both[0].stat().st_mtime, "", both))
    return [(name, sum(path.lstat().st_size for path in files), files) for _, name, files in sorted(found)]


def _remove(name: str, files: list[Path]) -> bool:
    """Remove a piece, unless another process is just fetching it."""
    import filelock

    if not name:
        return _delete(files) >= 0
    lock = filelock.FileLock(settings.current().cache_folder / "models" / f".{name}{LOCK_SUFFIX}")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return False
    except (OSError, NotImplementedError) as error:
        _log.info("Going on without a lock: %s", error)
    try:
        _delete(files)
    finally:
        lock.release()
    return True


def _compiled_of(digest: str) -> list[Path]:
    """Return the graphs that were compiled from a model with this SHA-256."""
    return [*(settings.current().cache_folder / "compiled").glob(f"{digest}-*.onnx*")]


def _own_files(folder: Path) -> list[Path]:
    """Return the files in a model's folder that we have put there; none if the folder is not ours."""
    if folder.is_symlink() or (read_entry(folder.name) is None and not _holds_our_card(folder)):
        return []
    names = {"card.json", "entry.json", USED}
    files = [path for path in folder.iterdir() if path.name in names or LEFT_OVER.fullmatch(path.name)]
    if not (folder / FILES).is_symlink():
        files += [path for path in (folder / FILES).rglob("*") if path.is_symlink() or not path.is_dir()]
    return files


def _holds_our_card(folder: Path) -> bool:
    """Tell whether a download was begun here that never came to an end."""
    try:
        return read_card(folder / "card.json").id == folder.name
    except CatalogueError:
        return False


def _is_compiled(path: Path) -> bool:
    """Tell whether this is a compiled graph, or what is left of writing one."""
    return bool(COMPILED.fullmatch(path.name)) or _is_left_over(path)


def _is_left_over(path: Path) -> bool:
    return bool(LEFT_OVER.fullmatch(path.name))


def _delete(files: list[Path]) -> int:
    """Delete files and the folders that this leaves empty; return the bytes freed."""
    freed = 0
    for path in files:
        try:
            size = path.stat().st_size
            path.unlink()
        except OSError as error:
            reason, _ = file_errors.writing(error)
            raise CatalogueError(
                f"{path} cannot be removed: {reason}.", "Close programs that use it, or change its permissions."
            ) from error
        freed += size
    folders = {path.parent for path in files}
    folders |= {folder.parent for folder in folders if folder.name == FILES}
    for folder in sorted(folders, key=lambda folder: len(folder.parts), reverse=True):
        with suppress(OSError):  # Something else lies there.
            folder.rmdir()
    return freed
