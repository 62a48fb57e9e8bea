from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from napari_webipred.runtime import facts
from napari_webipred.runtime.graph_model import GraphModel, Operation
from napari_webipred.runtime.onnx_file import adapt
from napari_webipred.runtime.session import Session
from napari_webipred.runtime.tfjs import LayersModel


def layers(*names: str, kinds: tuple[str, ...] = (), version: str = "2.8.0") -> LayersModel:
    listed = [{"class_name": "Conv2D", "config": {"name": name}} for name in names]
    listed += [{"class_name": kind, "config": {"name": kind.lower()}} for kind in kinds]
    inner = {"class_name": "Functional", "config": {"name": "inner", "layers": listed}}
    topology = {"class_name": "Sequential", "config": {"name": "m", "layers": [inner]}}
    return LayersModel("model.json", topology, version, {}, {})


@pytest.mark.parametrize(
    ("names", "family"),
    [
        (["block1_conv1", "block5_conv3"], "VGG caffe"),
        (["block1_conv1", "block14_sepconv2"], "Xception tf"),
        (["conv2_block1_1_conv", "conv2_block1_concat"], "DenseNet torch"),
        (["conv2_block1_1_conv", "conv2_block1_preact_bn"], "ResNet V2 tf"),
        (["conv2_block1_1_conv"], "ResNet caffe"),
        (["block_16_project"], "MobileNetV2 tf"),
        (["mixed9", "mixed10"], "InceptionV3 tf"),
        (["conv_pw_13"], "MobileNet tf"),
    ],
)
def test_families_are_known_by_their_layers_wherever_they_are(names, family):
    assert facts.facts_of(layers(*names), published_for_browsers=True) == {facts.FAMILY: family}
    operations = {f"model/{name}_1/Conv2D": Operation("", "Conv2D", (), {}) for name in names}
    graph = GraphModel("saved_model.pb", operations, {}, {})
    assert facts.facts_of(graph, published_for_browsers=False) == {facts.FAMILY: family}


def test_a_network_that_scales_itself_needs_no_scaling():
    model = layers(kinds=("Rescaling", "Conv2D"))
    assert facts.facts_of(model, published_for_browsers=False)[facts.FAMILY].endswith(" none")


def test_other_networks_are_not_guessed():
    assert facts.facts_of(layers("conv_a", "block_17"), published_for_browsers=True) == {}


def test_what_a_browser_cannot_load_is_told_of_what_was_made_for_browsers():
    assert "Keras 3.1" in facts.facts_of(layers(version="3.1"), published_for_browsers=True)[facts.BROWSER]
    model = layers(kinds=("GroupNormalization",))
    assert (
        facts.facts_of(model, published_for_browsers=True)[facts.BROWSER] == "TensorFlow.js has no GroupNormalization"
    )
    assert facts.BROWSER not in facts.facts_of(model, published_for_browsers=False)


@pytest.mark.parametrize(
    "topology", [{}, {"config": {"layers": [3, None, {"config": []}, {"name": 5}]}}, {"config": 7}]
)
def test_a_malformed_topology_tells_nothing(topology):
    assert facts.facts_of(LayersModel("m", topology, "", {}, {}), published_for_browsers=True) == {}


def test_a_file_cannot_tell_facts_of_its_own():
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3, 4, 4])
    scores = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 3, 1, 1])
    graph = helper.make_graph([helper.make_node("GlobalAveragePool", ["x"], ["y"])], "g", [image], [scores])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    own = {
        "webipred.ending": "softmax",
        "webipred.format": "keras",
        "webipred.image": "{}",
        "webipred.test.0": "passed",
        "webipred.outputs": "[]",
        "names": "a,b,c",
    }
    helper.set_model_props(model, own)
    properties = Session(adapt("m.onnx", model.SerializeToString()), 1).properties
    assert properties == {
        "names": "a,b,c",
        "webipred.ending": "linear",
        "webipred.format": "onnx",
        "webipred.image": '{"tensor_name": "x", "layout": "NCHW", "dtype": "float32"}',
    }


def test_facts_travel_with_a_graph_without_changing_it():
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 2, 2, 1])
    classes = helper.make_tensor_value_info("classes", TensorProto.FLOAT, ["batch", 4])
    graph = helper.make_graph([helper.make_node("Flatten", ["image"], ["classes"])], "g", [image], [classes])
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    session = Session(facts.with_facts(data, {"webipred.family": "VGG caffe"}), 1)
    assert session.properties == {"webipred.family": "VGG caffe"}
    np.testing.assert_array_equal(session.predict(np.ones((1, 2, 2, 1))), np.ones((1, 4)))
    onnx.checker.check_model(onnx.load_from_string(facts.with_facts(data, {"a": "b"})))
