"""Files whose paths match a pattern, one by one, in natural order."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from fnmatch import translate
from pathlib import Path

from napari_webipred.cancellation import current
from napari_webipred.errors import OptionError
from napari_webipred.imaging.files import Kind, entries

_BELOW = "**"  # any number of folders
_MAGIC = re.compile(r"[*?[]")


def is_pattern(text: str) -> bool:
    """Tell whether a text is a pattern, and not the path of something that is there."""
    return _MAGIC.search(text) is not None and not os.path.lexists(text)


def matching(pattern: str) -> Iterator[tuple[str, bool]]:
    """Yield what matches a pattern, and whether it is a file; as in a shell, hidden files do not match.

    Parameters
    ----------
    pattern : str
        ``*``, ``?`` and ``[...]`` stand for characters of a name, and ``**`` for any number of folders.

    Raises
    ------
    OptionError
        Nothing matches, or ``**`` is in it twice.
    CancelledError
        The computation that this thread does was cancelled.
    """
    path = Path(pattern)
    parts = list(path.parts[1 if path.anchor else 0 :])
    if parts.count(_BELOW) > 1:
        raise OptionError(f"{pattern} has ** more than once.", "Use it once: files could match twice.")
    if parts[-1:] == [_BELOW]:
        parts.append("*")
    found = False
    for each in _below(path.anchor, parts):
        found = True
        yield each
    if not found:
        raise OptionError(f"Nothing matches {pattern}.", "Check the folder and the pattern.")


def _below(folder: str, parts: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Yield what matches these parts in a folder."""
    current().check()
    name, *rest = parts
    if name == _BELOW:
        yield from _below(folder, rest)
        for names, kind in entries(folder or os.curdir) or ():
            for each in names if kind is Kind.FOLDER else ():
                yield from _below(os.path.join(folder, each), parts)  # noqa: PTH118 - several times faster
        return
    for path, kind in _named(folder, name):
        if not rest:
            yield path, kind in (Kind.FILE, Kind.OTHER)
        elif kind in (Kind.FOLDER, Kind.LINKED_FOLDER):
            yield from _below(path, rest)


def _named(folder: str, name: str) -> Iterator[tuple[str, Kind]]:
    """Yield what in a folder has a name that matches; what is written without ``*`` is not searched for."""
    if not _MAGIC.search(name):
        path = os.path.join(folder, name)  # noqa: PTH118
        if os.path.lexists(path):
            yield path, Kind.FOLDER if os.path.isdir(path) else Kind.FILE  # noqa: PTH112
        return
    matches = re.compile(translate(name)).match
    for names, kind in entries(folder or os.curdir) or ():
        yield from ((os.path.join(folder, each), kind) for each in names if matches(each))  # noqa: PTH118
