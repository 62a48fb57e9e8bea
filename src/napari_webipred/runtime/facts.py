"""Facts about a model that follow from its layers. They are stored as properties of the compiled graph."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_webipred.runtime.graph_model import GraphModel
    from napari_webipred.runtime.tfjs import LayersModel

# Names of the properties: the format of the model, as in cards; the image input of its file; what its outputs are; its
# family and the scaling of that; why browsers cannot load it; the preprocessing profile of the program that made it, if
# its structure shows that; how many layers hold code that is not run, and the first of them; its bounds for memory and
# work.
FORMAT = "webipred.format"
IMAGE = "webipred.image"
ENDING = "webipred.ending"
FAMILY = "webipred.family"
BROWSER = "webipred.browser"
PROFILE = "webipred.profile"
LAMBDAS = "webipred.lambdas"
BOUNDS = "webipred.bounds"
PREFIX = "webipred."

_MAX_NAMES = 50_000

# Names of layers by which a network of keras.applications is recognised, and its original scaling. The first match
# counts. The model may have been trained again with another scaling.
_FAMILIES: tuple[tuple[str, str, str], ...] = (
    (r"block14_sepconv2", "Xception", "tf"),
    (r"block5_conv[34]", "VGG", "caffe"),
    (r"conv2_block1_concat", "DenseNet", "torch"),
    (r"conv2_block1_preact_bn", "ResNet V2", "tf"),
    (r"conv2_block1_1_conv|res2a_branch2a", "ResNet", "caffe"),
    (r"block8_10(_conv)?", "InceptionResNetV2", "tf"),
    (r"mixed10", "InceptionV3", "tf"),
    (r"block_16_project", "MobileNetV2", "tf"),
    (r"conv_pw_13", "MobileNet", "tf"),
    (r"normal_conv_1_\d+|reduction_conv_1_stem_1", "NASNet", "tf"),
)

# Layers that TensorFlow.js 4.22 does not have; a model with one of them cannot be loaded in a browser.
_NOT_IN_A_BROWSER = {
    "Normalization",
    "RandomFlip",
    "RandomRotation",
    "RandomZoom",
    "RandomTranslation",
    "RandomContrast",
    "RandomBrightness",
    "RandomHeight",
    "Lambda",
    "TFOpLambda",
    "SlicingOpLambda",
    "Subtract",
    "SpatialDropout2D",
    "GroupNormalization",
    "UnitNormalization",
    "LayerScale",
    "MultiHeadAttention",
}


def facts_of(model: LayersModel | GraphModel, *, published_for_browsers: bool) -> dict[str, str]:
    """Collect the facts that the layers of a model show.

    Parameters
    ----------
    model : LayersModel or GraphModel
    published_for_browsers : bool
        Whether it is a TensorFlow.js Layers model. Only then does it matter that browsers cannot load it.

    Returns
    -------
    dict of str to str
        ``FAMILY``: such as ``"MobileNetV2 tf"``; ``BROWSER``: a reason; ``PROFILE``: ``"teachable-machine"``;
        ``LAMBDAS``: such as ``"40 block35_1"``.
    """
    from napari_webipred.runtime.graph_model import GraphModel  # a graph that is kept says its facts itself
    from napari_webipred.runtime.teachable_machine import is_teachable_machine

    if isinstance(model, GraphModel):
        names = {part for name in model.operations for part in name.split("/")}
        return _family(names, scales_itself=False)
    layers = list(_layers(model.topology))
    facts = _family({name for name, _ in layers}, scales_itself=any(kind in _SCALING for _, kind in layers[:6]))
    if is_teachable_machine(model.topology):
        facts[PROFILE] = "teachable-machine"
    if lambdas := [name for name, kind in layers if kind == "Lambda"]:
        facts[LAMBDAS] = f"{len(lambdas)} {lambdas[0]}"
    if published_for_browsers:
        missing = sorted({kind for _, kind in layers} & _NOT_IN_A_BROWSER)
        if model.keras_version.startswith("3"):
            facts[BROWSER] = f"it was saved by Keras {model.keras_version[:20]}, whose files TensorFlow.js refuses"
        elif missing:
            facts[BROWSER] = f"TensorFlow.js has no {', '.join(missing[:5])}"
    return facts


_SCALING = {"Rescaling", "Normalization"}


def _family(names: Iterable[str], *, scales_itself: bool) -> dict[str, str]:
    if scales_itself:
        return {FAMILY: "a network that scales pixel values itself none"}
    known = set(names)
    for pattern, family, mode in _FAMILIES:
        if any(re.fullmatch(rf"(?:{pattern})(_\d+)?", name) for name in known):
            return {FAMILY: f"{family} {mode}"}
    return {}


def _layers(topology: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and class of all layers, including nested models; malformed ones are skipped."""
    todo: list[Any] = [topology]
    for _ in range(_MAX_NAMES):
        if not todo:
            return
        layer = todo.pop()
        if not isinstance(layer, dict):
            continue
        config = layer.get("config")
        layers = config.get("layers") if isinstance(config, dict) else config
        if isinstance(layers, list):
            todo.extend(reversed(layers))
        name = layer.get("name") or (config.get("name") if isinstance(config, dict) else None)
        if isinstance(name, str) and isinstance(layer.get("class_name"), str):
            yield name, layer["class_name"].rpartition(">")[2]


def suggestion(properties: Mapping[str, str]) -> tuple[str, str] | None:
    """Return which family a network looks like, and the scaling that this family is published with."""
    family, _, mode = properties.get(FAMILY, "").rpartition(" ")
    return (family, mode) if family else None


def with_facts(graph: bytes, facts: Mapping[str, str]) -> bytes:
    """Append facts to an ONNX model as properties: Protocol Buffers merge messages that follow each other."""
    import onnx

    model = onnx.ModelProto()
    for key, value in sorted(facts.items()):
        model.metadata_props.add(key=key, value=value)
    return graph + bytes(model.SerializeToString(deterministic=True))
