"""How far an image is from the user's reference images: the numbers are honest, and the same in Python and a shell."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from PIL import Image

import napari_webipred as wp
from heads import body, write
from napari_webipred import cli
from napari_webipred.cache import references
from napari_webipred.cache.eviction import wipe
from napari_webipred.card import ExpectedImages, Input, Preprocessing
from napari_webipred.errors import OptionError
from napari_webipred.imaging.expectation import unlike
from napari_webipred.references.executor import NEGATIVE
from napari_webipred.references.fitting import fitted
from napari_webipred.references.reference import MOST_NUMBERS, Cloud, Neighbours, Reference, directions

node = helper.make_node


def network(path: Path, head: list, weights: dict) -> wp.Model:
    nodes, own = body(np.random.default_rng(0))
    own |= weights
    return wp.open_model(write(path, [*nodes, *head], own, 3), classes=["a", "b", "c"], standardize="0-1")


def pooled(path: Path) -> wp.Model:
    """A network with global pooling and a dense layer."""
    head = [
        node("GlobalAveragePool", ["maps"], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", "w"], ["z"]),
        node("Softmax", ["z"], ["y"], axis=1),
    ]
    return network(path, head, {"w": np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)})


def blob(seed: int) -> np.ndarray:
    """A bright spot of its own size and place on dark noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:48, :48]
    centre, size = random.uniform(18, 30, 2), random.uniform(5, 9)
    spot = 180 * np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / (2 * size**2))
    return np.clip(spot + random.normal(20, 8, (48, 48)), 0, 255).astype(np.uint8)


def test_features_are_the_means_of_the_last_maps(tmp_path: Path) -> None:
    model = pooled(tmp_path / "net.onnx")
    batch = np.stack([wp.prepare(blob(seed), model) for seed in range(3)])
    features = model.features(batch)
    assert (features.shape, features.dtype) == ((3, 6), np.float32)
    logits = features @ np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)
    powers = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(model.predict(batch), powers / powers.sum(1, keepdims=True), atol=1e-5)


def test_a_network_without_maps_before_its_head_gives_what_goes_into_its_last_weights(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    first, last = (random.normal(size=size).astype(np.float32) / 20 for size in ((6 * 64, 10), (10, 3)))
    head = [
        node("GlobalAveragePool", ["image"], ["pi"]),  # so that not all passes through the maps
        node("Flatten", ["pi"], ["fi"]),
        node("Flatten", ["maps"], ["f"]),
        node("Gemm", ["f", "m"], ["h"]),
        node("Relu", ["h"], ["r"]),
        node("ReduceMean", ["fi"], ["mean"], axes=[1], keepdims=1),
        node("Add", ["r", "mean"], ["both"]),
        node("Gemm", ["both", "l"], ["z"]),
        node("Softmax", ["z"], ["y"], axis=1),
    ]
    model = network(tmp_path / "net.onnx", head, {"m": first, "l": last})
    batch = wp.prepare(blob(0), model)[None]
    features = model.features(batch)
    assert features.shape == (1, 10)
    powers = np.exp(features @ last)
    np.testing.assert_allclose(model.predict(batch)[0], powers[0] / powers.sum(), atol=1e-5)


def test_new_images_of_the_same_kind_have_percentiles_around_the_middle() -> None:
    random = np.random.default_rng(3)
    mixing = random.normal(size=(100, 100)) / 10

    def draw(count: int) -> np.ndarray:
        return (random.normal(size=(count, 100)) @ mixing).astype(np.float32)

    seen = draw(60)
    reference = fitted(seen, {})
    new = reference.percentile(reference.distance(draw(300)))
    assert 40 < new.mean() < 70
    assert (new >= 99).mean() < 0.1
    assert reference.percentile(reference.distance(seen)).mean() < 10  # what they have shaped themselves is no measure
    assert reference.percentile(reference.distance(draw(50) + 3)).min() == 100


def test_a_distance_is_that_of_mahalanobis() -> None:
    reference = Reference(Cloud(np.array([1.0, 2.0]), np.diag([4.0, 0.25])), np.array([1.0, 2.0, 3.0, 4.0]), {})
    distance = reference.distance(np.array([[2, 2], [1, 6]], np.float32))
    assert distance.tolist() == [2, 2]
    assert reference.percentile(np.array([0.5, 2, 2.5, 9])).tolist() == [0, 25, 50, 100]


def test_a_distance_from_neighbours_is_that_of_scikit_learn_from_the_fifth_nearest() -> None:
    neighbors = pytest.importorskip("sklearn.neighbors")
    random = np.random.default_rng(5)
    seen, new = (random.normal(size=(count, 7)).astype(np.float32) for count in (60, 9))
    expected = neighbors.NearestNeighbors(n_neighbors=5).fit(directions(seen)).kneighbors(directions(new))[0][:, -1]
    place = Neighbours(directions(seen))
    np.testing.assert_allclose(place.distance(new), expected, atol=1e-6)
    np.testing.assert_allclose(place.distance(new * 3), expected, atol=1e-6)  # the direction alone counts


def test_what_lies_between_two_kinds_of_images_is_far_from_its_neighbours_alone() -> None:
    """The weakness that stands beside the Mahalanobis distance."""
    random = np.random.default_rng(6)
    kinds = random.normal([[6, 0, 1], [0, 6, 1]], 0.3, (60, 2, 3)).reshape(-1, 3).astype(np.float32)
    between = np.array([[3, 3, 1]], np.float32)
    percent = {}
    for method in ("mahalanobis", "neighbours"):
        made = fitted(kinds, {}, method)
        percent[method] = float(made.percentile(made.distance(between))[0])
    assert percent["neighbours"] == 100
    assert percent["mahalanobis"] < 50


def test_neighbours_are_kept_and_too_many_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    checksum = "sha256:" + "b" * 64
    seen = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    made = fitted(seen, {"reading": "x"}, "neighbours")
    path = references.save(checksum, made)
    again = references.load(checksum)
    assert again is not None
    np.testing.assert_array_equal(again.place.features, made.place.features)
    np.testing.assert_array_equal(again.distances, made.distances)
    assert again.as_dict() == made.as_dict()
    assert (made.as_dict()["method"], made.as_dict()["neighbours"]) == ("neighbours", 5)
    assert made.weakness.endswith("all others seem far away.")
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    assert references.load(checksum) is None
    monkeypatch.setattr("napari_webipred.references.fitting.MOST_NUMBERS", MOST_NUMBERS // 2**20)
    with pytest.raises(OptionError, match="too much memory"):
        fitted(seen, {}, "neighbours")


def test_a_reference_is_kept_as_numbers_and_removed_with_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    checksum = "sha256:" + "a" * 64
    assert references.load(checksum) is None
    made = fitted(np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32), {"reading": "x"})
    path = references.save(checksum, made)
    again = references.load(checksum)
    assert again is not None
    for name in ("mean", "precision"):
        np.testing.assert_array_equal(getattr(again.place, name), getattr(made.place, name))
    np.testing.assert_array_equal(again.distances, made.distances)
    assert again.made == made.made
    content = path.read_bytes()
    for damaged in (content[:-1], content + b"x", b"{}\n", b"[1]\n", b"\xff", content.replace(b": 4,", b": 9,", 1)):
        path.write_bytes(damaged)
        with caplog.at_level(logging.WARNING):
            assert references.load(checksum) is None
    assert "cannot be read" in caplog.text
    path.write_bytes(content)
    wipe()
    assert not path.parent.exists()


def test_python_and_the_command_line_measure_the_same_and_remark_on_other_images(tmp_path, capsys) -> None:
    model = pooled(tmp_path / "net.onnx")
    folder, others = tmp_path / "reference", [tmp_path / "like.png", tmp_path / "negative.png", tmp_path / "noise.png"]
    folder.mkdir()
    for seed in range(60):
        Image.fromarray(blob(seed)).save(folder / f"secret-{seed}.png")
    (folder / "broken.png").write_bytes(b"")
    noise = np.random.default_rng(9).integers(0, 256, (48, 48), np.uint8)
    for path, pixels in zip(others, (blob(99), 255 - blob(98), noise), strict=True):
        Image.fromarray(pixels).save(path)
    named = ["--model", str(tmp_path / "net.onnx")]
    with pytest.raises(OptionError, match="no reference images for the model"):
        wp.classify(others, model, reference=True)
    assert cli.main(["classify", str(others[0]), *named, "--reference"]) == 2
    assert "napari-webipred reference IMAGES" in capsys.readouterr().err
    assert cli.main(["reference", str(folder), *named]) == 0
    said = capsys.readouterr().err
    assert "60 reference images" in said
    assert "1 could not be read" in said
    assert "does not show that a model can be trusted" in said
    assert b"secret" not in references.path_of(model.checksum).read_bytes()

    table = wp.classify(others, model, reference=True)
    assert list(table.columns[-2:]) == ["reference distance", "reference percentile"]
    plain = wp.classify(others, model)
    np.testing.assert_allclose(table[["a", "b", "c"]], plain[["a", "b", "c"]], atol=1e-6)
    assert table["reference percentile"].iloc[0] < 99
    assert table["reference percentile"].iloc[1:].tolist() == [100, 100]
    remarks = dict(table.attrs["remarks"])
    assert 0 not in remarks
    assert remarks[1].endswith(NEGATIVE)
    assert remarks[2].startswith("Unlike the reference images: its features lie farther away than those of all of them")
    assert NEGATIVE not in remarks[2]
    assert any("does not show" in note for note in table.attrs["notes"])

    out = tmp_path / "out.csv"
    told = ["classify", *map(str, others), *named, "--reference", "--views", "flip", "-o", str(out)]
    assert cli.main(told) == 0
    both = wp.classify(others, model, reference=True, views="flip")
    lines = out.read_text(encoding="utf-8").splitlines()
    assert lines[0] == ",".join(both.columns)
    np.testing.assert_array_equal([float(line.split(",")[-1]) for line in lines[1:]], both["reference percentile"])
    np.testing.assert_array_equal(both["reference distance"], table["reference distance"])
    record = json.loads(Path(f"{out}.json").read_text(encoding="utf-8"))
    assert record["options"]["reference"]["images"] == 60

    assert record["options"]["reference"]["method"] == "mahalanobis"
    assert cli.main(["reference", str(folder), *named, "--method", "neighbours"]) == 0
    assert "slices of one patient" in capsys.readouterr().err
    assert cli.main(["classify", *map(str, others), *named, "--reference", "-o", str(out), "--overwrite"]) == 0
    record = json.loads(Path(f"{out}.json").read_text(encoding="utf-8"))
    assert record["options"]["reference"]["method"] == "neighbours"
    percents = [float(line.split(",")[-1]) for line in out.read_text(encoding="utf-8").splitlines()[1:]]
    assert percents[0] < 99
    assert percents[1] == 100

    with pytest.raises(OptionError, match="read and prepared differently"):
        wp.classify(others, model, reference=True, intensity="plane")
    with pytest.raises(OptionError, match="3 of 3 images can be used"):
        wp.fit_reference(others, model)
    with pytest.raises(OptionError, match="same features"):
        wp.fit_reference([blob(0)] * 50, model)


TARGET = Input(width=32, height=32, channels=3)
STRETCH = Preprocessing(standardize_mode="none")


def said(pixels: np.ndarray, target: Input = TARGET, preprocessing: Preprocessing = STRETCH, **expected) -> list[str]:
    wanted = ExpectedImages.model_validate(expected) if expected else None
    return unlike(pixels, (0.0, 255.0), target, preprocessing, wanted)


def test_an_image_that_is_stretched_more_than_twice_is_remarked_upon() -> None:
    assert said(np.zeros((40, 80), np.uint8)) == []
    assert said(np.zeros((40, 100), np.uint8)) == ["The image of 100x40 pixels is stretched 2.5 times to 32x32."]
    assert said(np.zeros((100, 40, 3), np.uint8)) == ["The image of 40x100 pixels is stretched 2.5 times to 32x32."]
    crop = Preprocessing(standardize_mode="none", resize_mode="center-crop")
    assert said(np.zeros((40, 100), np.uint8), preprocessing=crop) == []


def test_colours_count_only_if_the_model_or_its_card_says_so() -> None:
    grey = np.dstack([blob(0)] * 3)
    coloured = grey.copy()
    coloured[10:30, 10:30, 0] = 255
    knows_grey = ["The image has colours, and the model knows grey images."]
    assert said(coloured) == said(grey) == []
    assert said(coloured, colour="grey") == knows_grey
    assert said(coloured, target=Input(width=32, height=32, channels=1)) == knows_grey
    assert said(coloured, target=Input(width=32, height=32, channels=3, channel_order="L")) == knows_grey
    assert said(grey, colour="grey") == said(coloured, colour="colour") == []
    for pixels in (grey, blob(0)):
        assert said(pixels, colour="colour") == ["The image is grey, and the model knows colour images."]


def test_values_beyond_those_on_the_card_are_remarked_upon() -> None:
    assert said(np.array([[0, 255]] * 2), intensity_range=(0, 255)) == []
    words = "The image has values from -5 to 300; those that the model knows lie between 0 and 255."
    assert said(np.array([[-5, 300]] * 2), intensity_range=(0, 255)) == [words]


def test_an_image_whose_edge_is_as_the_middle_should_be_looks_inverted() -> None:
    assert said(blob(0), background="dark") == said(255 - blob(0), background="light") == []
    assert "its edge is bright" in said(255 - blob(0), background="dark")[0]
    assert "its edge is dark" in said(blob(0), background="light")[0]
    assert said(np.full((1, 1), 255, np.uint8), background="dark") == []


def test_what_a_card_expects_reaches_the_rows() -> None:
    model = wp.open_model("demo")
    model.card = model.card.model_copy(update={"expected_images": ExpectedImages(colour="colour")})
    table = wp.classify(np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8), model)
    assert table.attrs["remarks"] == [(0, "The image is grey, and the model knows colour images.")]
