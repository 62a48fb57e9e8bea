"""What an archive says when it does not store something."""

from __future__ import annotations

from collections.abc import Iterable

from napari_webipred.errors import PacsError

REASONS = {
    0x0110: "processing failure",
    0x0111: "duplicate identifier",
    0x0117: "invalid object",
    0x0122: "class not supported",
    0x0124: "not authorised",
    0xA700: "out of resources",
    0xA900: "does not match its class",
    0xC000: "cannot be understood",
}


def refused(name: str, count: int, reasons: Iterable[int]) -> PacsError:
    """Say how many instances were not stored, and why."""
    listed = list(reasons)
    why = sorted({REASONS.get(reason) or (f"code {reason:#06x}" if reason else "no reason given") for reason in listed})
    return PacsError(
        f"The archive {name} did not store {len(listed)} of {count}: {', '.join(why)}.", "Ask its administrator."
    )
