"""Checksums of files, written as Zenodo and pooch write them: the algorithm, a colon, hexadecimal digits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO

_CHUNK = 2**20


def checksums(file: Path | IO[bytes], algorithms: Iterable[str]) -> dict[str, str]:
    """Return the checksums of a file, by algorithm; it is read once, however many there are.

    Parameters
    ----------
    file : Path or binary stream
        A stream is read from where it stands to its end.
    algorithms : iterable of str
        ``"sha256"``, ``"md5"``, or another of `hashlib`.

    Returns
    -------
    dict of str to str
        ``{"md5": "md5:...", "sha256": "sha256:..."}``.
    """
    if isinstance(file, Path):
        with file.open("rb") as stream:
            return checksums(stream, algorithms)
    running = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    while running and (chunk := file.read(_CHUNK)):
        for sum_ in running.values():
            sum_.update(chunk)
    return {name: f"{name}:{sum_.hexdigest()}" for name, sum_ in running.items()}


def algorithm_of(checksum: str | None) -> str:
    """Return the algorithm of a checksum: that with which all files are noted, if there is none to compare with."""
    return "sha256" if checksum is None else checksum.partition(":")[0]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    return checksums(path, ["sha256"])["sha256"].removeprefix("sha256:")
