"""The intensities of a plane, and of a whole stack."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct, field
from msgspec.structs import replace

from napari_webipred.cancellation import current
from napari_webipred.errors import CancelledError, ImageError
from napari_webipred.imaging.histogram import Histogram, histogram_of, together
from napari_webipred.imaging.intensity import UNIT, extent, intensity_range, range_between
from napari_webipred.imaging.memory import image_memory
from napari_webipred.imaging.preprocess import without_alpha
from napari_webipred.imaging.readers import memory_needed, read
from napari_webipred.results.ranges import Spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.imaging.source import Index, Source

# The ranges that a plane has by itself.
OF_A_PLANE: tuple[Literal["auto", "dtype", "plane", "percentiles"], ...] = ("auto", "dtype", "plane", "percentiles")


class Statistics(Struct, frozen=True, eq=False):
    """The intensities of some planes.

    Attributes
    ----------
    histogram : Histogram, optional
        None if nothing can be counted.
    spreads : mapping of str to Spread
        What ``"auto"``, ``"dtype"``, ``"plane"`` and ``"percentiles"`` give for these planes. Planes without a range,
        such as those with NaN, do not count.
    planes : int
        How many planes were read.
    unreadable : int
        How many could not be read.
    """

    histogram: Histogram | None = None
    spreads: Mapping[str, Spread] = field(default_factory=dict)
    planes: int = 0
    unreadable: int = 0

    @property
    def extent(self) -> tuple[float, float] | None:
        """The range from the smallest to the largest value of all planes: for those of a whole stack, ``"stack"``."""
        spread = self.spreads.get("extent")
        return None if spread is None else range_between(spread.black[0], spread.white[1])

    def __add__(self, other: Statistics) -> Statistics:
        """Return the statistics of the planes of both."""
        spreads = dict(self.spreads)
        for name, spread in other.spreads.items():
            known = spreads.get(name)
            lowest, highest = (spread.black[0], spread.white[0]), (spread.black[1], spread.white[1])
            spreads[name] = spread if known is None else known.including(lowest).including(highest)
        return Statistics(
            together(self.histogram, other.histogram),
            spreads,
            self.planes + other.planes,
            self.unreadable + other.unreadable,
        )


def statistics(source: Source, indices: Iterable[Index] | None = None) -> Generator[int, None, Statistics]:
    """Read planes one after the other and count their intensities.

    Parameters
    ----------
    source : Source
    indices : iterable of tuple of int, optional
        Which planes; by default all of the stack, also those that are not taken.

    Yields
    ------
    int
        How many planes are done.

    Raises
    ------
    CancelledError
        The `napari_webipred.cancellation.Cancellation` that the thread works under was cancelled.
    """
    total = Statistics()
    for index in replace(source, planes=None).indices() if indices is None else indices:
        current().check()
        total += _of_plane(source, index)
        yield total.planes
    return total


def _of_plane(source: Source, index: Index) -> Statistics:
    try:
        with image_memory.reserved(memory_needed(source, index)):
            pixels = read(source, index)
            return Statistics(histogram_of(pixels), _spreads(without_alpha(pixels), source.scaled), 1)
    except CancelledError:
        raise
    except Exception:  # arrays may compute themselves when read, and fail in any way
        return Statistics(planes=1, unreadable=1)


def _spreads(values: NDArray[Any], scaled: bool) -> dict[str, Spread]:
    """Find the ranges of a plane; none where its values have no sensible grey, as its row will say."""
    if scaled:
        return {name: Spread.of(UNIT) for name in (*OF_A_PLANE, "extent")}
    try:
        found: dict[str, Spread] = {name: Spread.of(intensity_range(values, name)) for name in OF_A_PLANE}
        return {**found, "extent": Spread.of(extent(values))}
    except ImageError:
        return {}
