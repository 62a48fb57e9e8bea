"""A file that the user has chosen in a dialog."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from napari_webipred.errors import OptionError
from napari_webipred.names import visible
from napari_webipred.results.output import Kind, claimed, replacing, unwritable


def write_chosen(path: Path, kind: Kind, content: Callable[[], bytes], inputs: Iterable[str | Path] = ()) -> Path:
    """Write a file, and return its path, which is completed by the first suffix of its kind if it has none.

    Parameters
    ----------
    path : Path
        As the user gave it. The dialog has asked whether a file with this name may be replaced.
    kind : Kind
    content : callable
        Makes what is written.
    inputs : iterable of path
        Files of the images that are open, which are never replaced.

    Raises
    ------
    OptionError
        A file with the completed name exists, or the file cannot be written.
    """
    path = completed(path, kind.suffixes[0])
    try:
        with claimed(path, kind, lambda there: there == path, inputs) as target:
            written = content()
            try:
                with replacing(target, written):
                    pass
            except OSError as error:
                raise unwritable(path, error) from error
    except OptionError as error:
        raise named_briefly(error, path) from error
    return path


def completed(path: Path, suffix: str) -> Path:
    """Add a suffix to a name without one.

    Raises
    ------
    OptionError
        There is a file of that name, which the dialog has not asked about.
    """
    return path if path.suffix else extended(path, suffix)


def extended(path: Path, suffix: str) -> Path:
    """Add a suffix to a name, whatever it ends with.

    Raises
    ------
    OptionError
        There is a file of that name, which the dialog has not asked about.
    """
    path = path.with_name(path.name + suffix)
    if path.exists():
        raise OptionError(f"{path.name} already exists.", "To replace it, type its full name.")
    return path


def named_briefly(error: OptionError, path: Path) -> OptionError:
    """Name a file without its folder, which takes much space, and which the user has just chosen."""
    return OptionError(error.message.replace(visible(str(path)), path.name), error.hint)
