from __future__ import annotations

import io
import json
import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_webipred.errors import ModelError
from napari_webipred.model import Model
from napari_webipred.opening import opening
from napari_webipred.runtime.compiler import compile_model
from napari_webipred.runtime.keras_file import keras_folders, read_h5, read_keras
from napari_webipred.runtime.session import Session
from napari_webipred.steps import result_of

h5py = pytest.importorskip("h5py")

GOLDENS = Path(__file__).parents[1] / "goldens" / "keras"
SAVED = sorted(path.name for path in GOLDENS.iterdir() if path.suffix in {".h5", ".keras"})


def open_path(path: Path) -> Model:
    return result_of(opening(path))


@pytest.mark.parametrize("name", SAVED)
def test_a_saved_model_gives_the_numbers_of_keras(name):
    golden = np.load((GOLDENS / name).with_suffix(".npz"))
    model = open_path(GOLDENS / name)
    np.testing.assert_allclose(model.predict(golden["pictures"]), golden["outputs"], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("version", [2, 3])
def test_weights_and_their_network_in_two_files_give_the_numbers_of_the_keras_that_wrote_them(version):
    golden = np.load(GOLDENS / f"keras{version}-attention.npz")
    model = open_path(GOLDENS / "weights" / f"keras{version}-attention.json")
    np.testing.assert_allclose(model.predict(golden["pictures"]), golden["outputs"], rtol=1e-5, atol=1e-7)


def test_there_are_models_of_both_kinds():
    assert {Path(name).suffix for name in SAVED} == {".h5", ".keras"}


def test_a_keras_archive_may_be_unpacked(tmp_path):
    folder = tmp_path / "model"
    with zipfile.ZipFile(GOLDENS / "keras3-nested.keras") as archive:
        archive.extractall(folder)
    golden = np.load(GOLDENS / "keras3-nested.npz")
    np.testing.assert_allclose(open_path(folder).predict(golden["pictures"]), golden["outputs"], rtol=1e-5)


DENSE = [
    {"class_name": "InputLayer", "config": {"name": "image", "batch_input_shape": [None, 1, 1, 1]}},
    {"class_name": "Flatten", "config": {"name": "flat"}},
    {"class_name": "Dense", "config": {"name": "dense", "units": 2}},
]
KERNEL, BIAS = np.float32([[2, 3]]), np.float32([0.5, 1])


def write_h5(layers: list[dict[str, Any]] = DENSE, change=lambda file, group: None, **options: Any) -> bytes:
    """A whole model as Keras 2 lays it out; ``change`` gets the file and the group of the dense layer."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        config = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = b"2.8.0"
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"dense"]
        group = weights.create_group("dense")
        group.attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
        group.create_dataset("dense/kernel:0", data=KERNEL, **options)
        group.create_dataset("dense/bias:0", data=BIAS)
        change(file, group)
    return stream.getvalue()


def test_layer_and_weight_names_come_from_the_attributes():
    model = read_h5("m.h5", write_h5())
    assert model.keras_version == "2.8.0"
    assert sorted(model.weights) == ["dense/bias", "dense/kernel"]
    np.testing.assert_array_equal(Session(compile_model(model), 1).predict(np.ones((1, 1, 1, 1))), [[2.5, 4]])


def test_a_long_list_of_names_may_be_cut_into_pieces():
    def cut(file, group):
        del group.attrs["weight_names"]
        group.attrs["weight_names0"] = [b"dense/kernel:0"]
        group.attrs["weight_names1"] = [b"dense/bias:0"]

    assert sorted(read_h5("m.h5", write_h5(change=cut)).weights) == ["dense/bias", "dense/kernel"]


def test_code_in_a_lambda_is_not_run_but_refused(tmp_path):
    marker = tmp_path / "ran"
    code = f"open({str(marker)!r}, 'w')"
    layer = {"class_name": "Lambda", "config": {"name": "evil", "function": [code, None, None]}}
    with pytest.raises(ModelError, match="Lambda"):
        compile_model(read_h5("m.h5", write_h5([*DENSE, layer])))
    assert not marker.exists()


def outside(file, group):
    del group["dense/kernel:0"]
    group["dense/kernel:0"] = h5py.ExternalLink("/etc/passwd", "/x")


def soft(file, group):
    del group["dense/kernel:0"]
    group["dense/kernel:0"] = h5py.SoftLink("/model_weights/dense/dense/bias:0")


def raw_outside(file, group):
    del group["dense/kernel:0"]
    group.create_dataset("dense/kernel:0", (1, 2), "f4", external=[("/etc/hostname", 0, 8)])


def claims_much(file, group):
    del group["dense/kernel:0"]
    group.create_dataset("dense/kernel:0", (2**20, 2**20), "f4", chunks=(1024, 1024))


def missing(file, group):
    del group["dense/kernel:0"]


def weights_only(file, group):
    del file.attrs["model_config"]


def no_weights(file, group):
    del file["model_weights"]


def no_json(file, group):
    file.attrs["model_config"] = "{"


def no_text(file, group):
    file.attrs["model_config"] = np.arange(3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (outside, "features of HDF5"),
        (soft, "is a link"),
        (raw_outside, "in another file"),
        (claims_much, "compressed or in"),
        (missing, "dense/kernel:0.*is missing"),
        (weights_only, "only weights"),
        (no_weights, "model_weights .* is missing"),
        (no_json, "not valid JSON"),
        (no_text, "not text"),
    ],
)
def test_a_file_that_is_not_plain_is_refused(change, words):
    with pytest.raises(ModelError, match=words):
        read_h5("m.h5", write_h5(change=change))


def test_compressed_weights_are_refused():
    with pytest.raises(ModelError, match="compressed"):
        read_h5("m.h5", write_h5(compression="gzip"))


def test_the_form_for_which_keras_must_be_asked_is_refused():
    stream = io.BytesIO()
    with h5py.File(stream, "w", libver="latest") as file:
        file.attrs["model_config"] = "{}"
    with pytest.raises(ModelError, match="features of HDF5"):
        read_h5("m.h5", stream.getvalue())


@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8"])
def test_floats_of_every_kind_become_32_bits(dtype):
    def change(file, group):
        del group["dense/kernel:0"]
        group.create_dataset("dense/kernel:0", data=KERNEL.astype(dtype))

    np.testing.assert_array_equal(read_h5("m.h5", write_h5(change=change)).weights["dense/kernel"], KERNEL)


def test_texts_of_fixed_length_are_read():
    def change(file, group):
        group.attrs["weight_names"] = np.array([b"dense/kernel:0", b"dense/bias:0"])

    assert sorted(read_h5("m.h5", write_h5(change=change)).weights) == ["dense/bias", "dense/kernel"]


def test_a_network_of_a_thousand_layers_is_read():
    def change(file, group):
        names = [f"layer_{i}" for i in range(1000)]
        weights = file["model_weights"]
        weights.attrs["layer_names"] = [name.encode() for name in names]
        for name in names:
            layer = weights.create_group(name)
            layer.attrs["weight_names"] = [f"{name}/kernel:0".encode()]
            layer.create_dataset(f"{name}/kernel:0", data=KERNEL)

    assert len(read_h5("m.h5", write_h5(change=change)).weights) == 1000


def test_a_text_that_is_referred_to_again_and_again_takes_no_memory():
    def change(file, group):
        file["model_weights"].attrs["layer_names"] = [b"x" * 50_000] + [b"y"] * 3000

    content = write_h5(change=change)
    reference = next(
        content[i : i + 16] for i in range(len(content)) if content[i : i + 4] == struct.pack("<I", 50_000)
    )
    place = content.index(reference)
    content = content[:place] + reference * 3001 + content[place + 16 * 3001 :]
    with pytest.raises(ModelError, match="damaged"):
        read_h5("m.h5", content)


def test_a_damaged_file_is_named():
    with pytest.raises(ModelError, match=r"m\.h5 is a damaged HDF5 file"):
        read_h5("m.h5", write_h5()[:900])


write_h5_once = write_h5()


def test_a_keras_archive_is_known_by_its_two_files():
    assert keras_folders(["config.json", "model.weights.h5"]) == [""]
    assert keras_folders(["a/model.weights.h5", "a/config.json", "x"]) == ["a/"]
    assert keras_folders(["a/model.weights.h5", "config.json"]) == []


@pytest.mark.parametrize("config", [b"{", b"[]", b"{}", b'{"class_name": "Sequential", "config": 3}', b"[" * 10**5])
def test_a_keras_archive_without_a_network_is_refused(config):
    with zipfile.ZipFile(GOLDENS / "keras3-flat.keras") as archive:
        files = {"config.json": config, "model.weights.h5": archive.read("model.weights.h5")}
    with pytest.raises(ModelError):
        read_keras(files)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(write_h5_once) - 1), st.binary(min_size=1, max_size=8))
def test_changed_bytes_give_a_model_or_a_model_error(place, noise):
    content = write_h5_once[:place] + noise + write_h5_once[place + len(noise) :]
    with suppress(ModelError):
        read_h5("m.h5", content)


def older_archive(*groups: str) -> dict[str, bytes]:
    """Two dense layers as Keras 2.13 writes them: a layer that has weights counts twice. The k-th group holds k."""
    dense = [{"class_name": "Dense", "config": {"name": name, "units": 1}} for name in ("first", "second")]
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for number, group in enumerate(groups):
            file[f"_layer_checkpoint_dependencies/{group}/vars/0"] = np.full((1, 1), number, np.float32)
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": [*DENSE[:2], *dense]}}
    return {"config.json": json.dumps(config).encode(), "model.weights.h5": stream.getvalue()}


def test_the_groups_of_older_archives_belong_to_the_layers_in_their_order():
    found = read_keras(older_archive("dense", "dense_10", "dense_1_2"))
    assert {name: array.item() for name, array in found.weights.items()} == {"first/0": 0, "second/0": 1}


@pytest.mark.parametrize("groups", [("dense",), ("dense", "dense_2", "dense_4")])
def test_groups_of_older_archives_are_not_guessed(groups):
    assert read_keras(older_archive(*groups)).weights == {}
