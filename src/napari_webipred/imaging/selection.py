"""Which planes of a stack are classified, and what is made of its channels and of an axis that is projected."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from napari_webipred.errors import OptionError
from napari_webipred.imaging.planes import CHANNEL_AXES
from napari_webipred.imaging.region import Outside, regions_of
from napari_webipred.imaging.source import Source

Places: TypeAlias = int | slice | range  # along an axis
Projected: TypeAlias = Literal["max", "mean"]
Colour: TypeAlias = tuple[float, float, float]  # red, green and blue, 0 to 1
PROJECTED = {"max": "maximum", "mean": "mean"}
COLOURS: dict[str, Colour] = {
    "red": (1, 0, 0),
    "green": (0, 1, 0),
    "blue": (0, 0, 1),
    "cyan": (0, 1, 1),
    "magenta": (1, 0, 1),
    "yellow": (1, 1, 0),
    "gray": (1, 1, 1),
}
DEFAULT_COLOURS = {1: ("gray",), 2: ("magenta", "green"), 3: ("red", "green", "blue")}  # by the number of channels
MORE_COLOURS = ("cyan", "magenta", "yellow", "red", "green", "blue", "gray")
MOST_CHANNELS = 16


class Channel(Struct, frozen=True):
    """A channel of a merged image.

    Attributes
    ----------
    source : Source
        Its planes, grey.
    colour : tuple of float
        Red, green and blue of its white, 0 to 1.
    range : tuple of float, optional
        The intensities that become black and its whole colour; of each plane its own range by default, as with
        ``"auto"``.
    """

    source: Source
    colour: Colour
    range: tuple[float, float] | None = None


class Projection(Struct, frozen=True):
    """What makes one plane of many along an axis."""

    axis: int
    places: range
    how: Projected


class Selection(Struct, frozen=True, eq=False):
    """What of each image is classified.

    Attributes
    ----------
    axes : tuple of str, optional
        Other names for the leading axes.
    planes : Mapping
        Which places along axes, by their names; of a projected axis, those that count.
    channels : tuple of int, optional
        Which channels along the axis that is called ``c``, ``channel`` or ``channels``: one is grey, more are merged.
    colours : tuple of Colour, optional
        Of these channels.
    projection : Mapping
        Axes of which all planes become one, and how.
    regions : sequence, mapping or array, optional
        Parts of the planes, a row each; see `napari_webipred.imaging.region.regions_of`.
    outside : "keep" or "blank"
        Whether what is in the box around a region and outside the region is seen as it is or black.
    """

    axes: tuple[str, ...] | None = None
    planes: Mapping[str, Places] = field(default_factory=dict)
    channels: tuple[int, ...] | None = None
    colours: tuple[Colour, ...] | None = None
    projection: Mapping[str, Projected] = field(default_factory=dict)
    regions: Any = None
    outside: Outside = "keep"

    def as_dict(self) -> dict[str, Any]:
        """Return what is chosen as plain JSON values, for a record; nothing of what is left as it is."""
        chosen: dict[str, Any] = {
            "axes": self.axes and list(self.axes),
            "planes": {axis: words(places) for axis, places in self.planes.items()},
            "channels": self.channels and list(self.channels),
            "colours": self.colours and list(map(colour_name, self.colours)),
            "projection": dict(self.projection),
            "outside": self.outside if self.regions is not None else "",
        }
        return {name: value for name, value in chosen.items() if value}


WHOLE = Selection()


def selected(source: Source, selection: Selection) -> Source:
    """Choose what of an image is classified.

    Raises
    ------
    OptionError
        There is no such axis, place, channel or colour, or the regions are none.
    ImageError
        A label image does not fit, or there are too many regions.
    """
    if selection.axes is not None:
        source = rename(source, selection.axes)
    planes = dict(selection.planes)
    for axis, how in selection.projection.items():
        source = project(source, axis, how, planes.pop(axis, slice(None)))
    if selection.channels is not None:
        axis = next((axis for axis in source.axes if axis.casefold() in CHANNEL_AXES), "c")
        source = merge_along(source, axis, selection.channels, selection.colours)
    elif selection.colours is not None:
        raise OptionError("Colours are given without channels.", "Give the channels that they are for.")
    if selection.regions is not None:
        regions = regions_of(selection.regions, selection.outside, source.axes, source.shape)
        source = replace(source, regions=regions)
    return take_planes(source, planes) if planes else source


def rename(source: Source, axes: Sequence[str]) -> Source:
    """Give the axes of a source other names.

    Raises
    ------
    OptionError
        They are more or fewer than it has, or not different.
    """
    names = tuple(map(str, axes))
    if not source.axes:
        raise OptionError(f"{source.name} has no leading axes to name. It is a single image.")
    if len(names) != len(source.axes) or len(set(names)) < len(names) or "" in names:
        raise OptionError(
            f"{source.name} needs {len(source.axes)} different names of leading axes, not {names}.",
            "Name each axis before the height.",
        )
    return replace(source, axes=names)


def take_planes(source: Source, planes: Mapping[str, Places]) -> Source:
    """Take only some planes of a stack.

    Parameters
    ----------
    source : Source
    planes : mapping of str to int, slice or range
        Places along axes by their names, counted from 0; negative ones from the end. Other axes are taken as before.

    Raises
    ------
    OptionError
        There is no such axis, or no such place along it.
    """
    taken = list(map(range, source.shape) if source.planes is None else source.planes)
    for axis, places in planes.items():
        number = _axis(source, axis)
        taken[number] = _range(places, source.shape[number], f"{source.name} has no {axis} {words(places)}")
    return replace(source, planes=tuple(taken))


def one_plane(source: Source, index: Sequence[int]) -> Source:
    """Take one plane of a stack, by its places along all axes.

    Raises
    ------
    OptionError
        There is no such plane.
    """
    index = tuple(map(int, index))
    if len(index) != len(source.axes) or not all(0 <= i < n for i, n in zip(index, source.shape, strict=True)):
        raise OptionError(
            f"{source.name} has no plane {index}: its leading axes have the lengths {source.shape}.",
            "Give one place, counted from 0, for each of them.",
        )
    return replace(source, planes=tuple(range(i, i + 1) for i in index))


def project(source: Source, axis: str, how: Projected, places: Places = slice(None)) -> Source:
    """Make one plane of all along an axis; the axis is gone.

    Parameters
    ----------
    source : Source
        Of which all planes count, whatever was taken before.
    axis : str
    how : "max" or "mean"
        Of each pixel the largest value, or the mean as float32.
    places : int, slice or range
        Which planes along the axis; all by default.

    Raises
    ------
    OptionError
        There is no such axis, place or way.
    """
    if how not in get_args(Projected):
        raise OptionError(f"{how!r} is no projection.", f"Choose one of {', '.join(get_args(Projected))}.")
    number = _axis(source, axis)
    taken = _range(places, source.shape[number], f"{source.name} has no {axis} {words(places)}")
    part = "" if len(taken) == source.shape[number] else f" {words(taken)}"
    reading = _joined(source.reading, f"{PROJECTED[how]} along {axis}{part}")
    return _derived(source, source, number, "projection", reading, Projection(number, taken, how))


def take_channel(source: Source, axis: str, number: int) -> Source:
    """Take one place along an axis, such as one channel; the axis is gone.

    Raises
    ------
    OptionError
        There is no such axis, or no such place along it.
    """
    where = _axis(source, axis)
    (place,) = _range(number, source.shape[where], f"{source.name} has no {axis} {number}")
    return _derived(source, source, where, "channel", _joined(source.reading, f"{axis} {place}"), (where, place))


def merge(name: str, channels: Sequence[Channel]) -> Source:
    """Make one colour image of several grey ones: the sum of their colours, cut off at white.

    Parameters
    ----------
    name : str
        What the user calls it.
    channels : sequence of Channel
        With the same axes and lengths. At most 16.

    Raises
    ------
    OptionError
        They are too many, or their axes differ.
    """
    if not 1 <= len(channels) <= MOST_CHANNELS:
        raise OptionError(f"{len(channels)} channels cannot be merged.", f"Choose 1 to {MOST_CHANNELS} channels.")
    first = channels[0].source
    for channel in channels[1:]:
        if (channel.source.axes, channel.source.shape) != (first.axes, first.shape):
            raise OptionError(
                f"{channel.source.name} and {first.name} have different axes, so they cannot be merged.",
                "Choose images with the same number of planes.",
            )
    words = ", ".join(
        _joined(channel.source.name if channel.source.name != name else "", channel.source.reading, " ")
        + f" as {colour_name(channel.colour)}"
        + (f" ({channel.range[0]:g} to {channel.range[1]:g})" if channel.range else "")
        for channel in channels
    )
    return Source(
        name,
        "merged",
        tuple(channel.source for channel in channels),
        first.axes,
        first.shape,
        first.planes,
        scaled=True,
        reading=f"merged: {words}",
        details=tuple((channel.colour, channel.range) for channel in channels),
    )


def merge_along(source: Source, axis: str, numbers: Sequence[int], colours: Sequence[Colour] | None = None) -> Source:
    """Make one image of several channels along an axis: of one a grey image, of more a merged one.

    Parameters
    ----------
    source : Source
    axis : str
    numbers : sequence of int
        Which channels, counted from 0.
    colours : sequence of Colour, optional
        One for each; `default_colours` by default.

    Raises
    ------
    OptionError
        There is no such axis or channel, or the colours are more or fewer than the channels.
    """
    if colours is not None and len(colours) != len(numbers):
        raise OptionError(
            f"There are {len(colours)} colours for {len(numbers)} channels.", "Give a colour for each channel."
        )
    channels = [take_channel(source, axis, number) for number in numbers]
    if len(channels) == 1 and colours is None:
        return channels[0]
    chosen = colours or [COLOURS[name] for name in default_colours(len(channels))]
    pairs = zip(channels, chosen, strict=True)
    merged = merge(source.name, [Channel(channel, colour) for channel, colour in pairs])
    return replace(merged, regions=source.regions)


def default_colours(count: int) -> list[str]:
    """Name a colour for each of so many channels, which can be told from those beside it."""
    names = DEFAULT_COLOURS.get(count, MORE_COLOURS)
    return [names[i % len(names)] for i in range(count)]


def colour(given: str | Sequence[float]) -> Colour:
    """Return a colour by its name in `COLOURS`, as ``#RRGGBB``, or as red, green and blue from 0 to 1.

    Raises
    ------
    OptionError
        It is none of these.
    """
    with suppress(ValueError, TypeError):
        if isinstance(given, str) and given in COLOURS:
            return COLOURS[given]
        if isinstance(given, str) and re.fullmatch("#[0-9a-fA-F]{6}", given):
            return _colour(int(given[i : i + 2], 16) / 255 for i in (1, 3, 5))
        if not isinstance(given, str):
            return _colour(given)
    raise OptionError(
        f"{given!r} is not a colour.",
        f"Use one of {', '.join(COLOURS)}, #RRGGBB, or three numbers from 0 to 1.",
    )


def _colour(parts: Iterable[float]) -> Colour:
    red, green, blue = map(float, parts)
    if not all(0 <= part <= 1 for part in (red, green, blue)):
        raise ValueError
    return red, green, blue


def colour_name(colour: Colour) -> str:
    """Name a colour: one of `COLOURS`, or its red, green and blue as ``#RRGGBB``."""
    for name, known in COLOURS.items():
        if np.allclose(known, colour, atol=0.004):
            return name
    return "#" + "".join(f"{round(255 * min(max(part, 0), 1)):02X}" for part in colour)


def _derived(base: Source, location: Source, axis: int, reader: str, reading: str, details: Any) -> Source:
    """Describe a source with an axis less."""
    kept = [i for i in range(len(base.axes)) if i != axis]
    return replace(
        base,
        reader=reader,
        location=replace(location, planes=None, regions=None),
        axes=tuple(base.axes[i] for i in kept),
        shape=tuple(base.shape[i] for i in kept),
        planes=None if base.planes is None else tuple(base.planes[i] for i in kept),
        reading=reading,
        details=details,
    )


def _axis(source: Source, axis: str) -> int:
    if axis not in source.axes:
        have = f"Its axes are {', '.join(source.axes)}." if source.axes else "It is a single image."
        raise OptionError(f"{source.name} has no axis {axis}.", have)
    return source.axes.index(axis)


def _range(places: Places, length: int, fault: str) -> range:
    if isinstance(places, slice):
        taken = range(length)[places]
    elif isinstance(places, range):
        taken = places
    else:
        place = int(places)
        taken = range(place, place + 1) if place >= 0 else range(length + place, length + place + 1)
    # Only the ends of a range are looked at: a session from somebody else may have a range without end.
    if not taken or min(taken[0], taken[-1]) < 0 or max(taken[0], taken[-1]) >= length:
        raise OptionError(f"{fault}.", f"It has places from 0 to {length - 1}.")
    return taken


def words(places: Places) -> str:
    """Write places along an axis as in a slice, or in words if they are a range."""
    if isinstance(places, slice):
        return ":".join("" if part is None else str(part) for part in (places.start, places.stop, places.step))
    if isinstance(places, range):
        step = f", every {places.step}" if places.step != 1 else ""
        return f"{places[0]} to {places[-1]}{step}" if places else "(none)"
    return str(places)


def _joined(before: str, after: str, between: str = "; ") -> str:
    return f"{before}{between}{after}" if before and after else before or after
