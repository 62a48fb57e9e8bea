"""Whether black and white differ from plane to plane of a stack, so that its planes can hardly be compared."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from napari_webipred.results.row import Row

Range: TypeAlias = tuple[float, float]

BLACK_AND_WHITE = (0.0, 255.0)  # of an 8-bit image that is used as it is
REMEDY = "To compare planes, choose the range of the whole stack."


class Spread(Struct, frozen=True):
    """From which to which intensity black and white go in several planes.

    Attributes
    ----------
    black, white : tuple of float
        The lowest and the highest intensity that became black, and white.
    """

    black: Range
    white: Range

    @classmethod
    def of(cls, used: Range) -> Spread:
        """Begin with the range of one plane."""
        low, high = used
        return cls((low, low), (high, high))

    def including(self, used: Range) -> Spread:
        """Add the range of another plane."""
        (black, high_black), (white, high_white), (low, high) = self.black, self.white, used
        return Spread((min(black, low), max(high_black, low)), (min(white, high), max(high_white, high)))

    @property
    def varies(self) -> bool:
        """Whether the ranges differ."""
        return self.black[0] < self.black[1] or self.white[0] < self.white[1]

    @property
    def words(self) -> str:
        """Both in words: ``black 90 to 120, white 3020``."""
        return f"black {_between(self.black)}, white {_between(self.white)}"


class Varying(Struct, frozen=True):
    """A stack whose planes have different ranges."""

    image: str
    spread: Spread


class Ranges:
    """Collects the ranges of rows as they come; only stacks whose planes differ are kept in memory."""

    def __init__(self) -> None:
        self._varying: dict[tuple[int, str], Spread] = {}
        self._latest: tuple[tuple[int, str], Spread] | None = None

    def add(self, row: Row) -> None:
        """Note the range of a row; those of images that are not stacks do not count. Rows of an image come together."""
        if not row.position or row.intensity_range is None:
            return
        key, used = (row.source, row.image), row.intensity_range
        known = self._varying.get(key) or (self._latest[1] if self._latest and self._latest[0] == key else None)
        spread = Spread.of(used) if known is None else known.including(used)
        self._latest = key, spread
        if spread.varies:
            self._varying[key] = spread

    def varying(self) -> list[Varying]:
        """Return the stacks whose planes have different ranges, in the order in which they came."""
        return [Varying(image, spread) for (_, image), spread in self._varying.items()]


def note(varying: list[Varying]) -> str:
    """Say in a sentence that ranges differ; empty if none do."""
    if not varying:
        return ""
    first = f"{varying[0].image} ({varying[0].spread.words})"
    more = f" and {len(varying) - 1} more" if len(varying) > 1 else ""
    return f"The intensity range differs from plane to plane in {first}{more}."


def words(used: Range | None) -> str:
    """Write the range of a row: ``black 103, white 3020``; empty if there is none, or that of 8-bit images."""
    return "" if used in (None, BLACK_AND_WHITE) else "black {:.6g}, white {:.6g}".format(*used or ())


def _between(values: Range) -> str:
    low, high = (f"{value:.6g}" for value in values)
    return low if low == high else f"{low} to {high}"
