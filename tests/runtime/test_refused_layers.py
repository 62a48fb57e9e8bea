"""Layers that others compute than Keras, and settings that would change the numbers: refused, not overlooked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_webipred.errors import ModelError
from napari_webipred.runtime.session import Session

Opener = Callable[..., Session]
Writer = Callable[..., dict[str, bytes]]

X = np.linspace(-2, 2, 144, dtype=np.float32).reshape(2, 4, 6, 3)


def layer(class_name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": {"name": "it", **config}}


@pytest.mark.parametrize(
    ("described", "words"),
    [
        # Operators of Keras 3, which have all their settings in the file.
        (layer("Cast", dtype="int32"), "dtype='int32'"),
        (layer("Max", axis=[1, 2], keepdims=True, initial=0.5), "initial=0.5"),
        (layer("Squareplus", b=1), "b=1"),
        (layer("LogSoftmax", axis=None), "axis=None"),
        (
            layer("Dense", units=1, dtype={"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8"}}),
            "it (Dense, quantised as 'int8')",
        ),
        # A class or function of somebody else may compute anything.
        (layer("Custom>Conv2D", filters=1, kernel_size=1), "Custom>Conv2D"),
        (layer("Dense", units=1) | {"module": None, "registered_name": "Dense"}, "Custom>Dense"),
        (layer("Dense", units=1) | {"module": "mine.layers", "registered_name": "Mine>Dense"}, "Mine>Dense"),
        (layer("Activation", activation="Custom>relu"), "Custom>relu"),
        (layer("Activation", activation={"class_name": "Custom>ReLU", "config": {}}), "Custom>ReLU"),
        (layer("Lambda", function=["4wEAAAAAAAA", None, None]), "Lambda"),
    ],
)
def test_what_would_change_the_numbers_is_named(
    described: dict[str, Any], words: str, layer_files: Writer, open_session: Opener
) -> None:
    with pytest.raises(ModelError) as refusal:
        open_session(layer_files([described], (4, 6, 3)))
    assert words in refusal.value.message


@pytest.mark.parametrize("setting", [{"dtype": "int32"}, {"beta": 2.0}])
def test_an_argument_of_an_operator_of_tensorflow_that_is_not_used_is_refused(
    setting: dict[str, Any], model_files: Writer, open_session: Opener
) -> None:
    function = "cast" if "dtype" in setting else "nn.silu"
    image = {"class_name": "InputLayer", "name": "image", "config": {"batch_input_shape": [None, 4, 6, 3]}}

    def files(arguments: dict[str, Any]) -> dict[str, bytes]:
        called = {**layer("TFOpLambda", function=function), "name": "it", "inbound_nodes": [["image", 0, 0, arguments]]}
        config = {"name": "m", "layers": [image, called], "input_layers": [["image", 0, 0]]}
        return model_files({"class_name": "Model", "config": {**config, "output_layers": [["it", 0, 0]]}}, {})

    open_session(files({"dtype": "float32"} if function == "cast" else {"beta": 1.0, "name": "any"}))
    with pytest.raises(ModelError, match="unsupported setting"):
        open_session(files(setting))


@pytest.mark.parametrize("version", ["2.15.0", "3.1.0"])
def test_softmax_without_an_axis_is_along_the_last_one_but_in_keras_3(
    version: str, layer_files: Writer, open_session: Opener
) -> None:
    files = layer_files([layer("Softmax", axis=None)], (4, 6, 3))
    document = json.loads(files["model.json"])
    document["modelTopology"]["keras_version"] = version
    files["model.json"] = json.dumps(document).encode()
    if version < "3":
        expected = np.exp(X) / np.exp(X).sum(-1, keepdims=True)
        np.testing.assert_allclose(open_session(files).predict(X), expected.reshape(2, -1), rtol=1e-5)
    else:
        with pytest.raises(ModelError, match="axis=None"):
            open_session(files)
