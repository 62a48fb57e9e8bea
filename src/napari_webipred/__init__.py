"""Classify images with published deep-learning models, on this machine alone.

>>> import numpy as np
>>> import napari_webipred as wp
>>> image = np.random.default_rng(0).integers(0, 256, (128, 128), dtype=np.uint8)
>>> wp.classify(image, "demo")["prediction"].item()
'noisy'
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# ONNX Runtime sends telemetry unless this stands in the environment before it is first imported, in every process.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

if TYPE_CHECKING:
    from napari_webipred.api import (
        agreement,
        classify,
        ensemble,
        evaluate,
        explain,
        fit_reference,
        list_models,
        merge_channels,
        open_model,
        prepare,
        select,
    )
    from napari_webipred.card import ModelCard
    from napari_webipred.errors import WebIPredError
    from napari_webipred.model import Model

__all__ = [
    "Model",
    "ModelCard",
    "WebIPredError",
    "__version__",
    "agreement",
    "classify",
    "ensemble",
    "evaluate",
    "explain",
    "fit_reference",
    "list_models",
    "merge_channels",
    "open_model",
    "prepare",
    "select",
]

_HOMES = {
    "Model": "napari_webipred.model",
    "ModelCard": "napari_webipred.card",
    "WebIPredError": "napari_webipred.errors",
    "agreement": "napari_webipred.api",
    "classify": "napari_webipred.api",
    "ensemble": "napari_webipred.api",
    "evaluate": "napari_webipred.api",
    "explain": "napari_webipred.api",
    "fit_reference": "napari_webipred.api",
    "list_models": "napari_webipred.api",
    "merge_channels": "napari_webipred.api",
    "open_model": "napari_webipred.api",
    "prepare": "napari_webipred.api",
    "select": "napari_webipred.api",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that importing the package stays instant."""
    if name == "__version__":
        from importlib.metadata import version

        return version("napari-webipred")
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'napari_webipred' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
