"""The options of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_webipred import engine
from napari_webipred.imaging.preprocess import Intensity

if TYPE_CHECKING:
    from napari_webipred.card import Profile, Views


def options_of(
    intensity: Intensity | None,
    profile: Profile | None,
    threshold: float = engine.DEFAULTS.threshold,
    views: Views | None = None,
) -> engine.Options:
    """Return the options of a call; the preferred intensity counts where none is given."""
    chosen = engine.preferred_intensity() if intensity is None else intensity
    return engine.Options(intensity=chosen, threshold=threshold, profile=profile, views=views)
