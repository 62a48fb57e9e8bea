"""Layers that pad, crop, reshape or permute, and layers that do nothing in prediction."""

from __future__ import annotations

import math

from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.layers.context import LayerContext, is_integer
from napari_webipred.runtime.layers.registry import layer

_END = 2**31 - 1


@layer(
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "GaussianNoise",
    "GaussianDropout",
    "AlphaDropout",
    "ActivityRegularization",
    "StochasticDepth",
    "Identity",
    "RandomFlip",
    "RandomRotation",
    "RandomZoom",
    "RandomTranslation",
    "RandomContrast",
    "RandomBrightness",
    "RandomWidth",
    "RandomHeight",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "AugMix",
    "CutMix",
    "MixUp",
    "RandAugment",
    "Solarization",
)
def identity(context: LayerContext, x: Tensor) -> Tensor:
    """Return the input: these layers are active only in training."""
    return x


@layer("ZeroPadding2D")
def zero_padding(context: LayerContext, x: Tensor) -> Tensor:
    """Pad an image with zeros."""
    name, height, width, channels = context.image(x)
    top, bottom, left, right = _margins(context, "padding")
    if not (top or bottom or left or right):
        return x
    # A minus sign on the zero keeps versions of ONNX Runtime from merging this into a MaxPool's minus infinity.
    padded = context.node("Pad", name, context.integers(0, 0, top, left, 0, 0, bottom, right), context.constant(-0.0))
    context.graph.paddings[padded] = (name, (top, left, bottom, right))
    new_height = None if height is None else height + top + bottom
    return context.image_tensor(padded, new_height, None if width is None else width + left + right, channels)


@layer("Cropping2D")
def cropping(context: LayerContext, x: Tensor) -> Tensor:
    """Crop pixels at the borders of an image."""
    name, height, width, channels = context.image(x)
    top, bottom, left, right = _margins(context, "cropping")
    ends = context.integers(*(-cut or _END for cut in (bottom, right)))
    cut = context.node("Slice", name, context.integers(top, left), ends, context.integers(2, 3))
    new_height = None if height is None else height - top - bottom
    return context.image_tensor(cut, new_height, None if width is None else width - left - right, channels)


def _margins(context: LayerContext, name: str) -> tuple[int, int, int, int]:
    """Return (top, bottom, left, right) of ``n``, ``[h, w]`` or ``[[top, bottom], [left, right]]``."""
    value = context.option(name, 1 if name == "padding" else 0)
    pairs = [value, value] if is_integer(value) else value
    if isinstance(pairs, list) and len(pairs) == 2:
        margins = [[side, side] if is_integer(side) else side for side in pairs]
        if all(isinstance(side, list) and len(side) == 2 for side in margins):
            flat = [n for side in margins for n in side]
            if all(is_integer(n) and 0 <= n <= 2**16 for n in flat):
                top, bottom, left, right = map(int, flat)
                return top, bottom, left, right
    raise context.wrong(name)


@layer("Flatten")
def flatten(context: LayerContext, x: Tensor) -> Tensor:
    """Flatten with the channels last, whatever the data format; without an image, the first axis counts as channels."""
    x = context.graph.plain(x)
    if not context.channels_last:
        rest = range(2, len(x.shape) + 1)
        x = Tensor(context.node("Transpose", x.name, perm=[0, *rest, 1]), (*x.shape[1:], *x.shape[:1]))
    size = math.prod(context.known(x, axis) for axis in range(len(x.shape)))
    return Tensor(context.node("Flatten", x.name, axis=1), (size,))


@layer("Reshape")
def reshape(context: LayerContext, x: Tensor) -> Tensor:
    """Reshape; one size of the target may be -1 or null."""
    x = context.graph.plain(x)
    value = context.option("target_shape")
    if not isinstance(value, list):
        raise context.wrong("target_shape")
    target = [-1 if n is None else n for n in value]
    total = math.prod(context.known(x, axis) for axis in range(len(x.shape)))
    if not all(is_integer(n) and (n == -1 or 0 < n <= total) for n in target) or target.count(-1) > 1:
        raise context.wrong("target_shape")
    rest = math.prod(int(n) for n in target if n != -1)
    shape = [total // rest if n == -1 else int(n) for n in target]
    if math.prod(shape) != total:
        raise context.refuse(f"cannot reshape {list(x.shape)} to {value!r:.80}")
    return Tensor(context.node("Reshape", x.name, context.integers(0, *shape)), tuple(shape))


@layer("RepeatVector")
def repeat_vector(context: LayerContext, x: Tensor) -> Tensor:
    """Repeat a vector n times along a new first axis."""
    size, repeats = context.known(context.rank(x, 1), 0), context.integer("n")
    vector = context.node("Reshape", x.name, context.integers(0, 1, size))
    return Tensor(context.node("Tile", vector, context.integers(1, repeats, 1)), (repeats, size))


@layer("Permute")
def permute(context: LayerContext, x: Tensor) -> Tensor:
    """Permute the axes, which are counted from 1."""
    x = context.graph.plain(x)
    dims = context.integers_of("dims", [])
    if sorted(dims) != list(range(1, len(x.shape) + 1)):
        raise context.wrong("dims")
    return Tensor(context.node("Transpose", x.name, perm=[0, *dims]), tuple(x.shape[n - 1] for n in dims))
