"""Own models that are carried by hand to another machine, in one bundle with published ones."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from PIL import Image

import napari_webipred as wp
from heads import body, write
from labelled_images import image, images
from napari_webipred import cli, settings
from napari_webipred.cache import bundle, importer, index, local_models, packing, store
from napari_webipred.errors import (
    ArchiveError,
    CatalogueError,
    ChangedModelError,
    ModelError,
    OptionError,
    WebIPredError,
)
from napari_webipred.steps import result_of
from zenodo_server import CONVERTED, ZenodoServer, model_zip

GOLDENS = Path(__file__).parents[1] / "goldens"


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of own classes, in the zip archive that `fit` writes."""
    path = tmp_path_factory.mktemp("fitted") / "cells.zip"
    pixels, labels = images(4)
    wp.fit_head(pixels, labels, base="demo", name="Grain of cells").save(path)
    return path


@pytest.fixture
def own(fitted: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "Study of Ms Confidential"
    folder.mkdir()
    return Path(shutil.copy(fitted, folder / "cells.zip"))


@pytest.fixture
def move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    """Go to another machine: an empty cache and no network."""

    def moved() -> Path:
        monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(tmp_path / "elsewhere"))
        monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
        return tmp_path / "elsewhere"

    return moved


def onnx_file(path: Path, seed: int = 0) -> Path:
    random = np.random.default_rng(seed)
    nodes, weights = body(random)
    weights |= {"w": random.normal(size=(6, 3)).astype(np.float32), "shape": np.array([0, 6], np.int64)}
    nodes += [
        helper.make_node("GlobalAveragePool", ["maps"], ["p"]),
        helper.make_node("Reshape", ["p", "shape"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["z"]),
        helper.make_node("Softmax", ["z"], ["y"], axis=1),
    ]
    return write(path, nodes, weights, 3)


def carded_zip(path: Path, content: bytes | None = None, **card: Any) -> Path:
    """Write a model with a card of its own into a zip archive."""
    onnx_file(path.with_suffix(".onnx"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m.onnx", path.with_suffix(".onnx").read_bytes() if content is None else content)
        archive.writestr("webipred.json", json.dumps(card))
    path.with_suffix(".onnx").unlink()
    return path


def written(path: Path, *references: str | Path) -> Path:
    return result_of(bundle.write(references, path))


def manifest(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        return dict(json.loads(archive.read("bundle.json")))


def test_an_own_model_is_used_by_its_name_on_the_other_machine(
    own: Path, tmp_path: Path, move: Callable[[], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(image("stripes", 1)).save(tmp_path / "a.png")
    here = wp.open_model(own)
    assert cli.main(["bundle", str(own), "-o", str(tmp_path / "b.zip")]) == 0
    before = wp.classify([tmp_path / "a.png"], here)
    move()
    shutil.rmtree(own.parent)
    assert cli.main(["import", str(tmp_path / "b.zip")]) == 0
    assert "Imported grain-of-cells." in capsys.readouterr().err
    assert cli.main(["models", "--search", "grain"]) == 0
    listed = capsys.readouterr().out
    assert "Grain of cells" in listed
    assert "yes" in listed
    assert cli.main(["cache"]) == 0
    assert "an own model, from a bundle" in capsys.readouterr().out
    assert cli.main(["fetch", "grain-of-cells"]) == 0, "it needs no network"
    assert "published nowhere" in capsys.readouterr().err

    output = tmp_path / "out.csv"
    assert cli.main(["classify", str(tmp_path / "a.png"), "--model", "grain-of-cells", "-o", str(output)]) == 0
    there = wp.open_model("grain-of-cells")
    after = wp.classify([tmp_path / "a.png"], there)
    assert after.drop(columns="image").equals(before.drop(columns="image"))
    assert there.checksum == here.checksum
    assert there.card.fitted_to == here.card.fitted_to
    assert there.card.performance == here.card.performance
    assert there.card.provenance.self_test == here.card.provenance.self_test
    assert set(here.card.provenance.remarks) == set(there.card.provenance.remarks)
    assert not there.card.is_local
    assert there.card.is_unpublished

    assert cli.main(["remove", "grain-of-cells"]) == 0
    assert store.entries() == []
    assert index.find("grain-of-cells") is None


def test_own_and_published_models_share_a_bundle_and_can_be_passed_on(
    own: Path, tmp_path: Path, zenodo: ZenodoServer, move: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    zenodo.publish("7785993", {CONVERTED: model_zip()})
    first = written(tmp_path / "first.zip", own, "webipred-16", str(own))
    move()
    result_of(bundle.read(first))
    second = written(tmp_path / "second.zip", "grain-of-cells", "webipred-16")
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(tmp_path / "third machine"))
    assert [card.id for card in result_of(bundle.read(second))] == ["grain-of-cells", "webipred-16"]
    assert wp.open_model("grain-of-cells").classes == wp.open_model(own).classes


def test_a_single_file_travels_with_what_the_files_beside_it_say(tmp_path: Path, move: Callable[[], Path]) -> None:
    path = onnx_file(tmp_path / "Größe 3.onnx")
    (tmp_path / "labels.txt").write_text("small\nmedium\nlarge")
    x = np.random.default_rng(3).normal(size=(2, 32, 32, 3)).astype(np.float32)
    here = wp.open_model(path, standardize="0-1")
    name = here.card.id
    carried = written(tmp_path / "b.zip", path)
    move()
    result_of(bundle.read(carried))
    there = wp.open_model(name, standardize="0-1")
    assert there.classes == ["small", "medium", "large"]
    assert there.card.name == "Größe 3"
    np.testing.assert_array_equal(there.predict(x), here.predict(x))


def test_a_keras_file_without_a_card_is_the_same_there(tmp_path: Path, move: Callable[[], Path]) -> None:
    source = sorted((GOLDENS / "keras").glob("*.keras"))[0]
    path = Path(shutil.copy(source, tmp_path / "mine.keras"))
    here = wp.open_model(path)
    carried = written(tmp_path / "b.zip", path)
    move()
    result_of(bundle.read(carried))
    there = wp.open_model("mine")
    height, width, channels = here.input_shape
    x = np.random.default_rng(3).normal(size=(2, height, width, channels)).astype(np.float32)
    np.testing.assert_array_equal(there.predict(x), here.predict(x))
    assert there.card.classes == here.card.classes


def test_nothing_of_the_first_machine_or_its_user_is_in_a_bundle(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_models.remember(own, "cells")
    local_models.rename(own, "Ms Confidential")
    onnx = onnx_file(own.with_name("plain.onnx"))
    wp.open_model(onnx, classes=["told a", "told b", "told c"], standardize="0-1")  # is noted for this file
    first = written(tmp_path / "first.zip", own, onnx)
    for user in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.setenv(user, "another")
    monkeypatch.setattr("socket.gethostname", lambda: "another")
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(tmp_path / "another cache"))
    (tmp_path / "another").mkdir()
    moved = [Path(shutil.copy(path, tmp_path / "another" / path.name)) for path in (own, onnx)]
    monkeypatch.chdir(tmp_path / "another")
    second = written(tmp_path / "second.zip", moved[0].name, moved[1])
    assert first.read_bytes() == second.read_bytes(), "it depends on the files and their names alone"
    text = first.read_bytes()
    for secret in (str(tmp_path), tmp_path.name, "Confidential", "told a"):
        assert secret.encode() not in text
    (one, _) = manifest(first)["models"]
    assert one["files"][0].keys() == {"name", "url", "checksum", "size", "sha256"}
    assert (one["files"][0]["name"], one["files"][0]["url"]) == ("cells.zip", "bundle")
    assert {key: value for key, value in one["source"].items() if value is not None} == {"type": "bundle"}


def test_another_model_of_the_same_name_is_replaced_only_if_the_user_says_so(
    tmp_path: Path, move: Callable[[], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, two = onnx_file(tmp_path / "a" / "cells.onnx", 1), onnx_file(tmp_path / "b" / "cells.onnx", 2)
    first, second = written(tmp_path / "1.zip", one), written(tmp_path / "2.zip", two)
    with pytest.raises(OptionError, match="Two of these models are called cells"):
        written(tmp_path / "3.zip", one, two)
    assert not (tmp_path / "3.zip").exists()
    move()
    result_of(bundle.read(first))
    with pytest.raises(ChangedModelError, match="The files of cells are not the same"):
        result_of(bundle.read(second))
    (entry,) = store.entries()
    assert entry.path.read_bytes() == one.read_bytes()
    result_of(bundle.read(first))  # the same once more
    assert cli.main(["import", str(tmp_path / "2.zip")]) == 2
    assert "--replace" in capsys.readouterr().err
    assert cli.main(["import", str(tmp_path / "2.zip"), "--replace"]) == 0
    (entry,) = store.entries()
    assert entry.path.read_bytes() == two.read_bytes()


def test_other_names_of_the_classes_are_another_model(tmp_path: Path, move: Callable[[], Path]) -> None:
    path = onnx_file(tmp_path / "cells.onnx")
    bundles = []
    for number, names in enumerate(("a\nb\nc", "c\nb\na")):
        (tmp_path / "labels.txt").write_text(names)
        bundles.append(written(tmp_path / f"{number}.zip", path))
    move()
    result_of(bundle.read(bundles[0]))
    with pytest.raises(ChangedModelError):
        result_of(bundle.read(bundles[1]))
    assert [card.class_names for card in store.cards()] == [["a", "b", "c"]]
    result_of(bundle.read(bundles[1], replace=True))
    assert [card.class_names for card in store.cards()] == [["c", "b", "a"]]


def test_a_card_that_describes_another_file_is_remarked_on_there_too(tmp_path: Path, move: Callable[[], Path]) -> None:
    path = onnx_file(tmp_path / "cells.onnx")
    weights = [{"format": "onnx", "source": {"type": "local"}, "entry_point": "other.onnx"}]
    (tmp_path / "webipred.json").write_text(json.dumps({"id": "cells", "name": "Cells", "weights": weights}))
    remark = "The card beside cells.onnx describes other.onnx. The card is used, but cells.onnx is the model."
    assert remark in wp.open_model(path).card.provenance.remarks
    carried = written(tmp_path / "b.zip", path)
    move()
    result_of(bundle.read(carried))
    assert remark in wp.open_model("cells").card.provenance.remarks


def test_no_model_is_chosen_there_where_none_would_be_chosen_here(tmp_path: Path, move: Callable[[], Path]) -> None:
    path = tmp_path / "two.zip"
    path.write_bytes(model_zip())
    onnx_file(tmp_path / "m.onnx")
    with zipfile.ZipFile(path, "a") as archive:
        archive.write(tmp_path / "m.onnx", "m.onnx")
    with pytest.raises(ModelError, match="There are 2 models here"):
        wp.open_model(path)
    carried = written(tmp_path / "b.zip", path)
    move()
    result_of(bundle.read(carried))
    with pytest.raises(ModelError, match="There are 2 models here"):
        wp.open_model("two")


def test_a_topology_can_have_any_name(tmp_path: Path, move: Callable[[], Path]) -> None:
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as target:
        (tmp_path / "s.zip").write_bytes(model_zip())
        with zipfile.ZipFile(tmp_path / "s.zip") as source:
            for name in source.namelist():
                target.writestr(name.replace("model.json", "network.json"), source.read(name))
    carried = written(tmp_path / "b.zip", tmp_path / "t.zip")
    move()
    result_of(bundle.read(carried))
    assert len(wp.open_model("t").classes) == 2


def test_an_own_model_does_not_replace_one_that_was_downloaded(
    tmp_path: Path, zenodo: ZenodoServer, move: Callable[[], Path]
) -> None:
    zenodo.publish("123", {"other.zip": model_zip(3)})
    own = onnx_file(tmp_path / "zenodo-123.onnx")
    for both in ((own, "123"), ("123", own)):
        with pytest.raises(OptionError, match="Two of these models are called zenodo-123"):
            written(tmp_path / "b.zip", *both)
    store.remove("zenodo-123")
    carried = written(tmp_path / "b.zip", own)
    result_of(store.fetch(index.resolve("123")))
    with pytest.raises(ChangedModelError, match="zenodo-123"):
        result_of(bundle.read(carried))
    assert store.entries()[0].origin == "source"


@pytest.mark.parametrize("name", ["webipred-16", "DEMO"])
def test_an_own_model_cannot_be_called_like_one_of_the_catalogue(
    name: str, tmp_path: Path, move: Callable[[], Path]
) -> None:
    path = onnx_file(tmp_path / f"{name}.onnx")
    with pytest.raises(OptionError, match=f"called {name}, like a model of the catalogue") as caught:
        written(tmp_path / "b.zip", path)
    assert "Rename the file" in caught.value.hint
    forged = written(tmp_path / "b.zip", path.rename(tmp_path / "cells.onnx"))
    change(forged, lambda model: model["card"].update(id=name))
    move()
    with pytest.raises(ArchiveError, match="like a model of the catalogue"):
        result_of(bundle.read(forged, replace=True))
    assert store.entries() == []


def change(path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Write a bundle anew after changing what it says of its first model."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    document = json.loads(files.pop("bundle.json"))
    edit(document["models"][0])
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bundle.json", json.dumps(document))
        for name, content in files.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda m: m["card"]["weights"][0].update(checksum="sha256:" + "0" * 64), "does not belong to its files"),
        (lambda m: m["card"]["weights"][0].pop("checksum"), "does not belong to its files"),
        (lambda m: m["card"]["weights"].append(m["card"]["weights"][0]), "does not belong to its files"),
        (
            lambda m: m["card"]["weights"].append({"format": "onnx", "source": {"type": "local"}}),
            "does not belong to its files",
        ),
        (
            lambda m: m["card"]["weights"].append(
                {"format": "onnx", "source": {"type": "builtin", "file_key": "demo.zip"}}
            ),
            "does not belong to its files",
        ),
        (
            lambda m: (
                m["card"]["weights"][0]["source"].update(url="https://example.org/"),
                m["source"].update(url="https://example.org/"),
            ),
            "does not belong to its files",
        ),
        (lambda m: m["files"].append({**m["files"][0], "name": "more.onnx"}), "does not belong to its files"),
        (lambda m: m["files"][0].update(name="../up.onnx"), "invalid name"),
        (lambda m: m["card"].update(id="CON"), "no folder can be called"),
    ],
)
def test_a_forged_own_model_is_refused(
    tmp_path: Path, move: Callable[[], Path], edit: Callable[[dict[str, Any]], None], words: str
) -> None:
    forged = written(tmp_path / "b.zip", onnx_file(tmp_path / "cells.onnx"))
    change(forged, edit)
    there = move()
    with pytest.raises(ArchiveError, match=words):
        result_of(bundle.read(forged))
    assert store.entries() == []
    assert [path for path in there.rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_what_is_not_one_file_should_be_zipped(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.write(onnx_file(tmp_path / "m.onnx"), "small/m.onnx")
    (tmp_path / "t.zip").write_bytes(model_zip())
    shutil.unpack_archive(tmp_path / "t.zip", folder)
    topology = next(folder.rglob("model.json"))
    alone = tmp_path / "alone" / "model.json"
    alone.parent.mkdir()
    shutil.copy(topology, alone)
    with_weights = tmp_path / "large.onnx"
    network = onnx.load(tmp_path / "m.onnx")
    onnx.save(network, with_weights, save_as_external_data=True, location="large.data", size_threshold=0)
    for path in (folder, topology, alone, with_weights, tmp_path / "z.zip" / "small" / "m.onnx"):
        with pytest.raises(OptionError, match="takes only own models that are one file") as caught:
            written(tmp_path / "b.zip", str(path))
        assert "into a zip archive" in caught.value.hint
    assert not (tmp_path / "b.zip").exists()


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("a.png", b"\x89PNG")
    with pytest.raises(ArchiveError, match=r"photos\.zip contains no model"):
        written(tmp_path / "b.zip", tmp_path / "photos.zip")
    with pytest.raises(ModelError, match="not valid"):
        written(tmp_path / "b.zip", carded_zip(tmp_path / "bad.zip", name=""))
    with pytest.raises(OptionError, match="called aux, which is no file name"):
        written(tmp_path / "b.zip", carded_zip(tmp_path / "odd.zip", id="aux"))
    with pytest.raises(ArchiveError, match="There is no file"):
        written(tmp_path / "b.zip", tmp_path / "gone.zip")
    with pytest.raises(CatalogueError, match="no such file or folder"):
        written(tmp_path / "b.zip", str(tmp_path / "gone.zip"))
    with pytest.raises(ArchiveError, match="contains no model"):
        written(tmp_path / "c.zip", written(tmp_path / "b.zip", onnx_file(tmp_path / "cells.onnx")))


def test_the_name_of_a_model_comes_before_a_file_of_the_same_name(
    tmp_path: Path, zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    zenodo.publish("7785993", {CONVERTED: model_zip()})
    monkeypatch.chdir(tmp_path)
    onnx_file(tmp_path / "webipred-16")
    path = written(tmp_path / "b.zip", "webipred-16")
    assert manifest(path)["models"][0]["source"]["type"] == "zenodo"


def test_a_file_that_changes_while_it_is_written_gives_no_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = onnx_file(tmp_path / "cells.onnx")
    steps = packing._write

    def changed_before(found: Any, target: Path) -> Any:
        path.write_bytes(path.read_bytes()[:-1] + b"?")
        return steps(found, target)

    monkeypatch.setattr(packing, "_write", changed_before)
    with pytest.raises(ArchiveError, match="its checksum is different"):
        written(tmp_path / "b.zip", path)
    assert not list(tmp_path.glob("*b.zip*"))


@pytest.mark.parametrize("offline", ["0", "1"])
@pytest.mark.parametrize("replace", [False, True])
def test_a_damaged_own_model_can_only_be_imported_again(
    tmp_path: Path, move: Callable[[], Path], monkeypatch: pytest.MonkeyPatch, offline: str, replace: bool
) -> None:
    carried = written(tmp_path / "b.zip", onnx_file(tmp_path / "cells.onnx"))
    move()
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", offline)
    assert settings.current().offline is (offline == "1")
    (card,) = result_of(bundle.read(carried))
    sound = result_of(store.fetch(card, replace=replace))
    assert importer.confirm(card) == store.entries()[0]
    content = sound.read_bytes()
    sound.write_bytes(content[:-1] + b"?")
    with pytest.raises(CatalogueError, match=r"The file of cells is damaged\. It came in a bundle") as caught:
        result_of(store.fetch(card, replace=replace))
    assert caught.value.hint == "Import that bundle again."
    result_of(bundle.read(carried))
    assert result_of(store.fetch(card)).read_bytes() == content
    (store.entries()[0].folder / "card.json").write_text("{}")
    with pytest.raises(WebIPredError, match="card of the model cells on this machine is damaged") as caught_again:
        index.resolve("cells")
    assert caught_again.value.hint == "Import the bundle that it came in again."


def test_the_limit_of_the_cache_leaves_what_cannot_be_downloaded_again(
    own: Path, tmp_path: Path, move: Callable[[], Path]
) -> None:
    path = written(tmp_path / "b.zip", own)
    move()
    assert cli.main(["import", str(path)]) == 0
    assert store.limit(0) == []
    assert wp.open_model("grain-of-cells").card.is_unpublished
