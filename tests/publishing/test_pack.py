"""From a model to a record on (an imitated) Zenodo, and from there back to the same numbers."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import socket
import zipfile
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnx
import pytest
from PIL import Image

import napari_webipred as wp
from napari_webipred import cli, formats
from napari_webipred.cache import bundle
from napari_webipred.errors import ModelError, OptionError
from napari_webipred.evaluation import performance
from napari_webipred.publishing import own_names, weights
from napari_webipred.publishing.pictures import fingerprint, pictures
from napari_webipred.publishing.verification import computed
from napari_webipred.steps import result_of
from zenodo_server import ZenodoServer, model_zip

GOLDENS = Path(__file__).parents[1] / "goldens"
SCHEMA = Path(__file__).parents[1] / "catalogue" / "data" / "model_card.schema.json"
FLAT = GOLDENS / "keras" / "keras3-flat.keras"
SAID: dict[str, Any] = {
    "name": "Leaves: three diseases",
    "description": "Tells three diseases of leaves apart.",
    "authors": [{"name": "Carberry, Josiah", "affiliation": "Brown University", "orcid": "0000-0002-1825-0097"}],
    "license": "cc-by-4.0",
    "intended_use": "Photographs of single leaves.",
    "limitations": "Tried in one greenhouse only.",
    "citations": [{"text": "Carberry (2008). Leaves.", "doi": "10.5555/12345678"}],
    "discipline": "Botany",
    "procedure": "Photography",
    "version": "1",
    "classes": [{"index": i, "name": name} for i, name in enumerate(("healthy", "rust", "mildew"))],
}


def opened(path: Path, **settings: Any) -> wp.Model:
    return wp.open_model(path, standardize="tf", **settings)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def written(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def from_zenodo(zenodo: ZenodoServer, folder: Path) -> wp.Model:
    """Publish all files of a folder and open the record, as anybody would."""
    told = written(folder, ".zenodo.json")
    zenodo.publish("1234567", contents(folder), title=told["title"], license={"id": told.get("license")})
    return wp.open_model("10.5281/zenodo.1234567")


def predictions(model: wp.Model) -> np.ndarray:
    """Classify the pictures, through everything that a user goes through."""
    table = wp.classify(list(pictures()), model)
    return table[model.classes].to_numpy(np.float64)


def saved_model(tmp_path: Path) -> Path:
    with zipfile.ZipFile(GOLDENS / "graphs" / "plain-keras2-saved.zip") as archive:
        archive.extractall(tmp_path / "exported")
    return tmp_path / "exported"


def graph_only(tmp_path: Path) -> Path:
    return GOLDENS / "graphs" / "plain-keras3-saved.zip"


def as_onnx(tmp_path: Path) -> Path:
    """An ONNX file with the notes that exporters make of the computer that they run on."""
    model = onnx.load_model_from_string(opened(FLAT).graph())
    del model.metadata_props[:]
    model.graph.doc_string = model.graph.node[0].doc_string = "File /home/somebody/thesis/model.py, line 7"
    path = tmp_path / "somebody's network.onnx"
    onnx.save(model, path)
    return path


def unpacked(tmp_path: Path) -> Path:
    with zipfile.ZipFile(FLAT) as archive:
        archive.extractall(tmp_path / "taken apart")
    return tmp_path / "taken apart"


def for_browsers(tmp_path: Path) -> Path:
    path = tmp_path / "downloaded.zip"
    path.write_bytes(model_zip(3, 32))
    return path


FORMS = {
    "keras": (lambda _: FLAT, {"leaves-three-diseases_model.keras", "leaves-three-diseases_model_converted.zip"}),
    "h5": (
        lambda _: GOLDENS / "keras" / "keras2-nested.h5",
        {"leaves-three-diseases_model.h5", "leaves-three-diseases_model_converted.zip"},
    ),
    "unpacked": (unpacked, {"leaves-three-diseases_model.keras", "leaves-three-diseases_model_converted.zip"}),
    "saved-model of Keras 2": (
        saved_model,
        {"leaves-three-diseases_saved_model.zip", "leaves-three-diseases_model_converted.zip"},
    ),
    "saved-model": (graph_only, {"leaves-three-diseases_saved_model.zip"}),
    "onnx": (as_onnx, {"leaves-three-diseases_model.onnx"}),
    "tensorflow.js": (for_browsers, {"leaves-three-diseases_model_converted.zip"}),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_was_packed_opens_from_zenodo_with_the_same_numbers(form, tmp_path, zenodo, monkeypatch) -> None:
    make, expected = FORMS[form]
    model = opened(make(tmp_path))
    said = dict(SAID)
    said["classes"] = said["classes"][: len(model.classes)] + [
        {"index": i, "name": f"class {i}"} for i in range(3, len(model.classes))
    ]
    folder = tmp_path / "deposit"
    deposit = wp.pack(model, folder, card=said, verify=False)
    assert deposit.missing == ()
    assert {name for name in deposit.files if "leaves" in name} == expected
    before = predictions(model)
    again = from_zenodo(zenodo, folder)
    assert again.card.name == SAID["name"]
    assert again.classes == [entry["name"] for entry in said["classes"]]
    assert again.card.preprocessing == model.card.preprocessing
    assert again.card.provenance.self_test is not None
    assert "passed the self-test" in again.card.provenance.self_test
    np.testing.assert_allclose(predictions(again), before, atol=2e-6)


def test_the_files_are_those_of_webipreds_records_and_are_all_listed(tmp_path) -> None:
    folder = tmp_path / "deposit"
    wp.pack(opened(FLAT), folder, card=SAID, verify=False)
    names = set(contents(folder))
    golden = {f"golden-{number}.png" for number in range(1, 7)} | {"golden-output.json"}
    assert names == FORMS["keras"][1] | golden | {
        *("webipred.json", "README.md", "LICENSE.txt", ".zenodo.json", "SHA256SUMS.txt")
    }
    sums = dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS.txt").read_text().splitlines())
    assert set(sums) == names - {"SHA256SUMS.txt"}
    assert all(hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest for name, digest in sums.items())
    with zipfile.ZipFile(folder / "leaves-three-diseases_model_converted.zip") as archive:
        assert set(archive.namelist()) == {"model.json", "group1-shard1of1.bin", "webipred.json"}


def test_the_card_follows_the_schema_and_names_the_files(tmp_path) -> None:
    folder = tmp_path / "deposit"
    wp.pack(opened(FLAT), folder, card=SAID, verify=False)
    card = written(folder, "webipred.json")
    jsonschema.validate(card, json.loads(SCHEMA.read_text()))
    assert card["license"] == "CC-BY-4.0"
    assert [each["source"]["file_key"] for each in card["weights"]] == [
        "leaves-three-diseases_model_converted.zip",
        "leaves-three-diseases_model.keras",
    ]
    for each in card["weights"]:
        content = (folder / each["source"]["file_key"]).read_bytes()
        assert each["size"] == len(content)
        assert each["checksum"] == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_the_golden_output_is_what_the_model_says_of_the_pictures_beside_it(tmp_path) -> None:
    folder, model = tmp_path / "deposit", opened(FLAT)
    wp.pack(model, folder, card=SAID, verify=False)
    told = written(folder, "golden-output.json")
    expected = predictions(model)
    assert told["classes"] == ["healthy", "rust", "mildew"]
    for result, numbers, picture in zip(told["results"], expected, pictures(), strict=True):
        with Image.open(folder / result["picture"]) as shown:
            np.testing.assert_array_equal(np.asarray(shown), picture)
        assert result["pixels"] == fingerprint(picture)
        np.testing.assert_allclose(result["probabilities"], numbers, atol=1e-6)
    test = written(folder, "webipred.json")["test"]
    with Image.open(BytesIO(b64decode(test["image"].partition(",")[2]))) as shown:
        np.testing.assert_array_equal(np.asarray(shown), next(pictures()))
    assert test["probabilities"] == told["results"][0]["probabilities"]


def test_zenodo_is_told_what_the_card_says(tmp_path) -> None:
    folder = tmp_path / "deposit"
    wp.pack(opened(FLAT), folder, card=SAID, verify=False)
    told = written(folder, ".zenodo.json")
    assert told["title"] == SAID["name"]
    assert told["creators"] == SAID["authors"]
    assert told["license"] == "cc-by-4.0"
    assert told["references"] == ["Carberry (2008). Leaves. 10.5555/12345678"]
    assert {"identifier": "10.5555/12345678", "relation": "cites"} in told["related_identifiers"]
    assert "Botany" in told["keywords"]
    assert told["description"].startswith("<p>Tells three diseases")


def test_html_in_a_description_stays_text(tmp_path) -> None:
    said = SAID | {"description": "<script>alert(1)</script> & more"}
    wp.pack(opened(FLAT), tmp_path / "deposit", card=said, verify=False)
    assert "<script>" not in written(tmp_path / "deposit", ".zenodo.json")["description"]


def test_the_page_says_what_a_reader_needs(tmp_path) -> None:
    model = opened(FLAT)
    wp.pack(model, tmp_path / "deposit", card=SAID, verify=False)
    size = f"{model.input_shape[1]} x {model.input_shape[0]} pixels"
    page = (tmp_path / "deposit" / "README.md").read_text(encoding="utf-8")
    for words in ("# Leaves: three diseases", "| 1 | rust |", size, "CC-BY-4.0.html", "tf.loadLayersModel"):
        assert words in page, words
    for words in ("Photographs of single leaves", "one greenhouse", "10.5555/12345678", "golden-output.json"):
        assert words in page, words


def test_a_licence_is_named_only_if_there_is_one(tmp_path) -> None:
    said = {key: value for key, value in SAID.items() if key != "license"}
    deposit = wp.pack(opened(FLAT), tmp_path / "deposit", card=said, verify=False)
    assert [item.field for item in deposit.missing] == ["license"]
    assert "LICENSE.txt" not in deposit.files
    assert "license" not in written(tmp_path / "deposit", ".zenodo.json")
    assert "## Licence" not in deposit.files["README.md"].decode()


# --- nothing is invented, and nothing of this computer is told -------------------------------------------------------


def test_what_is_missing_is_listed_and_not_invented(tmp_path, capsys) -> None:
    folder = tmp_path / "deposit"
    path = tmp_path / "patient-4711-thesis.keras"
    path.write_bytes(FLAT.read_bytes())
    assert cli.main(["pack", str(path), "--standardize", "tf", "-o", str(folder), "--no-verify"]) == 1
    out = capsys.readouterr().out
    for title in ("Name", "Description", "Classes", "Authors", "Licence"):
        assert f"MISSING      {title}" in out
    assert "better with  Intended use" in out
    card = written(folder, "webipred.json")
    assert not {"authors", "license", "description", "citations", "intended_use"} & set(card)
    assert {name for name in contents(folder) if "unnamed" in name} == {
        *("unnamed_model.keras", "unnamed_model_converted.zip")
    }


def test_no_name_of_a_file_or_of_this_computer_is_published(tmp_path) -> None:
    place = tmp_path / "Erika Mustermann"
    place.mkdir()
    path = place / "patient-Q4711Z.keras"
    path.write_bytes(FLAT.read_bytes())
    (place / "labels.txt").write_text("0 cat\n1 dog\n2 cow\n", encoding="utf-8")
    deposit = wp.pack(opened(path), tmp_path / "deposit", verify=False)
    assert deposit.card.class_names == ["cat", "dog", "cow"]
    for name, content in deposit.files.items():
        inner = [content]
        if name.endswith(".zip"):
            with zipfile.ZipFile(BytesIO(content)) as archive:
                inner += [archive.read(each) for each in archive.namelist()]
        for each in inner:
            for word in ("Q4711Z", "Mustermann", "labels.txt", str(tmp_path)):
                assert word.encode() not in each, (name, word)


def test_an_own_model_that_came_in_a_bundle_is_published_like_a_file(tmp_path) -> None:
    path = tmp_path / "patient-Q4711Z.keras"
    path.write_bytes(FLAT.read_bytes())
    result_of(bundle.read(result_of(bundle.write([path], tmp_path / "b.zip"))))
    path.unlink()
    model = wp.open_model("patient-Q4711Z", classes=["a", "b", "c"], standardize="tf")
    card = wp.pack(model, tmp_path / "deposit", verify=False).card
    assert card.base is None, "it was never published"
    assert "Q4711Z" not in card.model_dump_json()


def test_the_name_of_a_file_is_kept_where_the_card_gives_it_on_purpose(tmp_path) -> None:
    path = tmp_path / "leaves.keras"
    path.write_bytes(FLAT.read_bytes())
    deposit = wp.pack(opened(path), tmp_path / "deposit", card={"name": "leaves"}, verify=False)
    assert deposit.card.name == "leaves"


def test_names_of_this_computer_in_a_network_are_told(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "erika")
    monkeypatch.setattr(socket, "gethostname", lambda: "ward-7-pc")
    monkeypatch.setattr(Path, "home", lambda: Path("/home/else"))
    files = {"a.h5": b"xx /data/erika/net.py", "b.onnx": b"ward-7-pc", "c.json": b"erika", "d": b"/home/else/x"}
    found = own_names.traces(files, tmp_path / "model.h5")
    assert found == [
        "d holds the path of your home folder.",
        "a.h5 holds the name of your account.",
        "b.onnx holds the name of this computer.",
    ]


def zip_of(content: bytes) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("saved_model.pb", content)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        zip_of(b"File /srv/erika/net.py"),
        zip_of(bytes(2**20 - 5) + b"/srv/erika/net.py"),  # across the end of what is read at once
        zip_of(json.dumps({"file": "C:\\Users\\erika\\net.py"}).encode()),
    ],
    ids=["deflated", "across chunks", "deflated JSON"],
)
def test_names_are_found_in_archives(monkeypatch, content: bytes) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "erika")
    monkeypatch.setattr(socket, "gethostname", lambda: "ward-7-pc")
    monkeypatch.setattr(Path, "home", lambda: Path("/home/else"))
    assert own_names.traces({"a": content}) == ["a holds the name of your account."]


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("home", ["/home/jürgen", "C:\\Users\\jürgen"])
def test_a_path_is_found_as_json_writes_it(monkeypatch, home: str, ascii_only: bool) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path(home))
    content = json.dumps({"file": f"{home}{os.sep}net.py"}, ensure_ascii=ascii_only).encode()
    assert own_names.traces({"a": content}) == ["a holds the path of your home folder."]


def test_notes_of_exporters_are_left_out_of_onnx_files(tmp_path) -> None:
    deposit = wp.pack(opened(as_onnx(tmp_path)), tmp_path / "deposit", card={"name": "Net"}, verify=False)
    assert b"somebody" not in deposit.files["net_model.onnx"]


def test_the_own_picture_of_a_self_test_is_not_published(tmp_path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "m.keras").write_bytes(FLAT.read_bytes())
    Image.new("RGB", (16, 16)).save(folder / "patient.png")
    numbers = opened(FLAT).predict(np.full((1, 8, 8, 3), -1.0))[0].tolist()
    card = {"schema_version": "1.0", "name": "Net", "test": {"image": "patient.png", "probabilities": numbers}}
    (folder / "webipred.json").write_text(json.dumps(card), encoding="utf-8")
    deposit = wp.pack(opened(folder), tmp_path / "deposit", verify=False)
    assert "patient.png" not in json.dumps(deposit.card.test)
    assert not any(b"patient" in content for content in deposit.files.values())


# --- performance -----------------------------------------------------------------------------------------------------


def evaluated(tmp_path: Path, classes: list[str]) -> Path:
    import pandas as pd

    rows = [[f"patient-{i}.png", *(0.8 if i % 3 == j else 0.1 for j in range(3))] for i in range(30)]
    table = pd.DataFrame(rows, columns=["image", *classes])
    truth = {row[0]: classes[(i + (i % 7 == 0)) % 3] for i, row in enumerate(rows)}
    wp.evaluate(table, truth, draws=10).save(tmp_path / "evaluation", figures=False)
    return tmp_path / "evaluation"


def test_an_evaluation_gives_metrics_and_charts_and_no_names_of_images(tmp_path, zenodo) -> None:
    evaluation = evaluated(tmp_path, ["healthy", "rust", "mildew"])
    folder = tmp_path / "deposit"
    deposit = wp.pack(opened(FLAT), folder, card=SAID, evaluation=evaluation, verify=False)
    assert {"metrics.json", "published-confusion-rows.png", "published-roc.png"} <= set(deposit.files)
    assert not any(b"patient" in content for content in deposit.files.values())
    assert "| Accuracy |" in deposit.files["README.md"].decode()
    assert next(item for item in deposit.items if item.field == "evaluation").state == "there"
    before = json.loads((evaluation / "metrics-webipred.json").read_text())
    assert written(folder, "metrics.json") == before
    (found,) = performance.of_card(from_zenodo(zenodo, folder).card)
    assert found.confusion is not None
    assert found.confusion.sum() == 30


def test_an_evaluation_of_other_classes_is_refused(tmp_path) -> None:
    evaluation = evaluated(tmp_path, ["a", "b", "c"])
    with pytest.raises(OptionError, match="is about other classes"):
        wp.pack(opened(FLAT), tmp_path / "deposit", card=SAID, evaluation=evaluation, verify=False)
    assert not (tmp_path / "deposit").exists()


def test_a_folder_without_an_evaluation_is_refused(tmp_path) -> None:
    with pytest.raises(OptionError, match="There is no metrics-webipred"):
        wp.pack(opened(FLAT), tmp_path / "deposit", card=SAID, evaluation=tmp_path, verify=False)


def test_metrics_on_a_card_become_webipreds_json_with_the_same_orientation(tmp_path) -> None:
    matrix = [[8, 2, 0], [1, 9, 0], [3, 0, 7]]  # rows are true classes
    said = SAID | {"metrics": {"accuracy": 0.8, "confusion_matrix": {"counts": matrix, "rows": "true"}}}
    deposit = wp.pack(opened(FLAT), tmp_path / "deposit", card=said, verify=False)
    told = json.loads(deposit.files["metrics.json"])
    rust_called_healthy = told["confusion_matrix_raw"][0]["series"][1]
    assert told["confusion_matrix_raw"][0]["name"] == "healthy"
    assert rust_called_healthy == {"name": "rust", "value": 1}
    assert deposit.card.metrics["accuracy"] == 0.8


# --- conversion ------------------------------------------------------------------------------------------------------


def test_a_network_that_tensorflow_js_lacks_layers_for_is_published_as_it_is(tmp_path) -> None:
    def change(config: dict[str, Any]) -> None:
        layer = next(each for each in config["config"]["layers"] if each["class_name"] == "ReLU")
        layer["config"]["negative_slope"] = 0.5

    path = changed(FLAT, tmp_path / "slope.keras", change)
    deposit = wp.pack(opened(path), tmp_path / "deposit", card=SAID, verify=False)
    assert not any(name.endswith(".zip") for name in deposit.files)
    assert any("TensorFlow.js has no ReLU with negative_slope" in item.text for item in deposit.items)
    assert "tensorflow.js" not in written(tmp_path / "deposit", ".zenodo.json")["keywords"]


def changed(source: Path, target: Path, change: Any) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config)
                content = json.dumps(config).encode()
            new.writestr(name, content)
    return target


@pytest.mark.parametrize(("keepdims", "converted"), [(False, True), (True, False)])
def test_a_model_for_browsers_that_they_refuse_is_written_anew_or_published_as_it_is(
    keepdims, converted, tmp_path, zenodo
) -> None:
    """TensorFlow.js refuses what Keras 3 has saved, and reads no ``keepdims``."""
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(BytesIO(model_zip(3, 16))) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith(".json"):
                document = json.loads(content)
                document["modelTopology"]["keras_version"] = "3.0.0"
                layers = document["modelTopology"]["model_config"]["config"]["layers"]
                layers[1]["config"]["keepdims"] = keepdims
                layers[2:2] = [{"class_name": "Flatten", "config": {"name": "flat"}}]
                content = json.dumps(document).encode()
            new.writestr(name, content)
    model = opened(path)
    said = SAID | {"name": "Net"}
    deposit = wp.pack(model, tmp_path / "deposit", card=said, verify=False)
    assert any("keepdims" in item.text for item in deposit.items) is not converted
    with zipfile.ZipFile(BytesIO(deposit.files["net_model_converted.zip"])) as archive:
        version = json.loads(archive.read("model.json"))["modelTopology"]["keras_version"]
    assert version.startswith("tfjs-layers" if converted else "3.0")
    assert ("tf.loadLayersModel" in deposit.files["README.md"].decode()) is converted
    before = predictions(model)
    np.testing.assert_allclose(predictions(from_zenodo(zenodo, tmp_path / "deposit")), before, atol=2e-6)


def test_a_conversion_with_other_numbers_is_never_published(tmp_path, monkeypatch) -> None:
    right = weights.browser

    def wrong(material: Any) -> Any:
        shown, reason = right(material)
        assert shown is not None
        name = "group1-shard1of1.bin"
        values = np.frombuffer(shown.files[name], "<f4") * np.float32(1.5)
        return weights.Browser({**shown.files, name: values.tobytes()}, shown.form, converted=True), reason

    monkeypatch.setattr(weights, "browser", wrong)
    with pytest.raises(ModelError, match="converted network gives other numbers"):
        wp.pack(opened(FLAT), tmp_path / "deposit", card=SAID, verify=False)
    assert not (tmp_path / "deposit").exists()


def test_a_network_and_weights_in_two_files_are_refused_with_what_to_do(tmp_path) -> None:
    import h5py

    with h5py.File(GOLDENS / "keras" / "keras2-flat.h5") as whole, h5py.File(tmp_path / "m.weights.h5", "w") as alone:
        (tmp_path / "m.json").write_text(whole.attrs["model_config"])
        whole.copy("model_weights", alone)
    with pytest.raises(ModelError, match="in two files"):
        wp.pack(opened(tmp_path / "m.weights.h5"), tmp_path / "deposit", verify=False)


def test_packing_again_gives_the_same_files(tmp_path) -> None:
    first, second = (wp.pack(opened(FLAT), tmp_path / name, card=SAID, verify=False) for name in ("one", "two"))
    assert dict(first.files) == dict(second.files)


def test_the_comparison_stands_in_the_card_and_on_the_page(packages, tmp_path) -> None:
    deposit = wp.pack("demo", tmp_path / "deposit", node_packages=packages)
    (found,) = deposit.verifications
    assert found.passed
    assert found.sentence in deposit.files["README.md"].decode()
    (told,) = written(tmp_path / "deposit", "webipred.json")["verification"]
    assert told["compared_with"].startswith("TensorFlow.js 4.22.0")
    assert told["passed"] is True
    assert told["largest_difference"] < 1e-6


@pytest.mark.parametrize("form", ["keras", "h5", "saved-model of Keras 2"])
def test_tensorflow_js_itself_loads_what_was_converted(form, packages, tmp_path) -> None:
    model = opened(FORMS[form][0](tmp_path))
    deposit = wp.pack(model, tmp_path / "deposit", card={"name": "Net"}, node_packages=packages)
    found = {each.judge.partition(" ")[0]: each for each in deposit.verifications}
    assert found["TensorFlow.js"].passed, found["TensorFlow.js"].sentence


def test_a_program_that_is_not_here_is_told_and_the_folder_is_written(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("napari_webipred.publishing.tensorflowjs.shutil.which", lambda name: None)
    deposit = wp.pack("demo", tmp_path / "deposit")
    (item,) = [item for item in deposit.items if item.field == "verification"]
    assert (item.state, item.text[:27]) == ("advised", "Node.js is not installed, w")
    assert "verification" not in written(tmp_path / "deposit", "webipred.json")


# --- the licence of the base -----------------------------------------------------------------------------------------


def test_a_published_model_is_a_base_whose_licence_is_looked_at(zenodo, tmp_path) -> None:
    zenodo.publish("1000001", {"257299_model_converted.zip": model_zip(3)}, license={"id": "cc-by-nc-sa-4.0"})
    model = wp.open_model("1000001", classes=["a", "b", "c"], standardize="tf")
    deposit = wp.pack(model, tmp_path / "deposit", card={"license": "MIT"}, verify=False)
    texts = [item.text for item in deposit.items if item.state == "look"]
    assert any("no commercial use; MIT does" in text for text in texts)
    assert any("asks for the same licence, not MIT" in text for text in texts)
    assert any("published already: 10.5281/zenodo.1000001" in text for text in texts)
    related = written(tmp_path / "deposit", ".zenodo.json")["related_identifiers"]
    assert {"identifier": "10.5281/zenodo.1000001", "relation": "isDerivedFrom"} in related
    assert "record_doi" not in written(tmp_path / "deposit", "webipred.json")


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_takes_what_is_missing_and_tells_what_it_did(tmp_path, capsys) -> None:
    card = tmp_path / "card.json"
    card.write_text(json.dumps({key: SAID[key] for key in ("description", "intended_use")}), encoding="utf-8")
    words = ["--name", "Net", "--license", "MIT", "--author", "Roe, Jane; Brown University", "--classes", "a,b,c"]
    folder = tmp_path / "deposit"
    command = ["pack", str(FLAT), "--standardize", "tf", "--card", str(card), "-o", str(folder), "--no-verify"]
    assert cli.main([*command, *words]) == 0
    captured = capsys.readouterr()
    assert "ok           Authors" in captured.out
    assert f"files written to {folder}. Nothing was uploaded." in captured.err
    told = written(folder, ".zenodo.json")
    assert told["creators"] == [{"name": "Roe, Jane", "affiliation": "Brown University"}]
    assert written(folder, "webipred.json")["intended_use"] == SAID["intended_use"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--author", "; MIT"], "has no name"),
        (["--author", "Roe, Jane; 0000-0002-1825-0098"], "check digit"),
        (["--card", "{tmp}/none.json"], "none.json cannot be read"),
        (["--card", "{tmp}/list.json"], "is not a JSON object"),
        (["--card", "{tmp}/odd.json"], "has no field colour"),
        (["--card", "{tmp}/input.json"], "input cannot be said"),
        (["--card", "{tmp}/wrong.json"], "authors"),
        (["--card", "{tmp}/short.json"], "1 names of classes are given"),
        (["--card", "{tmp}/scaled.json"], "preprocessing cannot be said"),
    ],
)
def test_what_cannot_be_used_is_told_and_nothing_is_written(words, said, tmp_path, capsys) -> None:
    documents = {"list": [1], "odd": {"colour": "red"}, "input": {"input": {}}, "wrong": {"authors": "me"}}
    documents |= {"short": {"classes": [{"index": 0, "name": "a"}]}, "scaled": {"preprocessing": {}}}
    for name, value in documents.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    words = [word.replace("{tmp}", str(tmp_path)) for word in words]
    assert cli.main(["pack", "demo", "-o", str(tmp_path / "deposit"), *words]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "deposit").exists()


def test_every_format_has_a_way_to_be_published() -> None:
    assert {each.id for each in formats.FORMATS} == {
        *("keras-h5", "keras-v3", "saved-model", "onnx", "tfjs-layers", "tfjs-graph")
    }, "a new format needs a line in FORMS above"


def test_a_graph_model_for_browsers_stays_one(tmp_path, zenodo) -> None:
    model = opened(GOLDENS / "graphs" / "plain-keras3-tfjs.zip")
    said = {"name": "Net", "classes": [{"index": i, "name": f"c{i}"} for i in range(len(model.classes))]}
    deposit = wp.pack(model, tmp_path / "deposit", card=said, verify=False)
    assert deposit.card.weights[0].format == "tfjs-graph"
    before = predictions(model)
    np.testing.assert_allclose(predictions(from_zenodo(zenodo, tmp_path / "deposit")), before, atol=2e-6)


def test_the_pictures_are_computed_as_users_compute_them() -> None:
    from napari_webipred.publishing.material import preparing

    material = result_of(preparing("demo"))
    np.testing.assert_allclose(computed(material)[1], predictions(material.model), atol=1e-6)
