"""The options of a call."""

from __future__ import annotations

from napari_webipred import engine
from napari_webipred.card import Profile, Views
from napari_webipred.hardware import Device, Precision
from napari_webipred.imaging.preprocess import Intensity


def options_of(
    intensity: Intensity | None,
    profile: Profile | None,
    threshold: float = engine.DEFAULTS.threshold,
    views: Views | None = None,
    precision: Precision | None = None,
    device: Device | None = None,
) -> engine.Options:
    """Return the options of a call; the preferred intensity and hardware count where none are given."""
    chosen = engine.preferred_intensity() if intensity is None else intensity
    preferred = engine.preferred_hardware()
    return engine.Options(
        intensity=chosen,
        threshold=threshold,
        profile=profile,
        views=views,
        precision=precision or preferred.precision,
        device=device or preferred.device,
    )
