"""Padding and output size of convolution and pooling windows."""

from __future__ import annotations

from napari_webipred.runtime.graph import Attribute
from napari_webipred.runtime.layers.context import LayerContext

Size = tuple[int | None, int | None]


def window(
    context: LayerContext,
    size: Size,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int] = (1, 1),
) -> tuple[Size, dict[str, Attribute]]:
    """Compute output size and ONNX attributes from the layer's option ``padding``.

    Parameters
    ----------
    size : tuple of (int or None)
        Height and width of the image in pixels; None if they are not fixed.
    kernel, strides, dilations : tuple of int
        Height and width in pixels.

    Returns
    -------
    size : tuple of (int or None)
        Height and width of the output.
    attributes : dict
        For ONNX. The pads are explicit, because ONNX Runtime refuses ``auto_pad`` together with dilations. ``same``
        puts an odd pixel at the bottom and right.
    """
    attributes: dict[str, Attribute] = {"kernel_shape": kernel, "strides": strides}
    if dilations != (1, 1):
        attributes["dilations"] = dilations
    dilated = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    if context.option("padding", "valid") != "same":
        output = [None if n is None else (n - e) // s + 1 for n, e, s in zip(size, dilated, strides, strict=True)]
        return (output[0], output[1]), {**attributes, "pads": [0, 0, 0, 0]}
    output = [None if n is None else -(-n // s) for n, s in zip(size, strides, strict=True)]
    begin, end = [], []
    for n, out, e, s in zip(size, output, dilated, strides, strict=True):
        if n is not None and out is not None:
            total = max((out - 1) * s + e - n, 0)
        elif 1 in (s, e):  # the same for all sizes
            total = e - 1
        elif dilations == (1, 1):
            return (output[0], output[1]), {**attributes, "auto_pad": "SAME_UPPER"}
        else:
            raise context.refuse("needs an image of fixed size, because it has strides and dilations")
        begin.append(total // 2)
        end.append(total - total // 2)
    return (output[0], output[1]), {**attributes, "pads": begin + end}
