"""Names of this computer and its user in files that are to be published: they are looked for, and told."""

from __future__ import annotations

import getpass
import json
import os
import socket
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from napari_webipred.archive.zip_file import zip_entries
from napari_webipred.errors import ArchiveError

_SHORTEST = 4  # characters; shorter names occur by chance


def traces(files: Mapping[str, bytes], model: Path | None = None) -> list[str]:
    """Say which files hold the name of the user, of this computer, or a path on it, a sentence each.

    Zip archives are unpacked for that, and names are also found as JSON writes them.

    Parameters
    ----------
    files : mapping of str to bytes
    model : Path, optional
        Where the model lies.
    """
    sought = [(what, _written(text)) for what, text in _names(model)]
    needles = {needle for _, ways in sought for needle in ways}
    there = {name: _found(needles, content) for name, content in files.items()}
    found = []
    for what, ways in sought:
        if holding := [name for name, held in there.items() if held & ways]:
            found.append(f"{', '.join(holding)} {'hold' if len(holding) > 1 else 'holds'} {what}.")
    return found


def _written(text: str) -> set[bytes]:
    """Return the ways to write a text: by itself, and in JSON."""
    ways = (text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    return {each.encode("utf-8", "surrogateescape") for each in ways}


def _found(needles: Collection[bytes], content: bytes) -> set[bytes]:
    """Return which texts stand in a file, or in a file of an archive."""
    found = _among(needles, [content])
    if content.startswith(b"PK"):
        try:
            entries, file = zip_entries("archive", content)
            with file:
                for entry in entries.values():
                    found |= _among(needles, entry.chunks())
        except ArchiveError:  # nobody else can read it, either
            return found
    return found


def _among(needles: Collection[bytes], chunks: Iterable[bytes]) -> set[bytes]:
    """Return which texts stand in chunks that follow one another, also across their ends."""
    found, kept, before = set[bytes](), max(map(len, needles), default=1) - 1, b""
    for chunk in chunks:
        part = before + chunk if before else chunk
        found |= {needle for needle in needles if needle in part}
        before = part[len(part) - kept :] if 0 < kept < len(part) else part[:kept]
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
