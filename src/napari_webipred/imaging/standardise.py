"""Bringing 8-bit-scaled values to the range that a network was trained with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_webipred.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_webipred.card import Preprocessing

# Means and deviations of the ImageNet training images, as torchvision and Caffe's networks use them.
TORCH_MEAN, TORCH_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CAFFE_MEAN = (103.939, 116.779, 123.68)
EPSILON = 1e-6


def standardise(image: NDArray[np.float32], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Standardise a resized image, as AUCMEDI does in training and WebIPred in the browser.

    ============= ========================================================= =====================
    mode          result                                                    precision
    ============= ========================================================= =====================
    ``torch``     (x / 255 - mean) / deviation, with those of ImageNet      float32
    ``tf``        x / 127.5 - 1                                             float32
    ``caffe``     channels reversed to BGR, minus the means of ImageNet     float32
    ``minmax``    (x - min + e) / (max - min + e)                           float64, then float32
    ``z-score``   (x - mean + e) / (standard deviation + e)                 float64, then float32
    ``grayscale`` ``minmax`` times 255, rounded half to even                float64, then float32
    ``none``      x                                                         float32
    ``custom``    (x * rescale - mean) / std, with what the card gives      float32
    ============= ========================================================= =====================

    Statistics are those of the whole image, all channels together; e is 1e-6.

    Parameters
    ----------
    image : ndarray of float32, shape (height, width, channels)
        Values 0 to 255, RGB or whatever order the model wants; for ``caffe`` always RGB.
    preprocessing : Preprocessing

    Returns
    -------
    ndarray of float32, shape (height, width, channels)

    Raises
    ------
    OptionError
        The mode does not go with the number of channels, or ``custom`` lacks usable numbers.
    """
    mode = preprocessing.standardize_mode
    if mode == "none":
        return image
    if mode == "torch":
        return _affine(image, None, TORCH_MEAN, TORCH_STD, mode, divisor=255)
    if mode == "tf":
        scaled = image / np.float32(127.5)
        scaled -= np.float32(1)
        return scaled
    if mode == "caffe":
        return _affine(np.ascontiguousarray(image[..., ::-1]), None, CAFFE_MEAN, None, mode)
    if mode == "custom":
        return _custom(image, preprocessing)
    exact: NDArray[np.float64] = image.astype(np.float64)
    if mode == "z-score":
        exact = (exact - exact.mean() + EPSILON) / (exact.std() + EPSILON)
    else:
        low, high = exact.min(), exact.max()
        exact = (exact - low + EPSILON) / (high - low + EPSILON)
    if mode == "grayscale":
        exact = np.rint(255 * exact)
    return exact.astype(np.float32)


def _custom(image: NDArray[np.float32], preprocessing: Preprocessing) -> NDArray[np.float32]:
    rescale, mean, std = preprocessing.rescale, preprocessing.mean, preprocessing.std
    if rescale is None and mean is None and std is None:
        raise OptionError(
            "The standardise mode custom needs numbers, but the card has neither rescale nor mean nor std.",
            "Write them into the model card, or choose another mode.",
        )
    with np.errstate(all="ignore"):
        result = _affine(image, rescale, mean, std, "custom")
    if not np.isfinite(result).all():
        raise OptionError(
            f"Standardising with rescale {rescale}, mean {mean} and std {std} does not give finite numbers.",
            "Correct these values in the model card.",
        )
    return result


def _affine(
    image: NDArray[np.float32],
    rescale: float | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    mode: str,
    divisor: float | None = None,
) -> NDArray[np.float32]:
    """Divide or multiply, subtract ``mean`` and divide by ``std``, rounding each step to float32."""
    height, width, channels = image.shape
    for name, values in (("mean", mean), ("std", std)):
        if values is not None and len(values) not in {1, channels}:
            raise OptionError(
                f"The standardise mode {mode} has {len(values)} values for {name}, but the model takes {channels} "
                f"{'channel' if channels == 1 else 'channels'}.",
                "Choose the mode that the model was trained with.",
            )

    def along_row(values: Sequence[float]) -> NDArray[np.float32]:
        return np.tile(np.broadcast_to(np.array(values, np.float32), channels), width)

    # Long rows are computed several times faster than pixels of three.
    rows = image.reshape(height, width * channels).copy()
    if divisor is not None:
        rows /= np.float32(divisor)
    if rescale is not None:
        rows *= np.float32(rescale)
    if mean is not None:
        rows -= along_row(mean)
    if std is not None:
        rows /= along_row(std)
    return rows.reshape(height, width, channels)
