"""What the panel says about an error: the hint that holds everywhere, and where in the panel something helps."""

from __future__ import annotations

from napari_webipred.errors import Remedy, WebIPredError

REMEDIES: dict[Remedy, str] = {
    "allow slow model": "“Use it anyway” allows it; “Cancel” ends it at any time.",
    "complete settings": "Click “Edit settings…” below the list of models.",
    "free space": "“On this machine…” > “Free up space” removes the models that were not used for longest.",
    "import file": "Or download the file in a browser and import it: “On this machine…” > “Import…”.",
    "list models": "Search the list of models.",
    "list stored models": "“On this machine…” lists them.",
    "replace model": "To replace the model, download or import it again and click “Replace”.",
    "write bundle": "“On this machine…” > “Export…” writes one.",
}


def hint_of(error: WebIPredError) -> str:
    """Return what to do next in the panel."""
    return f"{error.hint} {REMEDIES[error.remedy]}".strip() if error.remedy else error.hint
