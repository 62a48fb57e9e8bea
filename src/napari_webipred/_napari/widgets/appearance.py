"""How the user has set up the look of napari: theme and font size."""

from __future__ import annotations

from typing import Any

from napari.settings import get_settings


def appearance() -> Any:
    """Return this part of napari's settings, the only part that is read."""
    return get_settings().appearance
