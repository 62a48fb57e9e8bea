"""A picture or stack of pictures, and how its planes are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any, NoReturn

from napari_webipred.errors import WebIPredError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Source:
    """A picture or stack, described without reading its pixels.

    Attributes
    ----------
    name : str
        What the user calls it: the path as given, or the name of a layer.
    read : callable
        Takes an index along ``axes`` (a tuple of int, empty for a plain picture) and returns that plane's pixels,
        shape (height, width) or (height, width, channels): 2 grey and alpha, 3 RGB, 4 RGBA. Of any boolean, integer or
        real type; may be a view that must not be written to. May be called from several threads at once.
        Raises ImageError when the picture cannot be read.
    axes : tuple of str
        Names of the leading axes, such as ``("t", "z")``. Empty for a plain picture.
    shape : tuple of int
        Lengths of these axes.
    only : tuple of int, or None
        The one plane to take; None takes all of them.
    memory : callable
        Takes an index as ``read`` does and returns how many bytes of memory reading that plane takes at most, as far as
        can be said without reading it: 0, the default, where the pixels are in memory already.
    """

    name: str
    read: Callable[[tuple[int, ...]], NDArray[Any]]
    axes: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    only: tuple[int, ...] | None = None
    memory: Callable[[tuple[int, ...]], int] = field(default=lambda index: 0)

    def __len__(self) -> int:
        """Count the planes to classify."""
        count = 1
        for length in self.shape if self.only is None else ():
            count *= length
        return count

    def indices(self) -> Iterator[tuple[int, ...]]:
        """Yield the index of each plane to classify, the last axis fastest."""
        if self.only is not None:
            yield self.only
        else:
            yield from product(*(range(length) for length in self.shape))

    def position(self, index: tuple[int, ...]) -> dict[str, int]:
        """Name the axes of an index: ``{"t": 0, "z": 12}``."""
        return dict(zip(self.axes, index, strict=True))


def unreadable(name: str, error: WebIPredError) -> Source:
    """Describe a picture of which it is known already that it cannot be read: reading it raises `error` anew."""
    kind, message, hint = type(error), error.message, error.hint

    def read(index: tuple[int, ...]) -> NoReturn:
        raise kind(message, hint)

    return Source(name, read)
