from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import napari_webipred as wp
from napari_webipred import settings
from napari_webipred.catalogue import store, told
from napari_webipred.errors import ModelError, OptionError
from napari_webipred.model import Progress, opening


def write_tfjs(
    folder: Path,
    outputs: int = 2,
    shape: tuple[int | None, ...] = (2, 2, 1),
    activation: str = "linear",
    version: str = "2.8.0",
    name: str = "mean",
) -> Path:
    """A model whose outputs are the mean of the picture times 1, 2, 3, ..., and an activation of that."""
    folder.mkdir(parents=True, exist_ok=True)
    layers = [
        {"class_name": "InputLayer", "config": {"name": "image", "batch_input_shape": [None, *shape]}},
        {"class_name": "GlobalAveragePooling2D", "config": {"name": name}},
        {
            "class_name": "Dense",
            "config": {"name": "dense", "units": outputs, "use_bias": False, "activation": activation},
        },
    ]
    topology = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}, "keras_version": version}
    entry = {"name": "dense/kernel", "shape": [shape[-1], outputs], "dtype": "float32"}
    manifest = [{"paths": ["w.bin"], "weights": [entry]}]
    (folder / "model.json").write_text(json.dumps({"modelTopology": topology, "weightsManifest": manifest}))
    (folder / "w.bin").write_bytes(np.tile(np.arange(1, outputs + 1, dtype="<f4"), (shape[-1] or 1, 1)).tobytes())
    return folder


def picture(value: int) -> np.ndarray:
    return np.full((4, 4), value, np.uint8)


def test_a_folder_with_labels_still_asks_for_the_scaling(tmp_path):
    folder = write_tfjs(tmp_path / "pets")
    (folder / "labels.txt").write_text("cat\ndog\n")
    model = wp.open_model(folder)
    assert model.classes == ["cat", "dog"]
    assert model.card.preprocessing is None
    with pytest.raises(OptionError, match="pets"):
        wp.classify(picture(1), model)


def test_what_was_told_need_not_be_told_again(tmp_path):
    folder = write_tfjs(tmp_path / "pets", shape=(None, None, 1))
    wp.open_model(folder, classes=["cat", "dog"], size=(4, 2), activation="softmax")
    wp.open_model(folder, standardize="tf")
    model = wp.open_model(folder)
    assert model.classes == ["cat", "dog"]
    assert (model.card.input.width, model.card.input.height) == (4, 2)
    assert model.card.preprocessing.standardize_mode == "tf"
    assert model.card.output.activation == "softmax"
    assert wp.open_model(folder, classes=["a", "b"]).classes == ["a", "b"]
    assert wp.open_model(folder).classes == ["a", "b"]


def test_what_did_not_fit_the_model_is_not_kept(tmp_path):
    folder = write_tfjs(tmp_path / "pets")
    with pytest.raises(ModelError, match="2 outputs, but 3"):
        wp.open_model(folder, classes=["a", "b", "c"])
    assert wp.open_model(folder).classes == ["0", "1"]


def test_another_model_has_been_told_nothing(tmp_path):
    wp.open_model(write_tfjs(tmp_path / "a"), standardize="tf")
    assert wp.open_model(write_tfjs(tmp_path / "b", outputs=3)).card.preprocessing is None


def test_a_choice_for_a_model_of_the_catalogue_counts_once():
    assert wp.open_model("demo", standardize="caffe").card.preprocessing.standardize_mode == "caffe"
    assert wp.open_model("demo").card.preprocessing.standardize_mode != "caffe"


def test_wiping_the_cache_forgets_what_was_told(tmp_path):
    folder = write_tfjs(tmp_path / "pets")
    wp.open_model(folder, standardize="tf")
    kept = list((settings.current().cache_folder / "told").iterdir())
    assert len(kept) == 1
    store.wipe()
    assert not kept[0].parent.exists()
    assert wp.open_model(folder).card.preprocessing is None


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"classes": 3, "standardize": null, "size": null, "activation": null}', "{" * 9999]
)
def test_a_damaged_note_of_what_was_told_is_as_none(tmp_path, content):
    folder = write_tfjs(tmp_path / "pets")
    model = wp.open_model(folder, standardize="tf")
    told.path_of(model.checksum).write_text(content)
    assert wp.open_model(folder).card.preprocessing is None


def test_logits_become_probabilities_by_the_activation_that_is_told(tmp_path):
    folder = write_tfjs(tmp_path / "logits")
    row = wp.classify(picture(1), wp.open_model(folder, standardize="none")).iloc[0]
    assert "no probabilities" in row["error"]
    row = wp.classify(picture(1), wp.open_model(folder, activation="softmax")).iloc[0]
    np.testing.assert_allclose([row["0"], row["1"]], [1 / (1 + np.e), np.e / (1 + np.e)], rtol=1e-6)
    row = wp.classify(picture(1), wp.open_model(folder, activation="sigmoid")).iloc[0]
    np.testing.assert_allclose([row["0"], row["1"]], 1 / (1 + np.exp([-1, -2])), rtol=1e-6)
    row = wp.classify(picture(1), wp.open_model(folder, activation="none")).iloc[0]
    np.testing.assert_allclose([row["0"], row["1"]], [1, 2])


def test_an_activation_that_there_is_not_is_refused(tmp_path):
    with pytest.raises(OptionError, match="relu"):
        wp.open_model(write_tfjs(tmp_path / "m"), activation="relu")


def test_labels_of_another_number_than_outputs_are_not_used(tmp_path):
    folder = write_tfjs(tmp_path / "m", outputs=3)
    (folder / "labels.txt").write_text("cat\ndog\n")
    model = wp.open_model(folder)
    assert model.classes == ["0", "1", "2"]
    assert "labels.txt names 2 classes" in model.card.provenance["assumed"][0]


def test_teachable_machine_exports_classify_without_a_question(shared_models):
    for case, classes in (("tm-nevus", ["Melanoma", "Lunar"]), ("ml5-cataract", ["Normal", "Cataract", "Invalid"])):
        model = wp.open_model(shared_models / case)
        assert model.classes == classes
        row = wp.classify(np.zeros((50, 80, 3), np.uint8), model).iloc[0]
        assert row["error"] == ""
        assert row[classes].sum() == pytest.approx(1)


def write_onnx(path: Path, **properties: str) -> Path:
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Softmax", ["flat"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 4, 6])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])]
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, properties)
    onnx.save(model, path)
    return path


def test_an_onnx_file_is_opened_with_what_it_says_about_itself(tmp_path):
    properties = {"names": "{0: 'red', 1: 'green', 2: 'blue'}", "Image.NominalPixelRange": "Normalized_0_1"}
    path = write_onnx(tmp_path / "colours.onnx", **properties)
    for _ in range(2):  # compiled, and from the cache
        model = wp.open_model(path)
        assert model.classes == ["red", "green", "blue"]
        assert model.input_shape == (4, 6, 3)
        row = wp.classify(np.full((9, 9, 3), [0, 255, 0], np.uint8), model).iloc[0]
        assert row["prediction"] == "green"
        np.testing.assert_allclose(row["green"], np.e / (2 + np.e), rtol=1e-6)


def test_labels_may_lie_beside_an_onnx_file(tmp_path):
    folder = tmp_path / "m"
    folder.mkdir()
    path = write_onnx(folder / "colours.onnx")
    (folder / "labels.txt").write_text("r\ng\nb")
    (folder / "unrelated.json").write_text("no JSON")
    assert wp.open_model(path).classes == ["r", "g", "b"]
    assert wp.open_model(folder).classes == ["r", "g", "b"]


def test_two_models_in_a_folder_are_named(tmp_path):
    write_onnx(tmp_path / "a.onnx")
    write_onnx(tmp_path / "b.onnx")
    with pytest.raises(ModelError, match=r"a\.onnx, b\.onnx"):
        wp.open_model(tmp_path)


# --- what the network itself tells -----------------------------------------------------------------------------------


def test_a_network_without_a_softmax_says_so_and_is_never_taken_for_probabilities(tmp_path):
    model = wp.open_model(write_tfjs(tmp_path / "m"), standardize="none")
    assert model.card.output.ending == "Gemm"
    assert "ends in Gemm, without softmax or sigmoid" in model.remarks[0]
    row = wp.classify(np.zeros((4, 4), np.uint8), model).iloc[0]  # gives 0 and 0, which lie between 0 and 1
    assert "add up to 0" in row["error"]
    assert wp.open_model(tmp_path / "m", activation="none").remarks == []


def test_a_sigmoid_for_each_class_assigns_each_class_by_itself(tmp_path):
    model = wp.open_model(write_tfjs(tmp_path / "m", activation="sigmoid"), standardize="none", classes=["a", "b"])
    assert model.card.task == "multi-label"
    assert "sigmoid of its own" in model.remarks[0]
    assert wp.classify(picture(1), model).iloc[0]["prediction"] == "a; b"


def test_a_card_that_knows_the_task_is_believed(tmp_path):
    folder = write_tfjs(tmp_path / "m", activation="sigmoid")
    (folder / "webipred.json").write_text('{"task": "multi-class"}')
    model = wp.open_model(folder)
    assert model.card.task == "multi-class"
    assert model.remarks == []


def test_a_softmax_needs_no_remark(tmp_path):
    model = wp.open_model(write_tfjs(tmp_path / "m", activation="softmax"), standardize="none")
    assert model.card.output.ending == "Softmax"
    assert model.remarks == []


def test_a_single_sigmoid_is_two_classes(tmp_path):
    model = wp.open_model(write_tfjs(tmp_path / "m", outputs=1, activation="sigmoid"), standardize="none")
    row = wp.classify(picture(1), model).iloc[0]
    assert model.classes == ["negative", "positive"]
    np.testing.assert_allclose([row["negative"], row["positive"]], [1 / (1 + np.e), np.e / (1 + np.e)], rtol=1e-6)


def test_a_model_that_a_browser_refuses_is_loaded_and_says_so(tmp_path):
    for _ in range(2):  # compiled, and from the cache
        model = wp.open_model(write_tfjs(tmp_path / "m", activation="softmax", version="3.4.1"))
        assert model.remarks == [
            "WebIPred cannot load this model, because it was saved by Keras 3.4.1, whose files TensorFlow.js refuses; "
            "here it gives the numbers that Keras gives."
        ]


def test_a_known_family_suggests_its_scaling_but_that_does_not_count_by_itself(tmp_path):
    model = wp.open_model(write_tfjs(tmp_path / "m", activation="softmax", name="block_16_project"))
    assert model.suggestion == ("MobileNetV2", "tf")
    assert model.card.preprocessing is None
    with pytest.raises(OptionError, match=r"looks like MobileNetV2, which is usually trained with tf\."):
        wp.classify(picture(1), model)
    assert wp.open_model(write_tfjs(tmp_path / "n")).suggestion is None


def test_of_several_outputs_the_card_chooses_and_each_choice_has_a_graph_of_its_own(tmp_path):
    image = {"class_name": "InputLayer", "name": "image", "inbound_nodes": []}
    layers = [{**image, "config": {"name": "image", "batch_input_shape": [None, 2, 2, 1]}}]
    for name, kind in (("low", "GlobalMaxPooling2D"), ("mid", "GlobalAveragePooling2D")):
        layers.append(
            {"class_name": kind, "name": name, "config": {"name": name}, "inbound_nodes": [[["image", 0, 0]]]}
        )
    ends = {"input_layers": [["image", 0, 0]], "output_layers": [["low", 0, 0], ["mid", 0, 0]]}
    topology = {"class_name": "Functional", "config": {"name": "m", "layers": layers, **ends}}
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model.json").write_text(json.dumps({"modelTopology": topology, "weightsManifest": []}))
    pictures = np.array([0, 0, 0, 4], np.float32).reshape(1, 2, 2, 1)
    assert wp.open_model(tmp_path / "m").predict(pictures) == 1
    for name, number in (("low", 4), ("0", 4), ("mid", 1)):
        (tmp_path / "m" / "webipred.json").write_text(json.dumps({"output": {"tensor_name": name}}))
        assert wp.open_model(tmp_path / "m").predict(pictures) == number
    (tmp_path / "m" / "webipred.json").write_text('{"output": {"tensor_name": "high"}}')
    with pytest.raises(ModelError, match="no output 'high', but low, mid"):
        wp.open_model(tmp_path / "m")


def test_a_download_tells_how_long_it_takes_and_why_it_waits(tmp_path, monkeypatch):
    folder = write_tfjs(tmp_path / "pets")

    def fetch(card):
        yield store.Download(1, 10, 3.5)
        yield store.Download(1, 10, None, "The server is busy.")
        return folder

    monkeypatch.setattr(store, "fetch", fetch)
    steps = opening("demo")
    assert next(steps) == Progress("download", 1, 10, 3.5)
    assert next(steps) == Progress("download", 1, 10, None, "The server is busy.")
    steps.close()
