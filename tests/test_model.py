from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import napari_webipred as wp
from hostile import models
from napari_webipred import settings
from napari_webipred.cache import overrides, store
from napari_webipred.errors import ActivationError, LimitError, ModelError, OptionError, SlowModelError
from napari_webipred.opening import Progress, opening
from napari_webipred.runtime.outputs import UndecidedOutputError


def write_tfjs(
    folder: Path,
    outputs: int = 2,
    shape: tuple[int | None, ...] = (2, 2, 1),
    activation: str = "linear",
    version: str = "2.8.0",
    name: str = "mean",
) -> Path:
    """A model whose outputs are the mean of the image times 1, 2, 3, ..., and an activation of that."""
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


def image(value: int) -> np.ndarray:
    return np.full((4, 4), value, np.uint8)


def test_a_folder_with_labels_still_asks_for_the_scaling(tmp_path):
    folder = write_tfjs(tmp_path / "pets")
    (folder / "labels.txt").write_text("cat\ndog\n")
    model = wp.open_model(folder)
    assert model.classes == ["cat", "dog"]
    assert model.card.preprocessing is None
    with pytest.raises(OptionError, match="pets"):
        wp.classify(image(1), model)


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
    overrides.path_of(model.checksum).write_text(content)
    assert wp.open_model(folder).card.preprocessing is None


def test_logits_become_probabilities_by_the_activation_that_is_told(tmp_path):
    folder = write_tfjs(tmp_path / "logits")
    with pytest.raises(ActivationError, match="ends without softmax or sigmoid, so its numbers are not probabilities"):
        wp.classify(image(1), wp.open_model(folder, standardize="none"))
    row = wp.classify(image(1), wp.open_model(folder, activation="softmax")).iloc[0]
    np.testing.assert_allclose([row["0"], row["1"]], [1 / (1 + np.e), np.e / (1 + np.e)], rtol=1e-6)
    row = wp.classify(image(1), wp.open_model(folder, activation="sigmoid")).iloc[0]
    np.testing.assert_allclose([row["0"], row["1"]], 1 / (1 + np.exp([-1, -2])), rtol=1e-6)
    row = wp.classify(image(1), wp.open_model(folder, activation="none")).iloc[0]
    np.testing.assert_allclose([row["0"], row["1"]], [1, 2])


def test_an_activation_that_there_is_not_is_refused(tmp_path):
    with pytest.raises(OptionError, match="relu"):
        wp.open_model(write_tfjs(tmp_path / "m"), activation="relu")


def test_labels_of_another_number_than_outputs_are_not_used(tmp_path):
    folder = write_tfjs(tmp_path / "m", outputs=3)
    (folder / "labels.txt").write_text("cat\ndog\n")
    model = wp.open_model(folder)
    assert model.classes == ["0", "1", "2"]
    assert "labels.txt names 2 classes, but the model has 3; they are numbered instead." in model.remarks


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


@pytest.mark.parametrize(
    ("pixels", "card", "first"),
    [("Rgb8", {}, "red"), ("Bgr8", {}, "blue"), ("Bgr8", {"channel_order": "RGB"}, "red")],
)
def test_an_onnx_file_says_in_which_order_it_takes_the_channels(tmp_path, pixels, card, first):
    properties = {"Image.NominalPixelRange": "Normalized_0_1", "Image.BitmapPixelFormat": pixels}
    path = write_onnx(tmp_path / "colours.onnx", names="first,second,third", **properties)
    if card:
        said = {"input": {"width": 6, "height": 4, **card}}
        (tmp_path / "webipred.json").write_text(json.dumps(said))
    model = wp.open_model(path)
    colours = {"red": [255, 0, 0], "blue": [0, 0, 255]}
    table = wp.classify([np.full((9, 9, 3), colour, np.uint8) for colour in colours.values()], model)
    assert [row["prediction"] for _, row in table.iterrows()].index("first") == list(colours).index(first)


def kept(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.is_file())


def test_nothing_stays_of_a_model_that_onnx_runtime_refuses(tmp_path):
    """What it takes is right, and every size is known; only it adds numbers of two types."""
    numbers = helper.make_node("Constant", [], ["n"], value_ints=[1, 2, 3])
    made = helper.make_graph(
        [numbers, helper.make_node("GlobalAveragePool", ["x"], ["m"]), helper.make_node("Flatten", ["m"], ["f"]),
         helper.make_node("Add", ["f", "n"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3, 4, 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 3])],
    )  # fmt: skip
    path = tmp_path / "mixed.onnx"
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    with pytest.raises(ModelError, match="The model mixed cannot be used") as refusal:
        wp.open_model(path)
    assert str(tmp_path / "cache") not in str(refusal.value)
    assert kept(tmp_path) == []


def endless(path: Path) -> Path:
    path.write_bytes(models.products(2000, 1000))
    return path


def test_a_model_that_computes_very_long_is_used_only_if_that_is_allowed(tmp_path):
    path = endless(tmp_path / "endless.onnx")
    with pytest.raises(SlowModelError, match=r"The model endless is slow: .* trillion multiplications"):
        wp.open_model(path)
    assert kept(tmp_path) == []
    assert wp.open_model(path, allow_slow=True).output_size == 3
    assert kept(tmp_path) != []
    with pytest.raises(SlowModelError):
        wp.open_model(path)


def test_a_model_of_any_size_is_held_to_the_limits_at_the_size_that_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_WEBIPRED_MEMORY_LIMIT", "200MB")
    path = tmp_path / "attention.onnx"
    path.write_bytes(models.attention())
    assert wp.open_model(path, size=(32, 32)).predict(np.ones((1, 32, 32, 3))).shape == (1, 3)
    with pytest.raises(LimitError, match=r"The model attention cannot be used: .* 200 MB are allowed"):
        wp.open_model(path, size=(100, 100))


def test_a_second_session_is_opened_only_where_there_is_memory_for_it(tmp_path, monkeypatch):
    model = wp.open_model(write_tfjs(tmp_path / "pets"), standardize="tf")
    monkeypatch.setattr("napari_webipred.runtime.reservation.MEMORY.fits", lambda weights, run: False)
    assert model.session(97) is model.session(98)
    monkeypatch.undo()
    assert model.session(2) is not model.session(3)


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
    assert model.card.output.ending == "linear"
    assert model.needs_activation
    assert model.needs_settings
    assert "probabilities" not in " ".join(model.remarks)  # the error says it, once
    with pytest.raises(ActivationError, match="ends without softmax or sigmoid"):
        wp.classify(np.zeros((4, 4), np.uint8), model)  # gives 0 and 0, which lie between 0 and 1
    told = wp.open_model(tmp_path / "m", activation="none", classes=["a", "b"])
    assert told.remarks == []
    assert not told.needs_settings


def test_a_sigmoid_for_each_class_assigns_each_class_by_itself(tmp_path):
    model = wp.open_model(write_tfjs(tmp_path / "m", activation="sigmoid"), standardize="none", classes=["a", "b"])
    assert model.card.task == "multi-label"
    assert "sigmoid of its own" in model.remarks[0]
    assert wp.classify(image(1), model).iloc[0]["prediction"] == "a; b"


def test_a_card_that_knows_the_task_is_believed(tmp_path):
    folder = write_tfjs(tmp_path / "m", activation="sigmoid")
    (folder / "webipred.json").write_text('{"task": "multi-class"}')
    model = wp.open_model(folder, classes=["a", "b"])
    assert model.card.task == "multi-class"
    assert model.remarks == []


def test_a_softmax_with_names_needs_no_remark(tmp_path):
    model = wp.open_model(write_tfjs(tmp_path / "m", activation="softmax"), classes=["a", "b"])
    assert model.card.output.ending == "softmax"
    assert model.remarks == []


@pytest.mark.parametrize("outputs", [2, 3])
def test_classes_without_names_are_numbered_and_no_word_is_invented(tmp_path, outputs):
    model = wp.open_model(write_tfjs(tmp_path / "m", outputs=outputs, activation="softmax"))
    assert model.classes == [str(i) for i in range(outputs)]
    assert [entry.label for entry in model.card.classes] == [f"class {i} (not named)" for i in range(outputs)]
    assert not model.card.is_named
    assert model.remarks == ["The model does not name its classes, so they are numbered in the order of its outputs."]
    told = wp.open_model(tmp_path / "m", classes=["a", "b", "c"][:outputs])
    assert told.card.is_named
    assert wp.open_model(tmp_path / "m", classes=[]).classes == model.classes  # no name is a choice, too


def test_a_single_sigmoid_without_names_is_two_numbered_classes_and_says_which_is_which(tmp_path):
    folder = write_tfjs(tmp_path / "m", outputs=1, activation="sigmoid")
    model = wp.open_model(folder, standardize="none")
    row = wp.classify(image(1), model).iloc[0]
    assert model.classes == ["0", "1"]
    assert model.card.task == "binary"
    np.testing.assert_allclose([row["0"], row["1"]], [1 / (1 + np.e), np.e / (1 + np.e)], rtol=1e-6)
    assert "Class 0 is the one with outputs near 0." in model.remarks[0]
    named = wp.open_model(folder, classes=["parasitised", "uninfected"])
    row = wp.classify(image(1), named).iloc[0]
    np.testing.assert_allclose(row["uninfected"], np.e / (1 + np.e), rtol=1e-6)
    assert named.remarks == []


def test_one_name_for_a_sigmoid_is_refused_unless_the_models_card_says_what_the_number_is(tmp_path):
    folder = write_tfjs(tmp_path / "m", outputs=1, activation="sigmoid")
    with pytest.raises(
        ModelError, match=r"only one name \(malignant\) is given.*Give both names in order\. Class 0 is"
    ):
        wp.open_model(folder, classes=["malignant"])
    (folder / "labels.txt").write_text("malignant")
    model = wp.open_model(folder)
    assert model.classes == ["0", "1"]
    assert "labels.txt names 1 class, but the model has 2; they are numbered instead." in model.remarks
    card = {"task": "binary", "classes": [{"index": 0, "name": "malignant"}]}
    (folder / "webipred.json").write_text(json.dumps(card))
    assert wp.open_model(folder).classes == ["not malignant", "malignant"]


def test_a_softmax_over_one_number_is_refused(tmp_path):
    folder = write_tfjs(tmp_path / "m", outputs=1, activation="softmax")
    with pytest.raises(ModelError, match="the softmax of one number is always 1"):
        wp.open_model(folder)
    linear = write_tfjs(tmp_path / "linear", outputs=1)
    with pytest.raises(ModelError, match="the softmax of one number is always 1"):
        wp.open_model(linear, activation="softmax")
    assert wp.open_model(linear).card.task == "regression"  # what was refused is not kept


def test_logarithms_of_probabilities_become_probabilities_by_themselves(tmp_path):
    folder = write_tfjs(tmp_path / "m", activation="log_softmax")
    for _ in range(2):  # compiled, and from the cache
        model = wp.open_model(folder, standardize="none", classes=["a", "b"])
        row = wp.classify(image(1), model).iloc[0]
        np.testing.assert_allclose([row["a"], row["b"]], [1 / (1 + np.e), np.e / (1 + np.e)], rtol=1e-6)
        assert model.remarks == ["The network returns log-probabilities; softmax turns them into probabilities."]
        assert model.predict(np.ones((1, 2, 2, 1))).max() < 0  # TensorFlow.js' numbers stay what they are
    assert wp.open_model(folder, activation="sigmoid").card.output.activation == "softmax"


@pytest.mark.parametrize(("ending", "told"), [("softmax", "sigmoid"), ("sigmoid", "softmax"), ("softmax", "softmax")])
def test_no_activation_is_applied_to_probabilities(tmp_path, ending, told):
    folder = write_tfjs(tmp_path / "m", activation=ending)
    model = wp.open_model(folder, standardize="none", classes=["a", "b"], activation=told)
    row = wp.classify(image(1), model).iloc[0]
    np.testing.assert_allclose(row[["a", "b"]].astype(float), model.predict(np.ones((1, 2, 2, 1)))[0], rtol=1e-6)
    assert f"ends in a {ending} already, so no {told} is applied" in model.remarks[0]


# --- values ----------------------------------------------------------------------------------------------------------


def test_one_linear_number_is_a_value_and_no_class(tmp_path):
    folder = write_tfjs(tmp_path / "m", outputs=1)
    for _ in range(2):  # compiled, and from the cache
        model = wp.open_model(folder, standardize="none")
        table = wp.classify([image(1), image(200)], model)
        assert list(table.columns) == ["image", "value", "prediction", "error"]
        np.testing.assert_allclose(table["value"], [1, 200])
        assert (table[["prediction", "error"]] == "").all(axis=None)
        assert model.card.task == "regression"
        assert not model.needs_activation
        assert "shown as a value, not as classes. If it is a logit for two classes" in model.remarks[0]


def test_a_value_has_the_name_and_unit_of_the_card(tmp_path):
    folder = write_tfjs(tmp_path / "m", outputs=1)
    card = {"task": "regression", "classes": [{"index": 0, "name": "age", "unit": "years"}]}
    (folder / "webipred.json").write_text(json.dumps(card))
    model = wp.open_model(folder, standardize="none")
    assert wp.classify(image(63), model)["age"].tolist() == [63]
    assert model.card.classes[0].value(63.25) == "63.25 years"
    assert model.remarks == []
    (folder / "webipred.json").unlink()
    assert wp.open_model(folder, classes=["age"]).classes == ["age"]


def test_a_logit_becomes_two_classes_by_the_sigmoid_that_is_told(tmp_path):
    folder = write_tfjs(tmp_path / "m", outputs=1)
    model = wp.open_model(folder, standardize="none", activation="sigmoid", classes=["cat", "dog"])
    row = wp.classify(image(1), model).iloc[0]
    np.testing.assert_allclose([row["cat"], row["dog"]], [1 / (1 + np.e), np.e / (1 + np.e)], rtol=1e-6)
    assert row["prediction"] == "dog"


def test_two_names_for_one_linear_number_leave_the_activation_to_be_asked_for(tmp_path):
    """It is probably a logit; but trained to give 0 and 1 it would be none, and a sigmoid of it wrong."""
    folder = write_tfjs(tmp_path / "m", outputs=1)
    (folder / "labels.txt").write_text("cat\ndog")
    model = wp.open_model(folder, standardize="none")
    assert model.needs_activation
    assert (model.card.task, model.classes) == ("binary", ["cat", "dog"])
    with pytest.raises(ActivationError):
        wp.classify(np.zeros((4, 4), np.uint8), model)
    value = wp.open_model(folder, activation="none")
    assert value.classes == ["value"]
    assert "2 class names are not used" in value.remarks[0]


def test_several_values_are_told_by_the_card(tmp_path):
    folder = write_tfjs(tmp_path / "m")
    classes = [{"index": 0, "name": "width", "unit": "mm"}, {"index": 1, "name": "height", "unit": "mm"}]
    (folder / "webipred.json").write_text(json.dumps({"task": "regression", "classes": classes}))
    row = wp.classify(image(3), wp.open_model(folder, standardize="none")).iloc[0]
    assert (row["width"], row["height"], row["prediction"]) == (3, 6, "")


# --- what only the numbers show --------------------------------------------------------------------------------------


def write_strange(path: Path, factor: float = 1.0) -> Path:
    """An ONNX file that ends in an operation of which nothing is known; it gives 0 for black images."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("CumSum", ["flat", "axis"], ["sums"]),
        helper.make_node("Mul", ["sums", "factor"], ["y"]),
    ]
    shapes = [("x", ["n", 3, 4, 6]), ("y", ["n", 3])]
    taken, made = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes)
    constants = [numpy_helper.from_array(np.array(1), "axis"), numpy_helper.from_array(np.float32(factor), "factor")]
    graph = helper.make_graph(nodes, "g", [taken], [made], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_numbers_that_show_to_be_no_probabilities_end_the_run_and_are_told_once(tmp_path):
    model = wp.open_model(write_strange(tmp_path / "m.onnx"), standardize="none", classes=["a", "b", "c"])
    assert model.card.output.ending == "unknown"
    assert not model.needs_activation
    with pytest.raises(ActivationError, match="which are not probabilities") as raised:
        wp.classify([np.full((4, 6, 3), 9, np.uint8)] * 20, model)
    assert "softmax or sigmoid" in raised.value.hint
    assert model.needs_activation
    with pytest.raises(ActivationError, match="returns numbers that are not probabilities"):
        wp.classify(np.zeros((4, 6, 3), np.uint8), model)


def test_warming_up_finds_out_whether_numbers_can_be_probabilities(tmp_path):
    model = wp.open_model(write_strange(tmp_path / "m.onnx"), standardize="none")
    model.warm_up()
    assert model.needs_activation
    fine = wp.open_model(write_tfjs(tmp_path / "fine", activation="softmax"))
    fine.warm_up()
    assert not fine.needs_activation


def test_a_model_that_a_browser_refuses_is_loaded_and_says_so(tmp_path):
    for _ in range(2):  # compiled, and from the cache
        model = wp.open_model(write_tfjs(tmp_path / "m", activation="softmax", version="3.4.1"), classes=["a", "b"])
        assert model.remarks == [
            "WebIPred cannot load this model, because it was saved by Keras 3.4.1, whose files TensorFlow.js refuses; "
            "here its results are those of Keras."
        ]


def test_a_known_family_suggests_its_scaling_but_that_does_not_count_by_itself(tmp_path):
    model = wp.open_model(write_tfjs(tmp_path / "m", activation="softmax", name="block_16_project"))
    assert model.suggestion == ("MobileNetV2", "tf")
    assert model.card.preprocessing is None
    with pytest.raises(OptionError, match=r"looks like MobileNetV2, which is usually trained with tf\."):
        wp.classify(image(1), model)
    assert wp.open_model(write_tfjs(tmp_path / "n")).suggestion is None


# --- several outputs -------------------------------------------------------------------------------------------------


def write_heads(folder: Path, **heads: tuple[str, int]) -> Path:
    """A model with an output for each head, of so many numbers: the mean or maximum of the image, repeated."""
    layers = [{"class_name": "InputLayer", "name": "image", "inbound_nodes": []}]
    layers[0]["config"] = {"name": "image", "batch_input_shape": [None, 2, 2, 1]}
    for name, (kind, count) in heads.items():
        steps = [(f"{name}_{kind}", f"Global{kind}Pooling2D", {}, ["image"])]
        same = [f"{name}_{kind}"] * count
        steps += [(name, "Concatenate", {"axis": -1}, same)] if count > 1 else [(name, "Flatten", {}, same)]
        for layer, class_name, config, inputs in steps:
            nodes = [[[each, 0, 0] for each in inputs]]
            layers.append(
                {"class_name": class_name, "name": layer, "config": {"name": layer, **config}, "inbound_nodes": nodes}
            )
    ends = {"input_layers": [["image", 0, 0]], "output_layers": [[name, 0, 0] for name in heads]}
    topology = {"class_name": "Functional", "config": {"name": "m", "layers": layers, **ends}}
    folder.mkdir(exist_ok=True)
    (folder / "model.json").write_text(json.dumps({"modelTopology": topology, "weightsManifest": []}))
    return folder


FOUR = np.array([0, 0, 0, 4], np.float32).reshape(1, 2, 2, 1)


def test_of_several_outputs_the_card_chooses_and_each_choice_has_a_graph_of_its_own(tmp_path):
    folder = write_heads(tmp_path / "m", low=("Max", 1), mid=("Average", 1))
    for name, number in (("low", 4), ("0", 4), ("mid", 1)):
        (folder / "webipred.json").write_text(json.dumps({"output": {"tensor_name": name}}))
        assert wp.open_model(folder).predict(FOUR) == number
    (folder / "webipred.json").write_text('{"output": {"tensor_name": "high"}}')
    with pytest.raises(ModelError, match=r"no output 'high', but low \(1 number\); mid \(1 number\)"):
        wp.open_model(folder)


def test_outputs_of_which_nothing_decides_are_asked_about_and_the_answer_is_remembered(tmp_path):
    folder = write_heads(tmp_path / "m", low=("Max", 1), mid=("Average", 2), top=("Max", 3))
    for _ in range(2):
        with pytest.raises(
            UndecidedOutputError, match=r"The model m has 3 outputs, .*low \(1 number\); mid \(2 numbers\)"
        ):
            wp.open_model(folder)
    model = wp.open_model(folder, output="mid", activation="softmax")
    assert model.predict(FOUR).tolist() == [[1, 1]]
    assert model.card.output.tensor_name == "mid"
    assert [output.name for output in model.outputs] == ["low", "mid", "top"]
    again = wp.open_model(folder)
    assert again.predict(FOUR).tolist() == [[1, 1]]
    assert [output.words for output in again.outputs] == ["1 number", "2 numbers", "3 numbers"]
    assert wp.open_model(folder, output=0, activation="none").predict(FOUR) == 4


def test_the_number_of_class_names_chooses_the_output_also_when_it_changes(tmp_path):
    folder = write_heads(tmp_path / "m", low=("Max", 2), mid=("Average", 3))
    reason = "is used, because it gives as many numbers as there are names of classes."
    for _ in range(2):  # compiled, and from the cache
        for names, output, number in ((["a", "b"], "low", 4), (["a", "b", "c"], "mid", 1)):
            model = wp.open_model(folder, classes=names)
            assert model.predict(FOUR).tolist() == [[number] * len(names)]
            assert model.card.output.tensor_name == output
            assert f"Of the model's 2 outputs “{output}” ({len(names)} numbers) {reason}" in model.remarks


def test_a_cached_model_with_several_outputs_is_not_compiled_again(tmp_path, monkeypatch):
    folder = write_heads(tmp_path / "m", low=("Max", 2), mid=("Average", 3))
    first = wp.open_model(folder, classes=["a", "b"])

    def refuse(*_: object) -> bytes:
        raise AssertionError("it is compiled again")

    monkeypatch.setattr("napari_webipred.runtime.readers.compile_files", refuse)
    again = wp.open_model(folder)
    assert again.outputs == first.outputs
    assert again.remarks == first.remarks


def test_the_class_output_of_a_real_model_with_29_outputs_is_found(shared_models, tmp_path):
    source = shared_models / "emotion-multioutput"
    numbers = np.load(source / "inputs.npy").astype(np.float32)
    expected = json.loads((source / "oracle.json").read_text())["prediction"]
    for folder in (source, tmp_path / "without labels"):
        if folder is not source:
            folder.mkdir()
            for name in ("encModel.json", "encModel.weights.bin"):
                (folder / name).write_bytes((source / name).read_bytes())
        model = wp.open_model(folder / "encModel.json")
        np.testing.assert_allclose(model.predict(numbers), expected, atol=1e-4)
        assert model.card.output.tensor_name == "reshape_2"
        assert "Of the model's 29 outputs “reshape_2” (7 numbers, softmax) is used, because" in model.remarks[0]


def test_a_model_that_gives_a_map_is_refused_with_its_shape(tmp_path):
    folder = tmp_path / "m"
    write_tfjs(folder)
    document = json.loads((folder / "model.json").read_text())
    del document["modelTopology"]["config"]["layers"][1]
    (folder / "model.json").write_text(json.dumps(document))
    for _ in range(2):
        with pytest.raises(
            ModelError, match=r"The model m cannot be used: .* gives a map of 2 x 2 x 2 numbers per image"
        ):
            wp.open_model(folder)


def test_a_download_tells_how_long_it_takes_and_why_it_waits(tmp_path, monkeypatch):
    folder = write_tfjs(tmp_path / "pets")

    def fetch(card, *, replace):
        yield store.Download(1, 10, 3.5)
        yield store.Download(1, 10, None, "The server is busy.")
        return folder

    monkeypatch.setattr(store, "fetch", fetch)
    steps = opening("demo")
    assert next(steps) == Progress("download", 1, 10, 3.5)
    assert next(steps) == Progress("download", 1, 10, None, "The server is busy.")
    steps.close()


def test_the_tensor_with_the_features_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = wp.open_model("demo")
    found = model.feature_tensor()
    graph = onnx.load_from_string(model.graph()).graph
    assert found in {name for node in graph.node for name in node.output}

    def gone() -> bytes:
        raise ModelError("The graph was removed.", "Open the model again.")

    monkeypatch.setattr(model, "graph", gone)
    assert model.feature_tensor() == found


def test_a_model_for_images_of_any_size_gets_some_of_224_pixels(tmp_path: Path) -> None:
    write_tfjs(tmp_path / "any", shape=(None, None, 1))
    write_tfjs(tmp_path / "small", shape=(2, 3, 1))
    assert wp.open_model(tmp_path / "any").image_size == (224, 224, 1)
    assert wp.open_model(tmp_path / "small").image_size == (2, 3, 1)
