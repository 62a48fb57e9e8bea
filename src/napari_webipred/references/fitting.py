"""Fits a reference to images that the user says a model is for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred.errors import ModelError, OptionError
from napari_webipred.execution.features import features_of_planes
from napari_webipred.execution.plane import planes_of
from napari_webipred.references.reference import (
    AT_LEAST,
    MOST_CHANNELS,
    MOST_NUMBERS,
    NEIGHBOURS,
    Cloud,
    Method,
    Neighbours,
    Reference,
    directions,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.imaging.source import Source
    from napari_webipred.model import Model
    from napari_webipred.options import Options

FOLDS = 5
_ALL_ALIKE = ("The network finds the same features in all images.", "Give images that differ.")


def fitting(
    model: Model, sources: Sequence[Source], options: Options, method: Method = "mahalanobis"
) -> Generator[tuple[int, int], None, Reference]:
    """Compute the features of images, and where they lie.

    Parameters
    ----------
    model : Model
    sources : sequence of Source
        At least 50 planes that can be read.
    options : Options
        How they are read.
    method : "mahalanobis" or "neighbours"
        How distances are measured.

    Yields
    ------
    int, int
        How many planes are done, of how many.

    Raises
    ------
    OptionError
        Too few of the images can be read, or all have the same features.
    ModelError
        The network has no features, or too many.
    """
    total = sum(map(len, sources))
    found: list[NDArray[np.float32]] = []
    failed = ""
    planes = planes_of(sources, options.intensity)
    with closing(features_of_planes(model, planes, total, options)) as each:
        for done, features in enumerate(each, 1):
            if isinstance(features, str):
                failed = failed or features
            else:
                found.append(features)
            yield done, total
    if len(found) < AT_LEAST:
        first = f" The first that failed: {failed}" if failed else ""
        raise OptionError(
            f"{len(found)} of {total} images can be used, and a reference needs at least {AT_LEAST}.{first}",
            "Give more images like those that the model is for.",
        )
    made = {
        "failed": total - len(found),
        "reading": reading(model, options),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in ("napari-webipred", "scikit-learn", "numpy", "onnxruntime")},
    }
    return fitted(np.stack(found), made, method)


def fitted(features: NDArray[np.float32], made: dict[str, Any], method: Method = "mahalanobis") -> Reference:
    """Fit a reference to features, shape (images, channels).

    For the Mahalanobis distance the covariance is shrunk as Ledoit and Wolf (2004) do, because there are mostly more
    channels than images; for neighbours, the features themselves are kept. Each
    image is also measured by a reference that was fitted without it: one that it has shaped lies nearer to it than to
    any new image.
    """
    if features.shape[1] > MOST_CHANNELS:
        raise ModelError(
            f"The network has {features.shape[1]} features for an image; {MOST_CHANNELS} are the most.",
            "Choose a model with fewer channels before its head.",
        )
    if method == "neighbours" and features.size > MOST_NUMBERS:
        raise OptionError(
            f"The features of {len(features):,} images take too much memory.",
            f"Give {MOST_NUMBERS // features.shape[1]:,} images at most, or choose the Mahalanobis distance.",
        )
    place_of = _neighbours if method == "neighbours" else _cloud
    order = np.random.default_rng(0).permutation(len(features))
    distances = np.empty(len(features))
    for part in range(FOLDS):
        held_out = order[part::FOLDS]
        place, _ = place_of(np.delete(features, held_out, axis=0))
        distances[held_out] = place.distance(features[held_out])
    place, how = place_of(features)
    return Reference(place, np.sort(distances), {**made, **how})


def reading(model: Model, options: Options) -> str:
    """Return a checksum of how images are read and prepared; features compare only if it is the same."""
    card = model.card
    preprocessing = card.preprocessing_under(options.profile)
    said = {
        "intensity": options.as_dict()["intensity"],
        "preprocessing": preprocessing.model_dump() if preprocessing else None,
        "input": card.input.model_dump() if card.input else None,
    }
    return f"sha256:{hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()}"


def _neighbours(features: NDArray[np.float32]) -> tuple[Cloud | Neighbours, dict[str, Any]]:
    if not np.ptp(features, axis=0).any():
        raise OptionError(*_ALL_ALIKE)
    return Neighbours(directions(features)), {"neighbours": NEIGHBOURS}


def _cloud(features: NDArray[np.float32]) -> tuple[Cloud | Neighbours, dict[str, Any]]:
    """Return the mean and the inverse of the shrunk covariance, and how far it was shrunk."""
    from sklearn.covariance import ledoit_wolf

    values = features.astype(np.float64)
    covariance, shrinkage = ledoit_wolf(values)
    if not np.trace(covariance) > 0:
        raise OptionError(*_ALL_ALIKE)
    try:
        precision = np.linalg.inv(covariance)
    except np.linalg.LinAlgError as error:
        raise OptionError("The features of the images do not differ enough.", "Give more images.") from error
    return Cloud(values.mean(0), (precision + precision.T) / 2), {"shrinkage": float(shrinkage)}
