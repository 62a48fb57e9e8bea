"""Names of this computer and its user in files that are to be published: they are looked for, and told."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

_SHORTEST = 4  # characters; shorter names occur by chance


def traces(files: Mapping[str, bytes], model: Path | None = None) -> list[str]:
    """Say which files hold the name of the user, of this computer, or a path on it, a sentence each.

    Parameters
    ----------
    files : mapping of str to bytes
    model : Path, optional
        Where the model lies.
    """
    found = []
    for what, text in _names(model):
        needle = text.encode("utf-8", "surrogateescape")
        holding = [name for name, content in files.items() if needle in content]
        if holding:
            found.append(f"{', '.join(holding)} {'hold' if len(holding) > 1 else 'holds'} {what}.")
    return found


def _names(model: Path | None) -> Iterator[tuple[str, str]]:
    """Yield what each name is, and the name; the user's only as part of a path, for it may be a common word."""
    home = str(Path.home())
    if len(home) >= _SHORTEST:
        yield "the path of your home folder", home + os.sep
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a computer that does not know who uses it
        user = ""
    if len(user) >= _SHORTEST and user not in home:
        for text in (f"/{user}/", f"\\{user}\\"):
            yield "the name of your account", text
    if len(host := socket.gethostname()) >= _SHORTEST and host != "localhost":
        yield "the name of this computer", host
    if model is not None and len(folder := str(model.resolve().parent)) >= _SHORTEST and not folder.startswith(home):
        yield "the path of the model on this computer", folder + os.sep
