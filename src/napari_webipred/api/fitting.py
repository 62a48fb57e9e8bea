"""Fit a head for own classes on the features of a published model."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from napari_webipred import engine
from napari_webipred.api.models import model_of
from napari_webipred.api.options import options_of
from napari_webipred.api.remedies import remedies_in_notes
from napari_webipred.card import Profile
from napari_webipred.imaging.preprocess import Intensity
from napari_webipred.model import Model
from napari_webipred.steps import result_of

_SHOWN = 5


def fit_head(  # noqa: PLR0913 - each is given by its name
    images: engine.ImageLike | Iterable[engine.ImageLike],
    labels: Sequence[Any] | pd.DataFrame | Mapping[str, Any] | str | Path | None,
    base: Model | str | Path = "webipred-16",
    *,
    groups: Sequence[Any] | str | None = None,
    classes: Sequence[str] | None = None,
    task: Literal["single", "multi"] = "single",
    seed: int = 0,
    name: str = "",
    intensity: Intensity | None = None,
    profile: Profile | None = None,
) -> Model:
    """Make a model for own classes from a few labelled images; nothing leaves this machine.

    A published model gives the features, and only its last layer is new: a regularised logistic regression on
    standardised features, in which all classes count as much. Its strength and its calibration are chosen on images
    that were held out.

    Parameters
    ----------
    images : path or array, or an iterable of them
        A folder stands for all images in it. All planes of a stack have its label.
    labels : sequence, DataFrame, mapping or path, or None
        The label of each image, in their order; of classes that do not exclude each other, the labels of each. Or a
        table or CSV file with a column for the image and one for its label, or a mapping of images to labels: images
        that are not in it are left out. None takes the names of the folders that the images lie in.
    base : Model, or anything that `open_model` takes
        The published model.
    groups : sequence or str, optional
        Which images belong together, such as those of a patient or a day: one value for each image, or the name of a
        column of the table. They are held out together, else the figures are too good.
    classes : sequence of str, optional
        In the order that the model will have; by default in that of the alphabet.
    task : "single" or "multi"
        Whether an image has exactly one class, or any number of them.
    seed : int
        What the random numbers begin with. The same images and seed give the same model.
    name : str
        What the model is called; by default its classes.
    intensity, profile
        As for `classify`.

    Returns
    -------
    Model
        Like any other: it can be classified with, explained and evaluated. ``save("own.zip")`` writes it, as a
        TensorFlow.js model where the base is a Keras network, else as an ONNX file. ``card.performance`` says how good
        it is: nested cross-validation, with intervals and a learning curve. ``remarks`` says what speaks against it.

    Raises
    ------
    OptionError
        There is one class only, a label has no image, or too few images can be read.
    ModelError
        The base has no features, or cannot be written with a new head.

    Warns
    -----
    UserWarning
        Some images cannot be read; they are left out.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_webipred as wp
    >>> random = np.random.default_rng(0)
    >>> flat = [np.full((64, 64), 40 * i + 20, np.uint8) for i in range(6)]
    >>> noisy = [random.integers(0, 256, (64, 64), dtype=np.uint8) for i in range(6)]
    >>> own = wp.fit_head([*flat, *noisy], ["flat"] * 6 + ["noise"] * 6, base="demo")
    >>> own.classes, own.card.performance["accuracy"] > 0.8
    (['flat', 'noise'], True)
    >>> wp.classify(noisy[0], own)["prediction"].item()
    'noise'
    """
    from napari_webipred.fitting.fitting import own_fitting
    from napari_webipred.fitting.given import labelled

    options = options_of(intensity, profile)
    opened = model_of(base)
    with remedies_in_notes():
        sources = engine.ready_sources(opened, images, options)
        given = labelled(sources, labels, groups, classes=classes or (), task=task, intensity=options.intensity)
        found = result_of(own_fitting(opened, given, options, classes=classes, task=task, seed=seed, name=name))
    if found.failed:
        count = len(found.failed)
        counted = "1 image could not be read and is" if count == 1 else f"{count:,} images could not be read and are"
        more = ", ..." if count > _SHOWN else ""
        warnings.warn(f"{counted} left out: {'; '.join(found.failed[:_SHOWN])}{more}", stacklevel=2)
    return found.model
