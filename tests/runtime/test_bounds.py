"""What a network needs at most is told before it is opened, and is kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, helper, numpy_helper

from napari_webipred import limits
from napari_webipred.errors import LimitError, ModelError, SlowModelError
from napari_webipred.runtime import session as sessions
from napari_webipred.runtime.bounds import Bounds, bounds_of, known_bounds, read_network, with_bounds
from napari_webipred.runtime.onnx_graph import read_graph, read_properties
from napari_webipred.runtime.order import as_run
from napari_webipred.runtime.session import Session

node = helper.make_node
MEGABYTE = 2**20
MEAN = [node("GlobalAveragePool", ["t"], ["m"]), node("Flatten", ["m"], ["classes"])]


def model(*nodes: Any, image: tuple[Any, ...] = ("batch", 64, 64, 3), classes: int = 3, **weights: Any) -> ModelProto:
    """A network of the names and the form that the compilers give; ``t`` is the image, channels first."""
    graph = helper.make_graph(
        [node("Transpose", ["image"], ["x"], perm=[0, 3, 1, 2]), *nodes],
        "network",
        [helper.make_tensor_value_info("image", 1, image)],
        [helper.make_tensor_value_info("classes", 1, ["batch", classes])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def written(*nodes: Any, **more: Any) -> bytes:
    content: bytes = model(*nodes, **more).SerializeToString()
    return content


def told(*nodes: Any, pixels: int = 64, batch: int = 1, **more: Any) -> Bounds:
    return bounds_of(read_network(written(*nodes, **more)), (batch, pixels, pixels, 3))


def enlarged(factor: int) -> list[Any]:
    return [node("Resize", ["x", "", "scales"], ["t"]), *MEAN]


def scales(factor: int) -> np.ndarray:
    return np.float32([1, 1, factor, factor])


# --- memory ----------------------------------------------------------------------------------------------------------


def test_only_tensors_that_are_still_needed_count() -> None:
    chain = [node("Relu", ["x" if i == 0 else f"r{i}"], [f"r{i + 1}" if i < 99 else "t"]) for i in range(100)]
    held = [node("Neg", ["x"], [f"n{i}"]) for i in range(100)] + [node("Sum", [f"n{i}" for i in range(100)], ["t"])]
    one = 4 * 3 * 64 * 64
    assert told(*chain, *MEAN).run < 10 * one + 20 * MEGABYTE
    assert told(*held, *MEAN).run > 100 * one


def test_weights_count_once_however_often_they_are_used() -> None:
    nodes = [node("Add", ["x" if i == 0 else f"a{i}", "w"], [f"a{i + 1}" if i < 9 else "t"]) for i in range(10)]
    weights = np.zeros((1, 3, 64, 64), np.float32)
    assert weights.nbytes <= told(*nodes, *MEAN, w=weights).weights <= weights.nbytes + 10**6


def test_what_is_needed_grows_with_the_image_and_the_batch() -> None:
    nodes = [node("Relu", ["x"], ["t"]), *MEAN]
    open_ = {"image": ("batch", "height", "width", 3)}
    small, large = told(*nodes, pixels=512, **open_), told(*nodes, pixels=1024, **open_)
    many = told(*nodes, pixels=512, batch=4, **open_)
    assert small.run - 16 * MEGABYTE == pytest.approx((large.run - 16 * MEGABYTE) / 4, rel=0.01)
    assert large.run == pytest.approx(many.run, rel=0.01)
    assert 4 * small.work == pytest.approx(large.work, rel=0.01)


def test_constants_that_are_computed_are_weights_only_while_they_are_small() -> None:
    nodes = [node("Expand", ["one", "size"], ["big"]), node("ReduceMax", ["big"], ["top"], keepdims=0)]
    nodes += [node("Add", ["x", "top"], ["t"]), *MEAN]
    small = told(*nodes, one=np.float32([1]), size=np.array([2**20]))
    large = told(*nodes, one=np.float32([1]), size=np.array([2**26]))
    assert small.folds
    assert small.weights > 4 * 2**20
    assert not large.folds
    assert large.weights < MEGABYTE
    assert large.run > 4 * 2**26


def test_operations_are_taken_in_the_order_of_onnx_runtime() -> None:
    """It finishes a branch before it begins the next; in the order of the file all of these would be there at once."""
    operations = read_graph(
        written(
            *(node("Neg", ["x"], [f"n{i}"]) for i in range(3)),
            *(node("ReduceMax", [f"n{i}"], [f"m{i}"], keepdims=0) for i in range(3)),
            node("Sum", ["m0", "m1", "m2"], ["top"]),
            node("Add", ["x", "top"], ["t"]),
            *MEAN,
        )
    ).operations
    kinds = [each.kind for each in as_run(operations)]
    assert kinds == ["Transpose", *["Neg", "ReduceMax"] * 3, "Sum", "Add", "GlobalAveragePool", "Flatten"]


def test_a_network_over_the_budget_is_refused_with_what_it_needs_and_how_to_allow_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = written(*enlarged(64), scales=scales(64))
    monkeypatch.setenv(limits.MEMORY_SETTING, "300MB")
    for work in (lambda: with_bounds(content), lambda: Session(content, 1)):
        with pytest.raises(LimitError) as refusal:
            work()
        assert "422 MB of memory for one image, but only 300 MB are allowed" in refusal.value.message
        assert "Resize makes a tensor of shape [1, 3, 4096, 4096]" in refusal.value.message
        assert f"{limits.MEMORY_SETTING}=422MB" in refusal.value.hint
    monkeypatch.setenv(limits.MEMORY_SETTING, "422MB")
    assert Session(content, 1).predict(np.ones((1, 64, 64, 3))).tolist() == [[1, 1, 1]]


CHILD = """
import ctypes, sys
from pathlib import Path
import numpy as np
from napari_webipred.runtime.session import Session

def memory(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024

session = Session(Path(sys.argv[1]), 1)
image = np.ones((1, *session.input_shape), np.float32)
ctypes.CDLL(None).malloc_trim(0)
Path("/proc/self/clear_refs").write_text("5")
before = memory("VmRSS")
for _ in range(3):
    session.predict(image)
print(memory("VmHWM") - before)
"""


def dense() -> list[Any]:
    """Convolutions each of which is given all results before it, as in a DenseNet."""
    nodes = [node("Conv", ["x", "first"], ["c0"], pads=[1, 1, 1, 1])]
    for i in range(8):
        nodes.append(node("Conv", [f"c{i}", f"w{i}"], [f"n{i}"], pads=[1, 1, 1, 1]))
        nodes.append(node("Concat", [f"c{i}", f"n{i}"], [f"c{i + 1}"], axis=1))
    return [*nodes, node("Relu", ["c8"], ["t"]), *MEAN]


def separable() -> list[Any]:
    nodes, last = [node("Conv", ["x", "first"], ["p0"], pads=[1, 1, 1, 1])], "p0"
    for i in range(4):
        nodes += [
            node("Conv", [last, "wise"], [f"d{i}"], group=16, pads=[1, 1, 1, 1]),
            node("BatchNormalization", [f"d{i}", "one", "one", "one", "one"], [f"b{i}"]),
            node("Sigmoid", [f"b{i}"], [f"s{i}"]),
            node("Mul", [f"b{i}", f"s{i}"], [f"p{i + 1}"]),
        ]
        last = f"p{i + 1}"
    return [*nodes, node("Transpose", [last], ["l"], perm=[0, 2, 3, 1]), node("Erf", ["l"], ["e"]),
            node("Transpose", ["e"], ["t"], perm=[0, 3, 1, 2]), *MEAN]  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux only")
@pytest.mark.parametrize("name", ["dense", "separable", "attention"])
def test_a_run_needs_no_more_memory_than_is_told(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def weights(*shape: int) -> np.ndarray:
        return rng.uniform(-0.1, 0.1, shape).astype(np.float32)

    if name == "dense":
        first = {"first": weights(16, 3, 3, 3)}
        made = {f"w{i}": weights(16, 16 * (i + 1), 3, 3) for i in range(8)}
        content = written(*dense(), image=("batch", 256, 256, 3), classes=144, **first, **made)
    elif name == "separable":
        given = {"first": weights(16, 3, 3, 3), "wise": weights(16, 1, 3, 3), "one": np.ones(16, np.float32)}
        content = written(*separable(), image=("batch", 512, 512, 3), classes=16, **given)
    else:
        nodes = [node("Reshape", ["x", "row"], ["r"]), node("Transpose", ["r"], ["c"], perm=[0, 2, 1])]
        nodes += [node("MatMul", ["c", "r"], ["scores"]), node("Softmax", ["scores"], ["s"], axis=-1)]
        nodes += [node("MatMul", ["s", "c"], ["y"]), node("ReduceMean", ["y"], ["classes"], axes=[1], keepdims=0)]
        content = written(*nodes, row=np.array([0, 3, -1]))
    path = tmp_path / "network.onnx"
    path.write_bytes(with_bounds(content))
    bounds = known_bounds(read_properties(path.read_bytes()))
    assert bounds is not None
    done = subprocess.run([sys.executable, "-c", CHILD, path], capture_output=True, text=True, check=True)
    measured = float(done.stdout)
    assert 10 < measured <= bounds.run / 2**20 < 5 * measured + 20


OPENED = """
import sys
from pathlib import Path
from napari_webipred.runtime.session import Session
import onnxruntime

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

before = peak()
Session(Path(sys.argv[1]), 1)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux only")
def test_opening_computes_no_large_constants(tmp_path: Path) -> None:
    nodes = [node("Expand", ["one", "size"], ["big"]), node("ReduceMax", ["big"], ["top"], keepdims=0)]
    path = tmp_path / "network.onnx"
    path.write_bytes(
        written(*nodes, node("Add", ["x", "top"], ["t"]), *MEAN, one=np.float32([1]), size=np.array([2**26]))
    )
    done = subprocess.run([sys.executable, "-c", OPENED, path], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 64


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux only")
def test_the_memory_of_onnx_runtime_has_a_limit_of_its_own(tmp_path: Path) -> None:
    """Should a bound ever be too low, the run fails, and napari lives on."""
    path = tmp_path / "network.onnx"
    path.write_bytes(written(*enlarged(64), scales=scales(64)))
    code = """
import sys
from msgspec.structs import replace
from pathlib import Path
import numpy as np
from napari_webipred.errors import LimitError
from napari_webipred.runtime import session
honest = session.first_bounds
session.first_bounds = lambda network: replace(honest(network), run=1)
opened = session.Session(Path(sys.argv[1]), 1)
try:
    opened.predict(np.ones((1, 64, 64, 3)))
except LimitError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, path],
        env=os.environ | {limits.MEMORY_SETTING: "100MB"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "needs more memory than the 100 MB that are allowed" in done.stdout


# --- work ------------------------------------------------------------------------------------------------------------


def test_work_is_counted_in_multiply_adds() -> None:
    convolution = node("Conv", ["x", "w"], ["t"], pads=[1, 1, 1, 1])
    work = told(convolution, *MEAN, classes=64, w=np.zeros((64, 3, 3, 3), np.float32)).work
    assert 64 * 64 * 64 * 27 < work < 3 * 64 * 64 * 64 * 27
    products = [node("ReduceMax", ["x"], ["top"], keepdims=0), node("Expand", ["top", "size"], ["a"])]
    products += [node("MatMul", ["a", "a"], ["b"]), node("ReduceMax", ["b"], ["c"], keepdims=0)]
    work = told(*products, node("Add", ["x", "c"], ["t"]), *MEAN, size=np.array([1000, 1000])).work
    assert 10**9 < work < 1.3 * 10**9


def slow() -> bytes:
    nodes = [node("ReduceMax", ["x"], ["top"], keepdims=0), node("Expand", ["top", "size"], ["p0"])]
    nodes += [node("MatMul", [f"p{i}", f"p{i}"], [f"p{i + 1}"]) for i in range(2000)]
    nodes += [node("ReduceMax", ["p2000"], ["c"], keepdims=0), node("Add", ["x", "c"], ["t"])]
    return written(*nodes, *MEAN, size=np.array([1000, 1000]))


def test_a_network_that_computes_very_long_is_refused_unless_it_is_allowed() -> None:
    with pytest.raises(SlowModelError) as refusal:
        Session(slow(), 1)
    assert "about 2 trillion multiplications for each image, which may take 2 minutes" in refusal.value.message
    assert "`allow_slow`" in refusal.value.hint
    assert refusal.value.remedies == ("allow slow model",)
    assert Session(slow(), 1, allow_slow=True).output_size == 3


# --- what a graph tells ----------------------------------------------------------------------------------------------


def test_a_graph_tells_what_it_needs_so_that_it_is_looked_at_once_only(monkeypatch: pytest.MonkeyPatch) -> None:
    content = with_bounds(written(node("Relu", ["x"], ["t"]), *MEAN))

    def fail(*arguments: Any) -> Any:
        raise AssertionError

    for name in ("bounds_of", "first_bounds", "read_network"):
        monkeypatch.setattr(sessions, name, fail)
    opened = Session(content, 1)
    assert opened.predict(np.ones((2, 64, 64, 3))[:1]).tolist() == [[1, 1, 1]]


def test_a_network_for_images_of_any_size_is_held_to_the_budget_at_each_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(limits.MEMORY_SETTING, "300MB")
    nodes = enlarged(8)
    opened = Session(with_bounds(written(*nodes, image=("batch", "height", "width", 3), scales=scales(8))), 1)
    opened.check_image(64, 64)
    assert opened.predict(np.ones((1, 64, 64, 3))).tolist() == [[1, 1, 1]]
    for work in (lambda: opened.check_image(1024, 1024), lambda: opened.predict(np.ones((1, 1024, 1024, 3)))):
        with pytest.raises(LimitError, match=r"1\.7 GB of memory for one image"):
            work()


def test_a_batch_that_is_too_large_is_computed_image_by_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(limits.MEMORY_SETTING, "450MB")
    opened = Session(written(*enlarged(64), scales=scales(64)), 1)
    images = np.arange(3, dtype=np.float32)[:, None, None, None] * np.ones((1, 64, 64, 3), np.float32)
    assert opened.predict(images).tolist() == [[0, 0, 0], [1, 1, 1], [2, 2, 2]]


def test_a_network_whose_operations_are_many_for_its_size_is_refused() -> None:
    chain = [node("Sin", ["x" if i == 0 else f"r{i}"], [f"r{i + 1}" if i < 9999 else "t"]) for i in range(10_000)]
    with pytest.raises(LimitError, match=r"10003 operations; at most 9\d\d\d are allowed"):
        Session(written(*chain, *MEAN), 1)


def test_more_classes_than_any_model_has_are_refused() -> None:
    nodes = [*MEAN[:1], node("Flatten", ["m"], ["f"]), node("ReduceMean", ["f"], ["a"], axes=[1])]
    nodes.append(node("Tile", ["a", "n"], ["classes"]))
    count = limits.CLASSES + 1
    with pytest.raises(LimitError, match=f"{count} numbers for each image"):
        Session(written(node("Relu", ["x"], ["t"]), *nodes, classes=count, n=np.array([1, count])), 1)


def test_weights_that_lack_numbers_are_named() -> None:
    made = model(node("Add", ["x", "w"], ["t"]), *MEAN, w=np.zeros((3, 64, 64), np.float32))
    made.graph.initializer[0].raw_data = bytes(12)
    with pytest.raises(ModelError, match="'w' are incomplete"):
        with_bounds(made.SerializeToString())
