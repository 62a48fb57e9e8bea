"""From the pixels of one plane to the input of a model."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred.errors import ImageError
from napari_webipred.imaging.intensity import Intensity as Intensity
from napari_webipred.imaging.intensity import intensity_range, to_eight_bit
from napari_webipred.imaging.resize import Grid, bands
from napari_webipred.imaging.span import spans
from napari_webipred.imaging.standardise import standardise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.card import Input, Preprocessing

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
TEACHABLE_MACHINE_LUMA = (0.2989, 0.587, 0.114)  # as its library has them; they do not quite add up to 1


def prepare(
    pixels: NDArray[Any], target: Input, preprocessing: Preprocessing, intensity: Intensity = "auto"
) -> tuple[NDArray[np.float32], tuple[float, float]]:
    """Turn a plane into what a model takes: intensity range, resize, colours, standardise.

    Intensities are scaled to 0..255 in float32. What follows is that of the profile in ``preprocessing``:

    - ``webipred``, the browser: nothing is rounded. For 8-bit images the result equals bit for bit that of WebIPred,
      which resizes with OpenCV.js.
    - ``aucmedi``, the library that the models of WebIPred were trained with: intensities are rounded to whole numbers,
      half to even, and resized as such. For 8-bit images the result equals bit for bit that of OpenCV in Python,
      which AUCMEDI resizes with. Grey is made before resizing, in Pillow's whole numbers. Unlike AUCMEDI, which does
      not look at it, the orientation that a file tells is honoured.
    - ``teachable-machine``: as ``webipred``, but grey has the weights .2989, .587 and .114. The centred square and the
      scale from -1 to 1 stand in the card. Its library leaves resizing to the browser, whose arithmetic differs from
      one to the next, so its numbers cannot be had bit for bit.

    Alpha is dropped, not composited. Safe to call from several threads at once; the time hardly depends on the size of
    an 8-bit image, since only pixels that count are touched.

    Parameters
    ----------
    pixels : ndarray, shape (height, width) or (height, width, channels)
        Channels: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha. Boolean, integer or floating-point type, native
        or not. It is not changed. A masked array is taken if nothing in it is masked.
    target : Input
        The size, channels (3 if it does not say) and channel order of the model's input. Grey becomes RGB by
        repetition; RGB becomes grey by the weights .299, .587 and .114, after resizing and without rounding, unless the
        profile has its own way. The order ``"L"`` is grey, repeated where the model has three channels. The standardise
        mode ``caffe`` gives BGR in any case; ``mean`` and ``std`` of ``custom`` follow the order.
    preprocessing : Preprocessing
        How the image is resized (see `napari_webipred.imaging.span.spans`) and standardised (see
        `napari_webipred.imaging.standardise.standardise`).
    intensity : "auto", "dtype" or (low, high)
        Which intensities become black and white; see `napari_webipred.imaging.intensity.intensity_range`.

    Returns
    -------
    image : ndarray of float32, shape (height, width, channels)
        Finite.
    range : tuple of float
        The intensities that became black and white.

    Raises
    ------
    ImageError
        The pixels are no image that can be understood, or do not fit the model.
    OptionError
        The options contradict each other or mean nothing.
    """
    pixels = np.asanyarray(pixels)
    shown = colour_count(pixels)
    # An array can be masked only where that module is in use; importing it takes 9 ms.
    if "numpy.ma" in sys.modules and np.ma.is_masked(without_alpha(pixels)):
        raise ImageError(
            "The image has masked pixels, whose values are not known.", "Fill them first, for example: array.filled(0)."
        )
    pixels = np.asarray(pixels)
    height, width, channels = target.height, target.width, target.channels or 3
    if channels not in {1, 3}:
        raise ImageError(
            f"The model takes images of {channels} channels.", "Choose a model that takes grey or RGB images."
        )
    shape, size = (pixels.shape[0], pixels.shape[1]), (height, width)
    part = spans(shape, size, preprocessing)
    low, high = intensity_range(without_alpha(pixels), intensity)
    grey = channels == 1 or target.channel_order == "L"
    resized = np.empty((height, width, 1 if grey else shown), np.float32)
    # Per row of the target, two of the image and the neighbours in float64 are at hand.
    needed = 2 * max(pixels[0].nbytes, 2 * width * shown * 8)
    for rows, band in bands(shape, part, size, needed):
        levels = to_eight_bit(band.gather(pixels, shown), low, high)
        resized[rows] = _resized(levels, band, grey, preprocessing.profile)
    coloured = _in_order(resized, channels, target.channel_order, preprocessing.standardize_mode)
    return standardise(coloured, preprocessing), (low, high)


def _resized(levels: NDArray[np.float32], grid: Grid, grey: bool, profile: str) -> NDArray[Any]:
    """Mix gathered pixels, in grey or colours, as the program of the profile does."""
    if profile == "aucmedi":
        whole = np.rint(levels).astype(np.uint8)
        return grid.blend_whole(_whole_grey(whole) if grey else whole)
    resized = grid.blend(levels)
    return _grey(resized, TEACHABLE_MACHINE_LUMA if profile == "teachable-machine" else LUMA) if grey else resized


def without_alpha(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return a view of the grey or colour values; ImageError if the pixels are no image."""
    shown = colour_count(pixels)
    return pixels if pixels.ndim == 2 else pixels[..., :shown]


def colour_count(pixels: NDArray[Any]) -> int:
    """Count the channels that are not alpha, 1 or 3; ImageError if the pixels are no image."""
    if pixels.ndim not in {2, 3} or (pixels.ndim == 3 and not 1 <= pixels.shape[2] <= 4):
        raise ImageError(
            f"An array of shape {pixels.shape} is not an image.",
            "An image has a height, a width and, if it is not grey, 3 (RGB) or 4 (RGBA) channels.",
        )
    if not pixels.size:
        raise ImageError(f"The image is empty: its shape is {pixels.shape}.", "Leave it out.")
    if pixels.dtype.kind not in "buif":
        raise ImageError(
            f"Pixels of the type {pixels.dtype} have no intensity.", "Convert them to whole or real numbers first."
        )
    return 3 if pixels.ndim == 3 and pixels.shape[2] >= 3 else 1


def _grey(image: NDArray[np.float32], luma: tuple[float, float, float]) -> NDArray[np.float32]:
    if image.shape[2] == 1:
        return image
    red, green, blue = (image[..., i : i + 1] * np.float32(luma[i]) for i in range(3))
    grey: NDArray[np.float32] = red + green + blue
    return grey


def _whole_grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Make grey of whole numbers as Pillow does: luma in fixed point of 16 bits."""
    if image.shape[2] == 1:
        return image
    red, green, blue = (image[..., i : i + 1].astype(np.uint32) for i in range(3))
    return ((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16).astype(np.uint8)


def _in_order(resized: NDArray[np.float32], channels: int, order: str, mode: str) -> NDArray[np.float32]:
    """Give a resized image the channels of the model: its number of them, in its order."""
    if resized.shape[2] == 1:
        return np.concatenate([resized] * channels, axis=2)
    # Caffe's standardising reverses the channels itself.
    return np.ascontiguousarray(resized[..., ::-1]) if order == "BGR" and mode != "caffe" else resized
