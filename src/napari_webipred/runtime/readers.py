"""Which of the files is the model and in which format, and the way from there to a graph that can be run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from napari_webipred import formats
from napari_webipred.errors import ModelError
from napari_webipred.names import listed
from napari_webipred.runtime import keras_file, keras_metadata, tfjs
from napari_webipred.runtime.graph_model import GraphModel, is_graph

if TYPE_CHECKING:
    from napari_webipred.runtime.tfjs import LayersModel

Files: TypeAlias = Mapping[str, bytes]

_LOOKED_FOR = f"Looked for: {formats.listed('and')}, and Keras weights with their network in a JSON file beside them."
_CHOOSE = "Give the path of one of them; that of a file in a zip archive is archive.zip/FILE."


class Found(Struct, frozen=True):
    """A model among files.

    Attributes
    ----------
    format : str
        Its format, as `napari_webipred.formats` and cards call it.
    name : str
        Name of its file; of a Keras archive that was unpacked, the name of the weights; of a Keras network and its
        weights in two files, either.
    """

    format: str
    name: str


def _no_archives(name: str) -> Files:
    raise ModelError(f"{name} is an archive, which cannot be opened here.", "Choose that file itself.")


def compile_files(
    files: Files,
    kind: str,
    entry: str | None,
    output: str | None = None,
    classes: int = 0,
    *,
    unpacked: Callable[[str], Files] = _no_archives,
    preferred: str | None = None,
) -> bytes:
    """Make a graph of the files of a model, whatever their format. Nothing in them is executed.

    Parameters
    ----------
    files : mapping of str to bytes
    kind : str
        What was opened: the format of a file that tells it by its content, or else a folder, archive or JSON.
    entry : str, optional
        Name of the model's file among them, if it is known.
    output : str, optional
        Name or number of the output that gives the classes, if the user or the card names it.
    classes : int
        How many names of classes are known, which may decide between several outputs.
    unpacked : callable
        Opens an archive that is one of the files, such as ``model.keras``, and returns the files in it.
    preferred : str, optional
        The format of the model as its card calls it, which chooses one of several in different formats.

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
    from napari_webipred.runtime import compiler, facts, graph_compiler, onnx_file
    from napari_webipred.runtime.outputs import choose, properties_of

    found = _found(files, kind, entry, preferred)
    if found.format == "onnx":
        return onnx_file.adapt(found.name, files[found.name], output, classes, files)
    model = READERS[found.format](files, found.name, unpacked)
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
    properties = facts.facts_of(model, published_for_browsers=found.format == "tfjs-layers")
    properties |= properties_of(outputs, chosen) | {facts.FORMAT: found.format}
    del model  # before the graph is copied, so that there are never three times the weights
    return facts.with_facts(graph, properties)


def _found(files: Files, kind: str, entry: str | None, preferred: str | None) -> Found:
    return Found(_format_of(files, kind, entry), entry) if entry is not None else find_model(files, preferred)


def layers_of(
    files: Files,
    kind: str,
    entry: str | None,
    output: str | None = None,
    classes: int = 0,
    *,
    unpacked: Callable[[str], Files] = _no_archives,
    preferred: str | None = None,
) -> tuple[LayersModel, int] | None:
    """Read a Keras network layer by layer; parameters as for `compile_files`.

    Returns
    -------
    LayersModel, and the number of the output that gives the classes
        None if the model is in another format, which has no layers.

    Raises
    ------
    ModelError
        There is no model, more than one, or it cannot be used.
    """
    from napari_webipred.runtime import compiler
    from napari_webipred.runtime.outputs import choose

    found = _found(files, kind, entry, preferred)
    if found.format == "onnx":
        return None
    model = READERS[found.format](files, found.name, unpacked)
    if isinstance(model, GraphModel):
        beside = keras_metadata.layers_beside(files, found.name, model) if found.format == "saved-model" else None
        if beside is None:
            return None
        model = beside
    chosen, _ = choose(model.file, compiler.outputs_of(model), output, classes)
    return model, chosen.number


def _format_of(files: Files, kind: str, entry: str) -> str:
    """Tell the format of the file that the user pointed at: by its content if it was opened, else by its name."""
    if kind in formats.BY_ID:
        return kind
    named = formats.format_of(entry)
    if named is not None and named.container != "json":
        return named.id
    if entry not in files:
        raise ModelError(f"There is no file {entry} in this model.", "Choose the model.json of the model.")
    if (found := _format_of_json(tfjs.parse(entry, files[entry]))) is not None:
        return found
    raise ModelError(f"{entry} is a JSON file, but describes no model.", _LOOKED_FOR)


def _format_of_json(document: object) -> str | None:
    """Tell the format of a model by its JSON file; None if that is no model's."""
    if tfjs.is_architecture(document):
        return "keras-h5"  # in which its weights are
    if isinstance(document, dict) and "modelTopology" in document:
        return "tfjs-graph" if is_graph(document) else "tfjs-layers"
    return None


def find_model(files: Files, preferred: str | None = None) -> Found:
    """Find the one model among files, or the one in this format; TensorFlow.js has two, which cards do not tell apart.

    Raises
    ------
    ModelError
        There is none, or more than one; all are named.
    """
    documents, broken = tfjs.topologies(files)
    found = list(_models(files, documents))
    wanted = formats.BY_ID.get(preferred or "")
    for chosen in (found, [each for each in found if wanted and formats.BY_ID[each.format].kind == wanted.kind]):
        if len(chosen) == 1:
            return chosen[0]
    if found:
        names = listed([each.name for each in found], 10)
        raise ModelError(f"There are {len(found)} models here: {names}.", _CHOOSE)
    if documents:
        raise _without_weights(next(iter(documents)))
    if broken:
        raise broken[0]
    present = ", ".join([name for name in files if not tfjs.is_noise(name)][:10]) or "no file at all"
    raise ModelError(f"There is no model here; found {present}.", _LOOKED_FOR)


def _models(files: Files, documents: Mapping[str, dict[str, Any]]) -> Iterator[Found]:
    unpacked = {folder + keras_file.WEIGHTS for folder in keras_file.keras_folders(list(files))}
    for name in files:
        if tfjs.is_noise(name):
            continue
        if name in unpacked:
            yield Found("keras-v3", name)
        elif (named := formats.format_of(name)) is not None and named.container != "json":
            yield Found(named.id, name)
        elif name in documents and not tfjs.is_architecture(documents[name]):
            yield Found("tfjs-graph" if is_graph(documents[name]) else "tfjs-layers", name)


def _read_tfjs(files: Files, name: str, _: object) -> LayersModel | GraphModel:
    return tfjs.read_model(files, name)


def _read_saved_model(files: Files, name: str, _: object) -> GraphModel:
    from napari_webipred.runtime import saved_model

    return saved_model.read_saved_model(files, name)


def _read_keras(files: Files, name: str, unpacked: Callable[[str], Files]) -> LayersModel:
    """Read an archive by Keras 3, or what the user unpacked from one."""
    if name.endswith(keras_file.WEIGHTS):
        return keras_file.read_keras(files, name.removesuffix(keras_file.WEIGHTS))
    try:
        return keras_file.read_keras(unpacked(name), "", name)
    except ModelError:
        if formats.kind_of(files[name][:512]) != "keras-h5":  # older versions of Keras wrote it under this name, too
            raise
        return _read_hdf5(files, name)


def _read_hdf5(files: Files, name: str, _: object = None) -> LayersModel:
    """Read a whole model, or weights and their network in two files, of which either is named."""
    content = files[name]
    if formats.kind_of(content[:512]) == "json":
        weights = _weights_for(files, name)
        return keras_file.read_pair(name, content, weights, files[weights])
    if keras_file.has_network(name, content):
        return keras_file.read_h5(name, content)
    documents, broken = tfjs.topologies(files, _beside(files, name, ".json"))
    networks = _partners(name, [each for each, document in documents.items() if tfjs.is_architecture(document)])
    if len(networks) == 1:
        return keras_file.read_pair(networks[0], files[networks[0]], name, content)
    if not networks and broken:
        raise broken[0]
    stem = _stem(name)
    if not networks:
        raise ModelError(
            f"{name} holds weights only, without the network that they belong to.",
            f"Put the network beside it as {stem}.json (model.to_json() in Keras), or save the whole model again: "
            "model.save('model.keras').",
        )
    raise ModelError(
        f"{name} holds weights only, and several files beside it describe a network: {', '.join(networks[:10])}.",
        f"Call the one that belongs to it {stem}.json, or choose that JSON file.",
    )


def _weights_for(files: Files, name: str) -> str:
    """Return the file with the weights of a network that a JSON file describes."""
    found = _partners(name, _beside(files, name, *formats.BY_ID["keras-h5"].suffixes))
    if len(found) == 1:
        return found[0]
    if not found:
        raise _without_weights(name)
    raise ModelError(
        f"{name} describes a network only, and several files beside it could hold its weights: "
        f"{', '.join(found[:10])}.",
        f"Call the one that belongs to it {_stem(name)}.weights.h5, or choose that file.",
    )


def _without_weights(name: str) -> ModelError:
    return ModelError(
        f"{name} holds the architecture of a Keras model only; its weights are missing.",
        f"Put the file with its weights, such as {_stem(name)}.h5 or {_stem(name)}.weights.h5, beside it.",
    )


def _beside(files: Files, name: str, *suffixes: str) -> list[str]:
    """Return the files with one of these suffixes in the same folder."""
    folder = PurePosixPath(name).parent
    paths = [PurePosixPath(each) for each in files if not tfjs.is_noise(each)]
    return [str(path) for path in paths if path.parent == folder and path.suffix.lower() in suffixes]


def _partners(name: str, others: Sequence[str]) -> Sequence[str]:
    """Return those of several files that are called as another but for the suffixes; all if none is."""
    return [each for each in others if _stem(each) == _stem(name)] or others


def _stem(name: str) -> str:
    return PurePosixPath(name).name.partition(".")[0]


# How a model in each format is read; an ONNX file needs no reader, for it is a graph already.
READERS: Mapping[str, Callable[[Files, str, Callable[[str], Files]], LayersModel | GraphModel]] = {
    "tfjs-layers": _read_tfjs,
    "tfjs-graph": _read_tfjs,
    "keras-h5": _read_hdf5,
    "keras-v3": _read_keras,
    "saved-model": _read_saved_model,
}
