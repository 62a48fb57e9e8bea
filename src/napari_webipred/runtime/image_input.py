"""The image input of a network: which shapes are images, and how an image is brought into that shape."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from msgspec import Struct

from napari_webipred.errors import ModelError
from napari_webipred.runtime.graph import INPUT, Graph, Tensor

_MAX_SIZE = 2**20
_LONGEST_NAME = 200
_NARROWEST = 4  # narrower inputs are lists of points or signals


def not_an_image(file: str, shape: Any) -> ModelError:
    """Return the error for a network whose input, of this shape with the batch axis, is not an image."""
    flat = isinstance(shape, (list, tuple)) and len(shape) == 2
    return ModelError(
        f"{file} is not an image model: its input has the shape {shape!r:.80}, not (batch, height, width, channels).",
        "Its input is a list of numbers. If these are pixels, save the model with an input of height and width."
        if flat
        else "Choose a model that classifies images.",
    )


def image_sizes(shape: Any) -> tuple[int | None, ...] | None:
    """Return the sizes of an image without the batch axis: three, or two without channels; None for no image."""
    if not isinstance(shape, (list, tuple)) or len(shape) not in (3, 4):
        return None
    sizes = tuple(shape[1:])
    least = _NARROWEST if len(sizes) == 2 else 1
    return sizes if all(size is None or (type(size) is int and least <= size < _MAX_SIZE) for size in sizes) else None


class ImageInput(Struct, frozen=True):
    """The image input of a network.

    Attributes
    ----------
    sizes : tuple of (int or None)
        As in the network, without the batch axis: three, or height and width if there are no channels.
    channels_first : bool
        True if the first of three sizes is the number of channels.
    name : str
        Its name in the file.
    dtype : str
        Its element type in the file, as numpy calls it.
    """

    sizes: tuple[int | None, ...]
    channels_first: bool = False
    name: str = ""
    dtype: str = "float32"

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Height, width and channels."""
        if len(self.sizes) == 2:
            return (*self.sizes, 1)
        return (*self.sizes[1:], self.sizes[0]) if self.channels_first else self.sizes

    @property
    def described(self) -> str:
        """Its name, layout and type in the file, as in model cards: JSON for a property of the graph."""
        layout = "HW" if len(self.sizes) == 2 else "NCHW" if self.channels_first else "NHWC"
        return json.dumps({"tensor_name": self.name[:_LONGEST_NAME], "layout": layout, "dtype": self.dtype})

    def tensor(self, graph: Graph) -> Tensor:
        """Return the input tensor of the network, computed from the image input of the graph."""
        if len(self.sizes) == 2:  # 0 keeps a size
            return Tensor(graph.node("Reshape", INPUT, graph.constant([0, 0, 0], np.int64)), self.sizes)
        return Tensor(graph.node("Transpose", INPUT, perm=[0, 3, 1, 2]) if self.channels_first else INPUT, self.sizes)
