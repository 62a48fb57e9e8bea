"""Where the features of a user's reference images lie, as numbers: no image and no name is part of it."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Method = Literal["mahalanobis", "neighbours"]
AT_LEAST = 50  # images
MOST_CHANNELS = 4096  # the precision of so many takes 134 MB
MOST_NUMBERS = 2**25  # features of all images that are kept for their neighbours, 134 MB
NEIGHBOURS = 5
UNUSUAL = 99.0  # percent of the reference images that are nearer
WEAKNESS = (
    "A small distance from the reference images does not show that a model can be trusted: a network often sees "
    "what it does not know as something that it knows. Images of another device can lie near, and a rare finding far "
    "away."
)
METHODS: dict[Method, str] = {
    "mahalanobis": "Mahalanobis distance: all reference images are taken for one cloud, so that what lies between two "
    "kinds of them counts as near.",
    "neighbours": "Nearest neighbours: the direction of the features counts, not how strong they are, and reference "
    "images that are much alike, such as slices of one patient, lie so near to each other that all others seem far "
    "away.",
}


class Cloud(Struct, frozen=True, eq=False):
    """Where the features of images lie as a whole, for the Mahalanobis distance.

    Attributes
    ----------
    mean : ndarray of float64, shape (channels,)
    precision : ndarray of float64, shape (channels, channels)
        The inverse of their shrunk covariance.
    """

    mean: NDArray[np.float64]
    precision: NDArray[np.float64]

    method: Method = "mahalanobis"

    @property
    def channels(self) -> int:
        """How many features an image has."""
        return len(self.mean)

    def distance(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the Mahalanobis distance of images."""
        apart = features.astype(np.float64) - self.mean
        squares = np.einsum("nc,nc->n", apart @ self.precision, apart)
        return np.asarray(np.sqrt(np.maximum(squares, 0)), np.float64)


class Neighbours(Struct, frozen=True, eq=False):
    """The features of each image, for the distance from the nearest of them (Sun et al., 2022).

    Attributes
    ----------
    features : ndarray of float32, shape (n, channels)
        Divided by their length, so that their direction alone counts.
    """

    features: NDArray[np.float32]

    method: Method = "neighbours"

    @property
    def channels(self) -> int:
        """How many features an image has."""
        return int(self.features.shape[1])

    def distance(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the distance of images from their fifth nearest neighbour: 0 is the same direction, 2 the opposite."""
        cosines = directions(features).astype(np.float64) @ self.features.T.astype(np.float64)
        nearest = np.partition(cosines, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS]
        return np.asarray(np.sqrt(np.maximum(2 - 2 * nearest, 0)), np.float64)


class Reference(Struct, frozen=True, eq=False):
    """Where the features of reference images lie for one model.

    Attributes
    ----------
    place : Cloud or Neighbours
        What distances are measured from.
    distances : ndarray of float64, shape (n,)
        How far each image lies from a reference that was fitted without it, in ascending order.
    made : dict
        How it was made, as plain JSON values: how images were read, versions, the date.
    """

    place: Cloud | Neighbours
    distances: NDArray[np.float64]
    made: dict[str, Any]

    def __len__(self) -> int:
        """Count the reference images."""
        return len(self.distances)

    @property
    def weakness(self) -> str:
        """What a distance cannot tell."""
        return f"{WEAKNESS} {METHODS[self.place.method]}"

    def distance(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the distance of images from the reference.

        Parameters
        ----------
        features : ndarray of float32, shape (n, channels)
        """
        return self.place.distance(features)

    def percentile(self, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how many percent of the reference images lie nearer than these distances."""
        nearer = np.searchsorted(self.distances, distance, side="left")
        return np.asarray(100 * nearer / len(self.distances), np.float64)

    def as_dict(self) -> dict[str, Any]:
        """Return what is known of it, for a record."""
        return {"method": self.place.method, "images": len(self), "channels": self.place.channels, **self.made}


def directions(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Divide features by their length; those of an image without any stay 0."""
    lengths = np.linalg.norm(features.astype(np.float64), axis=1, keepdims=True)
    return np.asarray(features / np.where(lengths > 0, lengths, 1), np.float32)
