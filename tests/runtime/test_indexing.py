from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_webipred.errors import ModelError
from napari_webipred.runtime.compiler import compile_model
from napari_webipred.runtime.session import Session
from napari_webipred.runtime.tfjs import LayersModel

ALL = {"start": None, "stop": None, "step": None}
DOTS = {"class_name": "__ellipsis__"}


def sliced(spec: Any) -> bytes:
    """Compile a model that takes a part of an image of 4 x 5 pixels."""
    part = {"class_name": "SlicingOpLambda", "name": "part"}
    part["config"] = {"name": "part", "function": "__operators__.getitem"}
    part["inbound_nodes"] = [["image", 0, 0, {"slice_spec": spec}]]
    image = {"class_name": "InputLayer", "name": "image", "inbound_nodes": []}
    image["config"] = {"name": "image", "batch_input_shape": [None, 4, 5, 3]}
    flat = {
        "class_name": "Flatten",
        "name": "flat",
        "config": {"name": "flat"},
        "inbound_nodes": [[["part", 0, 0, {}]]],
    }
    config = {"layers": [image, part, flat], "input_layers": [["image", 0, 0]], "output_layers": [["flat", 0, 0]]}
    topology = {"class_name": "Functional", "config": json.loads(json.dumps(config))}
    return compile_model(LayersModel("m.json", topology, "2.8.0", {}, {}))


@pytest.mark.parametrize(
    ("spec", "numpy"),
    [
        ([DOTS, {**ALL, "step": -1}], lambda x: x[..., ::-1]),
        ([ALL, {**ALL, "start": -3, "stop": 100}], lambda x: x[:, -3:100]),
        ([ALL, 1, {**ALL, "start": 4, "step": -2}], lambda x: x[:, 1, 4::-2]),
        ([DOTS, -1, ALL], lambda x: x[..., -1, :]),
        ([DOTS], lambda x: x[...]),
        ([ALL, {**ALL, "start": 3, "stop": 0, "step": -1}, 0, 2], lambda x: x[:, 3:0:-1, 0, 2]),
    ],
)
def test_parts_are_those_of_numpy(spec: list[Any], numpy: Callable[[np.ndarray], np.ndarray]) -> None:
    images = np.arange(2 * 4 * 5 * 3, dtype=np.float32).reshape(2, 4, 5, 3)
    np.testing.assert_array_equal(Session(sliced(spec), 1).predict(images), numpy(images).reshape(2, -1))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ([0], "batch axis"),
        ([{**ALL, "step": -1}], "batch axis"),
        ([ALL, None], "unsupported index None"),
        ([DOTS, 3], "index 3, which is outside an axis of size 3"),
        ([DOTS, -4], "index -4, which is outside an axis of size 3"),
        ([DOTS, DOTS], "unsupported index"),
        ([ALL] * 5, "unsupported index"),
        ([ALL, {**ALL, "start": 4}], "empty slice"),
        ([ALL, {**ALL, "step": 0}], "unsupported index"),
        ([ALL, {**ALL, "start": 0.5}], "unsupported index"),
        ([ALL, {"begin": 1}], "unsupported index"),
        (None, "unsupported index None"),
    ],
)
def test_what_is_no_part_of_an_image_is_refused(spec: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        sliced(spec)
