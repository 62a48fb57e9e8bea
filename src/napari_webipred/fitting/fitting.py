"""From labelled images to a model: features, a head, honest figures, one network."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Literal

import numpy as np
from msgspec import Struct

from napari_webipred.errors import OptionError
from napari_webipred.evaluation.resampling import check_seed
from napari_webipred.execution.features import features_of_planes
from napari_webipred.fitting.head import Head, fitted
from napari_webipred.fitting.honest import FEW_GROUPS, Honest, judging, warnings
from napari_webipred.fitting.labels import Labels, Task, labels_of
from napari_webipred.fitting.own_model import own_model
from napari_webipred.model import Model
from napari_webipred.steps import told

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.fitting.given import Labelled
    from napari_webipred.options import Options

Stage = Literal["features", "fit", "judge", "write"]


class Step(Struct, frozen=True):
    """How far the work is: images, or parts of the cross-validation, that are done."""

    stage: Stage
    done: int
    total: int


class OwnFit(Struct, frozen=True, eq=False):
    """A model for own classes, and what came out on the way.

    Attributes
    ----------
    model : Model
    head : Head
    labels : Labels
        What it was fitted to.
    honest : Honest or None
        How good it is; None if all images are of one group.
    failed : tuple of str
        Of each image that could not be read, its name and why.
    """

    model: Model
    head: Head
    labels: Labels
    honest: Honest | None
    failed: tuple[str, ...]


def own_fitting(
    base: Model,
    given: Labelled,
    options: Options,
    *,
    classes: Sequence[str] | None = None,
    task: Task = "single",
    seed: int = 0,
    name: str = "",
) -> Generator[Step, None, OwnFit]:
    """Fit a head for own classes, step by step; closing the generator cancels.

    Parameters
    ----------
    base : Model
        Whose features are used. Its settings are complete.
    given : Labelled
        Images with their labels.
    options : Options
        How the images are read.
    classes : sequence of str, optional
        In the order that the model will have; by default in that of the alphabet.
    task : "single" or "multi"
    seed : int
    name : str
        What the model is called; by default its classes.

    Raises
    ------
    OptionError
        The seed is negative, too few images can be read, or the labels cannot be used.
    ModelError
        The base has no features, or cannot be written with a new head.
    """
    # What is wrong with the seed or the labels is said before any image is read.
    check_seed(seed)
    every = labels_of(given.labels, classes, task=task, groups=given.groups)
    features, failed = yield from _computed(base, given, options)
    rows = np.array([row for row in range(len(given.planes)) if row not in failed], np.intp)
    labels = _readable(every, rows, failed)
    yield Step("fit", 0, 1)
    head = fitted(features, labels, seed)
    honest = None
    if len(np.unique(labels.units)) >= FEW_GROUPS:
        honest = yield from told(judging(features, labels, seed), lambda step: Step("judge", *step))
    yield Step("write", 0, 1)
    remarks = remarks_of(len(failed), options) + (() if honest else tuple(warnings(labels)))
    prepared = base.card.preprocessing_under(options.profile)
    model = own_model(base, head, labels=labels, honest=honest, name=name, preprocessing=prepared, remarks=remarks)
    return OwnFit(model, head, labels, honest, tuple(failed.values()))


def _computed(
    base: Model, given: Labelled, options: Options
) -> Generator[Step, None, tuple[NDArray[np.float32], dict[int, str]]]:
    """Compute the features of the images that can be read, and say why others cannot, by their numbers."""
    total = len(given.planes)
    found: list[NDArray[np.float32]] = []
    failed: dict[int, str] = {}
    with closing(features_of_planes(base, given.planes, total, options)) as each:
        for row, features in enumerate(each):
            if isinstance(features, str):
                failed[row] = features
            else:
                found.append(features)
            yield Step("features", row + 1, total)
    if not found:
        raise OptionError(
            f"None of the {total:,} images can be read. The first: {failed[0]}", "Give images that can be opened."
        )
    return np.stack(found), failed


def _readable(labels: Labels, rows: NDArray[np.intp], failed: dict[int, str]) -> Labels:
    kept = labels.part(rows)
    if not kept.is_whole():
        first = next(iter(failed.values()))
        lost = ", ".join(name for name, count in kept.counts.items() if not count) or "a class"
        raise OptionError(
            f"{len(failed):,} of the {len(labels):,} images cannot be read, and too few of {lost} are left. The first: "
            f"{first}",
            "Repair or replace these images.",
        )
    return kept


def remarks_of(failed: int, options: Options) -> tuple[str, ...]:
    """Say what should be known of the images that a head was fitted to; never names of files.

    Parameters
    ----------
    failed : int
        How many images have a label, and could not be read.
    options : Options
        How the others were read.
    """
    found = []
    if failed:
        counted = (
            "1 image could not be read, and was" if failed == 1 else f"{failed:,} images could not be read, and were"
        )
        found.append(f"{counted} left out of the fit.")
    if options.intensity != "auto":
        found.append(
            f"The head was fitted to images read with the intensity range {options.as_dict()['intensity']}: choose the "
            "same for others."
        )
    return tuple(found)
