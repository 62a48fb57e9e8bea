"""Choose what of an image a model sees, and look at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_webipred import engine
from napari_webipred.api.models import model_of
from napari_webipred.api.options import options_of
from napari_webipred.api.remedies import remedies_in_notes
from napari_webipred.card import Profile
from napari_webipred.errors import OptionError
from napari_webipred.execution.plane import prepared_plane
from napari_webipred.imaging.preprocess import Intensity
from napari_webipred.imaging.selection import (
    Channel,
    Places,
    Projected,
    Selection,
    colour,
    merge,
    selected,
)
from napari_webipred.imaging.source import Source
from napari_webipred.model import Model


def prepare(
    image: engine.ImageLike,
    model: Model | str | Path,
    plane: int | Sequence[int] | Mapping[str, int] | None = None,
    intensity: Intensity | None = None,
    *,
    profile: Profile | None = None,
) -> NDArray[np.float32]:
    """Return what a model sees of an image: bit for bit the input that `classify` predicts.

    Parameters
    ----------
    image : path or array, or what `select` or `merge_channels` returns
    model : Model, or anything that `open_model` takes
    plane : int, sequence of int, or mapping of str to int, optional
        Which plane of a stack, counted from 0: along its only axis, along all its axes, or by their names, such as
        ``{"t": 0, "z": 12}``.
    intensity, profile
        As for `classify`.

    Returns
    -------
    ndarray of float32, shape (height, width, channels)
        Resized and standardised.

    Raises
    ------
    OptionError
        Something is not known that is needed, or the image has several planes and `plane` does not choose one.
    WebIPredError
        The image cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_webipred as wp
    >>> stack = np.zeros((60, 128, 128), np.uint16)
    >>> wp.prepare(stack, "demo", plane=12).shape
    (224, 224, 3)
    """
    options = options_of(intensity, profile)
    opened = model_of(model)
    with remedies_in_notes():
        return prepared_plane(engine.chosen_plane(opened, image, plane, options), opened.card, options).tensor


def select(
    image: engine.ImageLike,
    *,
    axes: Sequence[str] | None = None,
    planes: Mapping[str, Places] | None = None,
    channels: int | Sequence[int] | None = None,
    colours: Sequence[str | Sequence[float]] | None = None,
    projection: Mapping[str, Projected] | None = None,
) -> Source:
    """Choose what of a stack is classified; `classify` and `prepare` take the result as an image.

    Parameters
    ----------
    image : path or array, or what `select` or `merge_channels` returns
    axes : sequence of str, optional
        Names of the leading axes, in order, such as ``"tcz"`` or ``["time", "c"]``.
    planes : mapping of str to int, slice or range, optional
        Which places along axes, counted from 0: ``{"t": 0, "z": slice(None, None, 5)}`` takes every fifth plane along z
        at the first time. Of an axis that is projected, those that count.
    channels : int or sequence of int, optional
        Which channels along the axis ``c`` (or ``channel``, ``channels``). One channel is grey; several are merged to
        one colour image, each from its own smallest to its largest value of the plane unless it is 8-bit.
    colours : sequence of str or of three numbers, optional
        A colour for each channel: a name such as ``"magenta"``, ``"#RRGGBB"``, or red, green and blue from 0 to 1.
    projection : mapping of str to "max" or "mean", optional
        Axes of which all planes become one.

    Returns
    -------
    Source
        The image as plain data; no pixel is read yet.

    Raises
    ------
    OptionError
        There is no such axis, place, channel or colour.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_webipred as wp
    >>> stack = np.zeros((3, 20, 128, 128), np.uint16)
    >>> part = wp.select(stack, axes="tz", planes={"t": slice(2)}, projection={"z": "max"})
    >>> wp.classify(part, "demo")[["t", "prediction"]].values.tolist()
    [[0, 'underexposed'], [1, 'underexposed']]
    """
    numbers = [channels] if isinstance(channels, int) else channels
    with remedies_in_notes():
        selection = Selection(
            planes=planes or {},
            channels=None if numbers is None else tuple(numbers),
            colours=None if colours is None else tuple(map(colour, colours)),
            projection=projection or {},
        )
        return selected(engine.one_source(image, axes, channels is not None), selection)


def merge_channels(
    images: Sequence[engine.ImageLike],
    colours: Sequence[str | Sequence[float]],
    *,
    ranges: Sequence[tuple[float, float] | None] | None = None,
    name: str = "merged",
) -> Source:
    """Make one colour image of several grey images; `classify` and `prepare` take it as an image.

    Parameters
    ----------
    images : sequence of paths or arrays, or of what `select` returns
        Of the same size, with the same axes.
    colours : sequence of str or of three numbers
        A colour for each; see `select`.
    ranges : sequence of (low, high) or None, optional
        The intensities of each image that become black and its whole colour. By default each plane has its own, as with
        ``intensity="auto"``.
    name : str
        What the image is called in the table.

    Returns
    -------
    Source
        The image as plain data; no pixel is read yet.

    Raises
    ------
    OptionError
        The images have different axes, or the numbers of images, colours and ranges differ.
    """
    given = list(ranges) if ranges is not None else [None] * len(images)
    if not len(images) == len(colours) == len(given):
        raise OptionError(
            f"There are {len(images)} images, {len(colours)} colours and {len(given)} ranges.",
            "Give a colour, and a range if any, for each image.",
        )
    with remedies_in_notes():
        parts = [
            Channel(engine.one_source(image), colour(own), limits)
            for image, own, limits in zip(images, colours, given, strict=True)
        ]
        return merge(name, parts)
