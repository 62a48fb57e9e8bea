"""The paths of very many files, kept small: a million of them take some megabytes of memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice
from typing import overload

BLOCK = 1024  # paths that are packed together
_FASTEST = 1  # of the levels of zlib; the others take longer and gain little


class PathList(Sequence[str]):
    """A list of paths that grows at its end. Neighbours mostly share their folder, so blocks of them are compressed.

    Parameters
    ----------
    paths : iterable of str
        The first ones.
    """

    def __init__(self, paths: Iterable[str] = ()) -> None:
        self._packed: list[bytes] = []
        self._last: list[str] = []
        self._latest: tuple[int, list[str]] = (-1, [])  # the block that was asked for last
        self.extend(paths)

    def append(self, path: str) -> None:
        """Put a path at the end."""
        self.extend([path])

    def extend(self, paths: Iterable[str]) -> None:
        """Put paths at the end."""
        coming = iter(paths)
        while some := list(islice(coming, BLOCK - len(self._last))):
            self._last += some
            if len(self._last) == BLOCK:
                self._packed.append(_packed(self._last))
                self._last = []

    def __len__(self) -> int:
        return len(self._packed) * BLOCK + len(self._last)

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> list[str]: ...
    def __getitem__(self, number: int | slice) -> str | list[str]:
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        if number < 0:
            number += len(self)
        if not 0 <= number < len(self):
            raise IndexError(number)
        block, place = divmod(number, BLOCK)
        if block == len(self._packed):
            return self._last[place]
        if self._latest[0] != block:
            self._latest = block, _unpacked(self._packed[block])
        return self._latest[1][place]

    def __iter__(self) -> Iterator[str]:
        return self.after(0)

    def after(self, number: int) -> Iterator[str]:
        """Yield the paths from this one on."""
        block, place = divmod(number, BLOCK)
        for packed in self._packed[block:]:
            yield from _unpacked(packed)[place:]
            place = 0
        yield from self._last[place:]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # it grows

    def __repr__(self) -> str:
        return f"<{len(self)} paths>"


def _packed(paths: list[str]) -> bytes:
    """Pack paths as one text; between them, and before, stands a character that none of them has."""
    together = "".join(paths)
    end = next(each for each in map(chr, count()) if each not in together)
    return zlib.compress(f"{end}{end.join(paths)}".encode(errors="surrogatepass"), _FASTEST)


def _unpacked(packed: bytes) -> list[str]:
    text = zlib.decompress(packed).decode(errors="surrogatepass")
    return text[1:].split(text[0])
