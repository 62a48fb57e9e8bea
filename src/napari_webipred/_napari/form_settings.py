"""The settings of the form as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from napari_webipred._napari.form import ClassifyForm
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred.errors import WebIPredError

NAMES = ("intensity", "threshold", "profile", "views", "device", "precision")


def plain_settings(form: ClassifyForm) -> dict[str, Any]:
    """Return what the form is set to."""
    model = form.model.value
    settings: dict[str, Any] = {name: getattr(form, name).value for name in NAMES}
    settings["planes"] = form.planes.value if form.planes.value in ("all", "current") else "all"
    if form.thresholds.value is not None:
        settings["thresholds"] = form.thresholds.value
    if model is not None:
        settings |= {"model": str(model), "model_is_path": isinstance(model, Path)}
    return settings


def apply(form: ClassifyForm, session: ViewerSession, settings: Mapping[str, Any]) -> None:
    """Set the form; what cannot be set any more stays as it is.

    A model is chosen only if it is in the list: a session may come from anybody, and nothing is looked up for it.
    """
    for name in (*NAMES, "planes"):
        if name in settings:
            with suppress(WebIPredError, ValueError):  # of another version
                getattr(form, name).value = settings[name]
    model = settings.get("model")
    wanted = Path(model) if settings.get("model_is_path") and model else model
    if any(entry.key == wanted for entry in session.catalogue.models.items):
        form.model.value = wanted
        session.kept.want(settings.get("thresholds"))
        form.offer_kept()
