"""Shape and dtype of a tensor, before anything is computed."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.runtime.onnx_graph import ELEMENT_TYPES

Shape: TypeAlias = tuple[int, ...]


class Value(Struct, frozen=True):
    """A tensor.

    Attributes
    ----------
    element_type : int
        ONNX' number of its dtype.
    shape : tuple of int
    numbers : ndarray, optional
        Its values, if it is a small constant.
    constant : bool
        Whether it does not depend on the image.
    """

    element_type: int
    shape: Shape
    numbers: NDArray[Any] | None = None
    constant: bool = False

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Size in bytes."""
        return math.ceil(self.size * ELEMENT_TYPES[self.element_type].bytes)
