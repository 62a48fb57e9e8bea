"""What a model's input looks like: the way back from standardised numbers to colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_webipred.imaging.standardise import CAFFE_MEAN, TORCH_MEAN, TORCH_STD

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.card import Preprocessing

# What standardising leaves out cannot be found in the tensor again: it is shown from its smallest to its largest value.
STRETCHED = ("minmax", "z-score", "grayscale")


def as_image(tensor: NDArray[np.float32], preprocessing: Preprocessing, order: str) -> NDArray[np.uint8]:
    """Undo the standardisation of a model's input, so that it can be looked at.

    Parameters
    ----------
    tensor : ndarray of float32, shape (height, width, 1 or 3)
        What `napari_webipred.imaging.preprocess.prepare` has made.
    preprocessing : Preprocessing
        With which it was made.
    order : str
        The channel order of the model's input: ``"RGB"``, ``"BGR"`` or ``"L"``.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB, rounded. The modes ``minmax``, ``z-score`` and ``grayscale`` depend on numbers that the tensor no longer
        has; such a tensor is shown from its smallest value (black) to its largest one (white).
    """
    with np.errstate(all="ignore"):  # numbers of a card may lead anywhere
        levels = _levels(tensor, preprocessing)
        if not np.isfinite(levels).all():
            levels = _stretched(tensor)
    image = np.rint(levels.clip(0, 255)).astype(np.uint8)
    if tensor.shape[2] == 1:
        return np.repeat(image, 3, axis=2)
    return np.ascontiguousarray(image[..., ::-1]) if is_bgr(preprocessing, order) else image


def is_bgr(preprocessing: Preprocessing, order: str) -> bool:
    """Tell whether the channels of the input are blue, green and red, in this order."""
    return preprocessing.standardize_mode == "caffe" or order == "BGR"


def _levels(tensor: NDArray[np.float32], preprocessing: Preprocessing) -> NDArray[np.float64]:
    mode = preprocessing.standardize_mode
    if mode in STRETCHED:
        return _stretched(tensor)
    if mode == "torch":
        return (tensor.astype(np.float64) * TORCH_STD + TORCH_MEAN) * 255
    if mode == "tf":
        return (tensor.astype(np.float64) + 1) * 127.5
    if mode == "caffe":
        return tensor.astype(np.float64) + CAFFE_MEAN
    if mode == "custom":
        levels = tensor.astype(np.float64) * (preprocessing.std or (1.0,)) + (preprocessing.mean or (0.0,))
        return levels if preprocessing.rescale is None else levels / np.float64(preprocessing.rescale)
    return tensor.astype(np.float64)


def _stretched(tensor: NDArray[np.float32]) -> NDArray[np.float64]:
    exact = tensor.astype(np.float64)
    exact -= exact.min()
    highest = exact.max()
    return exact * 255 / highest if highest > 0 else exact
