"""What a model sees of a plane, to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.execution.plane import Plane, prepared_plane, shown_pixels
from napari_webipred.execution.prepared import Prepared
from napari_webipred.imaging.appearance import STRETCHED, as_image, is_bgr
from napari_webipred.imaging.intensity import to_eight_bit
from napari_webipred.imaging.preprocess import colour_count, without_alpha
from napari_webipred.imaging.span import spans

if TYPE_CHECKING:
    from napari_webipred.card import Input, ModelCard, Preprocessing
    from napari_webipred.imaging.preprocess import Intensity
    from napari_webipred.options import Options

LARGEST = 1024  # pixels of a side that are shown; of larger images some are left out
STANDARDISED = {
    "none": "Not standardised: values from 0 to 255",
    "torch": "Standardised: torch (mean and standard deviation of ImageNet)",
    "tf": "Standardised: tf (from -1 to 1)",
    "caffe": "Standardised: caffe (minus the means of ImageNet)",
    "minmax": "Standardised: minmax (its own smallest and largest value become 0 and 1)",
    "z-score": "Standardised: z-score (its own mean and standard deviation)",
    "grayscale": "Standardised: grayscale (its own smallest and largest value become 0 and 255)",
}
PROFILES = {
    "aucmedi": "As AUCMEDI does: rounded to whole numbers before and after resizing",
    "teachable-machine": "As Teachable Machine does",
}
COLOURS = ("red", "green", "blue")


class Values(Struct, frozen=True):
    """The smallest value, the mean and the largest value of a channel of a model's input."""

    name: str
    low: float
    mean: float
    high: float


class Preview(Struct, frozen=True):
    """What a model sees of a plane, and how that came about.

    Attributes
    ----------
    tensor : ndarray of float32, shape (height, width, channels)
        The model's input, bit for bit.
    seen : ndarray of uint8, shape (at most 1024, at most 1024, 3)
        That tensor as an image.
    original : ndarray of uint8, shape (at most 1024, at most 1024, 3)
        The plane or region, with the same black and white.
    size : tuple of int
        (height, width) of the plane or region in pixels.
    frame : tuple of int
        The part of it that the model sees, in pixels: (top, left, bottom, right). Where it reaches beyond the image,
        pixels of the edge are repeated.
    intensity_range : tuple of float
        The intensities that became black and white.
    steps : tuple of str
        What was done, in words.
    channels : tuple of Values
        Of the tensor, in its order.
    remark : str
        Why the probabilities may mean little; mostly empty.
    """

    tensor: NDArray[np.float32]
    seen: NDArray[np.uint8]
    original: NDArray[np.uint8]
    size: tuple[int, int]
    frame: tuple[int, int, int, int]
    intensity_range: tuple[float, float]
    steps: tuple[str, ...]
    channels: tuple[Values, ...]
    remark: str


def preview(plane: Plane, card: ModelCard, options: Options) -> Preview:
    """Make the model's input of a plane, as `napari_webipred.execution.plane.prepared_plane`, and show it.

    Raises
    ------
    ImageError
        The plane cannot be read or prepared.
    Exception
        Whatever an array raises that computes its planes when they are read.
    """
    prepared = prepared_plane(plane, card, options)
    target, preprocessing = prepared.target, prepared.preprocessing
    height, width = prepared.pixels.shape[:2]
    down, across = spans((height, width), (target.height, target.width), preprocessing)
    return Preview(
        prepared.tensor,
        _thinned(as_image(prepared.tensor, preprocessing, target.channel_order)),
        original(prepared),
        (height, width),
        (down.start, across.start, down.start + down.length, across.start + across.length),
        prepared.intensity_range,
        steps((height, width), colour_count(prepared.pixels), target, preprocessing),
        _values(prepared.tensor, is_bgr(preprocessing, target.channel_order)),
        prepared.remark,
    )


def steps(size: tuple[int, int], colours: int, target: Input, preprocessing: Preprocessing) -> tuple[str, ...]:
    """Say what makes a model's input of an image, a sentence each.

    Parameters
    ----------
    size : tuple of int
        (height, width) of the image.
    colours : int
        How many channels it has that are not alpha: 1 or 3.
    target, preprocessing
        Of the model's card.
    """
    standardised = STANDARDISED.get(preprocessing.standardize_mode) or _custom(preprocessing)
    if preprocessing.standardize_mode in STRETCHED:
        standardised += ". Shown here from its smallest to its largest value"
    return (
        _resized(size, (target.height, target.width), preprocessing),
        *([PROFILES[preprocessing.profile]] if preprocessing.profile in PROFILES else []),
        _coloured(colours, target, preprocessing),
        standardised,
    )


def _resized(size: tuple[int, int], target: tuple[int, int], preprocessing: Preprocessing) -> str:
    down, across = spans(size, target, preprocessing)
    part = (down.length, across.length)
    made = ""
    if part != size and preprocessing.resize_mode == "pad":
        made = f"Extended from {_pixels(size)} to {_pixels(part)} pixels by repeating the edges. "
    elif part != size:
        made = f"Cut to the centred {_pixels(part)} of {_pixels(size)} pixels. "
    if part == target:
        return f"{made}Not resized: {_pixels(target)} pixels"
    kept = "" if part[0] * target[1] == part[1] * target[0] else "; the aspect ratio is not kept"
    return f"{made}Resized from {_pixels(part)} to {_pixels(target)} pixels{kept}"


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[1]} × {size[0]}"


def _coloured(colours: int, target: Input, preprocessing: Preprocessing) -> str:
    if (target.channels or 3) == 1:
        return "Grey" if colours == 1 else "Colours turned into grey"
    if target.channel_order == "L" or colours == 1:
        return f"{'Grey' if colours == 1 else 'Colours turned into grey'}, repeated for the three channels"
    return f"Colour order: {'BGR' if is_bgr(preprocessing, target.channel_order) else 'RGB'}"


def _custom(preprocessing: Preprocessing) -> str:
    parts = [f"times {preprocessing.rescale:.6g}"] if preprocessing.rescale is not None else []
    for word, numbers in (("minus", preprocessing.mean), ("divided by", preprocessing.std)):
        if numbers is not None:
            parts.append(f"{word} {', '.join(f'{number:.6g}' for number in numbers)}")
    return f"Standardised: values from 0 to 255, {'; '.join(parts)}"


def _values(tensor: NDArray[np.float32], bgr: bool) -> tuple[Values, ...]:
    names = ("grey",) if tensor.shape[2] == 1 else COLOURS[::-1] if bgr else COLOURS
    parts = (tensor[..., i] for i in range(tensor.shape[2]))
    return tuple(
        Values(name, float(part.min()), float(part.mean(dtype=np.float64)), float(part.max()))
        for name, part in zip(names, parts, strict=True)
    )


def original(prepared: Prepared) -> NDArray[np.uint8]:
    """Return the plane or region as RGB of shape (at most 1024, at most 1024, 3), with the model's black and white."""
    return _levels(prepared.pixels, prepared.black_and_white)


def picture(plane: Plane, intensity: Intensity) -> NDArray[np.uint8]:
    """Return a plane or region as `original` does, without a model.

    Raises
    ------
    ImageError
        The plane cannot be read.
    """
    pixels, black_and_white = shown_pixels(plane, intensity)
    return _levels(pixels, black_and_white)


def _levels(pixels: NDArray[Any], black_and_white: tuple[float, float]) -> NDArray[np.uint8]:
    levels = to_eight_bit(without_alpha(_thinned(np.asarray(pixels))), *black_and_white)
    image = np.rint(levels.reshape(*levels.shape[:2], -1)).astype(np.uint8)
    return image if image.shape[2] == 3 else np.repeat(image, 3, axis=2)


def _thinned(image: NDArray[Any]) -> NDArray[Any]:
    """Leave out rows and columns of an image that is larger than what is shown."""
    down, across = (-(-length // LARGEST) for length in image.shape[:2])
    return np.ascontiguousarray(image[::down, ::across])
