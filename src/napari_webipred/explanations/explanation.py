"""What explains a class of one image, as plain data."""

from __future__ import annotations

from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.explanations.placing import Placing

Method = Literal["cam", "hirescam", "occlusion"]
Target = Literal["logit", "log-odds", "output"]
CAPTION = "A map is no localisation: it shows what the network uses, not where a finding is."
DISAGREEMENT = 0.3  # Spearman's correlation with occlusion; below it, a map is not to be trusted


class Explanation(Struct, frozen=True, eq=False):
    """A map for one class of one image. A map is no localisation: see `caption`.

    Attributes
    ----------
    class_name : str
    method : "cam", "hirescam" or "occlusion"
        With A the last tensor that still has rows and columns (channels k, n places x, y), and z the logit of the
        class:

        - ``"cam"`` (class activation map; Zhou et al., 2016): ``sum_k W_k A_k(x, y)``, where z is the mean of A over
          all places times W, plus a bias. It is exact, and equals Grad-CAM (Selvaraju et al., 2017) of the logit,
          without its ReLU, times n.
        - ``"hirescam"`` (Draelos and Carin, 2020): ``n sum_k dz/dA_k(x, y) A_k(x, y)``.
        - ``"occlusion"`` (Zeiler and Fergus, 2014): how much z falls when a square of the input is covered by the mean
          of the input, averaged over the squares that cover a place.
    target : "logit", "log-odds" or "output"
        What `contrast` and `map` explain. Of a sigmoid the logit z. Of a softmax ``log(p / (1 - p))``: what all classes
        share changes no probability, and unlike the probability p it does not vanish where p is close to 1. The output
        itself where it is not known to be a softmax or sigmoid, or is a value.
    grid : ndarray of float32, shape (rows, columns)
        The raw map of z at the resolution of the network, in units of z: each place adds its value divided by n.
    contrast : ndarray of float32, shape (rows, columns)
        The raw map of `target`. Of a softmax, with M the grids of the classes and p their probabilities:
        ``M_c - sum_j p_j M_j / (1 - p_c)`` over the classes j other than c. Otherwise the same as `grid`.
    logit : float
        z: what the network computes for the class before softmax or sigmoid.
    bias : float or None
        The part of z that belongs to no place; None for ``"occlusion"``.
    completeness : float or None
        How far the mean of `grid` plus `bias` is from z, relative to the largest logit; None for ``"occlusion"``. Of
        HiResCAM, the mean of `grid` is compared with the measured change of z along the features.
    scale : float
        The value of `map` to show as strongest, the same for all classes that are explained together: the largest
        absolute value of `contrast`. 1 if they are all zero.
    affine : ndarray of float64, shape (3, 3)
        From (row, column, 1) of `map` to those of the image: a region begins at another pixel than its image.
    probability : float
        The number of the class in the table.
    placing : Placing
        Where the cells of a grid lie on the image.
    agreement : float or None
        Spearman's rank correlation of `contrast` with that of occlusion, -1 to 1, if that was asked for.
    """

    class_name: str
    method: Method
    target: Target
    grid: NDArray[np.float32]
    contrast: NDArray[np.float32]
    logit: float
    bias: float | None
    completeness: float | None
    scale: float
    affine: NDArray[np.float64]
    probability: float
    placing: Placing
    agreement: float | None = None

    @property
    def map(self) -> NDArray[np.float32]:
        """What is shown: `contrast` at the resolution of the image or region, float32 of shape (height, width).

        It is enlarged to the model input and taken back through resize, crop and padding. NaN where the model does not
        see the image. It is made each time that it is asked for, so that thousands of explanations take little memory.
        """
        return self.placing.enlarged(self.contrast)

    @property
    def caption(self) -> str:
        """What has to be said beside every map."""
        return CAPTION

    @property
    def remark(self) -> str:
        """Why the map should not be trusted; mostly empty."""
        if self.agreement is None or self.agreement >= DISAGREEMENT:
            return ""
        return (
            f"The map of {self.class_name} disagrees with occlusion (rank correlation {self.agreement:.2f}): "
            "do not rely on it."
        )
