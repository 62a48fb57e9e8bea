from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

from napari_webipred.errors import ModelError
from napari_webipred.runtime.onnx_file import adapt
from napari_webipred.runtime.outputs import UndecidedOutputError
from napari_webipred.runtime.session import Session

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
NCHW = [None, 3, 4, 4]
MEAN = helper.make_node("GlobalAveragePool", ["x"], ["y"])
IMAGES = np.arange(96, dtype=np.float32).reshape(2, 4, 4, 3)
MEANS = IMAGES.mean((1, 2))


def model(
    nodes: Sequence[Any] = (MEAN,),
    taken: Sequence[int | None] = NCHW,
    given: Sequence[int | None] = (None, 3, 1, 1),
    constants: dict[str, np.ndarray] | None = None,
    kind: int = FLOAT,
    names: tuple[str, str] = ("x", "y"),
) -> ModelProto:
    image = helper.make_tensor_value_info(names[0], kind, taken)
    scores = helper.make_tensor_value_info(names[1], kind, given)
    weights = [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()]
    graph = helper.make_graph(list(nodes), "g", [image], [scores], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def session(made: ModelProto, output: str | None = None) -> Session:
    return Session(adapt("m.onnx", made.SerializeToString(), output), 1)


def refused(made: ModelProto | bytes, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        adapt("m.onnx", made if isinstance(made, bytes) else made.SerializeToString())


# --- what is taken ---------------------------------------------------------------------------------------------------


def test_channels_may_come_first_or_last():
    np.testing.assert_allclose(session(model()).predict(IMAGES), MEANS)
    mean = helper.make_node("ReduceMean", ["x"], ["y"], axes=[1, 2], keepdims=0)
    last = session(model([mean], [None, 4, 4, 3], [None, 3]))
    assert last.input_shape == (4, 4, 3)
    np.testing.assert_allclose(last.predict(IMAGES), MEANS)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, FLOAT])
def test_half_and_whole_floats_are_taken(kind):
    np.testing.assert_allclose(session(model(kind=kind)).predict(IMAGES), MEANS, rtol=1e-2)


def test_a_file_for_one_image_at_a_time_takes_several():
    np.testing.assert_allclose(session(model(taken=[1, 3, 4, 4], given=[1, 3, 1, 1])).predict(IMAGES), MEANS)


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("ReduceMean", ["x"], ["m"], keepdims=1),  # of all numbers
        helper.make_node("MeanVarianceNormalization", ["x"], ["m"]),
        helper.make_node("Softmax", ["x"], ["m"], axis=0),
    ],
)
def test_the_numbers_of_an_image_do_not_depend_on_those_computed_with_it(node):
    nodes = [node, helper.make_node("Sub", ["x", "m"], ["d"]), helper.make_node("GlobalMaxPool", ["d"], ["y"])]
    opened = session(model(nodes))
    images = IMAGES * np.float32([1, 5]).reshape(2, 1, 1, 1)
    alone = np.concatenate([opened.predict(image[None]) for image in images])
    np.testing.assert_array_equal(opened.predict(images), alone)


def test_images_of_any_size_are_taken():
    opened = session(model(taken=[None, 3, None, None]))
    assert opened.input_shape == (None, None, 3)
    np.testing.assert_allclose(opened.predict(IMAGES), MEANS)


@pytest.mark.parametrize("taken", [[None, 4, 6], [1, 4, 6], [None, None, None]])
def test_a_network_without_channels_takes_grey_images(taken):
    mean = helper.make_node("ReduceMean", ["x"], ["y"], axes=[2], keepdims=0)
    opened = session(model([mean], taken, [None, 4]))
    assert opened.input_shape == (taken[1], taken[2], 1)
    images = IMAGES.reshape(4, 4, 6, 1)
    np.testing.assert_allclose(opened.predict(images), images[..., 0].mean(2))


def test_tensors_may_be_called_as_ours():
    mean = helper.make_node("GlobalAveragePool", ["classes"], ["image"])
    np.testing.assert_allclose(session(model([mean], names=("classes", "image"))).predict(IMAGES), MEANS)


def test_of_several_outputs_the_named_one_counts():
    made = model([MEAN, helper.make_node("Neg", ["y"], ["z"]), helper.make_node("Identity", ["y"], ["same"])])
    for name in ("z", "same"):
        made.graph.output.append(helper.make_tensor_value_info(name, FLOAT, [None, 3, 1, 1]))
    np.testing.assert_allclose(session(made).predict(IMAGES), -MEANS)  # the others are computed on the way to it
    made.graph.node.append(helper.make_node("Abs", ["x"], ["a"]))
    made.graph.node.append(helper.make_node("GlobalMaxPool", ["a"], ["other"]))
    made.graph.output.append(helper.make_tensor_value_info("other", FLOAT, [None, 3, 1, 1]))
    with pytest.raises(UndecidedOutputError, match=r"4 outputs.* z \(3 numbers\);.* other \(3 numbers\)"):
        session(made)
    np.testing.assert_allclose(session(made, "z").predict(IMAGES), -MEANS)
    np.testing.assert_allclose(session(made, "0").predict(IMAGES), MEANS)
    np.testing.assert_allclose(session(model(), "only one, whatever its name").predict(IMAGES), MEANS)


# --- what is refused -------------------------------------------------------------------------------------------------


def huge(dims: Sequence[int]) -> ModelProto:
    made = model(
        [MEAN, helper.make_node("Add", ["y", "w"], ["z"])], constants={"w": np.zeros((1, 3, 1, 1), np.float32)}
    )
    made.graph.output[0].name = "z"
    del made.graph.initializer[0].dims[:]
    made.graph.initializer[0].dims.extend(dims)
    return made


@pytest.mark.parametrize("dims", [[2**40], [2**31, 2**31], [-1], [2**20, 2**20]])
def test_weights_that_only_claim_to_be_large_are_refused(dims):
    refused(huge(dims), "has the invalid shape")


def test_weights_with_fewer_bytes_than_their_shape_needs_are_refused():
    with pytest.raises(ModelError):
        session(huge([1, 3, 1000, 1000]))


def body() -> GraphProto:
    out = helper.make_tensor_value_info("b", FLOAT, [None, 3, 1, 1])
    return helper.make_graph([helper.make_node("Neg", ["y"], ["b"])], "body", [], [out])


def test_loops_and_branches_are_refused():
    condition = numpy_helper.from_array(np.array(True), "c")
    made = model([MEAN, helper.make_node("If", ["c"], ["z"], then_branch=body(), else_branch=body())])
    made.graph.initializer.append(condition)
    refused(made, r"control flow \(If\)")
    refused(model([MEAN, helper.make_node("Loop", ["", "c", "y"], ["z"], body=body())]), r"control flow \(Loop\)")


def test_operators_of_others_and_functions_are_refused():
    refused(model([helper.make_node("Shell", ["x"], ["y"], domain="com.evil")]), r"com\.evil\.Shell")
    made = model()
    made.functions.append(
        helper.make_function("local", "F", ["a"], ["b"], [helper.make_node("Neg", ["a"], ["b"])], made.opset_import)
    )
    refused(made, "contains functions or training steps")


@pytest.mark.parametrize("training", [False, True])
def test_dropout_is_taken_unless_it_is_in_training_mode(training):
    constants = {"ratio": np.float32(0.5), "training": np.array(training)}
    made = model([helper.make_node("Dropout", ["x", "ratio", "training"], ["d"]), mean_of("d")], constants=constants)
    if training:
        refused(made, "Dropout is in training mode")
    else:
        np.testing.assert_allclose(session(made).predict(IMAGES), MEANS)


def mean_of(name: str) -> Any:
    return helper.make_node("GlobalAveragePool", [name], ["y"])


def grown(*nodes: Any, **constants: np.ndarray) -> ModelProto:
    last = nodes[-1].output[0]
    mean = helper.make_node("ReduceMean", [last], ["m"], keepdims=0)
    add = helper.make_node("Add", ["y", "m"], ["z"])
    made = model([MEAN, *nodes, mean, add], constants=constants)
    made.graph.output[0].name = "z"
    return made


def test_results_of_absurd_size_are_refused_before_they_are_made():
    size = np.array([2**20, 2**20])
    refused(grown(helper.make_node("ConstantOfShape", ["s"], ["big"]), s=size), "too large")
    refused(grown(helper.make_node("Expand", ["y", "s"], ["big"]), s=np.array([1, 3, 2**20, 2**20])), "too large")
    refused(grown(helper.make_node("Tile", ["x", "s"], ["big"]), s=np.array([1, 1, 2**17, 2**17])), "too large")
    pads = np.array([0, 0, 0, 0, 0, 0, 2**20, 2**20])
    refused(grown(helper.make_node("Pad", ["x", "s"], ["big"]), s=pads), "too large")


def test_results_whose_size_cannot_be_told_are_refused():
    # The size is computed in floating point, through which it cannot be followed.
    nodes = [
        helper.make_node("Exp", ["f"], ["e"]),
        helper.make_node("Cast", ["e"], ["s"], to=INT64),
        helper.make_node("ConstantOfShape", ["s"], ["big"]),
    ]
    refused(grown(*nodes, f=np.array([14.0, 14.0], np.float32)), "ConstantOfShape is known only at run time")


def test_an_operator_whose_memory_is_not_known_is_refused_by_name():
    refused(model([MEAN, helper.make_node("NonZero", ["y"], ["z"])]), "m.onnx: The operator NonZero is unsupported")


def test_a_constant_that_lacks_its_numbers_is_refused():
    made = grown(helper.make_node("ConstantOfShape", ["s"], ["big"]), s=np.array([4, 4]))
    next(each for each in made.graph.initializer if each.name == "s").raw_data = b""
    refused(made, "known only at run time")


@pytest.mark.parametrize("opset", [1, 6, 9999])
def test_versions_of_the_operators_that_cannot_be_run_are_refused(opset):
    made = model()
    made.opset_import[0].version = opset
    refused(made, f"uses ONNX opset {opset}")


def chained(*nodes: Any) -> ModelProto:
    """A network whose result ``y`` some operations between ``x`` and ``m`` come before."""
    return model([*nodes, helper.make_node("GlobalAveragePool", ["m"], ["y"])])


def test_two_tensors_of_one_name_are_refused():
    twice = [helper.make_node("Neg", ["x"], ["m"]), helper.make_node("Relu", ["x"], ["m"])]
    refused(chained(*twice), "m.onnx: Two tensors have the name 'm'")
    refused(chained(helper.make_node("Neg", ["x"], ["x"])), "Two tensors have the name 'x'")
    made = chained(helper.make_node("Add", ["x", "w"], ["m"]))
    for _ in range(2):
        made.graph.initializer.append(numpy_helper.from_array(np.float32([1]), "w"))
    refused(made, "Two weights have the name 'w'")


def test_operations_in_a_circle_are_refused():
    circle = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Neg", ["a"], ["b"])]
    refused(chained(*circle, helper.make_node("Neg", ["b"], ["m"])), "form a cycle: a -> b")


def test_a_tensor_that_nothing_makes_is_named():
    refused(chained(helper.make_node("Add", ["x", "nowhere"], ["m"])), "needs the tensor 'nowhere', which is missing")
    made = model()
    made.graph.output[0].name = "elsewhere"
    refused(made, "The output 'elsewhere' is missing")


@pytest.mark.parametrize("kind", [TensorProto.STRING, TensorProto.COMPLEX64, 99])
def test_types_that_are_not_computed_are_refused(kind):
    made = chained(helper.make_node("Cast", ["x"], ["m"], to=kind))
    refused(made, f"of the ONNX type {kind}")
    made = chained(helper.make_node("Add", ["x", "w"], ["m"]))
    made.graph.initializer.add(name="w", data_type=kind, dims=[1], raw_data=bytes(4))
    refused(made, f"of the ONNX type {kind}")


def test_operations_may_stand_in_any_order():
    nodes = [helper.make_node("Neg", ["n"], ["m"]), helper.make_node("Neg", ["x"], ["n"])]
    np.testing.assert_allclose(session(chained(*nodes)).predict(IMAGES), MEANS)


STRANGE = ["image", "classes", "image_", "image as stored", "flat scores", "t0", "t1", "c0", "é", " "]


@settings(max_examples=50)
@given(st.lists(st.sampled_from(STRANGE), unique=True))
def test_names_of_tensors_never_collide_with_ours(names):
    nodes, last = [], "x"
    for name in names:
        nodes.append(helper.make_node("Identity", [last], [name]))
        last = name
    opened = session(chained(*nodes, helper.make_node("Identity", [last], ["m"])))
    np.testing.assert_allclose(opened.predict(IMAGES), MEANS)


def test_a_file_cannot_say_itself_what_it_needs():
    made = model()
    made.metadata_props.add(key="webipred.bounds", value='{"batch": [1, 4, 4, 3], "weights": 0, "folds": true}')
    assert b"webipred.bounds" not in adapt("m.onnx", made.SerializeToString())


def test_a_property_that_is_no_text_does_no_harm():
    made = model()
    made.metadata_props.add(key="author", value="somebody")
    opened = Session(adapt("m.onnx", made.SerializeToString().replace(b"author", b"auth\xff\xfe")), 1)
    np.testing.assert_allclose(opened.predict(IMAGES), MEANS)


def test_a_network_for_images_of_any_size_has_classes_whose_number_does_not_depend_on_it():
    made = model([helper.make_node("Flatten", ["x"], ["y"])], [None, 3, None, None], [None, None])
    refused(made, "no output with class scores")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (model(taken=[None, 9, 4, 4]), "none could be"),
        (model(taken=[None, 3, 4, 3]), "two could be"),
        (model(taken=[None, 48]), "not an image model"),
        (model(taken=[7, 3, 4, 4]), "exactly 7 images"),
        (model(taken=[None, 1000, 3]), "not an image model"),
        (model(kind=INT64), "INT64"),
        (model([helper.make_node("Relu", ["x"], ["y"])], given=NCHW), "a map of 3 x 4 x 4 numbers per image"),
        (model([helper.make_node("Flatten", ["x"], ["y"], axis=3)], given=[None, 4]), "gives 12 x 4 numbers per image"),
        (model([helper.make_node("GlobalAveragePool", ["nowhere"], ["y"])]), "."),
        (b"", "without operations"),
        (b"\x08\x08\x3a\xff\xff\xff\xff\x0f", "damaged"),
        (ModelProto(ir_version=8), "without operations"),
    ],
)
def test_what_is_no_image_classifier_is_refused_in_words(made, words):
    refused(made, words)


@pytest.mark.parametrize("text", [b"GlobalAveragePool", b"x", b"y"])
def test_texts_that_are_none_are_refused(text):
    content = model().SerializeToString().replace(text, b"\x80" + text[1:])
    with pytest.raises(ModelError):
        Session(adapt("m.onnx", content), 1)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_changed_bytes_give_a_model_or_a_model_error(data):
    content = bytearray(huge([1, 3, 1, 1]).SerializeToString())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ModelError):
        Session(adapt("m.onnx", bytes(content)), 1).predict(IMAGES)
