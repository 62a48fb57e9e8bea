"""From what somebody gives as a picture to one that is read in parts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from napari_webipred.errors import ImageError
from napari_webipred.execution.plane import Plane, shown_pixels
from napari_webipred.imaging import tiff, unreadable, windows
from napari_webipred.imaging.array_levels import pyramid_of_arrays, pyramid_of_source
from napari_webipred.imaging.intensity import Intensity
from napari_webipred.imaging.place import Place, at_place
from napari_webipred.imaging.planes import READER as ARRAY
from napari_webipred.imaging.planes import given_source
from napari_webipred.imaging.pyramid import Pyramid
from napari_webipred.imaging.readers import file_source, read, tiff_pyramid
from napari_webipred.imaging.source import Index, Source


def picture_of(
    image: Any,
    name: str = "array 0",
    *,
    place: Place | None = None,
    intensity: Intensity = "auto",
    rgb: bool | None = None,
) -> tuple[Pyramid, Index]:
    """Describe a picture, and choose one of its planes. Of large files and lazy arrays nothing is read.

    Parameters
    ----------
    image : path, Source, array, or sequence of arrays
        A sequence holds the levels of one picture, the full size first, as napari keeps them. Files that cannot be read
        in parts (PNG, JPEG, DICOM and others) are read as a whole.
    name : str
        Of an array.
    place : int, sequence of int, or mapping of str to int, optional
        Which plane of a stack.
    intensity : Intensity
        For a file that is read as a whole, which may say itself how it is displayed.
    rgb : bool, optional
        Whether the last axis of an array are colours; see `array_source`.

    Returns
    -------
    Pyramid, and the index of the plane

    Raises
    ------
    ImageError
        It cannot be read.
    OptionError
        There are several planes and none is chosen, or there is no such plane.
    """
    if isinstance(image, (str, os.PathLike)):
        source = file_source(os.fspath(image))
    elif isinstance(image, Source):
        source = image
    else:
        found = _of_array(image, name, rgb)
        if isinstance(found, Pyramid):
            return found, _index(Source(found.name, ARRAY.id, found.location, found.axes, found.shape), place)
        source = found
    if source.reader == unreadable.READER.id:
        read(source, ())  # which says why
    index = _index(source, place)
    lazy = _lazily(source)
    if lazy is not None:
        return replace(lazy, intensity_range=source.intensity_range), index
    pixels, black_and_white = shown_pixels(Plane(0, source, index), intensity)
    return replace(pyramid_of_arrays(pixels, source.name), intensity_range=black_and_white, settled=True), ()


def _of_array(image: Any, name: str, rgb: bool | None) -> Pyramid | Source:
    if hasattr(image, "shape") or (isinstance(image, Sequence) and all(hasattr(each, "shape") for each in image)):
        return pyramid_of_arrays(image, name, rgb=rgb)
    return given_source(image, name)


def _lazily(source: Source) -> Pyramid | None:
    """Return the picture of a source that can be read in parts; None if it cannot."""
    if source.reader in (windows.ZARR.id, windows.SLIDE.id):
        pyramid: Pyramid = source.details[0]
        return pyramid
    if source.reader == ARRAY.id:
        return pyramid_of_source(source)
    if source.reader == tiff.READER.id and isinstance(source.location, Path):
        try:
            found = tiff_pyramid(source.location, source.name)
        except ImageError:  # in colours, an order or a compression that only the other reader knows
            return None
        return found if (found.axes, found.shape) == (source.axes, source.shape) else None
    return None


def _index(source: Source, place: Place | None) -> Index:
    (index,) = at_place(replace(source, regions=None), place).indices()
    return index
