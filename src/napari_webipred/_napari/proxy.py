"""The proxies that napari gives to plugins."""

from __future__ import annotations

from typing import Any


def unwrapped(wrapped: Any) -> Any:
    """Return the object itself instead of the proxy that napari gives to plugins."""
    return getattr(wrapped, "__wrapped__", wrapped)
