"""Large arrays and the levels of multiscale images: numpy, dask, zarr, xarray."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred.errors import ImageError
from napari_webipred.imaging.planes import array_source, computed
from napari_webipred.imaging.pyramid import Pyramid, check_block, levels_of
from napari_webipred.imaging.source import Index, Source
from napari_webipred.imaging.stored import Box, Stored

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNKNOWN_BLOCK = 512  # pixels along what is read at a time of an array that does not say how it is stored


def pyramid_of_arrays(data: Any, name: str, *, rgb: bool | None = None, axes: Sequence[str] | None = None) -> Pyramid:
    """Describe an array, or a sequence of arrays as napari keeps multiscale images; see `array_source`.

    Raises
    ------
    ImageError
        This is no image, or its levels do not have the same planes.
    OptionError
        ``rgb`` or ``axes`` do not go with the shape.
    """
    full = array_source(data, name, rgb=rgb, axes=axes)
    parts = list(data) if isinstance(data, Sequence) and all(hasattr(each, "shape") for each in data) else [data]
    if len(parts) == 1:
        return pyramid_of_source(full)
    sources = [array_source(part, name, rgb=rgb, axes=axes) for part in parts]
    if any(each.shape != full.shape for each in sources):
        raise ImageError(
            f"The levels of {name} have different planes: {', '.join(str(each.shape) for each in sources)}.",
            "Give levels that are smaller in height and width only.",
        )
    return _pyramid(sources)


def pyramid_of_source(source: Source) -> Pyramid:
    """Describe a source of the reader ``"array"``."""
    return _pyramid([source])


def _pyramid(sources: list[Source]) -> Pyramid:
    first = sources[0]
    axes_before = len(first.axes)
    colours = first.details.colours
    shape = tuple(first.location.shape)
    behind = axes_before + 2 + (colours is not None)
    channels = 3 if colours is not None else (shape[-1] if len(shape) > behind else 0)
    arrays = tuple(each.location for each in sources)
    along = slice(-3, -1) if channels and colours is None else slice(-2, None)
    shapes = [tuple(int(n) for n in array.shape[along]) for array in arrays]
    starts = [_starts(array, along) for array in arrays]
    in_memory = isinstance(arrays[0], np.ndarray)
    blocks = [
        (1, 1) if in_memory else (_largest(down, n), _largest(across, m))
        for (down, across), (n, m) in zip(starts, shapes, strict=True)
    ]
    pyramid = Pyramid(
        first.name,
        "array",
        arrays,
        levels_of(shapes, blocks, first.name),  # type: ignore[arg-type]
        np.dtype(first.location.dtype).str,
        channels,
        first.axes,
        first.shape,
        intensity_range=first.intensity_range,
        details=(colours, tuple(starts)),
    )
    return check_block(pyramid)


def _starts(array: Any, along: slice) -> tuple[Sequence[int], Sequence[int]]:
    """Return where the blocks of an array begin, down and across."""
    lengths, chunks = array.shape[along], getattr(array, "chunks", None)
    if isinstance(array, np.ndarray):
        return range(1), range(1)
    if not isinstance(chunks, tuple) or len(chunks) != len(array.shape):
        return range(0, lengths[0], UNKNOWN_BLOCK), range(0, lengths[1], UNKNOWN_BLOCK)
    down, across = (
        range(0, length, max(int(chunk), 1)) if not isinstance(chunk, tuple) else (0, *accumulate(map(int, chunk[:-1])))
        for length, chunk in zip(lengths, chunks[along], strict=True)
    )
    return down, across


def _largest(starts: Sequence[int], length: int) -> int:
    if isinstance(starts, range):
        return min(starts.step, length) if len(starts) > 1 else length
    return max(end - start for start, end in zip(starts, (*starts[1:], length), strict=True))


def opened(pyramid: Pyramid, level: int, plane: Index) -> Stored:
    """Open a plane of an array; see `napari_webipred.imaging.stored.Stored`."""
    array = pyramid.location[level]
    colours, starts = pyramid.details

    def read(box: Box, place: tuple[int, int]) -> NDArray[Any]:
        rows, columns = slice(box[0], box[2]), slice(box[1], box[3])
        if colours is None:
            return computed(array[(*plane, rows, columns)])
        return np.moveaxis(computed(array[(*plane[:colours], slice(None), *plane[colours:], rows, columns)]), 0, -1)

    return Stored(pyramid.levels[level].shape, starts[level], read, kept=not isinstance(array, np.ndarray))
