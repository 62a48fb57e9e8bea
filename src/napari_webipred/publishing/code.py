"""Code and foreign parts in a model: what another program might execute. Such models are refused before it starts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from napari_webipred.errors import ModelError
from napari_webipred.names import listed
from napari_webipred.publishing import saved_model_code

if TYPE_CHECKING:
    from napari_webipred.publishing.material import Material

_MOST = 2_000_000  # values of a topology
# Where the parts of Keras come from that can be in a network; anything else may be a function that does something.
_MODULES = re.compile(
    r"(tf_)?keras((\.src)?\.(layers|models|engine|initializers|regularizers|constraints|activations|dtype_policies|"
    r"mixed_precision|ops)(\.\w+)*)?"
)
_LAYERS = re.compile(r"(tf_)?keras(\.src)?\.layers(\.\w+)*")
_NETWORKS = {"InputLayer", "Functional", "Model", "Sequential"}
# What runs code of its own, or files that it names, wherever it stands.
_RUNNING = {"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
_FOR_TRAINING = {"compile_config", "training_config"}  # what is not read for predictions


def refuse(material: Material) -> None:
    """Raise an error if a model holds code, or parts that are not of Keras or TensorFlow themselves.

    This program itself executes nothing of a model; TensorFlow may do so.

    Raises
    ------
    ModelError
        All such parts are named.
    """
    if material.form == "saved-model":
        found = saved_model_code.foreign_operations(material.files[material.name])
    else:
        found = list(dict.fromkeys(foreign_parts(material.topology())))
    if found:
        raise ModelError(
            f"{material.model.card.name} is not given to TensorFlow, because TensorFlow might execute code in it: "
            f"{listed(found, 10)}.",
            "Compare a model without Lambda layers and layers of your own.",
        )


def foreign_parts(topology: Any) -> Iterator[str]:
    """Yield the parts of a Keras topology, however deep, that hold code or are not of Keras."""
    from napari_webipred.runtime.layers import KINDS
    from napari_webipred.runtime.layers.activation import ACTIVATIONS

    functions = {*ACTIVATIONS, "softmax", "log_softmax"}
    todo: list[Any] = [topology]
    for _ in range(_MOST):
        if not todo:
            return
        value = todo.pop()
        if isinstance(value, list):
            todo.extend(value)
        elif isinstance(value, dict):
            todo.extend(part for key, part in value.items() if key not in _FOR_TRAINING)
            yield from _foreign(value, set(KINDS), functions)
    yield "more parts than any network has"


def _foreign(part: dict[str, Any], layers: set[str], functions: set[str]) -> Iterator[str]:
    """Yield why an object of a topology is not given to another program."""
    kind, module, registered = (part.get(key) for key in ("class_name", "module", "registered_name"))
    if not isinstance(kind, str):
        return
    name = str(part.get("name") or kind)[:80]
    of_keras = module is None or (isinstance(module, str) and _MODULES.fullmatch(module) is not None)
    if kind == "function":
        function = str(part.get("config"))
        if function not in functions or not (of_keras or module == "builtins"):
            yield f"the function {function[:80]}"
        return
    known = kind in layers | _NETWORKS
    if (last := kind.rpartition(">")[2]) in _RUNNING:
        yield f"{name} ({'Lambda' if last == '__lambda__' else last})"
    elif ">" in kind or (isinstance(registered, str) and ">" in registered):
        yield f"{name} ({kind[:80]})"
    elif not of_keras:
        yield f"{name} ({str(module)[:80]}.{kind[:80]})"
    elif not known and ("inbound_nodes" in part or _LAYERS.fullmatch(str(module))):
        yield f"{name} ({kind[:80]})"
    elif kind in {"TFOpLambda", "SlicingOpLambda"} and not _is_arithmetic(part.get("config")):
        yield f"{name} ({kind})"


def _is_arithmetic(config: Any) -> bool:
    """Tell whether an operator of TensorFlow only computes."""
    function = str(config.get("function") if isinstance(config, dict) else None)
    return function.startswith(("__operators__.", "math.", "nn.", "compat.v1.nn.")) or function in {
        *("reshape", "cast", "concat", "stack", "squeeze", "expand_dims", "transpose", "identity", "shape"),
        *("strided_slice", "image.resize", "clip_by_value"),
    }
