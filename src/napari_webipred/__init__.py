"""Classify images with published deep-learning models, on this machine unless you name a cluster.

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
    from napari_webipred.api.archives import Archive
    from napari_webipred.api.classification import classify
    from napari_webipred.api.ensembles import agreement, ensemble
    from napari_webipred.api.evaluation import evaluate
    from napari_webipred.api.explanation import explain
    from napari_webipred.api.fitting import fit_head
    from napari_webipred.api.heat_maps import heatmap
    from napari_webipred.api.images import merge_channels, prepare, select
    from napari_webipred.api.models import list_models, open_model
    from napari_webipred.api.publishing import pack, verify
    from napari_webipred.api.references import fit_reference
    from napari_webipred.api.reports import report
    from napari_webipred.card import ModelCard
    from napari_webipred.errors import PacsError, WebIPredError
    from napari_webipred.model import Model

__all__ = [
    "Archive",
    "Model",
    "ModelCard",
    "PacsError",
    "WebIPredError",
    "__version__",
    "agreement",
    "classify",
    "ensemble",
    "evaluate",
    "explain",
    "fit_head",
    "fit_reference",
    "heatmap",
    "list_models",
    "merge_channels",
    "open_model",
    "pack",
    "prepare",
    "report",
    "select",
    "verify",
]

_HOMES = {
    "Archive": "napari_webipred.api.archives",
    "Model": "napari_webipred.model",
    "ModelCard": "napari_webipred.card",
    "PacsError": "napari_webipred.errors",
    "WebIPredError": "napari_webipred.errors",
    "agreement": "napari_webipred.api.ensembles",
    "classify": "napari_webipred.api.classification",
    "ensemble": "napari_webipred.api.ensembles",
    "evaluate": "napari_webipred.api.evaluation",
    "explain": "napari_webipred.api.explanation",
    "fit_head": "napari_webipred.api.fitting",
    "fit_reference": "napari_webipred.api.references",
    "heatmap": "napari_webipred.api.heat_maps",
    "list_models": "napari_webipred.api.models",
    "merge_channels": "napari_webipred.api.images",
    "open_model": "napari_webipred.api.models",
    "pack": "napari_webipred.api.publishing",
    "prepare": "napari_webipred.api.images",
    "report": "napari_webipred.api.reports",
    "select": "napari_webipred.api.images",
    "verify": "napari_webipred.api.publishing",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that importing the package stays instant."""
    from importlib import import_module

    if name == "__version__":
        return _built_version()
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'napari_webipred' has no attribute {name!r}")


def _built_version() -> str:
    from importlib import import_module

    try:
        return str(import_module("napari_webipred._version").version)  # written when the package is built
    except ModuleNotFoundError:  # the checkout itself is on the path
        from importlib.metadata import version

        return version("napari-webipred")


def __dir__() -> list[str]:
    return sorted(__all__)
