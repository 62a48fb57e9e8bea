"""The maps of one row, kept at the resolution of the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_webipred.explanations.explanation import Explanation, Method
    from napari_webipred.explanations.placing import Placing
else:
    Method = Placing = Any  # imported when first needed, and `help` asks for the types of fields


class RowMap(Struct, frozen=True, eq=False):
    """The maps of all classes of a row.

    Attributes
    ----------
    index : tuple of int
        The plane along the axes of the source.
    grids : ndarray of float32, shape (classes, rows, columns)
        What speaks for each class of the model, in its order.
    placing : Placing
        Where the cells of a grid lie on the image or region.
    corner : tuple of int
        The row and column of the image where the region begins.
    scale : float
        The largest absolute value of all grids; 1 if they are all zero.
    method : "cam", "hirescam" or "occlusion"
    checked : bool
        Whether the maps were compared with occlusion.
    fallback : bool
        Whether occlusion was not asked for, and is used because the head of the model cannot be read.
    remarks : tuple of str
        Why the map of each class should not be trusted; mostly empty.
    """

    index: tuple[int, ...]
    grids: NDArray[np.float32]
    placing: Placing
    corner: tuple[int, int]
    scale: float
    method: Method
    checked: bool
    fallback: bool
    remarks: tuple[str, ...]

    @property
    def nbytes(self) -> int:
        """How much memory it takes, roughly."""
        return int(self.grids.nbytes)

    def paint(self, plane: NDArray[np.float32], class_index: int, pixels: tuple[int, int]) -> None:
        """Put the map of a class on a plane; where maps lie over each other, the stronger value counts.

        Parameters
        ----------
        plane : ndarray of float32, shape (height, width)
            The map of the whole image, which can have fewer pixels than the image; changed in place.
        class_index : int
        pixels : tuple of int
            (height, width) of the image.
        """
        (rows, down), (columns, across) = (
            _seen(count, size, start, length)
            for count, size, start, length in zip(plane.shape, pixels, self.corner, self.placing.shape, strict=True)
        )
        values = np.nan_to_num(self.placing.enlarged(self.grids[class_index], (down, across)), copy=False)
        part = plane[rows, columns]
        np.copyto(part, values, where=np.abs(values) > np.abs(part))


def row_map(
    index: tuple[int, ...], explanations: Sequence[Explanation], *, checked: bool, asked: str = "auto"
) -> RowMap:
    """Keep what explains a row.

    Parameters
    ----------
    index : tuple of int
        The plane along the axes of the source.
    explanations : sequence of Explanation
        One for each class of the model, in its order.
    checked : bool
        Whether they were compared with occlusion.
    asked : "auto" or "occlusion"
        The method that was asked for.
    """
    first = explanations[0]
    return RowMap(
        index,
        np.stack([each.contrast for each in explanations]),
        first.placing,
        (int(first.affine[0, 2]), int(first.affine[1, 2])),
        first.scale,
        first.method,
        checked,
        first.method == "occlusion" and asked == "auto",
        tuple(each.remark for each in explanations),
    )


def _seen(count: int, size: int, start: int, length: int) -> tuple[slice, NDArray[np.floating]]:
    """Return which of `count` pixels over an image of this size have their centres in a part of it, and where there."""
    centres = (np.arange(count) + 0.5) * (size / count) - start
    inside = np.flatnonzero((centres > 0) & (centres < length))
    rows = slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0)
    return rows, centres[rows]
