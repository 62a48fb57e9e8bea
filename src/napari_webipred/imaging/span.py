"""Which part of an image becomes the model input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from napari_webipred.errors import ImageError, OptionError

if TYPE_CHECKING:
    from napari_webipred.card import Preprocessing


class Span(Struct, frozen=True):
    """The stretch of an image's axis that becomes the whole axis of the model input.

    Attributes
    ----------
    start, length : int
        In pixels of the image. Where the span reaches beyond the image, the pixel at the edge is repeated.
    """

    start: int
    length: int


def spans(shape: tuple[int, int], target: tuple[int, int], preprocessing: Preprocessing) -> tuple[Span, Span]:
    """Choose the part of an image that becomes the model input, by the card's ``resize_mode``.

    - ``stretch``: the whole image; its aspect ratio is not kept.
    - ``center-crop``: the largest centred part with the aspect ratio of the model input, its sides shortened to
      ``crop_pct`` of that.
    - ``pad``: the image made square by repeating its edges, with the odd pixel after it.
    - ``none``: the image, which must have the size of the model input.

    Parameters
    ----------
    shape, target : tuple of int
        (height, width) of the image and of the model input.
    preprocessing : Preprocessing

    Returns
    -------
    tuple of Span
        Along y and along x.

    Raises
    ------
    ImageError
        The mode is ``none`` and the image has another size.
    OptionError
        The interpolation is not supported.
    """
    height, width = shape
    if preprocessing.resize_mode == "none":
        if shape != target:
            raise ImageError(
                f"The image has {width}x{height} pixels, but the model takes {target[1]}x{target[0]} "
                "and its card forbids resizing.",
                "Resize the image to that size first.",
            )
    elif preprocessing.interpolation != "bilinear":
        raise OptionError(
            f"The interpolation {preprocessing.interpolation!r} is not supported yet.",
            "Use a model whose card says bilinear; all models of WebIPred do.",
        )
    if preprocessing.resize_mode == "center-crop":
        scale = min(height / target[0], width / target[1]) * preprocessing.crop_pct
        return _centred(height, round(target[0] * scale)), _centred(width, round(target[1] * scale))
    if preprocessing.resize_mode == "pad":
        side = max(shape)
        return _centred(height, side), _centred(width, side)
    return Span(0, height), Span(0, width)


def _centred(length: int, part: int) -> Span:
    part = max(part, 1)
    return Span(int((length - part) / 2), part)  # towards zero, both for a crop and for padding
