"""TensorFlow.js as a judge: it runs a model in Node, if the user has both."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred.errors import ModelError, OptionError
from napari_webipred.publishing import child
from napari_webipred.publishing.answer import Answer, answer_of, environment, question, read
from napari_webipred.runtime import tfjs
from napari_webipred.runtime.graph_model import is_graph

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

NAME = "TensorFlow.js"
FORMATS = {"tfjs-layers", "tfjs-graph"}
_KEPT = ("format", "generatedBy", "convertedBy", "modelTopology", "signature", "userDefinedMetadata")


def asking(
    files: Mapping[str, bytes], name: str, batch: NDArray[np.float32], output: int = 0, packages: Path | None = None
) -> Generator[None, None, Answer]:
    """Let TensorFlow.js compute a model, as a web page would: it gets the topology and the weights.

    Parameters
    ----------
    files : mapping of str to bytes
    name : str
        Name of the topology JSON among them.
    batch : ndarray of float32, shape (n, height, width, channels)
    output : int
        Which of several outputs is wanted.
    packages : Path, optional
        A folder with ``node_modules``; by default Node looks where NODE_PATH says, and never in the current folder.

    Raises
    ------
    OptionError
        Node or the package is missing.
    ModelError
        TensorFlow.js refuses the model.
    """
    node = _node()
    if node is None:
        raise OptionError("Node.js is not installed, which TensorFlow.js runs in.", "", "install tensorflow.js")
    document = tfjs.parse(name, files[name])
    weights = list(_weights(files, name, document))
    header = {
        "document": {key: document[key] for key in _KEPT if key in document},
        "specs": [spec for group in document["weightsManifest"] for spec in group["weights"]],
        "weights": sum(map(len, weights)),
        "graph": is_graph(document),
        "shape": batch.shape,
        "output": output,
        "packages": None if packages is None else str(packages.resolve()),
    }
    content = question(header, *weights, np.ascontiguousarray(batch, "<f4").tobytes())
    script = Path(__file__).with_name("tensorflowjs_child.mjs")
    with tempfile.TemporaryDirectory() as place:  # what NODE_PATH has relative to a folder is not to be found, either
        found = yield from child.answering(NAME, [node, str(script)], content, environment(), packages or Path(place))
    answer = read(NAME, found, len(batch))
    if "missing" in answer:
        raise OptionError("Node.js does not find the package @tensorflow/tfjs.", "", "install tensorflow.js")
    return answer_of(answer)


def _node() -> str | None:
    """Return where Node is; never below the current folder, where Windows looks first: that may be a model."""
    found = shutil.which("node")
    return found if found is not None and Path(found).is_absolute() else None


def _weights(files: Mapping[str, bytes], name: str, document: dict[str, Any]) -> Generator[bytes, None, None]:
    """Yield the files of all groups in the order of the manifest, as TensorFlow.js joins them."""
    folder = PurePosixPath(name).parent
    for group in document["weightsManifest"]:
        for path in group["paths"]:
            place = (folder / path).as_posix()
            if place not in files:
                raise ModelError(f"The file {place} with weights is missing.", "Get the model again from its source.")
            yield files[place]
