"""DICOM files and folders as layers of napari."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice, pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.notifications import show_info

from napari_webipred._napari.remedies import hint_of
from napari_webipred.errors import ImageError, WebIPredError
from napari_webipred.imaging import unreadable
from napari_webipred.imaging.dicom.content import is_dicom_file
from napari_webipred.imaging.source import Source
from napari_webipred.steps import result_of

if TYPE_CHECKING:
    from napari_webipred.imaging.display import Display

LayerData = tuple[Any, dict[str, Any], str]
LOOKED_AT = 200  # files of a folder, to see whether it has DICOM


def reader(path: str | list[str]) -> Callable[[Any], list[LayerData]] | None:
    """Return the function that opens these files or folders; None if they are not DICOM."""
    paths = [path] if isinstance(path, str) else path
    return _layers if all(map(_is_ours, map(Path, paths))) else None


def _is_ours(path: Path) -> bool:
    if path.is_dir():
        return any(map(is_dicom_file, islice((file for file in path.rglob("*") if file.is_file()), LOOKED_AT)))
    return is_dicom_file(path)


def _layers(path: str | list[str]) -> list[LayerData]:
    """Read headers and describe a layer for each image or series.

    Raises
    ------
    ImageError
        None of them can be read.
    """
    from napari_webipred.imaging.dicom.reader import READER
    from napari_webipred.imaging.files import find_images
    from napari_webipred.imaging.readers import read
    from napari_webipred.imaging.series import collected

    files, _ = find_images([path] if isinstance(path, str) else path)
    found = result_of(collected(files)).sources
    layers = [layer_data(source) for _, source in found if source.reader == READER.id]
    unread = [source for file, source in found if source.reader == unreadable.READER.id and is_dicom_file(file)]
    if not layers:
        for _, source in found:
            read(source, ())  # says why it cannot be read
        raise ImageError("The DICOM files hold no image.", "Choose other files.")
    if unread:
        _tell(unread)
    return layers


def _tell(unread: Sequence[Source]) -> None:
    """Say that some of the files have no layer, and why the first has none."""
    try:
        unreadable.check(unread[0])
    except WebIPredError as error:
        more = f" {len(unread) - 1} more could not be opened." if len(unread) > 1 else ""
        show_info(f"{error.message} {hint_of(error)}{more}")


def _tell_blank(error: ImageError) -> None:
    """Say why a plane is blank."""
    show_info(f"{error.message} It is shown blank. {hint_of(error)}")


def layer_data(source: Source) -> LayerData:
    """Describe the layer of a DICOM source: displayed as the file says, read plane by plane, called by nobody's name.

    Parameters
    ----------
    source : Source
        Of the reader for DICOM.
    """
    from napari_webipred.imaging.readers import header_of
    from napari_webipred.imaging.stack import LazyStack

    slices = source.details
    instance = slices[0].instance
    layout = instance.layout
    frames = [each.instance.frame(each.frame) for each in slices]
    is_whole = not layout.is_float and all(each.rescale.is_whole and _fits(each.display) for each in frames)
    kind = "uint8" if layout.is_colour else "int32" if is_whole else "float32"
    plane = (layout.rows, layout.columns, *((3,) if layout.is_colour else ()))
    data = LazyStack(source, plane, kind, _tell_blank if source.axes else None)
    spacing = frames[0].spacing or (1.0, 1.0)
    options: dict[str, Any] = {
        "name": f"{instance.modality or 'DICOM'} series {instance.series_number}",
        "rgb": layout.is_colour,
        "axis_labels": (*source.axes, "y", "x"),
        "scale": (*(_distance(source) if axis == "z" else 1.0 for axis in source.axes), *spacing),
        "metadata": {"modality": instance.modality, "series": instance.series_number, "frames": len(slices)},
    }
    header = header_of(source, (0,) * len(source.axes))
    if not layout.is_colour and header is not None and header.display is not None:
        display = header.display
        options["colormap"] = "gray_r" if display.inverted else "gray"
        options["contrast_limits"] = source.intensity_range or _extent(source, display)
    return data, options, "image"


def _fits(display: Display | None) -> bool:
    """Tell whether 32 bits with a sign are enough for the intensities that can be stored; such of a dose need more."""
    return display is None or -(2**31) <= min(display.limits) <= max(display.limits) < 2**31


def _extent(source: Source, display: Any) -> tuple[float, float]:
    """Return the range of the first plane that can be read, which has no window."""
    from napari_webipred.imaging.intensity import extent, range_between
    from napari_webipred.imaging.readers import read

    for index in np.ndindex(source.shape):
        try:
            return range_between(*extent(display.of_image(read(source, index))))
        except ImageError as error:
            fault = error
    raise fault


def _distance(source: Source) -> float:
    """Return the distance of slices in mm; 1 where it is not known."""
    from napari_webipred.imaging.series import SAME_PLACE, places_of

    places = places_of(source.details[: source.shape[-1]]) or []
    steps = [after - before for before, after in pairwise(places) if after - before > SAME_PLACE]
    return float(median(steps)) if steps else source.details[0].instance.thickness or 1.0
