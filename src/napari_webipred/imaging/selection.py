"""Which planes of a stack are classified, and what is made of its channels and of an axis that is projected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from napari_webipred.errors import OptionError
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
MOST_CHANNELS = 16


@dataclass(frozen=True, slots=True)
class Channel:
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


@dataclass(frozen=True, slots=True)
class Projection:
    """What makes one plane of many along an axis."""

    axis: int
    places: range
    how: Projected


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
        taken[number] = _range(places, source.shape[number], f"{source.name} has no {axis} {_words(places)}")
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
    taken = _range(places, source.shape[number], f"{source.name} has no {axis} {_words(places)}")
    part = "" if len(taken) == source.shape[number] else f" {_words(taken)}"
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
    if not taken or not (min(taken) >= 0 and max(taken) < length):
        raise OptionError(f"{fault}.", f"It has places from 0 to {length - 1}.")
    return taken


def _words(places: Places) -> str:
    if isinstance(places, slice):
        return ":".join("" if part is None else str(part) for part in (places.start, places.stop, places.step))
    if isinstance(places, range):
        step = f", every {places.step}" if places.step != 1 else ""
        return f"{places[0]} to {places[-1]}{step}" if places else "(none)"
    return str(places)


def _joined(before: str, after: str, between: str = "; ") -> str:
    return f"{before}{between}{after}" if before and after else before or after
