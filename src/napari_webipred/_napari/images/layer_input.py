"""What a run was given of an image, so that it can be found again, or classified again by a script."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from msgspec.structs import replace
from napari.layers import Image

from napari_webipred._napari.images.place import Target
from napari_webipred._napari.proxy import unwrapped
from napari_webipred.errors import ImageError, OptionError
from napari_webipred.imaging import unreadable
from napari_webipred.imaging.dicom.reader import instances_of
from napari_webipred.imaging.planes import array_source
from napari_webipred.imaging.readers import file_source
from napari_webipred.imaging.region import Region
from napari_webipred.imaging.selection import Channel, Projected, merge, merge_along, project, take_channel
from napari_webipred.imaging.series import series_source
from napari_webipred.imaging.source import Source
from napari_webipred.results.inputs import MOST_CORNERS, ChannelInput, ImageInput, Parts, RegionInput, Step, corners


def image_inputs(targets: Sequence[Target], sources: Sequence[Source]) -> list[ImageInput]:
    """Describe the images of a run; regions are left out from where they have more than `MOST_CORNERS` corners."""
    images: list[ImageInput] = []
    space = MOST_CORNERS
    for target, source in zip(targets, sources, strict=True):
        if space >= 0:
            space -= corners(source.regions or ())
        images.append(image_input(target, source, space < 0))
    return images


def image_input(target: Target, source: Source, without_regions: bool = False) -> ImageInput:
    """Describe an image, how it is read, and what it consists of; no pixel is touched."""
    image = _described(target, source)
    return image if image.steps is not None else replace(image, parts=_parts(target, source, without_regions))


def _described(target: Target, source: Source) -> ImageInput:
    layers = target.layers
    if not layers or target.source is not None:  # a file can be open in a layer, too
        path = None if target.path is None else _absolute(target.path)
        known = _instances(source)
        return ImageInput(source.name, "", path, axes=_base(source).axes, steps=_steps(source), instances=known)
    layer, base = layers[0], _base(source)
    full = _full_size(layer)
    return ImageInput(
        source.name,
        layer.name,
        path_of(layer),
        tuple(map(int, full.shape)),
        str(np.dtype(full.dtype)),
        bool(layer.rgb),
        base.axes,
        getattr(base.details, "colours", None),
        tuple(map(float, layer.scale)),
        source.intensity_range,
        _steps(source) if len(layers) == 1 else None,
        instances=_instances(source),
    )


def _parts(target: Target, source: Source, without_regions: bool) -> Parts | None:
    """Say what an image consists of that cannot be said in steps alone; None if that cannot be said either."""
    base, regions = _base(source), source.regions
    steps: tuple[Step, ...] | None
    channels: tuple[ChannelInput, ...] = ()
    files: tuple[str, ...] = ()
    if source.reader == "merged" and len(target.layers) > 1:
        if len(target.layers) != len(source.location):
            return None  # it is not known which layer is which
        channels = tuple(map(_channel, target.layers, source.location, source.details))
        steps = _taken(source)
    elif _is_series(base):
        files = tuple(dict.fromkeys(str(each.instance.path) for each in base.details))
        steps = _steps(replace(source, regions=None), of_series=True)
    else:
        steps = _steps(replace(source, regions=None))
    if steps is None:
        return None
    if regions is None:
        return Parts(steps, channels, files)
    return Parts(steps, channels, files, () if without_regions else tuple(map(_region, regions)), without_regions)


def _channel(layer: Image, source: Source, how: tuple[Any, Any]) -> ChannelInput:
    colour, limits = how
    red, green, blue = map(float, colour)
    low_high = None if limits is None else (float(limits[0]), float(limits[1]))
    return ChannelInput(image_input(Target([layer], ()), source), (red, green, blue), low_high)


def _region(region: Region) -> RegionInput:
    outline = None if region.outline is None else tuple(map(tuple, region.outline.tolist()))
    return RegionInput(region.name, region.box, region.index, outline, region.inside is not None)


def source_again(image: ImageInput, layers: Sequence[Image]) -> Source | None:
    """Describe layers as they were read before.

    Parameters
    ----------
    image : ImageInput
    layers : sequence of napari.layers.Image
        Those that are open again; see `layers_again`.

    Returns
    -------
    Source or None
        None if they are other ones, or it is not known how they were read.
    """
    if image.channels:
        pairs = list(zip(image.channels, layers, strict=False))
        sources = [source_again(channel.image, [layer]) for channel, layer in pairs]
        found = [source for source in sources if source is not None]
        if len(found) != len(image.channels):
            return None
        merged = [Channel(each, channel.colour, channel.range) for each, (channel, _) in zip(found, pairs, strict=True)]
        return _read_again(merge(image.name, merged), image)
    if not image.layer or len(layers) != 1 or not _same_shape(image, layers[0]):
        return None
    (layer,) = layers
    axes = ["c" if place == image.colours else f"axis_{place}" for place in range(layer.ndim - 2)]
    source = array_source(unwrapped(layer.data), image.name, rgb=layer.rgb, axes=axes)
    if len(source.axes) != len(image.axes):
        return None
    try:
        return _read_again(replace(source, axes=image.axes), image)
    except OptionError:  # its steps do not go with such a layer
        return None


def file_again(image: ImageInput) -> Source | None:
    """Describe a file, or a series of files, as it was read before; its header is read.

    Returns
    -------
    Source or None
        None if it is not known how it was read.

    Raises
    ------
    WebIPredError
        It is another file now, gone, or damaged.
    """
    if image.files:
        source = series_source(image.files)
    elif image.path is not None:
        source = file_source(image.path)
    else:
        return None
    unreadable.check(source)
    if _instances(source) != image.instances:
        raise ImageError(f"{image.name} is of another file than the one that was classified.", "Classify it again.")
    return _read_again(replace(source, name=image.name), image)


def _read_again(source: Source, image: ImageInput) -> Source | None:
    """Read an image in the steps in which it was read; rows count all planes, also where only some were taken."""
    parts = image.parts
    steps = image.steps if parts is None else parts.steps
    if steps is None:  # a session of an earlier version does not tell
        return None
    for step in steps:
        if step[0] == "project":
            source = project(source, step[1], cast("Projected", step[2]), range(*step[3]))
        elif step[0] == "channel":
            source = take_channel(source, step[1], step[2])
        elif step[0] == "merge":
            source = merge_along(source, step[1], step[2], step[3])
    if image.layer and not image.channels:
        source = replace(source, intensity_range=image.intensity_range)
    if parts is None or parts.regions is None:  # all of the image was classified
        return source
    indices = [region.index for region in parts.regions if region.index is not None]
    if not parts.has_all_regions or any(len(index) != len(source.axes) for index in indices):
        return None
    return replace(source, regions=tuple(map(_region_again, parts.regions)))


def _region_again(region: RegionInput) -> Region:
    outline = None if region.outline is None else np.array(region.outline)
    return Region(region.name, region.box, region.index, outline)


def path_of(layer: Any) -> str | None:
    """Return the absolute path of the file that a layer was opened from; None if there is none on this machine."""
    path = getattr(layer.source, "path", None)
    return None if not path or "://" in str(path) else _absolute(path)


def row_axes_of(image: ImageInput) -> tuple[int, ...]:
    """Return which axes of the data of a layer the axes of its rows are; a file without a layer has no others."""
    read = [each.steps for each in (*(channel.image for channel in image.channels[:1]), image, image.parts) if each]
    gone = {step[1] for steps in read for step in steps or () if step[0] != "planes"}
    places = [i + (image.colours is not None and i >= image.colours) for i in range(len(image.axes))]
    kept = tuple(place for place, axis in zip(places, image.axes, strict=True) if axis not in gone)
    return kept if image.layer else tuple(range(len(kept)))


def found_again(images: Sequence[ImageInput], layers: Sequence[Image]) -> list[Image | None]:
    """Find the open layer of each image: of the same file, or else of the same name, and always of the same shape.

    One layer may be several images, read in different ways. None stands for an image that is not open.
    """
    found: list[Image | None] = []
    for image in images:
        alike = [layer for layer in layers if image.layer and _same_shape(image, layer)]
        of_file = [layer for layer in alike if image.path is not None and image.path == path_of(layer)]
        of_name = [layer for layer in alike if image.layer == layer.name]
        both = [layer for layer in of_file if layer in of_name]
        found.append(next(iter((*both, *of_file, *of_name)), None))
    return found


def layers_again(images: Sequence[ImageInput], layers: Sequence[Image]) -> list[list[Image]]:
    """Find the open layers of each image, several of those that were merged; none if one of them is not open."""
    whole: list[list[Image]] = []
    for image in images:
        found = found_again([channel.image for channel in image.channels] or [image], layers)
        open_now = [layer for layer in found if layer is not None]
        whole.append(open_now if len(open_now) == len(found) else [])
    return whole


def _same_shape(image: ImageInput, layer: Image) -> bool:
    """Tell whether a layer has the shape and kind of an image and, of DICOM files, is of the same ones."""
    full = _full_size(layer)
    if image.shape != tuple(full.shape) or image.rgb != layer.rgb or image.dtype != str(np.dtype(full.dtype)):
        return False
    source = getattr(full, "source", None)
    return image.instances == (_instances(source) if isinstance(source, Source) else "")


def _full_size(layer: Image) -> Any:
    data = unwrapped(layer.data)
    return data[0] if layer.multiscale else data


def _instances(source: Source) -> str:
    """Tell of which DICOM images a stack is; their files, and names, may be those of others."""
    return instances_of(_base(source))


def _absolute(path: Any) -> str:
    return os.path.abspath(str(path))  # noqa: PTH100 - links are not followed, and nothing is looked up


def _base(source: Source) -> Source:
    """Return the whole stack of which a projection, a channel or several channels are made."""
    while source.reader in ("projection", "channel", "merged"):
        source = source.location[0] if source.reader == "merged" else source.location
    return source


def _steps(source: Source, of_series: bool = False) -> tuple[Step, ...] | None:
    """Say how a stack is read; None if it cannot be said in steps. Those of a series tell how its stack is read."""
    before: tuple[Step, ...] | None = ()
    steps: list[Step] = []
    if source.regions is not None or (_is_series(source) and not of_series):
        return None
    if source.reader == "merged":
        merged = _merged(source)
        if merged is None:
            return None
        before, step = merged
        steps.append(step)
    elif source.reader == "projection":
        before, how = _steps(source.location, of_series), source.details
        steps.append(("project", source.location.axes[how.axis], how.how, _places(how.places)))
    elif source.reader == "channel":
        before, (axis, place) = _steps(source.location, of_series), source.details
        steps.append(("channel", source.location.axes[axis], place))
    return None if before is None else (*before, *steps, *_taken(source))


def _taken(source: Source) -> tuple[Step, ...]:
    """Say which planes are taken of what a stack was made to."""
    if source.planes is None:
        return ()
    return (("planes", tuple(zip(source.axes, map(_places, source.planes), strict=True))),)


def _merged(source: Source) -> tuple[tuple[Step, ...] | None, Step] | None:
    """Say which places along one axis of a stack were merged; None if it was something else."""
    channels, first = source.location, source.location[0]
    if any(channel.reader != "channel" for channel in channels) or any(used is not None for _, used in source.details):
        return None
    axis, before = first.details[0], _steps(first.location)
    data = [_base(channel).location for channel in channels]
    if any(channel.details[0] != axis or _steps(channel.location) != before for channel in channels):
        return None
    if any(each is not data[0] for each in data):
        return None
    numbers = tuple(int(channel.details[1]) for channel in channels)
    colours = tuple((float(red), float(green), float(blue)) for (red, green, blue), _ in source.details)
    return before, ("merge", first.location.axes[axis], numbers, colours)


def _is_series(source: Source) -> bool:
    """Tell whether the planes come from several files, which one path does not name."""
    return source.reader == "dicom" and len({each.instance.path for each in source.details}) > 1


def _places(places: range) -> tuple[int, int, int]:
    return places.start, places.stop, places.step
