"""The views of an image that are classified in place of the image alone: test-time augmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_webipred.imaging.preprocess import prepare

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.card import Views
    from napari_webipred.execution.prepared import Prepared


def views_of(prepared: Prepared, views: Views | None) -> NDArray[np.float32]:
    """Return the views of a prepared image as a batch, the image itself first.

    They are turned and mirrored when everything else is done: each view then has the very pixels that the image has,
    and none is resized or standardised for itself. Only where the model's input is not square, its quarter turns have
    another shape; then the image is turned before it is prepared.

    Parameters
    ----------
    prepared : Prepared
    views : "flip", "symmetries" or None
        The mirror image, left to right; or all eight symmetries of the square. None is the image alone.

    Returns
    -------
    ndarray of float32, shape (1, 2 or 8, height, width, channels)
    """
    tensor = prepared.tensor
    if views is None:
        return tensor[None]
    if views == "flip":
        return np.stack([tensor, tensor[:, ::-1]])
    turned = tensor.swapaxes(0, 1)
    if turned.shape != tensor.shape:
        target, intensity = prepared.target, prepared.black_and_white
        turned, _ = prepare(prepared.pixels.swapaxes(0, 1), target, prepared.preprocessing, intensity)
    return np.stack([each[::down, ::across] for each in (tensor, turned) for down in (1, -1) for across in (1, -1)])
