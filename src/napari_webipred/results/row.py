"""One line of the result: an image, or one plane of a stack, and what the model said of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray


class Row(Struct, frozen=True, eq=False):
    """What the model said of one plane, or why it could not say anything.

    Attributes
    ----------
    source : int
        Which of the given images this is, counted from 0.
    image : str
        Name of the image: the path as it was given, or the name of the layer.
    position : Mapping[str, int]
        Where the plane lies along the leading axes of a stack, as ``{"t": 0, "z": 12}``. Empty for a plain image.
    probabilities : ndarray of float32, shape (n_classes,), or None
        One number per class in the model's order; None when the image failed.
    prediction : str
        Names of the assigned classes, joined by ``"; "``; may be empty.
    assigned : tuple of int
        Indices of these classes: the most probable one (the first of equals), or, of a multi-label model, all that
        reach their threshold, possibly none.
    error : str
        Why there are no probabilities; empty when there are.
    intensity_range : tuple of float, or None
        The intensities that became black (0) and white (255).
    region : str
        Name of the region of the plane that this is about; empty for the whole plane.
    reading : str
        How the plane came about, such as ``"maximum along z"``; empty for one that was read as it is.
    remark : str
        Why the probabilities may mean little: the image is blank, or far smaller than the model input. Mostly empty.
    measures : ndarray of float32, or None
        What else was measured; see `napari_webipred.results.columns.measures`.
    identity : tuple of str
        The unique identifiers of study, series and instance of a DICOM file. Empty unless the user has asked for them.
    seconds : tuple of float
        How long reading, preparing and computing took; empty where nobody has measured it. It stands in no table.
    """

    source: int
    image: str
    position: Mapping[str, int] = field(default_factory=dict)
    probabilities: NDArray[np.float32] | None = None
    prediction: str = ""
    assigned: tuple[int, ...] = ()
    error: str = ""
    intensity_range: tuple[float, float] | None = None
    region: str = ""
    reading: str = ""
    remark: str = ""
    measures: NDArray[np.float32] | None = None
    identity: tuple[str, ...] = ()
    seconds: tuple[float, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the image gave no probabilities."""
        return self.probabilities is None
