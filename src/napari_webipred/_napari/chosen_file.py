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
    if not path.suffix:
        path = path.with_suffix(kind.suffixes[0])
        if path.exists():  # the dialog asked about the name without the suffix
            raise OptionError(f"{path.name} already exists.", "To replace it, type its full name.")
    try:
        with claimed(path, kind, lambda there: there == path, inputs) as target:
            written = content()
            try:
                with replacing(target, written):
                    pass
            except OSError as error:
                raise unwritable(path, error) from error
    except OptionError as error:  # the folder takes much space, and the user has just chosen it
        raise OptionError(error.message.replace(visible(str(path)), path.name), error.hint) from error
    return path
