"""Models that are made to waste time or memory, and files of any bytes at all."""

from __future__ import annotations

import copy
import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_webipred.archive.model_files import open_files
from napari_webipred.errors import ModelError, WebIPredError
from napari_webipred.runtime.compiler import compile_model
from napari_webipred.runtime.readers import compile_files
from napari_webipred.runtime.tfjs import read_layers_model

Files = dict[str, bytes]

MEGABYTE = 2**20


@pytest.fixture(scope="module", autouse=True)
def traced() -> Iterator[None]:
    import onnx  # noqa: F401  # what is imported counts for nothing

    tracemalloc.start()
    yield
    tracemalloc.stop()


@contextmanager
def little_memory(size: int) -> Iterator[None]:
    """Allow twice the size of a file and 64 MB."""
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    yield
    assert tracemalloc.get_traced_memory()[1] - before <= 2 * size + 64 * MEGABYTE


def layer(class_name: str, name: str, inbound: list[Any] | None = None, **config: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"class_name": class_name, "config": {"name": name, **config}}
    return made if inbound is None else made | {"name": name, "inbound_nodes": inbound}


def sequential(*layers: dict[str, Any]) -> dict[str, Any]:
    image = layer("InputLayer", "image", batch_input_shape=[None, 64, 64, 3])
    return {"class_name": "Sequential", "config": {"name": "m", "layers": [image, *layers]}}


def functional(layers: list[dict[str, Any]], output: list[Any], name: str = "m") -> dict[str, Any]:
    image = layer("InputLayer", "image", [], batch_input_shape=[None, 64, 64, 3])
    ends = {"input_layers": [["image", 0, 0]], "output_layers": [output]}
    return {"class_name": "Functional", "config": {"name": name, "layers": [image, *layers], **ends}}


def document(topology: Any, *weights: tuple[str, list[int], str], shard: bytes = b"") -> Files:
    entries = [{"name": name, "shape": shape, "dtype": dtype} for name, shape, dtype in weights]
    manifest = [{"paths": ["w"], "weights": entries}]
    return {"m.json": json.dumps({"modelTopology": topology, "weightsManifest": manifest}).encode(), "w": shard}


def called_again() -> dict[str, Any]:
    """A model of very many idle layers, called very many times."""
    inner = functional([layer("ReLU", f"r{i}", []) for i in range(9000)], ["image", 0, 0], "inner")
    calls = [[["image", 0, 0]], *([["inner", i, 0]] for i in range(2000))]
    return functional([{**inner, "name": "inner", "inbound_nodes": calls}], ["inner", 2000, 0])


def one_row(*layers: dict[str, Any]) -> dict[str, Any]:
    """A network that makes 50 million channels of its image."""
    return sequential(
        layer("UpSampling2D", "up", size=[64, 64]), layer("Reshape", "row", target_shape=[1, 1, -1]), *layers
    )


HOSTILE: dict[str, tuple[Callable[[], Files], str]] = {
    "very many values": (lambda: {"m.json": b'{"modelTopology":[' + b"[]," * 10**6 + b"[]]}"}, "300000 values"),
    "wide letters": (
        lambda: {"m.json": ('{"modelTopology":"\U0001f600' + "a" * 8 * 10**6 + '"}').encode()},
        "not a JSON object",
    ),
    "very many keys": (
        lambda: {"m.json": json.dumps({"modelTopology": {str(i): i / 7 for i in range(140_000)}}).encode()},
        "needs class_name and config",
    ),
    "nested too deeply": (lambda: {"m.json": b'{"modelTopology":' + b"[" * 10**5}, "nested too deeply"),
    "a long number": (lambda: {"m.json": b'{"modelTopology":' + b"9" * 10**6 + b"}"}, "not valid JSON"),
    "very many weights": (
        lambda: document(
            sequential(*(layer("Dense", f"d{i}", units=1) for i in range(500))),
            *((f"a/b/c/d/e/f/g/x_{i}/kernel", [1], "bool") for i in range(5000)),
            shard=bytes(5000),
        ),
        "and 900 more are missing",
    ),
    "long names of weights": (
        lambda: document(
            sequential(layer("ReLU", "a")),
            *((f"{i}" + "/a" * 400, [1], "bool") for i in range(2000)),
            shard=bytes(2000),
        ),
        "and 1,900 more",
    ),
    "a model called very often": (lambda: document(called_again()), "100000 layers"),
    "very many unknown layers": (
        lambda: document(sequential(*(layer("Strange", f"s{i}") for i in range(9000)))),
        "s0 (Strange), s1 (Strange)",
    ),
    "a circle": (
        lambda: document(functional([layer("ReLU", f"r{i}", [[[f"r{(i + 1) % 9000}", 0, 0]]]) for i in range(9000)],
                                    ["r0", 0, 0])),
        "form a cycle: r0",
    ),
    "a claimed kernel": (
        lambda: document(
            sequential(layer("Conv2D", "c", filters=2**24, kernel_size=64)), ("c/kernel", [64, 64, 3, 2**24], "float32")
        ),
        "it has 0 bytes instead of 824633720832",
    ),
    "a huge image": (
        lambda: document(sequential(layer("UpSampling2D", "up", size=[2**12, 2**12]))),
        "up (UpSampling2D) outputs a tensor of shape [262144, 262144, 3]",
    ),
    "batch normalisation of a huge tensor": (
        lambda: document(one_row(layer("BatchNormalization", "it", scale=False))), "it/beta, it/moving_mean",
    ),
    "group normalisation of a huge tensor": (
        lambda: document(one_row(layer("GroupNormalization", "it", groups=2**20, scale=False, center=False))),
        "groups=1048576",
    ),
    "a dense layer on a huge tensor": (lambda: document(one_row(layer("Dense", "it", units=2**24))), "it/kernel"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_model_that_claims_much_is_refused_with_little_memory(name: str) -> None:
    made, words = HOSTILE[name]
    files = made()
    with little_memory(sum(map(len, files.values()))), pytest.raises(ModelError) as refusal:
        compile_model(read_layers_model(files, "m.json"))
    assert words in refusal.value.message
    assert refusal.value.hint


def test_normalising_a_huge_tensor_without_weights_takes_little_memory() -> None:
    everything = layer("LayerNormalization", "it", axis=[1, 2, 3], scale=False, center=False)
    files = document(one_row(everything, layer("Reshape", "back", target_shape=[4096, 4096, 3])))
    with little_memory(len(files["m.json"])):
        compile_model(read_layers_model(files, "m.json"))


def test_weights_are_taken_into_the_graph_with_one_copy() -> None:
    size = 12 * 2**20
    shard = np.zeros(size, np.float32).tobytes()
    topology = sequential(layer("GlobalMaxPooling2D", "max"), layer("Dense", "d", units=size // 3, use_bias=False))
    files = document(topology, ("d/kernel", [3, size // 3], "float32"), shard=shard)
    with little_memory(len(shard)):
        assert len(compile_model(read_layers_model(files, "m.json"))) > len(shard)


# Any bytes, and changes of sound files


def sound_files() -> Files:
    def tensor(name: str) -> dict[str, Any]:
        return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}

    layers = [
        layer("Conv2D", "conv", [[["image", 0, 0, {}]]], filters=2, kernel_size=[3, 3], strides=[4, 4], padding="same"),
        layer("DepthwiseConv2D", "wise", [["conv", 0, 0, {}]], kernel_size=2, dilation_rate=2, use_bias=False),
        layer("GroupNormalization", "group", [[["wise", 0, 0, {}]]], groups=2),
        layer("LayerNormalization", "rows", [[["group", 0, 0, {}]]], axis=[1], center=False),
        layer("Add", "add", [{"args": [tensor("group"), tensor("rows")], "kwargs": {"training": True}}]),
        layer("TFOpLambda", "sum", [["add", 0, 0, {"axis": [1, 2], "keepdims": False}]], function="math.reduce_sum"),
        layer("Dense", "dense", [[["sum", 0, 0, {}]]], units=3, activation="log_softmax"),
    ]  # fmt: skip
    quantised = {"dtype": "uint8", "scale": 0.1, "min": -1}
    shapes = {
        "conv/kernel": [3, 3, 3, 2], "conv/bias": [2], "wise/depthwise_kernel": [2, 2, 2, 1], "group/gamma": [2],
        "group/beta": [2], "rows/gamma": [14], "dense/kernel": [2, 3], "dense/bias": [3],
    }  # fmt: skip
    entries: list[dict[str, Any]] = [
        {"name": name, "shape": shape, "dtype": "float32"} for name, shape in shapes.items()
    ]
    entries[0]["quantization"] = quantised
    manifest = [{"paths": ["w"], "weights": entries}]
    topology = functional(layers, ["dense", 0, 0]) | {"keras_version": "2.8.0"}
    return {
        "model.json": json.dumps({"modelTopology": topology, "weightsManifest": manifest}).encode(),
        "w": bytes(54 + 4 * (2 + 8 + 2 + 2 + 14 + 6 + 3)),
    }


SOUND = sound_files()


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def opened(path: Path) -> None:
    """Do with a file what the program does, and expect a model or an error in plain words, in little memory."""
    with little_memory(path.stat().st_size), suppress(WebIPredError):
        files = open_files(path)
        compile_files(files, files.kind, files.entry, unpacked=files.unpacked)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_model_that_is_changed_is_sound(method: int, tmp_path: Path) -> None:
    path = tmp_path / "m.zip"
    path.write_bytes(zipped(SOUND, method))
    assert compile_files(open_files(path), "zip", None)


LOOSE = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@LOOSE
@given(content=st.binary(max_size=400), name=st.sampled_from(["m.zip", "model.json", "m.h5", "m.keras", "m.onnx"]))
def test_a_file_of_any_bytes_is_a_model_or_refused(content: bytes, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    opened(path)


@LOOSE
@given(data=st.data())
def test_a_changed_zip_is_a_model_or_refused(data: st.DataObject, tmp_path: Path) -> None:
    content = bytearray(zipped(SOUND, data.draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(len(content) // 2, len(content))) :]
    path = tmp_path / "m.zip"
    path.write_bytes(content)
    opened(path)


WILD = st.sampled_from(
    [None, True, 0, -1, 2, 1.5, 1e300, float("nan"), 2**31, 2**63, 10**40, "", "same", "../x", "\ud800", "x" * 300,
     [], [None], [0, 0], [[]], [1] * 9, [2**20] * 3, {}, {"class_name": "Lambda"}, "channels_first", "__tensor__"]
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield (*path, key)
        yield from places(value[key], (*path, key))


@settings(LOOSE, max_examples=250)
@given(data=st.data())
def test_a_changed_model_is_a_model_or_refused(data: st.DataObject, tmp_path: Path) -> None:
    changed = copy.deepcopy(json.loads(SOUND["model.json"]))
    for _ in range(data.draw(st.integers(1, 3))):
        found = list(places(changed))
        if not found:
            break
        *way, last = data.draw(st.sampled_from(found))
        inner = changed
        for key in way:
            inner = inner[key]
        if data.draw(st.booleans()):
            inner[last] = copy.deepcopy(data.draw(WILD))
        else:
            del inner[last]
    text = json.dumps(changed).encode("utf-8", "surrogatepass")
    (tmp_path / "model.json").write_bytes(text)
    (tmp_path / "w").write_bytes(SOUND["w"])
    opened(tmp_path / "model.json")
