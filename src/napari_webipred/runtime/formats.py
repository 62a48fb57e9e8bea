"""Which format the files of a model are in, and the way from there to a graph that can be run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from napari_webipred.errors import ModelError

if TYPE_CHECKING:
    from napari_webipred.runtime.graph_model import GraphModel
    from napari_webipred.runtime.tfjs import LayersModel

_SUFFIXES = {".onnx": "onnx", ".h5": "hdf5", ".hdf5": "hdf5"}
_SAVED_MODEL = "saved_model.pb"


def compile_files(
    files: Mapping[str, bytes], kind: str, entry: str | None, output: str | None = None, classes: int = 0
) -> bytes:
    """Make a graph of the files of a model, whatever their format. Nothing in them is executed.

    Parameters
    ----------
    files : mapping of str to bytes
    kind : str
        What was opened: ``"onnx"``, ``"hdf5"``, or else a folder, archive or JSON.
    entry : str, optional
        Name of the model's file among them, if it is known.
    output : str, optional
        Name or number of the output that gives the classes, if the user or the card names it.
    classes : int
        How many names of classes are known, which may decide between several outputs.

    Returns
    -------
    bytes
        For `napari_webipred.runtime.session.Session`.

    Raises
    ------
    ModelError
        There is no model, more than one, or it cannot be used.
    UndecidedOutputError
        Several outputs could give the classes.
    """
    from napari_webipred.runtime import compiler, facts, graph_compiler, keras_file, onnx_file, saved_model, tfjs
    from napari_webipred.runtime.graph_model import GraphModel
    from napari_webipred.runtime.outputs import choose, properties_of

    form, file = _form(files, kind, entry)
    if form == "onnx":
        return onnx_file.adapt(file, files[file], output, classes)
    model: LayersModel | GraphModel
    if form == "hdf5":
        model = keras_file.read_h5(file, files[file])
    elif form == "keras":
        model = keras_file.read_keras(files, file)
    elif form == "saved-model":
        model = saved_model.read_saved_model(files, file)
    else:
        model = tfjs.read_model(files, entry)
    if isinstance(model, GraphModel):
        outputs = graph_compiler.outputs_of(model)
        chosen, _ = choose(model.file, outputs, output, classes)
        graph = graph_compiler.compile_graph(model, chosen.number)
    else:
        outputs = compiler.outputs_of(model)
        chosen, _ = choose(model.file, outputs, output, classes)
        graph = compiler.compile_model(model, chosen.number)
    if chosen.size is None:
        raise ModelError(f"The output {chosen.name} of {model.file} cannot be computed.", "Choose another model.")
    found = facts.facts_of(model, published_for_browsers=form == "tfjs") | properties_of(outputs, chosen)
    del model  # before the graph is copied, so that there are never three times the weights
    return facts.with_facts(graph, found)


def _form(files: Mapping[str, bytes], kind: str, entry: str | None) -> tuple[str, str]:
    """Tell the format of a model, and which of the files, or which folder, it is.

    A TensorFlow.js model counts first, because only it can have other formats beside it without doubt.
    """
    from napari_webipred.runtime.keras_file import keras_folder

    if kind in {"onnx", "hdf5"}:
        return kind, entry or ""
    if entry is not None or any(PurePosixPath(name).name == "model.json" for name in files):
        return "tfjs", ""
    if (folder := keras_folder(list(files))) is not None:
        return "keras", folder
    found = {name: "saved-model" for name in files if PurePosixPath(name).name == _SAVED_MODEL}
    suffixes = {name: PurePosixPath(name).suffix.lower() for name in files}
    found |= {name: _SUFFIXES[suffix] for name, suffix in suffixes.items() if suffix in _SUFFIXES}
    if len(found) > 1:
        names = ", ".join(list(found)[:10])
        raise ModelError(f"There are {len(found)} models here: {names}.", "Choose one of these files.")
    return next(((form, name) for name, form in found.items()), ("tfjs", ""))
