"""The files that people have: alone, in folders and in zip archives, and what lies beside them."""

from __future__ import annotations

import base64
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import napari_webipred as wp
from napari_webipred import safe_json, settings
from napari_webipred._napari.models import origin
from napari_webipred.archive import model_folder
from napari_webipred.archive.model_files import open_files
from napari_webipred.errors import ArchiveError, CatalogueError, ModelError
from napari_webipred.runtime.readers import Found, find_model
from napari_webipred.runtime.teachable_machine import is_teachable_machine
from test_model import write_tfjs

GOLDENS = Path(__file__).parent / "goldens"
KERAS = GOLDENS / "keras"
GOLDEN = np.load(KERAS / "keras3-flat.npz")
IMAGES, OUTPUTS = GOLDEN["pictures"], GOLDEN["outputs"]


def is_golden(path: Path) -> bool:
    return bool(np.allclose(wp.open_model(path).predict(IMAGES), OUTPUTS, rtol=1e-5, atol=1e-7))


def refusal(path: Path, **options: Any) -> tuple[str, str]:
    with pytest.raises(ModelError) as caught:
        wp.open_model(path, **options)
    return caught.value.message, caught.value.hint


def zip_of(path: Path, folder: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
    return path


def kept(kind: str) -> list[str]:
    folder = settings.current().cache_folder / kind
    return sorted(path.name for path in folder.glob("*")) if folder.is_dir() else []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine"


# --- what lies beside ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["keras3-flat.keras", "keras3-flat.h5"])
@pytest.mark.parametrize(
    ("beside", "content"),
    [
        ("labels.txt", "a\nb\nc"),
        ("class_names.json", '["a", "b", "c"]'),
        ("class_indices.json", '{"c": 2, "a": 0, "b": 1}'),
        (
            "webipred.json",
            '{"classes": [{"index": 0, "name": "a"}, {"index": 1, "name": "b"}, {"index": 2, "name": "c"}]}',
        ),
    ],
)
def test_what_lies_beside_a_keras_file_names_its_classes(folder: Path, name: str, beside: str, content: str) -> None:
    shutil.copy(KERAS / name, folder)
    alone = wp.open_model(folder / name)
    assert alone.classes != ["a", "b", "c"]
    (folder / beside).write_text(content)
    model = wp.open_model(folder / name)
    assert model.classes == ["a", "b", "c"]
    assert model.checksum == alone.checksum  # the numbers are the same
    assert wp.open_model(folder).classes == ["a", "b", "c"]
    assert wp.open_model(zip_of(folder.with_suffix(".zip"), folder)).classes == ["a", "b", "c"]


def test_the_metadata_within_a_keras_file_is_no_list_of_classes(folder: Path) -> None:
    with zipfile.ZipFile(KERAS / "keras3-flat.keras") as source, zipfile.ZipFile(folder / "m.keras", "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
        target.writestr("labels.txt", "x\ny\nz")
        target.writestr("class_names.json", '["x", "y", "z"]')
    (folder / "metadata.json").write_text('{"labels": ["a", "b", "c"]}')
    assert wp.open_model(folder / "m.keras").classes == ["a", "b", "c"]


def test_two_files_that_name_the_classes_differently_are_told(folder: Path) -> None:
    shutil.copy(KERAS / "keras3-flat.keras", folder / "m.keras")
    (folder / "class_names.json").write_text('["a", "b", "c"]')
    (folder / "labels.txt").write_text("c\nb\na")
    model = wp.open_model(folder / "m.keras")
    assert model.classes == ["a", "b", "c"]
    assert any("labels.txt names the classes differently (c, b, a)" in remark for remark in model.remarks)


# --- models of every format, wherever they lie -----------------------------------------------------------------------


def as_keras(folder: Path) -> None:
    shutil.copy(KERAS / "keras3-flat.keras", folder / "m.keras")


def as_h5(folder: Path) -> None:
    shutil.copy(KERAS / "keras3-flat.h5", folder / "m.h5")


def as_hdf5(folder: Path) -> None:
    shutil.copy(KERAS / "keras3-flat.h5", folder / "m.hdf5")


def as_h5_called_keras(folder: Path) -> None:
    """As TensorFlow 2.11 and older wrote it."""
    shutil.copy(KERAS / "keras3-flat.h5", folder / "m.keras")


def as_unpacked_keras(folder: Path) -> None:
    with zipfile.ZipFile(KERAS / "keras3-flat.keras") as archive:
        archive.extractall(folder / "unpacked")


def as_keras_3_weights(folder: Path) -> None:
    with zipfile.ZipFile(KERAS / "keras3-flat.keras") as archive:
        (folder / "m.json").write_bytes(archive.read("config.json"))
        (folder / "m.weights.h5").write_bytes(archive.read("model.weights.h5"))


def as_keras_2_weights(folder: Path) -> None:
    """As ``model.to_json()`` and ``model.save_weights("weights.h5")`` of Keras 2 write them."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(KERAS / "keras3-flat.h5") as whole, h5py.File(folder / "weights.h5", "w") as weights:
        (folder / "architecture.json").write_text(whole.attrs["model_config"])
        stored = whole["model_weights"]
        for key, value in stored.attrs.items():
            weights.attrs[key] = value
        for name in stored:
            whole.copy(stored[name], weights)


FORMATS = [as_keras, as_h5, as_hdf5, as_h5_called_keras, as_unpacked_keras, as_keras_3_weights, as_keras_2_weights]


@pytest.mark.parametrize("write", FORMATS)
@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_folder_and_a_zip_with_a_model_of_any_format_are_opened(
    folder: Path, write: Callable[[Path], None], below: str
) -> None:
    (folder / below).mkdir(parents=True, exist_ok=True)
    write(folder / below)
    (folder / "README.txt").write_text("about it")
    (folder / "history.json").write_text('{"loss": [1, 2]}')
    assert is_golden(folder)
    assert is_golden(zip_of(folder.with_suffix(".zip"), folder))


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (as_keras, "Keras .keras"),
        (as_h5, "Keras .h5"),
        (as_keras_3_weights, "Keras .h5"),
        (lambda folder: write_tfjs(folder), "TensorFlow.js"),
        (lambda folder: graph_golden(folder, "plain-keras3-tfjs.zip"), "TensorFlow.js graph"),
        (lambda folder: graph_golden(folder, "plain-keras3-saved.zip"), "SavedModel"),
        (lambda folder: (folder / "m.onnx").write_bytes(small_onnx()), "ONNX"),
    ],
)
def test_the_format_of_an_own_model_is_said(folder: Path, write: Callable[[Path], Any], said: str) -> None:
    write(folder)
    assert origin.format_of(wp.open_model(folder, activation="softmax").card) == said
    assert origin.format_of(wp.open_model(folder, activation="softmax").card) == said  # also of the compiled graph


def graph_golden(folder: Path, name: str) -> None:
    with zipfile.ZipFile(GOLDENS / "graphs" / name) as archive:
        archive.extractall(folder)


def small_onnx() -> bytes:
    nodes = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])]
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


@pytest.mark.parametrize("write", [as_keras_3_weights, as_keras_2_weights])
def test_weights_and_their_network_are_opened_at_either_file(folder: Path, write: Callable[[Path], None]) -> None:
    write(folder)
    for path in folder.iterdir():
        assert is_golden(path)


def test_of_several_networks_and_weights_those_of_one_name_belong_together(folder: Path) -> None:
    as_keras_3_weights(folder)
    (folder / "other.json").write_text(json.dumps({"class_name": "Sequential", "config": {"name": "s", "layers": []}}))
    shutil.copy(folder / "m.weights.h5", folder / "x.weights.h5")
    assert is_golden(folder / "m.weights.h5")
    assert is_golden(folder / "m.json")
    assert "several files beside it describe a network: m.json, other.json" in refusal(folder / "x.weights.h5")[0]
    assert "could hold its weights: m.weights.h5, x.weights.h5" in refusal(folder / "other.json")[0]
    assert "2 models here: m.weights.h5, x.weights.h5" in refusal(folder)[0]


def test_a_large_json_beside_weights_does_not_hide_their_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_keras_2_weights(folder)
    monkeypatch.setattr(safe_json, "MAX_BYTES", (folder / "architecture.json").stat().st_size)
    (folder / "annotations.json").write_text("[" + "1, " * 10_000 + "1]")
    assert is_golden(folder)


def test_tables_of_a_data_set_beside_a_model_do_not_count(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_h5(folder)
    (folder / "labels.csv").write_text("a\nb\nc")
    for i in range(5):
        (folder / f"{i}.csv").write_text("x")
    monkeypatch.setattr(model_folder, "MAX_FILES", 2)
    assert wp.open_model(folder).classes == ["a", "b", "c"]


def test_a_reference_that_is_no_path_is_looked_up(tmp_path: Path) -> None:
    for reference in ("x" * 5000, "no/such/model.zip/x.h5", "a\0b"):
        with pytest.raises(CatalogueError, match="no model called"):
            wp.open_model(reference)


def test_what_lacks_its_weights_or_its_network_is_told(folder: Path) -> None:
    as_keras_3_weights(folder)
    (folder / "alone").mkdir()
    network = shutil.copy(folder / "m.json", folder / "alone")
    for path in (network, folder / "alone"):
        message, hint = refusal(path)
        assert "m.json holds the architecture of a Keras model only; its weights are missing" in message
        assert "m.weights.h5, beside it" in hint
    Path(network).unlink()
    weights = shutil.copy(folder / "m.weights.h5", folder / "alone")
    for path in (weights, folder / "alone"):
        message, hint = refusal(path)
        assert "m.weights.h5 holds weights only, without the network that they belong to" in message
        assert "beside it as m.json" in hint


def test_the_settings_of_weights_are_not_those_of_the_same_weights_in_another_network(folder: Path) -> None:
    as_keras_3_weights(folder)
    first = wp.open_model(folder / "m.weights.h5").checksum
    (folder / "m.json").write_text((folder / "m.json").read_text() + " ")
    assert wp.open_model(folder / "m.weights.h5").checksum != first
    (folder / "labels.txt").write_text("a\nb\nc")
    assert wp.open_model(folder / "m.weights.h5").checksum != first


def test_of_several_models_one_is_chosen_by_its_path_also_in_a_zip(folder: Path) -> None:
    (folder / "a").mkdir()
    as_keras(folder / "a")
    (folder / "a" / "labels.txt").write_text("a\nb\nc")
    write_tfjs(folder / "b")
    archive = zip_of(folder.with_suffix(".zip"), folder)
    for path in (folder, archive):
        message, hint = refusal(path)
        assert "There are 2 models here: a/m.keras, b/model.json." in message
        assert "archive.zip/FILE" in hint
    for path in (folder / "a" / "m.keras", archive / "a" / "m.keras"):
        assert is_golden(path)
        assert wp.open_model(path).classes == ["a", "b", "c"]
    assert wp.open_model(str(archive / "b" / "model.json")).classes == ["0", "1"]
    with pytest.raises(ArchiveError, match=r"no file c/m\.h5 in mine\.zip; found a/labels\.txt"):
        wp.open_model(archive / "c" / "m.h5")


def test_a_card_in_a_zip_chooses_one_of_several_models(folder: Path) -> None:
    as_keras(folder)
    write_tfjs(folder / "b")
    choice = {"format": "keras-v3", "source": {"type": "local"}, "entry_point": "m.keras"}
    (folder / "webipred.json").write_text(json.dumps({"name": "Chosen", "weights": [choice]}))
    archive = zip_of(folder.with_suffix(".zip"), folder)
    assert is_golden(archive)
    (folder / "webipred.json").write_text(json.dumps({"weights": [{**choice, "entry_point": "b/model.json"}]}))
    assert wp.open_model(zip_of(archive, folder)).output_size == 2


def test_the_format_that_a_published_card_names_chooses_one_of_several(folder: Path) -> None:
    as_keras(folder)
    write_tfjs(folder / "b")
    files = open_files(zip_of(folder.with_suffix(".zip"), folder))
    assert find_model(files, "keras-v3") == Found("keras-v3", "m.keras")
    assert find_model(files, "tfjs-layers") == Found("tfjs-layers", "b/model.json")
    for unknown in ("onnx", None):
        with pytest.raises(ModelError, match="2 models here"):
            find_model(files, unknown)


def test_two_models_of_one_zip_have_graphs_of_their_own(folder: Path) -> None:
    write_tfjs(folder / "a", outputs=2)
    write_tfjs(folder / "b", outputs=3)
    archive = zip_of(folder.with_suffix(".zip"), folder)
    for _ in range(2):  # compiled, and from the cache
        assert wp.open_model(archive / "a" / "model.json").output_size == 2
        assert wp.open_model(archive / "b" / "model.json").output_size == 3


def test_where_there_is_no_model_the_formats_are_named(folder: Path) -> None:
    (folder / "notes.txt").write_text("x")
    message, hint = refusal(folder)
    assert "There is no model here; found notes.txt." in message
    for form in ("model.json", ".keras", ".h5", "saved_model.pb", ".onnx"):
        assert form in hint
    (folder / "notes.json").write_text('{"a": 1}')
    message, hint = refusal(folder / "notes.json")
    assert "notes.json is a JSON file, but describes no model" in message
    assert ".onnx" in hint


def test_messages_name_the_file_that_the_user_has(folder: Path) -> None:
    layer = {"class_name": "Strange", "config": {"name": "x", "batch_input_shape": [None, 4, 4, 1]}}
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": [layer]}}
    with zipfile.ZipFile(KERAS / "keras3-flat.keras") as source, zipfile.ZipFile(folder / "mine.keras", "w") as target:
        target.writestr("config.json", json.dumps(config))
        target.writestr("model.weights.h5", source.read("model.weights.h5"))
    for path in (folder / "mine.keras", folder):
        message, _ = refusal(path)
        assert "mine.keras has unsupported layers: x (Strange)" in message
        assert "config.json" not in message
    with zipfile.ZipFile(folder / "mine.keras", "w") as target:
        target.writestr("config.json", "{")
    assert "config.json or model.weights.h5 is missing" in refusal(folder)[0]


def test_a_saved_model_that_was_downloaded_file_by_file_is_opened(folder: Path) -> None:
    golden = np.load(GOLDENS / "graphs" / "plain-keras3.npz")
    with zipfile.ZipFile(GOLDENS / "graphs" / "plain-keras3-saved.zip") as archive:
        for name in archive.namelist():
            if not name.endswith("/"):
                (folder / Path(name).name).write_bytes(archive.read(name))
    for path in (folder, folder / "saved_model.pb", zip_of(folder.with_suffix(".zip"), folder)):
        np.testing.assert_allclose(wp.open_model(path).predict(golden["x"]), golden["tensorflow"], atol=2e-6)


# --- ONNX with weights in other files --------------------------------------------------------------------------------


def write_onnx(path: Path, **how: Any) -> onnx.ModelProto:
    """A network of an image of 8x8 grey pixels: 64 numbers times 100, softmax."""
    rng = np.random.default_rng(0)
    arrays = {"kernel": rng.normal(size=(64, 100)), "bias": rng.normal(size=100), "gain": np.array([0.5])}
    weights = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in arrays.items()]
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Gemm", ["flat", "kernel", "bias"], ["sum"]),
        helper.make_node("Mul", ["sum", "gain"], ["scaled"]),
        helper.make_node("Softmax", ["scaled"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 8, 8])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 100])]
    model = helper.make_model(
        helper.make_graph(nodes, "g", inputs, outputs, weights),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.save_model(model, path, **how)
    return model


GREY = np.random.default_rng(1).uniform(size=(3, 8, 8, 1)).astype(np.float32)
ONE = {"save_as_external_data": True, "location": "m.onnx.data", "size_threshold": 0}
MANY = {"save_as_external_data": True, "all_tensors_to_one_file": False, "size_threshold": 0}


@pytest.fixture
def expected(tmp_path: Path) -> np.ndarray:
    write_onnx(tmp_path / "whole.onnx")
    return wp.open_model(tmp_path / "whole.onnx").predict(GREY)


@pytest.mark.parametrize("how", [ONE, MANY], ids=["one file", "many files"])
def test_an_onnx_file_with_its_weights_beside_it_is_opened(folder: Path, how: dict[str, Any], expected: Any) -> None:
    write_onnx(folder / "m.onnx", **how)
    archive = zip_of(folder.with_suffix(".zip"), folder)
    for path in (folder / "m.onnx", folder, archive, archive / "m.onnx"):
        for _ in range(2):  # compiled, and from the cache
            np.testing.assert_array_equal(wp.open_model(path).predict(GREY), expected)


def test_the_checksum_of_an_onnx_file_covers_its_weights(folder: Path, expected: np.ndarray) -> None:
    write_onnx(folder / "m.onnx", **ONE)
    first = wp.open_model(folder / "m.onnx")
    data = np.fromfile(folder / "m.onnx.data", np.float32)
    (2 * data).tofile(folder / "m.onnx.data")
    second = wp.open_model(folder / "m.onnx")
    assert second.checksum != first.checksum
    assert np.abs(second.predict(GREY) - expected).max() > 0.01
    (folder / "unrelated.data").write_bytes(b"x")
    assert wp.open_model(folder / "m.onnx").checksum == second.checksum


def test_weights_in_a_folder_below_are_read_where_the_whole_folder_was_opened(folder: Path, expected: Any) -> None:
    (folder / "weights").mkdir()
    write_onnx(folder / "m.onnx", **{**ONE, "location": "weights/m.bin"})
    np.testing.assert_array_equal(wp.open_model(folder).predict(GREY), expected)
    message, hint = refusal(folder / "m.onnx")
    assert "weights of m.onnx are missing: weights/m.bin" in message
    assert "choose that folder" in hint


def test_weights_that_are_a_link_or_missing_are_refused(folder: Path, tmp_path: Path) -> None:
    write_onnx(folder / "m.onnx", **ONE)
    (folder / "m.onnx.data").rename(tmp_path / "elsewhere")
    assert "missing: m.onnx.data" in refusal(folder / "m.onnx")[0]
    (folder / "m.onnx.data").symlink_to(tmp_path / "elsewhere")
    assert "missing: m.onnx.data" in refusal(folder / "m.onnx")[0]


# --- Teachable Machine -----------------------------------------------------------------------------------------------


def teachable_h5(source: Path) -> bytes:
    """The Keras export of a model that Teachable Machine has exported for TensorFlow.js."""
    h5py = pytest.importorskip("h5py")
    document = json.loads((source / "model.json").read_text())
    config = json.dumps(document["modelTopology"]["config"]).replace(
        '"class_name": "Model"', '"class_name": "Functional"'
    )
    content, at = (source / "weights.bin").read_bytes(), 0
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": json.loads(config)})
        file.attrs["keras_version"] = "2.4.0"
        stored = file.create_group("model_weights")
        groups = {name: stored.create_group(name) for name in ("sequential_1", "sequential_3")}
        stored.attrs["layer_names"] = [name.encode() for name in groups]
        names: dict[str, list[bytes]] = {name: [] for name in groups}
        for entry in document["weightsManifest"][0]["weights"]:
            count = int(np.prod(entry["shape"]))
            array = np.frombuffer(content, "<f4", count, at).reshape(entry["shape"])
            at += 4 * count
            group = "sequential_3" if entry["name"].startswith("dense") else "sequential_1"
            groups[group].create_dataset(f"{entry['name']}:0", data=array)
            names[group].append(f"{entry['name']}:0".encode())
        for name, group in groups.items():
            group.attrs["weight_names"] = names[name]
    return stream.getvalue()


def wide_image() -> np.ndarray:
    rows, columns = np.mgrid[:300, :640]
    return np.stack([rows * 0.8, columns * 0.4, 255 - (rows + columns) * 0.25], -1).clip(0, 255).astype(np.uint8)


def test_the_keras_export_of_teachable_machine_is_prepared_as_its_own(shared_models: Path, folder: Path) -> None:
    source = shared_models / "tm-nevus"
    (folder / "keras_model.h5").write_bytes(teachable_h5(source))
    (folder / "labels.txt").write_text("0 Melanoma\n1 Lunar\n")
    browser = wp.open_model(source)
    row = wp.classify(wide_image(), browser).iloc[0]
    numbers = json.loads((source / "oracle.json").read_text())["prediction"]
    for path in (folder, folder / "keras_model.h5", zip_of(folder.with_name("converted_keras.zip"), folder)):
        model = wp.open_model(path)
        assert model.classes == ["Melanoma", "Lunar"]
        assert model.card.preprocessing == browser.card.preprocessing
        assert [remark for remark in model.remarks if "Teachable Machine" in remark] == model.remarks
        assert len(model.remarks) == 1
        np.testing.assert_allclose(model.predict(np.load(source / "inputs.npy")), numbers, atol=1e-5)
        own = wp.classify(wide_image(), model).iloc[0]
        np.testing.assert_allclose([own[c] for c in model.classes], [row[c] for c in model.classes], atol=1e-6)
    # Squeezing the whole image into the square, as for other models, would give something else.
    stretched = wp.classify(wide_image(), wp.open_model(folder, standardize="tf")).iloc[0]
    assert abs(stretched["Lunar"] - row["Lunar"]) > 0.01


@pytest.mark.parametrize("package", [{"packageName": "my-fork"}, {"packageName": None}, {}])
def test_forks_of_teachable_machine_are_known_by_their_network(
    shared_models: Path, folder: Path, package: dict[str, Any]
) -> None:
    for name in ("model.json", "weights.bin"):
        shutil.copy(shared_models / "tm-nevus" / name, folder)
    (folder / "metadata.json").write_text(json.dumps({"labels": ["a", "b"], "tmVersion": "2.4.4", **package}))
    preprocessing = wp.open_model(folder).card.preprocessing
    assert preprocessing is not None
    assert preprocessing.profile == "teachable-machine"


@pytest.mark.parametrize(
    "changes",
    [
        {'"use_bias": false, "activation": "softmax"': '"use_bias": true, "activation": "softmax"'},
        {'"units": 100, "activation": "relu"': '"units": 100, "activation": "elu"'},
        {"GlobalAveragePooling2D": "GlobalMaxPooling2D"},
    ],
)
def test_a_network_that_only_resembles_it_is_not_taken_for_it(shared_models: Path, changes: dict[str, str]) -> None:
    topology = json.loads((shared_models / "tm-nevus" / "model.json").read_text())["modelTopology"]
    assert is_teachable_machine(topology)
    text = json.dumps(topology)
    text = text.replace('"activation": "softmax", "use_bias": false', '"use_bias": false, "activation": "softmax"')
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    assert not is_teachable_machine(json.loads(text))


def test_a_plain_mobilenet_of_somebody_else_is_asked_about(shared_models: Path, folder: Path) -> None:
    topology = json.loads((shared_models / "tm-nevus" / "model.json").read_text())["modelTopology"]
    features, head = topology["config"]["layers"]
    layers = [*features["config"]["layers"], *head["config"]["layers"]]
    flat = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    document = json.loads((shared_models / "tm-nevus" / "model.json").read_text()) | {"modelTopology": flat}
    (folder / "model.json").write_text(json.dumps(document))
    shutil.copy(shared_models / "tm-nevus" / "weights.bin", folder)
    (folder / "labels.txt").write_text("a\nb")
    model = wp.open_model(folder)
    assert model.card.preprocessing is None
    assert model.suggestion == ("MobileNetV2", "tf")


# --- inputs without an axis of channels ------------------------------------------------------------------------------


def write_flat(folder: Path, *shape: int) -> Path:
    """A TensorFlow.js model whose numbers are the mean of the image and the half of it."""
    size = int(np.prod(shape))
    layers = [
        {"class_name": "InputLayer", "config": {"name": "image", "batch_input_shape": [None, *shape]}},
        {"class_name": "Flatten", "config": {"name": "flat"}},
        {"class_name": "Dense", "config": {"name": "dense", "units": 2, "use_bias": False}},
    ]
    topology = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
    manifest = [{"paths": ["w"], "weights": [{"name": "dense/kernel", "shape": [size, 2], "dtype": "float32"}]}]
    (folder / "model.json").write_text(json.dumps({"modelTopology": topology, "weightsManifest": manifest}))
    (folder / "w").write_bytes(np.tile(np.float32([1 / size, 0.5 / size]), (size, 1)).tobytes())
    return folder


def test_a_network_without_channels_takes_grey_images(folder: Path) -> None:
    model = wp.open_model(write_flat(folder, 6, 4), standardize="none", activation="none")
    assert model.input_shape == (6, 4, 1)
    batch = np.arange(48, dtype=np.float32).reshape(2, 6, 4, 1)
    np.testing.assert_allclose(model.predict(batch), [[11.5, 5.75], [35.5, 17.75]], rtol=1e-6)
    row = wp.classify(np.full((6, 4, 3), 7, np.uint8), model).iloc[0]
    assert (row["0"], row["1"]) == pytest.approx((7, 3.5))


def test_a_network_that_takes_a_list_of_numbers_is_refused(folder: Path) -> None:
    message, hint = refusal(write_flat(folder, 784))
    assert "not an image model: its input has the shape [None, 784]" in message
    assert "height and width" in hint


# --- what is refused leaves nothing ----------------------------------------------------------------------------------


def test_a_refused_model_leaves_nothing_in_the_cache(folder: Path) -> None:
    write_tfjs(folder)
    (folder / "webipred.json").write_text('{"input": {"width": 9, "height": 9}}')
    message, _ = refusal(folder, standardize="tf", classes=["a", "b"])
    assert "not 9x9" in message
    assert (kept("compiled"), kept("told")) == ([], [])
    (folder / "webipred.json").unlink()
    wp.open_model(folder, standardize="tf")
    assert len(kept("compiled")) == 1


def test_settings_that_do_not_fit_leave_the_graph_of_a_model_that_was_opened(folder: Path) -> None:
    write_tfjs(folder)
    wp.open_model(folder)
    before = kept("compiled")
    refusal(folder, classes=["a", "b", "c"])
    assert kept("compiled") == before
    assert kept("told") == []


def test_a_model_that_fails_its_own_test_leaves_nothing(folder: Path) -> None:
    write_tfjs(folder, activation="softmax")
    buffer = io.BytesIO()
    Image.new("L", (2, 2), 3).save(buffer, "PNG")
    image = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    card = {"preprocessing": {"standardize_mode": "none"}, "test": {"image": image, "probabilities": [0.9, 0.1]}}
    (folder / "webipred.json").write_text(json.dumps(card))
    assert "fails the self-test" in refusal(folder)[0]
    assert kept("compiled") == []


def test_a_graph_that_cannot_be_run_is_told_without_its_place_in_the_cache(folder: Path) -> None:
    nodes = [helper.make_node("GlobalAveragePool", ["x"], ["y"])]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 4, 4])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, 1, 1])]
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model.graph.initializer.append(numpy_helper.from_array(np.zeros((1, 3, 1, 1), np.int64), "w"))
    model.graph.node.append(helper.make_node("Add", ["y", "w"], ["z"]))
    model.graph.output[0].name = "z"
    onnx.save(model, folder / "m.onnx")
    message, _ = refusal(folder / "m.onnx")
    assert "The compiled model cannot be opened" in message
    assert str(settings.current().cache_folder) not in message
    assert kept("compiled") == []
