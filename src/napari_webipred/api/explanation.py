"""Show which parts of an image speak for a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from napari_webipred import engine
from napari_webipred.api.models import model_of
from napari_webipred.api.options import options_of
from napari_webipred.api.remedies import remedies_in_notes
from napari_webipred.card import Profile
from napari_webipred.explanations.explanation import Explanation
from napari_webipred.imaging.preprocess import Intensity
from napari_webipred.model import Model


def explain(
    image: engine.ImageLike,
    model: Model | str | Path,
    *,
    classes: str | Sequence[str] | None = None,
    method: Literal["auto", "cam", "hirescam", "occlusion"] = "auto",
    plane: int | Sequence[int] | Mapping[str, int] | None = None,
    intensity: Intensity | None = None,
    profile: Profile | None = None,
    check: bool = False,
) -> list[Explanation]:
    """Show which parts of an image speak for a class. A map is no localisation.

    Parameters
    ----------
    image : path or array, or what `select` or `merge_channels` returns
    model : Model, or anything that `open_model` takes
    classes : str or sequence of str, optional
        Names of classes, or that of one; by default all, the most probable one first.
    method : "auto", "cam", "hirescam" or "occlusion"
        By default an exact CAM if the network is affine after pooling, else HiResCAM if the head consists of known
        operations, else occlusion, which predicts the image about 200 times. See `Explanation`.
    plane, intensity, profile
        As for `prepare`.
    check : bool
        Compare each map with occlusion, and note how far they agree (`Explanation.agreement`).

    Returns
    -------
    list of Explanation
        One for each class, in the order of `classes`.

    Raises
    ------
    OptionError
        There is no such class or method, or the method does not fit the network.
    WebIPredError
        The image cannot be read, or there is no memory for it.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_webipred as wp
    >>> noise = np.random.default_rng(0).integers(0, 256, (128, 128), dtype=np.uint8)
    >>> best = wp.explain(noise, "demo")[0]
    >>> best.class_name, best.method, best.grid.shape, best.map.shape
    ('noisy', 'cam', (14, 14), (128, 128))
    """
    from napari_webipred.explanations.explaining import explainer_of

    options = options_of(intensity, profile)
    opened = model_of(model)
    with remedies_in_notes():
        shown = engine.chosen_plane(opened, image, plane, options)
        wanted = [classes] if isinstance(classes, str) else classes
        return explainer_of(opened).explain(shown, options, wanted, method, check=check)
