from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_webipred.errors import ModelError
from napari_webipred.runtime.graph_compiler import compile_graph
from napari_webipred.runtime.outputs import UndecidedOutputError
from napari_webipred.runtime.readers import compile_files
from napari_webipred.runtime.session import Session
from napari_webipred.runtime.tfjs import read_layers_model, read_model
from tensorflow_graphs import IMAGE, MEAN, graph, node, text

GRAPHS = Path(__file__).parents[1] / "goldens" / "graphs"
NAMES = sorted(path.stem for path in GRAPHS.glob("*.npz"))

Files = dict[str, bytes]


def stored(name: str) -> Files:
    with zipfile.ZipFile(GRAPHS / f"{name}.zip") as archive:
        return {member: archive.read(member) for member in archive.namelist()}


def session(files: Files, output: str | None = None) -> Session:
    return Session(compile_files(files, "folder", None, output), 1)


@pytest.mark.parametrize("name", NAMES)
def test_a_graph_gives_the_numbers_of_tensorflow_js_and_tensorflow(name):
    golden = np.load(GRAPHS / f"{name}.npz")
    numbers = session(stored(f"{name}-tfjs")).predict(golden["x"])
    np.testing.assert_allclose(numbers, golden["tensorflowjs"], atol=2e-6)
    np.testing.assert_allclose(numbers, golden["tensorflow"], atol=2e-6)


def test_there_are_graphs_of_both_generations():
    assert NAMES == ["gated-keras2", "gated-keras3", "plain-keras2", "plain-keras3"]


def test_a_published_graph_gives_the_numbers_of_tensorflow_js(shared_models):
    folder = shared_models / "graph-nsfw-mid-uint8"
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    expected = json.loads((folder / "oracle.json").read_text())["prediction"]
    numbers = session(files).predict(np.load(folder / "inputs.npy").astype(np.float32))
    np.testing.assert_allclose(numbers, expected, atol=1e-5)


# --- graphs made by hand ---------------------------------------------------------------------------------------------


IMAGES = np.arange(24, dtype=np.float32).reshape(2, 2, 2, 3)
MEANS = IMAGES.mean((1, 2))


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([node("y", "Mul", "mean", "c")], lambda m: m * [1, 2, 3]),
        ([node("y", "Sub", "c", "mean")], lambda m: [1, 2, 3] - m),
        ([node("y", "RealDiv", "c", "mean")], lambda m: [1, 2, 3] / m),
        ([node("y", "SquaredDifference", "mean", "c")], lambda m: (m - [1, 2, 3]) ** 2),
        ([node("y", "Maximum", "mean", "c")], lambda m: np.maximum(m, [1, 2, 3])),
        ([node("y", "AddN", "mean", "mean", "mean")], lambda m: 3 * m),
        ([node("y", "Rsqrt", "mean")], lambda m: m**-0.5),
        ([node("y", "Neg", "mean")], lambda m: -m),
        ([node("y", "Square", "mean")], lambda m: m**2),
        ([node("r", "Rsqrt", "c"), node("y", "Mul", "mean", "r")], lambda m: m / np.sqrt([1, 2, 3])),
        ([node("y", "Sum", "mean", "one", keep_dims={"b": True})], lambda m: m.sum(1, keepdims=True)),
        ([node("y", "Min", "mean", "one", keep_dims={"b": True})], lambda m: m.min(1, keepdims=True)),
        ([node("y", "LeakyRelu", "low", alpha={"f": 0.5}), node("low", "Sub", "mean", "nine")], None),
        ([node("y", "Prelu", "low", "c"), node("low", "Sub", "mean", "nine")], None),
        ([node("y", "Identity", "mean:0", "^image")], lambda m: m),
        ([node("y", "Cast", "mean", DstT={"type": "DT_FLOAT"})], lambda m: m),
        ([node("y", "Erfc", "zero"), node("zero", "Sub", "mean", "mean")], lambda m: np.ones_like(m)),
        ([node("y", "BiasAdd", "mean", "c")], lambda m: np.add(m, [1, 2, 3])),
        ([node("y", "MatMul", "mean", "k", transpose_b={"b": True})], lambda m: m @ np.ones((3, 2))),
        ([node("y", "_FusedMatMul", "mean", "k", "two", transpose_b={"b": True}, fused_ops={"list": {"s": [
            text("BiasAdd")["s"], text("Relu6")["s"]]}})], lambda m: np.clip(m @ np.ones((3, 2)) - 20, 0, 6)),
        ([node("y", "StridedSlice", "mean", "b0", "b2", "b1", begin_mask={"i": "1"}, end_mask={"i": "1"})],
         lambda m: m[:, 0:2]),
    ],
)  # fmt: skip
def test_operations_compute_what_tensorflow_computes(nodes, expected):
    files = graph(
        IMAGE, MEAN, *nodes,
        c=np.array([1, 2, 3], np.float32), k=np.ones((2, 3), np.float32), one=np.array([1], np.int32),
        two=np.array([-20, -20], np.float32), nine=np.array(9, np.float32),
        b0=np.array([0, 0], np.int32), b1=np.array([1, 1], np.int32), b2=np.array([0, 2], np.int32),
    )  # fmt: skip
    if expected is None:
        slopes = 0.5 if nodes[0]["op"] == "LeakyRelu" else np.array([1, 2, 3])

        def expected(m: np.ndarray) -> np.ndarray:
            return np.where(m - 9 >= 0, m - 9, slopes * (m - 9))

    np.testing.assert_allclose(session(files).predict(IMAGES), expected(MEANS), rtol=1e-6)


@pytest.mark.parametrize(
    ("op", "centred", "places"),
    [
        # Of pixels that hold their numbers, as TensorFlow.js 4.22 gives them.
        ("ResizeNearestNeighbor", False, (14, [0, 3, 7, 10])),
        ("ResizeNearestNeighbor", False, (21, [0, 7, 14])),
        ("ResizeNearestNeighbor", False, (4, [0, 0, 1, 2, 2, 3])),
        ("ResizeNearestNeighbor", False, (2, [0, 0, 0, 1, 1, 1])),
        ("ResizeNearestNeighbor", True, (56, [28])),
        ("ResizeNearestNeighbor", True, (28, [7, 21])),
        ("ResizeNearestNeighbor", True, (4, [0, 1, 1, 2, 3, 3])),
        ("ResizeNearestNeighbor", True, (2, [0, 0, 0, 1, 1, 1])),
        ("ResizeBilinear", False, (24, [0, 2.4, 4.8, 7.2, 9.6, 12, 14.4, 16.8, 19.2, 21.6])),
        ("ResizeBilinear", True, (4, [0.5, 2.5])),
    ],
)
@pytest.mark.parametrize("along", ["rows", "columns"])
def test_an_image_is_resized_to_the_pixels_of_tensorflow_js(op, centred, places, along):
    size, expected = places
    shape, wanted = ((size, 2), (len(expected), 2)) if along == "rows" else ((2, size), (2, len(expected)))
    image = node("image", "Placeholder", shape={"shape": {"dim": [{"size": str(n)} for n in (-1, *shape, 2)]}})
    resized = node("resized", op, "image", "wanted", half_pixel_centers={"b": centred})
    model = read_model(graph(image, resized, wanted=np.array(wanted, np.int32)), "model.json")
    opened = Session(compile_graph(model), 1)

    def spread(numbers: list[float], height: int, width: int) -> np.ndarray:
        column = np.reshape(np.float32(numbers), (1, -1, 1, 1) if along == "rows" else (1, 1, -1, 1))
        return np.broadcast_to(column, (3, height, width, 2))

    made = opened.predict(spread([*range(size)], *shape))
    np.testing.assert_allclose(made, spread(expected, *wanted).reshape(3, -1), rtol=1e-6)


def test_pixels_are_multiplied_by_a_matrix_whether_or_not_they_are_put_in_rows():
    """What TensorFlow does for a dense layer on a feature map: it computes the sizes, and goes through rows."""
    names = ("shape", "chosen", "count", "depth", "target", "rows", "product", "end", "back")
    shape, chosen, count, depth, target, rows, product, end, back = names
    files = graph(
        IMAGE,
        node(shape, "Shape", "image"),
        node(chosen, "GatherV2", shape, "first", "zero"),
        node(count, "Prod", chosen, "zero"),
        node(depth, "GatherV2", shape, "last", "zero"),
        node(target, "ConcatV2", count, depth, "zero"),
        node(rows, "Reshape", "image", target),
        node(product, "MatMul", rows, "matrix"),
        node(end, "ConcatV2", chosen, "two", "zero"),
        node(back, "Reshape", product, end),
        node("y", "Mean", back, "axes", keep_dims={"b": False}),
        first=np.array([0, 1, 2], np.int32), last=np.array([3], np.int32), zero=np.array(0, np.int32),
        two=np.array([2], np.int32), matrix=np.arange(6, dtype=np.float32).reshape(3, 2),
    )  # fmt: skip
    expected = (IMAGES @ np.arange(6).reshape(3, 2)).mean((1, 2))
    np.testing.assert_allclose(session(files).predict(IMAGES), expected, rtol=1e-6)


# --- images in other orders than TensorFlow's ------------------------------------------------------------------------

RANDOM = np.random.default_rng(0)
CHANNELS_FIRST = node("x", "Placeholder", shape={"shape": {"dim": [{"size": n} for n in ("-1", "3", "10", "12")]}})


def uniform(*shape: int) -> np.ndarray:
    return RANDOM.uniform(-1, 1, shape).astype(np.float32)


def test_a_graph_that_takes_channels_first_gives_the_numbers_of_tensorflow_js():
    """What comes is scaled and padded as it is, then turned for a convolution and back."""
    with zipfile.ZipFile(GRAPHS.parent / "channels_first.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    x, expected = (np.load(io.BytesIO(files[name])) for name in ("x.npy", "y.npy"))
    opened = session(files)
    assert opened.input_shape == (10, 12, 3)
    np.testing.assert_allclose(opened.predict(x.transpose(0, 2, 3, 1)), expected, atol=1e-6)


def test_a_graph_that_computes_with_channels_first_gives_the_numbers_of_the_same_with_channels_last():
    """TensorFlow.js itself cannot run the first of the two."""
    constants = {"kernel": uniform(3, 3, 3, 5), "bias": uniform(5), "dense": uniform(5, 4)}

    def numbers(form: str) -> np.ndarray:
        first = form == "NCHW"

        def four(height: int, width: int) -> dict[str, Any]:
            sizes = (1, 1, height, width) if first else (1, height, width, 1)
            return {"list": {"i": [str(size) for size in sizes]}}

        last = node("x", "Placeholder", shape={"shape": {"dim": [{"size": n} for n in ("-1", "10", "12", "3")]}})
        form_of = {"data_format": text(form)}
        files = graph(
            CHANNELS_FIRST if first else last,
            node(
                "c", "Conv2D", "x", "kernel", padding=text("SAME"), strides=four(1, 2), dilations=four(1, 1), **form_of
            ),
            node("b", "BiasAdd", "c", "bias", **form_of),
            node("r", "Relu", "b"),
            node("p", "MaxPool", "r", padding=text("VALID"), ksize=four(2, 3), strides=four(2, 1), **form_of),
            node("m", "Mean", "p", "axes", keep_dims={"b": False}),
            node("y", "MatMul", "m", "dense"),
            **constants,
            axes=np.array([2, 3] if first else [1, 2], np.int32),
        )
        return session(files).predict(images)

    images = uniform(2, 10, 12, 3)
    np.testing.assert_allclose(numbers("NCHW"), numbers("NHWC"), rtol=1e-5, atol=1e-6)


def test_where_both_orders_are_possible_channels_come_last():
    both = node("image", "Placeholder", shape={"shape": {"dim": [{"size": n} for n in ("-1", "3", "4", "3")]}})
    assert session(graph(both, MEAN)).input_shape == (3, 4, 3)


def test_a_graph_without_channels_takes_grey_images():
    flat = node("image", "Placeholder", shape={"shape": {"dim": [{"size": n} for n in ("-1", "4", "6")]}})
    files = graph(flat, node("y", "Mean", "image", "last", keep_dims={"b": False}), last=np.array([2], np.int32))
    opened = session(files)
    assert opened.input_shape == (4, 6, 1)
    images = uniform(2, 4, 6, 1)
    np.testing.assert_allclose(opened.predict(images), images[..., 0].mean(2), rtol=1e-5)


def test_zeros_may_be_put_around_channels():
    pads = np.array([[0, 0], [1, 0], [0, 2], [1, 3]], np.int32)
    files = graph(IMAGE, node("padded", "Pad", "image", "pads"), node("y", "Mean", "padded", "axes"), pads=pads)
    expected = np.pad(IMAGES, pads).mean((1, 2))
    np.testing.assert_allclose(session(files).predict(IMAGES), expected, rtol=1e-6)


def test_of_several_outputs_the_named_one_counts_and_nothing_is_guessed():
    files = graph(IMAGE, MEAN, node("a", "Neg", "mean"), node("b", "Square", "mean"))
    with pytest.raises(UndecidedOutputError, match=r"2 outputs, .* a \(3 numbers\); b \(3 numbers\)"):
        session(files)
    np.testing.assert_allclose(session(files, "a").predict(IMAGES), -MEANS)
    np.testing.assert_allclose(session(files, "a:0").predict(IMAGES), -MEANS)
    np.testing.assert_allclose(session(files, "0").predict(IMAGES), -MEANS)
    np.testing.assert_allclose(session(graph(IMAGE, MEAN), "only one, whatever its name").predict(IMAGES), MEANS)
    np.testing.assert_allclose(session(files, "b").predict(IMAGES), MEANS**2)
    with pytest.raises(ModelError, match=r"no output 'c', but a \(3 numbers\); b"):
        session(files, "c")


def test_outputs_that_are_one_tensor_need_no_choice():
    signature = {"outputs": {key: {"name": f"{name}:0"} for key, name in (("probs", "y"), ("output_0", "same"))}}
    files = graph(IMAGE, MEAN, node("y", "Softmax", "mean"), node("same", "Identity", "y"), signature=signature)
    np.testing.assert_allclose(session(files).predict(IMAGES).sum(1), 1, rtol=1e-6)


def test_maps_and_lists_of_lists_are_refused_with_their_shape():
    with pytest.raises(ModelError, match="a map of 2 x 2 x 3 numbers per image, as a segmentation model does"):
        session(graph(IMAGE, node("y", "Sigmoid", "image")))
    files = graph(IMAGE, node("r", "Reshape", "image", "shape"), node("y", "Softmax", "r"), shape=np.int32([-1, 4, 3]))
    with pytest.raises(ModelError, match="gives 4 x 3 numbers per image"):
        session(files)


def test_all_operations_that_are_not_supported_are_named_at_once():
    files = graph(IMAGE, node("r", "ReadFile", "image"), node("p", "PyFunc", "r"), node("y", "PyFunc", "p"))
    with pytest.raises(ModelError, match=r"PyFunc \(2\), ReadFile \(1\)"):
        session(files)


def test_what_the_output_does_not_need_is_not_looked_at():
    files = graph(IMAGE, MEAN, node("w", "WriteFile", "image"), node("y", "Neg", "mean"))
    np.testing.assert_allclose(session(files).predict(IMAGES), -MEANS)


def test_a_reader_of_layers_says_what_a_graph_is():
    with pytest.raises(ModelError, match="graph model, not a Layers model"):
        read_layers_model(graph(IMAGE, MEAN))


HUGE = {"shape": {"dim": [{"size": n} for n in ("-1", "1000000", "1000000", "3")]}}


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([IMAGE, node("a", "Neg", "b"), node("b", "Neg", "a"), node("y", "Neg", "a")], "cycle"),
        ([IMAGE, node("y", "Neg", "nowhere")], "nowhere"),
        ([node("y", "Neg", "axes")], "0 inputs"),
        ([IMAGE, IMAGE], "two operations called image"),
        ([IMAGE, {**IMAGE, "name": "other"}, node("y", "Add", "image", "other")], "2 inputs"),
        ([node("image", "Placeholder", shape={"shape": {"dim": [{"size": "-1"}]}}), MEAN], "not an image"),
        ([node("image", "Placeholder", dtype={"type": "DT_STRING"}, shape=HUGE), MEAN], "DT_STRING"),
        ([node("image", "Placeholder", shape=HUGE), node("y", "Neg", "image")], "too large"),
        ([IMAGE, MEAN, node("y", "Mean", "mean", "mean")], "needs a constant as input 1"),
        ([IMAGE, MEAN, node("y", "MatMul", "mean", "big")], "shape"),
        ([IMAGE, MEAN, node("y", "Softmax", "mean:1")], "Output 1 of"),
        ([IMAGE, node("y", "FusedBatchNormV3", "image", *["axes"] * 4, is_training={"b": True})], "training"),
        ([IMAGE, node("y", "Conv2D", "image", "axes", strides={"list": {"i": ["1", "0", "1", "1"]}})], "strides"),
        ([IMAGE, MEAN, node("y", "Reshape", "mean", "axes")], r"to \[1, 2\]"),
        ([IMAGE, node("t", "Tile", "image", "huge"), node("y", "Neg", "t")], "too large"),
        ([IMAGE, MEAN, {"name": 3}], "malformed"),
        (
            [IMAGE, node("s", "Shape", "image"), node("e", "StridedSlice", "axes", "one", "one", "one"),
             node("m", "Mul", "s", "e"), node("y", "Reshape", "image", "m")],
            "and 0 sizes",
        ),
        ([IMAGE, node("m", "Mul", "col", "row"), node("y", "Mul", "image", "m")], "constant of"),
    ],
)  # fmt: skip
def test_a_malformed_graph_is_refused_in_words(nodes, words):
    files = graph(
        *nodes,
        big=np.ones((4, 4), np.float32),
        huge=np.array([1, 30000, 30000, 1], np.int32),
        one=np.array([1], np.int32),
        col=np.ones((1000, 1), np.float32),
        row=np.ones((1, 1000), np.float32),
    )
    with pytest.raises(ModelError, match=words):
        session(files)


def test_constants_without_values_are_named():
    files = graph(IMAGE, MEAN, node("lost", "Const"), node("y", "Mul", "mean", "lost"))
    with pytest.raises(ModelError, match="missing: lost"):
        session(files)


def mutated(document: dict[str, Any], draw: Callable[[Any], Any]) -> bytes:
    nodes = document["modelTopology"]["node"]
    place = nodes[draw(st.integers(0, len(nodes) - 1))]
    junk = st.one_of(st.none(), st.integers(), st.text(max_size=5), st.lists(st.integers(), max_size=3), st.booleans())
    key = draw(st.sampled_from(["op", "input", "attr", "name"]))
    if key == "op":
        place["op"] = draw(st.sampled_from(sorted({each["op"] for each in nodes})))
    elif key == "input" and place.get("input"):
        place["input"][0] = draw(st.sampled_from([each["name"] for each in nodes]))
    elif key == "attr" and place.get("attr"):
        name = draw(st.sampled_from(sorted(place["attr"])))
        place["attr"][name] = draw(st.dictionaries(st.sampled_from(["s", "i", "f", "b", "shape", "list"]), junk))
    else:
        place[key] = draw(junk)
    return json.dumps(document).encode()


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(["plain-keras2-tfjs", "gated-keras3-tfjs"]))
def test_any_change_of_a_graph_gives_a_model_or_a_model_error(data, name):
    files = stored(name)
    files["model.json"] = mutated(json.loads(files["model.json"]), data.draw)
    with contextlib.suppress(ModelError):
        compile_files(files, "folder", None)
