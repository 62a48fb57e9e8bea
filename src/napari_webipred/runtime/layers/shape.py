"""Layers that move, cut or name anew what they get, and those that do nothing when they predict."""

from __future__ import annotations

import math

from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.layers.context import Build, is_integer
from napari_webipred.runtime.layers.registry import layer

_TO_THE_END = 2**31 - 1


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
def identity(build: Build, x: Tensor) -> Tensor:
    """Return the tensor: these layers only act in training."""
    return x


@layer("ZeroPadding2D")
def zero_padding(build: Build, x: Tensor) -> Tensor:
    """Put zeros around a picture."""
    name, height, width, channels = build.picture(x)
    top, bottom, left, right = _margins(build, "padding")
    if not (top or bottom or left or right):
        return x
    # A minus sign on the zero keeps versions of ONNX Runtime from merging this into a MaxPool's minus infinity.
    padded = build.node("Pad", name, build.integers(0, 0, top, left, 0, 0, bottom, right), build.constant(-0.0))
    build.graph.paddings[padded] = (name, (top, left, bottom, right))
    taller = None if height is None else height + top + bottom
    return build.made_picture(padded, taller, None if width is None else width + left + right, channels)


@layer("Cropping2D")
def cropping(build: Build, x: Tensor) -> Tensor:
    """Cut pixels off the borders of a picture."""
    name, height, width, channels = build.picture(x)
    top, bottom, left, right = _margins(build, "cropping")
    ends = build.integers(*(-cut or _TO_THE_END for cut in (bottom, right)))
    cut = build.node("Slice", name, build.integers(top, left), ends, build.integers(2, 3))
    lower = None if height is None else height - top - bottom
    return build.made_picture(cut, lower, None if width is None else width - left - right, channels)


def _margins(build: Build, name: str) -> tuple[int, int, int, int]:
    """Return (top, bottom, left, right) of ``n``, ``[h, w]`` or ``[[top, bottom], [left, right]]``."""
    value = build.option(name, 1 if name == "padding" else 0)
    pairs = [value, value] if is_integer(value) else value
    if isinstance(pairs, list) and len(pairs) == 2:
        margins = [[side, side] if is_integer(side) else side for side in pairs]
        if all(isinstance(side, list) and len(side) == 2 for side in margins):
            flat = [n for side in margins for n in side]
            if all(is_integer(n) and 0 <= n <= 2**16 for n in flat):
                top, bottom, left, right = map(int, flat)
                return top, bottom, left, right
    raise build.wrong(name)


@layer("Flatten")
def flatten(build: Build, x: Tensor) -> Tensor:
    """Put all values of a picture into one row: height, width, channels, whatever the data format."""
    x = build.graph.plain(x)
    if len(x.shape) == 3 and not build.channels_last:
        channels, height, width = x.shape
        x = Tensor(build.node("Transpose", x.name, perm=[0, 2, 3, 1]), (height, width, channels))
    size = math.prod(build.known(x, axis) for axis in range(len(x.shape)))
    return Tensor(build.node("Flatten", x.name, axis=1), (size,))


@layer("Reshape")
def reshape(build: Build, x: Tensor) -> Tensor:
    """Read the same values in another shape; one size of it may be -1 or null."""
    x = build.graph.plain(x)
    value = build.option("target_shape")
    if not isinstance(value, list):
        raise build.wrong("target_shape")
    target = [-1 if n is None else n for n in value]
    total = math.prod(build.known(x, axis) for axis in range(len(x.shape)))
    if not all(is_integer(n) and (n == -1 or 0 < n <= total) for n in target) or target.count(-1) > 1:
        raise build.wrong("target_shape")
    rest = math.prod(int(n) for n in target if n != -1)
    shape = [total // rest if n == -1 else int(n) for n in target]
    if math.prod(shape) != total:
        raise build.refuse(f"cannot bring {list(x.shape)} into the shape {value!r:.80}")
    return Tensor(build.node("Reshape", x.name, build.integers(0, *shape)), tuple(shape))


@layer("RepeatVector")
def repeat_vector(build: Build, x: Tensor) -> Tensor:
    """Put a row of numbers n times below one another."""
    size, times = build.known(build.rank(x, 1), 0), build.integer("n")
    row = build.node("Reshape", x.name, build.integers(0, 1, size))
    return Tensor(build.node("Tile", row, build.integers(1, times, 1)), (times, size))


@layer("Permute")
def permute(build: Build, x: Tensor) -> Tensor:
    """Change the order of the axes, which are counted from 1."""
    x = build.graph.plain(x)
    dims = build.integers_of("dims", [])
    if sorted(dims) != list(range(1, len(x.shape) + 1)):
        raise build.wrong("dims")
    return Tensor(build.node("Transpose", x.name, perm=[0, *dims]), tuple(x.shape[n - 1] for n in dims))
