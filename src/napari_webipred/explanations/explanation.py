"""What explains a class of one image, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Method = Literal["cam", "hirescam", "occlusion"]


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """A map for one class of one image.

    Attributes
    ----------
    class_name : str
    method : "cam", "hirescam" or "occlusion"
        With A the last tensor that still has rows and columns (channels k, places x, y), and z the logit of the class:

        - ``"cam"`` (class activation map; Zhou et al., 2016): ``sum_k W_k A_k(x, y)``, where z is the mean of A over
          all places times W, plus a bias. It equals Grad-CAM (Selvaraju et al., 2017) of the logit up to the number of
          places.
        - ``"hirescam"`` (Draelos and Carin, 2020): ``n sum_k dz/dA_k(x, y) A_k(x, y)`` with n the number of places.
        - ``"occlusion"`` (Zeiler and Fergus, 2014): how much z falls when a square of the input is covered by the mean
          of the input, averaged over the squares that cover a place.
    grid : ndarray of float32, shape (rows, columns)
        The raw map of the class's logit at the resolution of the network.
    map : ndarray of float32, shape (height, width)
        What is shown, at the resolution of the image or region: of a softmax model the contrast ``grid - sum_j p_j
        grid_j`` over the classes j with their probabilities p, of others `grid`; enlarged to the model input and taken
        back through resize, crop and padding. NaN where the model does not see the image.
    logit : float
        What the network computes for the class before softmax or sigmoid.
    bias : float or None
        The part of the logit that belongs to no place; None for ``"occlusion"``.
    completeness : float or None
        How far the mean of `grid` plus `bias` is from the logit, relative to the largest logit; None for
        ``"occlusion"``.
    scale : float
        The value of `map` to show as strongest, the same for all classes that are explained: the largest absolute value
        of their maps at the resolution of the network. 1 if they are all zero.
    affine : ndarray of float64, shape (3, 3)
        From (row, column, 1) of `map` to those of the image.
    probability : float
        The number of the class in the table.
    agreement : float or None
        Spearman's rank correlation of the map with occlusion, -1 to 1, if that was asked for; below 0.3 the map should
        not be trusted.
    """

    class_name: str
    method: Method
    grid: NDArray[np.float32]
    map: NDArray[np.float32]
    logit: float
    bias: float | None
    completeness: float | None
    scale: float
    affine: NDArray[np.float64]
    probability: float
    agreement: float | None = None
