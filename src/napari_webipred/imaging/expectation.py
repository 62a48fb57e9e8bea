"""Whether an image is like those that a model was trained on, as far as its card and its pixels tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred.imaging.preprocess import colour_count, without_alpha

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.card import ExpectedImages, Input, Preprocessing

STRETCHED = 2  # times, from which on an image looks unlike itself
SAMPLES = 128  # pixels along each axis that colours and brightness are judged by
COLOURED = 0.05  # of the intensity range: how far the channels of a coloured pixel differ
COLOURED_SHARE = 0.01  # of the pixels
EDGE = 16  # the edge is a sixteenth of the image on each side
BRIGHT = 0.7  # of the intensity range


def unlike(
    pixels: NDArray[Any],
    intensity_range: tuple[float, float],
    target: Input,
    preprocessing: Preprocessing,
    expected: ExpectedImages | None,
) -> list[str]:
    """Say how an image differs from what a model expects, a sentence each.

    Parameters
    ----------
    pixels : ndarray, shape (height, width) or (height, width, channels)
        An image that `napari_webipred.imaging.preprocess.prepare` has taken.
    intensity_range : tuple of float
        The intensities that became black and white.
    target, preprocessing, expected
        Of the model's card.
    """
    pixels = np.asarray(pixels)
    values = without_alpha(pixels)
    sentences = [_stretched(pixels.shape, target, preprocessing), _coloured(values, intensity_range, target, expected)]
    if expected is not None and expected.intensity_range is not None:
        sentences.append(_beyond(values, expected.intensity_range))
    if expected is not None and expected.background is not None:
        sentences.append(_inverted(values, intensity_range, expected.background))
    return [sentence for sentence in sentences if sentence]


def _stretched(shape: tuple[int, ...], target: Input, preprocessing: Preprocessing) -> str:
    """Remark on an image that gets another shape; one that is cut or extended keeps it."""
    if preprocessing.resize_mode != "stretch":
        return ""
    rows, columns = shape[:2]
    times = (columns / target.width) / (rows / target.height)
    times = max(times, 1 / times)
    if times <= STRETCHED:
        return ""
    return f"The image of {columns}x{rows} pixels is stretched {times:.1f} times to {target.width}x{target.height}."


def _coloured(
    values: NDArray[Any], intensity_range: tuple[float, float], target: Input, expected: ExpectedImages | None
) -> str:
    """Remark on colours that the model does not know, or on their absence."""
    wanted = expected.colour if expected is not None else None
    sees_grey = target.channels == 1 or target.channel_order == "L"
    if wanted is None and not sees_grey:
        return ""
    low, high = intensity_range
    coloured = False
    if colour_count(values) == 3:
        few = _few(values).astype(np.float64)
        apart = (few.max(2) - few.min(2)) / (high - low)
        coloured = bool((apart > COLOURED).mean() > COLOURED_SHARE)
    if coloured and (sees_grey or wanted == "grey"):
        return "The image has colours, and the model knows grey images."
    if not coloured and wanted == "colour":
        return "The image is grey, and the model knows colour images."
    return ""


def _beyond(values: NDArray[Any], expected: tuple[float, float]) -> str:
    low, high = float(values.min()), float(values.max())
    if low >= expected[0] and high <= expected[1]:
        return ""
    return (
        f"The image has values from {low:g} to {high:g}; those that the model knows lie between {expected[0]:g} and "
        f"{expected[1]:g}."
    )


def _inverted(values: NDArray[Any], intensity_range: tuple[float, float], background: str) -> str:
    """Compare the edge of an image with its middle: the edge is mostly background."""
    low, high = intensity_range
    few = np.clip((_few(values).astype(np.float64) - low) / (high - low), 0, 1)
    grey = few if few.ndim == 2 else few.mean(2)
    grey = grey if background == "dark" else 1 - grey
    down, across = (max(length // EDGE, 1) for length in grey.shape)
    middle = np.zeros(grey.shape, np.bool_)
    middle[down:-down, across:-across] = True
    if not middle.any():
        return ""
    edge, inside = float(np.median(grey[~middle])), float(np.median(grey[middle]))
    if edge < BRIGHT or edge <= inside:
        return ""
    seen, other = ("bright", "dark") if background == "dark" else ("dark", "bright")
    return f"The image looks inverted: its edge is {seen}, and the model knows images with a {other} background."


def _few(values: NDArray[Any]) -> NDArray[Any]:
    """Return some pixels, evenly spread."""
    few: Any = np.s_[:: values.shape[0] // SAMPLES + 1, :: values.shape[1] // SAMPLES + 1]
    return np.asarray(values[few])
