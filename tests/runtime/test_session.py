from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from napari_webipred.cancellation import Cancellation
from napari_webipred.errors import CancelledError, ModelError
from napari_webipred.runtime.compiler import compile_model
from napari_webipred.runtime.session import Session
from napari_webipred.runtime.tfjs import read_layers_model


@pytest.fixture
def graph(dense_files: dict[str, bytes]) -> bytes:
    return compile_model(read_layers_model(dense_files))


def test_a_session_tells_its_shapes_and_predicts(graph: bytes) -> None:
    session = Session(graph, 1)
    assert (session.input_shape, session.output_size) == ((2, 2, 1), 2)
    made = session.predict(np.float64([[[[1], [0]], [[0], [2]]]]))
    assert made.dtype == np.float32
    np.testing.assert_array_equal(made, [[1 + 14 + 0.5, 2 + 16 - 0.5]])


def test_a_graph_may_lie_in_a_file(graph: bytes, tmp_path: Path) -> None:
    path = tmp_path / "gräph.onnx"
    path.write_bytes(graph)
    np.testing.assert_array_equal(Session(path, 1).predict(np.zeros((1, 2, 2, 1))), [[0.5, -0.5]])


def test_batches_of_any_size_are_taken(graph: bytes) -> None:
    session = Session(graph, 1)
    for n in (0, 1, 5):
        assert session.predict(np.zeros((n, 2, 2, 1), np.uint8)).shape == (n, 2)


@pytest.mark.parametrize("shape", [(2, 2, 1), (1, 2, 3, 1), (1, 2, 2, 3), (1, 1, 2, 2, 1)])
def test_a_batch_of_another_shape_is_refused_with_both_shapes(graph: bytes, shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError) as refusal:
        Session(graph, 1).predict(np.zeros(shape))
    assert str(shape) in refusal.value.message
    assert "(n, 2, 2, 1)" in refusal.value.message


def test_a_batch_that_is_no_numbers_is_refused(graph: bytes) -> None:
    with pytest.raises(ModelError, match="numbers"):
        Session(graph, 1).predict([["a"], [1, 2]])


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x08\x08"])
def test_what_is_not_a_graph_is_refused_without_a_word_on_the_terminal(
    content: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "graph.onnx"
    path.write_bytes(content)
    for graph in (content, path):
        with pytest.raises(ModelError):
            Session(graph, 1)
    assert capfd.readouterr() == ("", "")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        Session(tmp_path / "gone.onnx", 1)


def test_a_graph_of_another_kind_is_refused() -> None:
    value = onnx.helper.make_tensor_value_info
    network = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["x"], ["y"])], "g", [value("x", 1, [1])], [value("y", 1, [1])]
    )
    model = onnx.helper.make_model(network, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(ModelError, match="does not take an image"):
        Session(model.SerializeToString(), 1)


def test_threads_may_share_a_session(graph: bytes) -> None:
    session = Session(graph, 1)
    batches = [np.full((3, 2, 2, 1), k, np.float32) for k in range(50)]
    with ThreadPoolExecutor(4) as pool:
        for k, made in enumerate(pool.map(session.predict, batches)):
            np.testing.assert_array_equal(made, np.repeat([[16 * k + 0.5, 20 * k - 0.5]], 3, 0))


def endless() -> bytes:
    """A network that computes for hours: products of matrices, one after the other."""
    value, node, constant = onnx.helper.make_tensor_value_info, onnx.helper.make_node, onnx.helper.make_tensor
    nodes = [node("Reshape", ["image", "row"], ["n"]), node("Expand", ["n", "square"], ["p0"])]
    nodes += [node("MatMul", [f"p{i}", f"p{i}"], [f"p{i + 1}"]) for i in range(5000)]
    nodes += [node("ReduceMax", ["p5000"], ["most"], keepdims=1), node("Flatten", ["most"], ["classes"])]
    network = onnx.helper.make_graph(
        nodes,
        "network",
        [value("image", 1, ["batch", 1, 1, 1])],
        [value("classes", 1, ["batch", 1])],
        [constant("row", 7, [2], [1, 1]), constant("square", 7, [2], [2000, 2000])],
    )
    made = onnx.helper.make_model(network, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = made.SerializeToString()
    return content


def test_a_prediction_is_ended_from_another_thread() -> None:
    session, cancellation, begun = Session(endless(), 1, allow_slow=True), Cancellation(), threading.Event()

    def predict() -> None:
        with cancellation.active():
            begun.set()
            session.predict(np.zeros((1, 1, 1, 1)))

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(predict)
        assert begun.wait(20)
        cancellation.cancel()
        with pytest.raises(CancelledError):
            future.result()


def test_what_was_cancelled_once_harms_no_later_prediction(graph: bytes) -> None:
    session, cancellation = Session(graph, 1), Cancellation()
    cancellation.cancel()
    with pytest.raises(CancelledError), cancellation.active():
        session.predict(np.zeros((1, 2, 2, 1)))
    np.testing.assert_array_equal(session.predict(np.zeros((1, 2, 2, 1))), [[0.5, -0.5]])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends signals to whole groups of processes")
def test_ctrl_c_interrupts_a_prediction_in_the_main_thread(tmp_path: Path) -> None:
    """Python itself would hear of it when the network has been computed, hours later."""
    path = tmp_path / "endless.onnx"
    path.write_bytes(endless())
    code = """
import signal, sys
from pathlib import Path
import numpy as np
from napari_webipred.runtime.session import Session
signal.signal(signal.SIGINT, signal.default_int_handler)
session = Session(Path(sys.argv[1]), 1, allow_slow=True)
run = session._run
def begin(*arguments):
    print("ready", flush=True)
    return run(*arguments)
session._run = begin
try:
    session.predict(np.zeros((1, 1, 1, 1)))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        said, _ = child.communicate()
        assert said == "interrupted\n"
        assert child.returncode == 0
    finally:
        child.kill()


def test_zeros_around_negative_values_count_in_max_pooling(
    layer_files: Callable[..., dict[str, bytes]], open_session: Callable[..., Session]
) -> None:
    """An optimizer of ONNX Runtime turns these zeros into minus infinity, in silence."""
    rng = np.random.default_rng(3)
    layers = [
        {"class_name": "Conv2D", "config": {"name": "conv", "filters": 2, "kernel_size": 3, "padding": "same"}},
        {"class_name": "ZeroPadding2D", "config": {"name": "pad", "padding": 1}},
        {"class_name": "MaxPooling2D", "config": {"name": "pool", "pool_size": 3, "strides": 2}},
    ]
    weights = {
        "conv/kernel": rng.uniform(0.1, 1, (3, 3, 1, 2)).astype(np.float32),
        "conv/bias": np.float32([-1, -2]),
    }
    session = open_session(layer_files(layers, (8, 8, 1), weights))
    made = session.predict(-np.ones((1, 8, 8, 1))).reshape(4, 4, 2)
    assert not made[0].any()
    assert not made[:, 0].any()
    assert (made[1:, 1:] < 0).all()


def test_the_graph_alone_withstands_that_optimizer(layer_files: Callable[..., dict[str, bytes]]) -> None:
    layers = [
        {"class_name": "ZeroPadding2D", "config": {"name": "pad", "padding": 1}},
        {"class_name": "MaxPooling2D", "config": {"name": "pool", "pool_size": 3, "strides": 2}},
    ]
    compiled = compile_model(read_layers_model(layer_files(layers, (8, 8, 1))))
    around = [onnx.numpy_helper.to_array(tensor) for tensor in onnx.load_from_string(compiled).graph.initializer]
    assert any(array.ndim == 0 and np.signbit(array) for array in around)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    everything_on = onnxruntime.InferenceSession(compiled, options, providers=["CPUExecutionProvider"])
    (made,) = everything_on.run(None, {"image": -np.ones((1, 8, 8, 1), np.float32)})
    assert made.reshape(4, 4)[0].tolist() == [0, 0, 0, 0]


def test_the_session_alone_withstands_that_optimizer() -> None:
    value, node, constant = onnx.helper.make_tensor_value_info, onnx.helper.make_node, onnx.helper.make_tensor
    network = onnx.helper.make_graph(
        [
            node("Pad", ["image", "pads", "zero"], ["padded"]),
            node("MaxPool", ["padded"], ["pooled"], kernel_shape=[3, 3], strides=[2, 2]),
            node("Flatten", ["pooled"], ["classes"]),
        ],
        "network",
        [value("image", 1, ["batch", 1, 8, 8])],
        [value("classes", 1, ["batch", 16])],
        [constant("pads", 7, [8], [0, 0, 1, 1, 0, 0, 1, 1]), constant("zero", 1, [], [0.0])],
    )
    model = onnx.helper.make_model(network, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    made = Session(model.SerializeToString(), 1).predict(-np.ones((1, 1, 8, 8)))
    assert made.reshape(4, 4)[0].tolist() == [0, 0, 0, 0]


def test_numbers_for_another_number_of_images_are_refused() -> None:
    """As from a network that gives a row for each object that it finds."""
    import onnx
    from onnx import TensorProto, helper

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 2, 2, 1])
    classes = helper.make_tensor_value_info("classes", TensorProto.FLOAT, ["batch", 2])
    node = helper.make_node("Flatten", ["image"], ["flat"], axis=2)
    pair = helper.make_node("MatMul", ["flat", "kernel"], ["classes"])
    kernel = onnx.numpy_helper.from_array(np.ones((2, 2), np.float32), "kernel")
    graph = helper.make_graph([node, pair], "g", [image], [classes], [kernel])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    with pytest.raises(ModelError, match=r"shape \(6, 2\) for 3 images"):
        Session(made, 1).predict(np.zeros((3, 2, 2, 1)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only POSIX copies processes")
def test_a_copy_of_a_process_that_has_predicted_predicts(graph: bytes, tmp_path: Path) -> None:
    """The thread that computes for the main thread is not in the copy."""
    path = tmp_path / "graph.onnx"
    path.write_bytes(graph)
    code = """
import os, sys
from pathlib import Path
import numpy as np
from napari_webipred.runtime.session import Session
session = Session(Path(sys.argv[1]), 1)
session.predict(np.zeros((1, 2, 2, 1)))
child = os.fork()
made = session.predict(np.zeros((1, 2, 2, 1)))
if child:
    os.waitpid(child, 0)
print(made.tolist(), flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, path], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[[0.5, -0.5]]\n" * 2
