"""Planes that are classified and compared with the reference images in one pass of the network."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from napari_webipred.errors import OptionError
from napari_webipred.execution.plane import Unfolded, classify_plane
from napari_webipred.execution.threads import in_threads
from napari_webipred.imaging.preprocess import prepare, without_alpha
from napari_webipred.references.fitting import reading
from napari_webipred.references.reference import UNUSUAL
from napari_webipred.runtime.features import FEATURES, pooled
from napari_webipred.runtime.graph import OUTPUT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.execution.plane import Plane
    from napari_webipred.execution.prepared import Prepared
    from napari_webipred.model import Model
    from napari_webipred.options import Options
    from napari_webipred.references.reference import Reference
    from napari_webipred.results.row import Row

NEGATIVE = "The image looks inverted: its negative is like the reference images."


def measure_planes(
    model: Model, planes: Iterable[Plane], count: int, options: Options
) -> Generator[Row | Unfolded, None, None]:
    """Classify planes, and measure how far each lies from the reference images of the model.

    See `napari_webipred.execution.threads.classify_planes`. The probabilities may differ in the last digits from those
    without a reference, because the network gives one tensor more.

    Raises
    ------
    OptionError
        See `reference_of`.
    """
    reference = reference_of(model, options)

    def work(threads: int) -> Callable[[Plane], Row | Unfolded]:
        session = model.feature_session(threads)

        def measured(plane: Plane) -> Row | Unfolded:
            seen: list[Prepared] = []
            features: list[NDArray[np.float32]] = []

            def predict(batch: NDArray[np.float32]) -> NDArray[np.float32]:
                found = session.predict(batch, [OUTPUT, FEATURES])
                features.append(pooled(found[FEATURES][:1]))  # the first view is the image
                return found[OUTPUT]

            row = classify_plane(plane, model.card, options, predict, seen.append)
            if isinstance(row, Unfolded) or row.failed:
                return row
            distance, percentile = measure(reference, features[0])
            remark = ""
            if percentile >= UNUSUAL:
                negative = pooled(session.predict(_negative(seen[0])[None], [FEATURES])[FEATURES])
                is_negative = measure(reference, negative)[1] < UNUSUAL
                nearer = f"{int(percentile)} %" if percentile < 100 else "all"
                far = f"Unlike the reference images: its features lie farther away than those of {nearer} of them."
                remark = f"{far} {NEGATIVE}" if is_negative else far
            numbers = [*(() if row.measures is None else row.measures), distance, percentile]
            said = f"{row.remark} {remark}".strip()
            return replace(row, measures=np.array(numbers, np.float32), remark=said)

        return measured

    yield from in_threads(work, planes, count, options, Unfolded.planes)


def reference_of(model: Model, options: Options) -> Reference:
    """Return the reference of a model.

    Raises
    ------
    OptionError
        The user has fitted none, or with images that were read differently.
    """
    if model.reference is None:
        raise OptionError(
            f"There are no reference images for the model {model.card.name}.",
            "Give at least 50 images that the model is for.",
            "fit reference",
        )
    if model.reference.made.get("reading") != reading(model, options):
        raise OptionError(
            f"The reference images of the model {model.card.name} were read and prepared differently.",
            "Fit the reference again, or choose the same intensity range, profile and settings of the model.",
            "fit reference",
        )
    return model.reference


def measure(reference: Reference, features: NDArray[np.float32]) -> tuple[float, float]:
    """Return the distance of an image, and how many percent of the reference images lie nearer."""
    if features.shape[1] != reference.place.channels:
        raise OptionError(
            f"The network has {features.shape[1]} features, and the reference {reference.place.channels}.",
            "Fit the reference again.",
            "fit reference",
        )
    distance = reference.distance(features)
    return float(distance[0]), float(reference.percentile(distance)[0])


def _negative(prepared: Prepared) -> NDArray[np.float32]:
    """Return what a model sees of the negative of an image."""
    low, high = prepared.black_and_white
    values = np.clip(without_alpha(prepared.pixels).astype(np.float32), low, high)
    tensor, _ = prepare(low + high - values, prepared.target, prepared.preprocessing, (low, high))
    return tensor
