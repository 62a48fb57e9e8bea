"""The hint of an error in the panel: the general one, and what to click."""

from __future__ import annotations

from napari_webipred.errors import Remedy, WebIPredError

_START = "Start napari with the environment variable"
REMEDIES: dict[Remedy, str] = {
    "add archive": "Click “From an archive…” > “Add…”.",
    "add certificate": f"{_START} NAPARI_WEBIPRED_CA_FILE set to the certificate file (PEM).",
    "allow slow model": "Click “Use it anyway” to allow it. You can cancel at any time.",
    "begin anew": "Save to another file.",
    "choose cache folder": f"{_START} NAPARI_WEBIPRED_CACHE set to another folder.",
    "complete settings": "Click “Edit settings…” below the list of models.",
    "fit reference": "Click “More options…” > “Fit a reference to these images”.",
    "free space": "“On this machine…” > “Free up space” removes the least recently used models.",
    "give token": "Enter another token.",
    "give password": "You are asked for it when you search or send.",
    "go online": "Turn off “On this machine…” > “Offline”. If it turns on again, turn off Offline in the "
    "preferences and unset NAPARI_WEBIPRED_OFFLINE.",
    "import file": "Or download the file in a browser and import it: “On this machine…” > “Import…”.",
    "install dask": 'Install it where napari is: pip install "napari-webipred[dask]". Then start napari again.',
    "install highdicom": 'Install it where napari is: pip install "napari-webipred[report]". Then start napari again.',
    "install openpyxl": 'Install it where napari is: pip install "napari-webipred[excel]". Then start napari again.',
    "install pyarrow": 'Install it where napari is: pip install "napari-webipred[parquet]". Then start napari again.',
    "install pacs": 'Install it where napari is: pip install "napari-webipred[pacs]". Then start napari again.',
    "install tensorflow": 'Install it where napari is: pip install "napari-webipred[tensorflow]".',
    "install tensorflow.js": "Install Node.js, run npm install @tensorflow/tfjs in a folder, and choose that.",
    "list models": "Search the list of models.",
    "list stored models": "“On this machine…” lists them.",
    "map classes": "Name the classes alike: “Edit settings…” below the list of models.",
    "name reader": "Enter the name and the organisation of the reader.",
    "replace deposit": "Or click “Replace it”.",
    "replace model": "To replace the model, download or import it again and click “Replace”.",
    "set proxy": f"{_START} HTTPS_PROXY set to the proxy, such as http://name:password@host:port.",
    "set server address": "Check the environment variables NAPARI_WEBIPRED_ZENODO_URL and HF_ENDPOINT.",
    "trust network": "Tick “I trust this network”; for an archive, in its settings.",
    "write bundle": "“On this machine…” > “Export…” writes a bundle.",
}


def hint_of(error: WebIPredError) -> str:
    """Return what to do next in the panel."""
    return " ".join([error.hint, *(REMEDIES[remedy] for remedy in error.remedies)]).strip()
