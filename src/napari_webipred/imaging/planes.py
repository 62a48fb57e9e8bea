"""The planes of arrays: n-dimensional, lazy, multiscale; and what is given as an image but is not one."""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from napari_webipred.errors import ImageError, OptionError, WebIPredError
from napari_webipred.imaging.blocks import Blocks, block_plane, blocks_of, fits
from napari_webipred.imaging.pillow import pillow_source
from napari_webipred.imaging.reader import Reader
from napari_webipred.imaging.source import Index, Source
from napari_webipred.imaging.unreadable import unreadable

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A lazy plane is put together of its chunks: both are in memory for a while.
CHUNKS_AND_PLANE = 2
WIDEST = 8  # bytes of a number of a library whose types are not those of NumPy
CHANNEL_AXES = {"c", "channel", "channels"}
WHAT_IS_AN_IMAGE = "Give the path of a file, an array, or an image of Pillow."


class ArrayLayout(Struct, frozen=True):
    """How the planes of an array are cut.

    Attributes
    ----------
    colours : int, optional
        Which of the leading axes holds red, green and blue, if one does.
    memory : int
        Bytes of memory that computing a plane takes.
    blocks : Blocks, optional
        In which it is stored or computed, if they hold several planes.
    """

    colours: int | None
    memory: int
    blocks: Blocks | None = None


def given_source(item: Any, name: str) -> Source:
    """Describe what somebody gives as an image and is no path: an array, nested lists, an image of Pillow.

    Never raises: reading what is no image, or cannot be used, says why.
    """
    pillow = sys.modules.get("PIL.Image")  # who has not imported it has no such image
    try:
        if pillow is not None and isinstance(item, pillow.Image):
            return pillow_source(item, name)
        return array_source(item, name)
    except WebIPredError as error:
        return unreadable(name, error)
    except Exception as error:  # arrays of other libraries may fail in any way
        return unreadable(
            name, ImageError(f"{name} cannot be used ({type(error).__name__}: {error}).", WHAT_IS_AN_IMAGE)
        )


def array_source(
    data: Any,
    name: str,
    *,
    rgb: bool | None = None,
    axes: Sequence[str] | None = None,
    colours: bool = True,
) -> Source:
    """Describe an array as the planes along its leading axes.

    Parameters
    ----------
    data : array, or sequence of arrays
        Anything with ``shape`` and ``dtype`` that can be sliced: numpy, dask, zarr, xarray. Of a sequence, as napari
        keeps multiscale images, the first, full-size level counts: which level is fine enough depends on the model,
        and levels differ in how they were scaled down. Each plane is sliced before it is computed or copied; arrays
        are never copied as a whole.
    name : str
        What the user calls it.
    rgb : bool, optional
        Whether the last axis are the channels of RGB or RGBA. By default it is if it has a length of 3 or 4, or of 1,
        which is grey: images that narrow are not classified, whereas napari, which also shows other data, wants larger
        sides.
    axes : sequence of str, optional
        Names of the leading axes; of xarray its own by default, else ``"axis_0"``, ``"axis_1"``, ... One that is called
        ``c``, ``channel`` or ``channels`` and has a length of 3 holds the channels of RGB, not planes.
    colours : bool
        False takes such an axis for planes, like any other.

    Returns
    -------
    Source
        Reading may raise whatever a lazy array raises when it is computed. A plane of a masked array stays one.

    Raises
    ------
    ImageError
        This is no array, has no height and width, is empty, or holds something else than whole or real numbers.
    OptionError
        ``rgb`` or ``axes`` do not go with the shape.
    """
    if hasattr(data, "source") and isinstance(data.source, Source):  # of `napari_webipred.imaging.stack.LazyStack`
        named = data.source.axes if axes is None else tuple(map(str, axes))
        return replace(data.source, name=name, axes=named)
    full = _full_size(data, name)
    shape = _shape(full, name)
    if rgb is None:
        last_is_channels = len(shape) > 2 and shape[-1] in {1, 3, 4}
    elif rgb and (len(shape) < 3 or shape[-1] not in {3, 4}):
        raise OptionError(
            f"{name} has the shape {shape}, so its last axis cannot be RGB.", "That axis has 3 or 4 channels."
        )
    else:
        last_is_channels = rgb
    leading = shape[: -3 if last_is_channels else -2]
    names = _names(full, axes, len(leading), name)
    place = colour_axis(names, leading) if colours and not last_is_channels else None
    if place is not None:
        names, leading = names[:place] + names[place + 1 :], leading[:place] + leading[place + 1 :]
    memory, axes_before = _bytes_of_plane(full, math.prod(shape) // math.prod(leading)), len(leading)
    blocks = blocks_of(full, axes_before, memory // CHUNKS_AND_PLANE) if place is None else None
    layout = ArrayLayout(place, memory, blocks)
    return Source(name, READER.id, full, names, leading, details=layout)


def colour_axis(names: Sequence[str], lengths: Sequence[int]) -> int | None:
    """Return which of the leading axes holds red, green and blue, by its name and length; None if none does."""
    found = [i for i, name in enumerate(names) if name.casefold() in CHANNEL_AXES and lengths[i] == 3]
    return found[0] if len(found) == 1 else None


def _full_size(data: Any, name: str) -> Any:
    """Take the first level of a multiscale image, and make an array of nested lists and what can become one."""
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes, bytearray)):
        if not all(hasattr(level, "shape") for level in data):
            return np.asarray(data)
        sizes = [math.prod(level.shape) for level in data]
        if not sizes or any(next_size >= size for size, next_size in pairwise(sizes)):
            raise ImageError(
                f"{name} is a list of {len(sizes)} arrays that do not shrink like the levels of a multiscale image.",
                "Give them as images of their own, or stack them into one array.",
            )
        return data[0]
    if hasattr(data, "shape"):
        return data
    if hasattr(data, "__array__") or hasattr(data, "__array_interface__"):
        return np.asanyarray(data)
    raise ImageError(f"{name} is not an image: its type is {type(data).__name__}.", WHAT_IS_AN_IMAGE)


def _shape(full: Any, name: str) -> tuple[int, ...]:
    """Return the shape of an array that can be classified."""
    try:
        shape = tuple(operator.index(length) for length in full.shape)
    except TypeError:
        raise ImageError(
            f"{name} has an unknown shape: {full.shape}.", "Of a Dask array, call compute_chunk_sizes() first."
        ) from None
    if len(shape) < 2:
        raise ImageError(f"{name} has the shape {shape}, so it is not an image.", "Give an array of 2 or more axes.")
    if min(shape) < 1:
        raise ImageError(f"{name} is empty: its shape is {shape}.", "Leave it out.")
    kind = getattr(getattr(full, "dtype", None), "kind", None)
    if kind not in (None, *"buif"):  # None: other libraries have their own types; see when it is computed
        raise ImageError(
            f"{name} has the type {full.dtype}, which has no intensity.", "Convert it to whole or real numbers first."
        )
    return shape


def _bytes_of_plane(full: Any, numbers: int) -> int:
    """Estimate the memory that computing so many numbers takes; none where they are there already."""
    if isinstance(full, np.ndarray):
        return 0
    itemsize = getattr(getattr(full, "dtype", None), "itemsize", WIDEST)
    return int(numbers * itemsize * CHUNKS_AND_PLANE)


def _read(source: Source, index: Index) -> NDArray[Any]:
    array, layout = source.location, source.details
    if fits(layout.blocks):
        return block_plane(array, layout.blocks, index, computed)
    if layout.colours is not None:
        return np.moveaxis(computed(array[(*index[: layout.colours], slice(None), *index[layout.colours :])]), 0, -1)
    return computed(array[index] if index else array)


def computed(plane: Any) -> NDArray[Any]:
    """Compute a plane; a mask of NumPy stays."""
    if hasattr(plane, "__dask_graph__"):
        plane = plane.compute()  # the conversion to NumPy by Dask drops masks
    return np.asanyarray(plane)


def _names(array: Any, axes: Sequence[str] | None, count: int, name: str) -> tuple[str, ...]:
    if axes is None:
        dims = getattr(array, "dims", None)  # of xarray
        return tuple(map(str, dims[:count])) if dims else tuple(f"axis_{i}" for i in range(count))
    names = tuple(map(str, axes))
    if len(names) != count or len(set(names)) < count or "" in names:
        raise OptionError(
            f"{name} needs {count} different names of leading axes, not {names}.", "Name each axis before the height."
        )
    return names


def _memory(source: Source, index: Index) -> int:
    """Return the bytes that computing a plane takes; blocks look after their own."""
    layout: ArrayLayout = source.details
    return 0 if fits(layout.blocks) else layout.memory


READER = Reader("array", _read, _memory)
