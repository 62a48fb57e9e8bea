"""The planes of arrays: n-dimensional, lazy, multiscale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred.errors import ImageError, OptionError
from napari_webipred.imaging.source import Source

if TYPE_CHECKING:
    from numpy.typing import NDArray


def array_source(
    data: Any,
    name: str,
    *,
    rgb: bool | None = None,
    axes: Sequence[str] | None = None,
    only: tuple[int, ...] | None = None,
) -> Source:
    """Describe an array as the planes along its leading axes.

    Parameters
    ----------
    data : array, or sequence of arrays
        Anything with ``shape`` and ``dtype`` that can be sliced: numpy, dask, zarr, xarray. Of a sequence, as napari
        keeps multiscale pictures, the first, full-size level counts: which level is fine enough depends on the model,
        and levels differ in how they were scaled down. Each plane is sliced before it is computed or copied; arrays
        are never copied as a whole.
    name : str
        What the user calls it.
    rgb : bool, optional
        Whether the last axis are the channels of RGB or RGBA. By default it is if it has a length of 3 or 4: grey
        pictures that narrow are not classified, whereas napari, which also shows other data, wants larger sides.
    axes : sequence of str, optional
        Names of the leading axes; of xarray its own by default, else ``"axis_0"``, ``"axis_1"``, ... One that is called
        ``c``, ``channel`` or ``channels`` and has a length of 3 holds the channels of RGB, not planes.
    only : tuple of int, optional
        The index of the one plane to take; all by default.

    Returns
    -------
    Source
        Reading may raise whatever a lazy array raises when it is computed.

    Raises
    ------
    ImageError
        The array has no height and width.
    OptionError
        ``rgb``, ``axes`` or ``only`` do not go with the shape.
    """
    full = _full_size(data, name)
    shape = tuple(int(length) for length in full.shape)
    if len(shape) < 2:
        raise ImageError(f"{name} has the shape {shape}, so it is no picture.", "Give an array of 2 or more axes.")
    if rgb is None:
        rgb = len(shape) > 2 and shape[-1] in {3, 4}
    elif rgb and (len(shape) < 3 or shape[-1] not in {3, 4}):
        raise OptionError(
            f"{name} has the shape {shape}, so its last axis cannot be RGB.", "That axis has 3 or 4 channels."
        )
    leading = shape[: -3 if rgb else -2]
    names = _names(full, axes, len(leading), name)
    colours = None if rgb else colour_axis(names, leading)
    if colours is not None:
        names, leading = names[:colours] + names[colours + 1 :], leading[:colours] + leading[colours + 1 :]
    if only is not None:
        only = tuple(int(place) for place in only)
        if len(only) != len(leading) or not all(0 <= i < n for i, n in zip(only, leading, strict=True)):
            raise OptionError(
                f"{name} has no plane {only}: its leading axes have the lengths {leading}.",
                "Give one place, counted from 0, for each of them.",
            )

    def read(index: tuple[int, ...]) -> NDArray[Any]:
        if colours is not None:
            return np.moveaxis(np.asarray(full[(*index[:colours], slice(None), *index[colours:])]), 0, -1)
        return np.asarray(full[index] if index else full)

    return Source(name, read, names, leading, only)


def colour_axis(names: Sequence[str], lengths: Sequence[int]) -> int | None:
    """Return which of the leading axes holds red, green and blue, by its name and length; None if none does."""
    found = [i for i, name in enumerate(names) if name.casefold() in {"c", "channel", "channels"} and lengths[i] == 3]
    return found[0] if len(found) == 1 else None


def _full_size(data: Any, name: str) -> Any:
    """Take the first level of a multiscale picture, and anything else as it is."""
    if not isinstance(data, Sequence):
        return data if hasattr(data, "shape") else np.asarray(data)
    if not all(hasattr(level, "shape") for level in data):
        return np.asarray(data)
    sizes = [math.prod(level.shape) for level in data]
    if not sizes or any(next_size >= size for size, next_size in pairwise(sizes)):
        raise ImageError(
            f"{name} is a list of {len(sizes)} arrays that do not shrink like the levels of a multiscale picture.",
            "Give them as pictures of their own, or stack them into one array.",
        )
    return data[0]


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
