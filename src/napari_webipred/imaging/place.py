"""One plane of a stack, at the place that somebody has chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from napari_webipred.errors import OptionError
from napari_webipred.imaging.selection import take_planes
from napari_webipred.imaging.source import Source

Place: TypeAlias = int | Sequence[int] | Mapping[str, int]


def at_place(source: Source, place: Place | None) -> Source:
    """Take the plane at a place, or the only one.

    Parameters
    ----------
    source : Source
    place : int, sequence of int, or mapping of str to int, optional
        Along the only axis, along all axes, or by the names of axes; negative ones count from the end. Not needed where
        only one plane is taken.

    Raises
    ------
    OptionError
        There is no such plane, or several are left.
    """
    if place is not None:
        source = take_planes(source, _by_axis(source, place))
    if len(source) != 1:
        raise OptionError(
            f"{source.name} has {len(source)} planes along {', '.join(source.axes)}.", "Give the place of one `plane`."
        )
    return source


def _by_axis(source: Source, place: Place) -> Mapping[str, int]:
    if isinstance(place, Mapping):
        return place
    places = (place,) if isinstance(place, (int, np.integer)) else tuple(place)
    if len(places) != len(source.axes):
        raise OptionError(
            f"{source.name} has no plane {places}: it has {len(source.axes)} leading axes.",
            "Give one place, counted from 0, for each of them.",
        )
    return dict(zip(source.axes, places, strict=True))
