"""Where a window that glides over a picture begins and ends."""

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
    """Place a window by the layer's option ``padding``.

    Parameters
    ----------
    size : tuple of (int or None)
        Height and width of the picture in pixels; None where they are not known yet.
    kernel, strides, dilations : tuple of int
        Height and width of the window, its steps, and the distance of its points, in pixels.

    Returns
    -------
    size : tuple of (int or None)
        Height and width of the result.
    attributes : dict
        For ONNX. The pads are explicit: ``same`` puts the odd one at the bottom and right, and ONNX Runtime's own
        automatic padding refuses dilations.
    """
    attributes: dict[str, Attribute] = {"kernel_shape": kernel, "strides": strides}
    if dilations != (1, 1):
        attributes["dilations"] = dilations
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    if context.option("padding", "valid") != "same":
        made = [None if n is None else (n - e) // s + 1 for n, e, s in zip(size, reach, strides, strict=True)]
        return (made[0], made[1]), {**attributes, "pads": [0, 0, 0, 0]}
    made = [None if n is None else -(-n // s) for n, s in zip(size, strides, strict=True)]
    begin, end = [], []
    for n, out, e, s in zip(size, made, reach, strides, strict=True):
        if n is not None and out is not None:
            total = max((out - 1) * s + e - n, 0)
        elif s == 1:
            total = e - 1
        elif dilations == (1, 1):
            return (made[0], made[1]), {**attributes, "auto_pad": "SAME_UPPER"}
        else:
            raise context.refuse("needs to know the size of the picture, because it has strides and dilations")
        begin.append(total // 2)
        end.append(total - total // 2)
    return (made[0], made[1]), {**attributes, "pads": begin + end}
