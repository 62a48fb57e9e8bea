"""Reads what is made of other images: a projection, one channel, merged channels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred.cancellation import current
from napari_webipred.errors import ImageError
from napari_webipred.imaging.header import Header
from napari_webipred.imaging.intensity import intensity_range, to_eight_bit
from napari_webipred.imaging.reader import Reader
from napari_webipred.imaging.source import Index, Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.imaging.selection import Projection

Read = Callable[[Source, Index], "NDArray[Any]"]
Memory = Callable[[Source, Index], int]
HeaderOf = Callable[[Source, Index], Header | None]
PLANES_AT_ONCE = 4  # what is made of the planes, and the next of them; means are computed in float64
CHANNELS_AT_ONCE = 6  # a channel, its values in float64, and three colours in float32


def readers(read: Read, memory: Memory, header: HeaderOf) -> tuple[Reader, ...]:
    """Return the readers of images that are made of others, which these functions read, measure and describe.

    A projection is displayed as the first of its planes.
    """
    return (
        Reader(
            "projection",
            partial(_projected, read),
            partial(_memory_of_projection, memory),
            header=partial(_header_of_projection, header),
        ),
        Reader(
            "channel",
            partial(_channel, read),
            partial(_memory_of_channel, memory),
            header=partial(_header_of_channel, header),
        ),
        Reader("merged", partial(_merged, read), partial(_memory_of_merged, memory)),
    )


def _projected(read: Read, source: Source, index: Index) -> NDArray[Any]:
    projection: Projection = source.details
    total: NDArray[Any] | None = None
    for place in projection.places:
        current().check()  # of a lazy stack it may take long
        plane = read(source.location, _inserted(index, projection.axis, place))
        if projection.how == "max":
            total = plane if total is None else np.maximum(total, plane)
        else:
            total = plane.astype(np.float64) if total is None else total + plane
    assert total is not None
    return total if projection.how == "max" else (total / len(projection.places)).astype(np.float32)


def _memory_of_projection(memory: Memory, source: Source, index: Index) -> int:
    projection: Projection = source.details
    return PLANES_AT_ONCE * memory(source.location, _inserted(index, projection.axis, projection.places[0]))


def _header_of_projection(header: HeaderOf, source: Source, index: Index) -> Header | None:
    projection: Projection = source.details
    return header(source.location, _inserted(index, projection.axis, projection.places[0]))


def _header_of_channel(header: HeaderOf, source: Source, index: Index) -> Header | None:
    axis, place = source.details
    return header(source.location, _inserted(index, axis, place))


def _channel(read: Read, source: Source, index: Index) -> NDArray[Any]:
    axis, place = source.details
    return read(source.location, _inserted(index, axis, place))


def _memory_of_channel(memory: Memory, source: Source, index: Index) -> int:
    axis, place = source.details
    return memory(source.location, _inserted(index, axis, place))


def _merged(read: Read, source: Source, index: Index) -> NDArray[Any]:
    image: NDArray[np.float32] | None = None
    for part, (colour, given) in zip(source.location, source.details, strict=True):
        plane = read(part, index)
        plane = plane[..., 0] if plane.ndim == 3 and plane.shape[2] == 1 else plane
        if plane.ndim != 2:
            raise ImageError(f"{part.name} has colours of its own.", "Merge only images that are grey.")
        if image is not None and image.shape[:2] != plane.shape:
            raise ImageError(
                f"{part.name} has {plane.shape[1]}x{plane.shape[0]} pixels, other channels have "
                f"{image.shape[1]}x{image.shape[0]}.",
                "Merge only images of the same size.",
            )
        grey = to_eight_bit(plane, *intensity_range(plane, given or "auto")) / np.float32(255)
        coloured = grey[..., None] * np.asarray(colour, np.float32)
        image = coloured if image is None else np.add(image, coloured, out=image)
    assert image is not None
    return np.clip(image, 0, 1, out=image)


def _memory_of_merged(memory: Memory, source: Source, index: Index) -> int:
    return CHANNELS_AT_ONCE * max(memory(part, index) for part in source.location)


def _inserted(index: Index, axis: int, place: int) -> Index:
    return (*index[:axis], place, *index[axis:])
