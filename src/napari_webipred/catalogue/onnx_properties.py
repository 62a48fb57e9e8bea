"""What the properties (``metadata_props``) of an ONNX file say about the model."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from napari_webipred import safe_json
from napari_webipred.archive.entry import MAX_SIDE_BYTES
from napari_webipred.archive.label_files import names_in
from napari_webipred.card import PartialCard, Preprocessing, Provenance, named

_KEYS = ("names", "classes", "labels", "class_names")
# The values that the ONNX specification of image models defines; video range (16 to 235) cannot be expressed.
_PIXEL_RANGES: dict[str, dict[str, Any]] = {
    "NominalRange_0_255": {"standardize_mode": "none"},
    "Normalized_0_1": {"standardize_mode": "custom", "rescale": 1 / 255},
    "Normalized_1_1": {"standardize_mode": "tf"},
}


def class_names(properties: Mapping[str, str]) -> Iterator[PartialCard]:
    """Read ``names``, ``classes``, ``labels`` and ``class_names``.

    Each holds class names as JSON, as a Python list or dict, or separated by commas or line ends.
    """
    for key in _KEYS:
        text = properties.get(key)
        if not text or len(text) > MAX_SIDE_BYTES:
            continue
        place = f"the property {key} of the model"
        try:
            yield PartialCard(classes=named(names_in(_parse(text))), provenance=Provenance(labels=place))
        except ValueError as error:
            yield PartialCard(provenance=Provenance(assumed=(f"{place} is not read: {error}.",)))


def pixel_range(properties: Mapping[str, str]) -> PartialCard:
    """Read ``Image.NominalPixelRange``, the pixel range that the model takes."""
    scaling = _PIXEL_RANGES.get(properties.get("Image.NominalPixelRange", ""))
    return PartialCard(preprocessing=Preprocessing.model_validate(scaling)) if scaling else PartialCard()


def is_bgr(properties: Mapping[str, str]) -> bool:
    """Read ``Image.BitmapPixelFormat``, the order of the channels, which is BGR in models of Azure Custom Vision."""
    return properties.get("Image.BitmapPixelFormat", "") in {"Bgr8", "Bgra8"}


def _parse(text: str) -> Any:
    """Parse JSON or what Python prints; anything else is a list of parts."""
    if safe_json.excess(text):
        return None
    for parse in (safe_json.parse, ast.literal_eval):
        with suppress(ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            return parse(text)
    return [part for part in re.split(r"[,;\n]", text) if part.strip()]
