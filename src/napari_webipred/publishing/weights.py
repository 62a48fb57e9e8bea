"""The files of a model as they are published: for TensorFlow.js where that is possible, and as they were made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from napari_webipred.archive.new_zip import zipped
from napari_webipred.errors import ModelError
from napari_webipred.publishing.checklist import slug
from napari_webipred.publishing.published_card import is_refusal
from napari_webipred.runtime import tfjs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.publishing.material import Material

CONVERTED = "_model_converted.zip"  # what the names of WebIPred's archives for TensorFlow.js end in
_SAME = 1e-4


class Browser(Struct, frozen=True, eq=False):
    """A network for TensorFlow.js.

    Attributes
    ----------
    files : dict of str to bytes
        ``model.json`` and the weights.
    form : str
        ``"tfjs-layers"`` or ``"tfjs-graph"``.
    converted : bool
        Whether it was written here, with the one output that gives the classes.
    """

    files: dict[str, bytes]
    form: str
    converted: bool = False


def browser(material: Material) -> tuple[Browser | None, str]:
    """Return a network for TensorFlow.js: the files themselves if it is one, else a Keras network, converted.

    Returns
    -------
    Browser or None
    str
        Why TensorFlow.js cannot load the model; empty if it can. A model that was written for it is returned even so.
    """
    given = Browser(_tfjs_files(material), material.form) if material.form in {"tfjs-layers", "tfjs-graph"} else None
    if given is not None and not _is_refused(material):
        return given, ""
    network = material.network()
    if network is None:
        return given, "The network is not made of Keras layers, so it cannot be written for TensorFlow.js."
    from napari_webipred.runtime.browser import browser_model
    from napari_webipred.runtime.compiler import traced
    from napari_webipred.runtime.layers_file import layers_files

    try:
        written = browser_model(traced(*network))
        named = replace(written, metadata={"labels": material.model.classes})
        return Browser(layers_files(named), "tfjs-layers", converted=True), ""
    except ModelError as error:
        return given, error.message


def _is_refused(material: Material) -> bool:
    """Tell whether TensorFlow.js is known to refuse a model that was written for it."""
    return any(map(is_refusal, material.model.card.provenance.notes))


def _tfjs_files(material: Material) -> dict[str, bytes]:
    """Take over the topology and the weights, without anything that lies beside them."""
    document = tfjs.parse(material.name, material.files[material.name])
    folder = PurePosixPath(material.name).parent
    paths = [path for group in document["weightsManifest"] for path in group["paths"]]
    return {
        "model.json": material.files[material.name],
        **{PurePosixPath(path).as_posix(): material.files[(folder / path).as_posix()] for path in paths},
    }


def same_numbers(files: Mapping[str, bytes], batch: NDArray[np.float32], numbers: NDArray[np.float32]) -> float:
    """Open a converted network, and return how far its numbers are from those of the model that it was made of.

    Parameters
    ----------
    files : mapping of str to bytes
    batch : ndarray of float32, shape (n, height, width, channels)
    numbers : ndarray of float32, shape (n, outputs)
        What the other model gives.

    Raises
    ------
    ModelError
        It is not the same network.
    """
    from napari_webipred.runtime.bounds import with_bounds
    from napari_webipred.runtime.readers import compile_files
    from napari_webipred.runtime.session import Session

    session = Session(with_bounds(compile_files(files, "folder", "model.json")), 1, allow_slow=True)
    ours = np.concatenate([session.predict(image[None]) for image in batch])
    scale = max(1.0, float(np.abs(numbers).max()))
    if ours.shape != numbers.shape or not (found := float(np.abs(ours - numbers).max()) / scale) <= _SAME:
        raise ModelError(
            "The converted network gives other numbers than the model.", "Report it; publish the model unconverted."
        )
    return found


def original(material: Material, name: str) -> tuple[str, bytes] | None:
    """Return the model as it was made, under the name that it is published with; None if that is for TensorFlow.js.

    Parameters
    ----------
    material : Material
    name : str
        Of the model.
    """
    files, form = material.files, material.form
    if form in {"tfjs-layers", "tfjs-graph"}:
        return None
    if form == "saved-model":
        folder = PurePosixPath(material.name).parent
        kept = {each: files[each] for each in files if _is_of_saved_model(PurePosixPath(each), folder)}
        return f"{slug(name)}_saved_model.zip", zipped(
            {PurePosixPath(each).relative_to(folder).as_posix(): content for each, content in kept.items()}
        )
    suffix, content = material.as_one_file()
    if form == "onnx":
        from napari_webipred.publishing.onnx_cleaning import cleaned

        content = cleaned(material.name, content)
    return f"{slug(name)}_model{suffix}", content


def _is_of_saved_model(path: PurePosixPath, folder: PurePosixPath) -> bool:
    if folder not in path.parents:
        return False
    own = path.relative_to(folder)
    return own.name in {"saved_model.pb", "keras_metadata.pb"} or own.name.startswith("variables.")


def card_weights(form: str, key: str) -> dict[str, Any]:
    """Return what a card says of a file that lies beside it in a record."""
    return {"format": form, "source": {"type": "zenodo", "file_key": key}}
