"""Fit a reference to images that a model is for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from napari_webipred import engine
from napari_webipred.api.models import model_of
from napari_webipred.api.options import options_of
from napari_webipred.api.remedies import remedies_in_notes
from napari_webipred.card import Profile
from napari_webipred.imaging.preprocess import Intensity
from napari_webipred.model import Model
from napari_webipred.references.reference import Method, Reference
from napari_webipred.steps import result_of


def fit_reference(
    images: engine.ImageLike | Iterable[engine.ImageLike],
    model: Model | str | Path,
    *,
    intensity: Intensity | None = None,
    profile: Profile | None = None,
    method: Method = "mahalanobis",
) -> Reference:
    """Fit a reference to images that a model is for, so that `classify` can tell which others are not like them.

    It is kept for the model on this machine, in place of an earlier one: the mean of the features, the inverse of
    their covariance, and the distances of the images; for ``"neighbours"`` the features of each image. No image and no
    name is kept.

    Parameters
    ----------
    images : path or array, or an iterable of them
        At least 50 images, best hundreds, of the kind, devices and patients that the model is for.
    model : Model, or anything that `open_model` takes
    intensity, profile
        As for `classify`, which needs the same.
    method : "mahalanobis" or "neighbours"
        How distances are measured: from the mean of all reference images (Mahalanobis), or from the fifth nearest of
        them, by the direction of their features.

    Returns
    -------
    Reference

    Raises
    ------
    OptionError
        Fewer than 50 images can be read, or all have the same features.
    ModelError
        The network has no features, or too many; or there is no memory for its weights a second time.
    """
    from napari_webipred.references.fitting import fitting

    options = options_of(intensity, profile)
    opened = model_of(model)
    with remedies_in_notes():
        sources = engine.ready_sources(opened, images, options)
        opened.reference = found = result_of(fitting(opened, sources, options, method))
        return found
