"""Where the features of a user's reference images lie, as numbers: no image and no name is part of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

AT_LEAST = 50  # images
MOST_CHANNELS = 4096  # the precision of so many takes 134 MB
UNUSUAL = 99.0  # percent of the reference images that are nearer
WEAKNESS = (
    "A small distance from the reference images does not show that a model can be trusted: a network often sees "
    "what it does not know as something that it knows. Images of another device can lie near, and a rare finding far "
    "away."
)


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Where the features of reference images lie for one model.

    Attributes
    ----------
    mean : ndarray of float64, shape (channels,)
    precision : ndarray of float64, shape (channels, channels)
        The inverse of their shrunk covariance.
    distances : ndarray of float64, shape (n,)
        How far each image lies from a reference that was fitted without it, in ascending order.
    made : dict
        How it was made, as plain JSON values: how images were read, the shrinkage, versions, the date.
    """

    mean: NDArray[np.float64]
    precision: NDArray[np.float64]
    distances: NDArray[np.float64]
    made: dict[str, Any]

    def __len__(self) -> int:
        """Count the reference images."""
        return len(self.distances)

    def distance(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the Mahalanobis distance of images from the reference.

        Parameters
        ----------
        features : ndarray of float32, shape (n, channels)
        """
        apart = features.astype(np.float64) - self.mean
        squares = np.einsum("nc,nc->n", apart @ self.precision, apart)
        return np.asarray(np.sqrt(np.maximum(squares, 0)), np.float64)

    def percentile(self, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how many percent of the reference images lie nearer than these distances."""
        nearer = np.searchsorted(self.distances, distance, side="left")
        return np.asarray(100 * nearer / len(self.distances), np.float64)

    def as_dict(self) -> dict[str, Any]:
        """Return what is known of it, for a record."""
        return {"images": len(self), "channels": len(self.mean), **self.made}
