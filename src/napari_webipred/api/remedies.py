"""What helps against an error, in the words of Python."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_webipred.errors import Remedy, WebIPredError

if TYPE_CHECKING:
    pass


_COMMAND = "In a terminal, `napari-webipred"
REMEDIES: dict[Remedy, str] = {
    "add archive": f"{_COMMAND} pacs add NAME ADDRESS` adds one.",
    "add certificate": "Set the environment variable NAPARI_WEBIPRED_CA_FILE to the certificate file (PEM).",
    "allow slow model": "Pass allow_slow=True to open_model to allow it.",
    "begin anew": f"{_COMMAND} classify` without --resume begins anew.",
    "choose cache folder": "Set the environment variable NAPARI_WEBIPRED_CACHE to choose another cache folder.",
    "complete settings": "Pass standardize=, size=, activation= or output= to open_model.",
    "fit reference": "Call fit_reference(images, model).",
    "free space": f"{_COMMAND} cache --limit 1GB` removes the least recently used models.",
    "give token": "Pass token= to send.",
    "give password": "Pass password= to Archive.",
    "go online": "Unset the environment variable NAPARI_WEBIPRED_OFFLINE, or turn off Offline in napari's preferences.",
    "import file": f"Or download the file in a browser. {_COMMAND} import FILE --as MODEL` imports it.",
    "install dask": 'Install it: pip install "napari-webipred[dask]"',
    "install highdicom": 'Install it: pip install "napari-webipred[report]"',
    "install openpyxl": 'Install it: pip install "napari-webipred[excel]"',
    "install pyarrow": 'Install it: pip install "napari-webipred[parquet]"',
    "install pacs": 'Install it: pip install "napari-webipred[pacs]"',
    "install tensorflow": 'Install it: pip install "napari-webipred[tensorflow]"',
    "install tensorflow.js": "Install Node.js, run npm install @tensorflow/tfjs in folder, pass node_packages=folder.",
    "list models": "list_models() lists all models.",
    "list stored models": f"{_COMMAND} cache` lists the models on this machine.",
    "map classes": "Pass mapping={'old name': 'new name'}.",
    "name reader": "Pass reader= and organisation=.",
    "replace deposit": "Or pass overwrite=True to replace it.",
    "replace model": f"{_COMMAND} fetch MODEL --replace` replaces it.",
    "set proxy": "Set the environment variable HTTPS_PROXY, such as http://name:password@host:port.",
    "set server address": "Check the environment variables NAPARI_WEBIPRED_ZENODO_URL and HF_ENDPOINT.",
    "trust network": f"{_COMMAND} pacs add NAME ADDRESS --trust-network` confirms it.",
    "write bundle": f"{_COMMAND} bundle MODEL` writes a bundle.",
}


@contextmanager
def remedies_in_notes() -> Iterator[None]:
    """Add what helps in Python to an error, as notes, which tracebacks show."""
    try:
        yield
    except WebIPredError as error:
        for remedy in error.remedies:
            error.add_note(REMEDIES[remedy])
        raise
