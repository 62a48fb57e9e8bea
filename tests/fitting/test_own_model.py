"""A model for own classes is a model like any other: it opens, predicts, explains, and says what it is."""

from __future__ import annotations

import errno
import io
import json
import zipfile
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import heads
import napari_webipred as wp
from labelled_images import images
from napari_webipred.card import Citation
from napari_webipred.errors import ModelError, OptionError
from napari_webipred.fitting import own_model as module
from napari_webipred.fitting.head import Head, fit
from napari_webipred.fitting.honest import judging
from napari_webipred.fitting.labels import labels_of
from napari_webipred.fitting.own_model import is_own, own_model
from napari_webipred.licences import forbids_derivatives
from napari_webipred.steps import result_of

FLAT = Path(__file__).parents[1] / "goldens" / "keras" / "keras3-flat.keras"


def batch(model: wp.Model, count: int = 6) -> np.ndarray:
    height, width, channels = model.input_shape
    return np.random.default_rng(0).normal(size=(count, height, width, channels)).astype(np.float32)


def head_for(model: wp.Model, task: Any = "single", classes: int = 3) -> Head:
    """A head with weights by chance, whose probabilities are spread."""
    features = model.features(batch(model))
    random = np.random.default_rng(1)
    channels = features.shape[1]
    kernel = random.normal(size=(channels, classes)) / max(float(features.std()), 1e-3) / channels**0.5 * 3
    bias = -features.mean(0) @ kernel
    return Head(tuple("abcdef"[:classes]), task, kernel.astype(np.float32), bias.astype(np.float32), 0.01)


def published_as(model: wp.Model, **fields: Any) -> wp.Model:
    """The same model, whose card says something else."""
    other = copy(model)
    other.card = model.card.model_copy(update=fields)
    return other


def card_in(model: wp.Model) -> dict[str, Any]:
    assert model.archive is not None
    with zipfile.ZipFile(io.BytesIO(model.archive)) as archive:
        return dict(json.loads(archive.read("webipred.json")))


@pytest.fixture(scope="module")
def demo() -> wp.Model:
    return wp.open_model("demo")


@pytest.fixture(scope="module")
def own(demo: wp.Model) -> wp.Model:
    """A model for three kinds of images, with figures."""
    pixels, labels = images(8)
    prepared = np.stack([wp.prepare(each, demo) for each in pixels])
    features = demo.features(prepared)
    groups = np.arange(len(labels)) // 4
    head = fit(features, labels, groups=groups)
    known = labels_of(labels, groups=groups)
    told = result_of(judging(features, known, draws=50))
    return own_model(demo, head, labels=known, honest=told)


@pytest.mark.parametrize("task", ["single", "multi"])
@pytest.mark.parametrize("classes", [2, 3])
def test_body_and_head_are_one_network(demo: wp.Model, task: str, classes: int) -> None:
    head = head_for(demo, task, classes)
    made = own_model(demo, head)
    x = batch(demo)
    np.testing.assert_allclose(made.predict(x), head.probabilities(demo.features(x)), atol=1e-5)
    assert made.card.task == ("multi-class" if task == "single" else "multi-label")


def test_it_opens_from_its_file_as_it_was_in_memory(own: wp.Model, tmp_path: Path) -> None:
    path = own.save(tmp_path / "own.zip")
    opened = wp.open_model(path)
    assert opened.checksum == own.checksum
    assert opened.card == own.card
    assert opened.classes == ["flat", "noise", "stripes"]
    assert opened.card.provenance.self_test is not None
    assert "passed" in opened.card.provenance.self_test
    x = batch(own)
    np.testing.assert_array_equal(opened.predict(x), own.predict(x))
    assert is_own(path)


def test_a_damaged_archive_is_no_own_model(own: wp.Model, tmp_path: Path) -> None:
    path = tmp_path / "own.zip"
    own.save(path)
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("webipred.json")
    start = entry.header_offset + 30 + len(entry.filename)
    for damage in (b"\xff" * 40, b"\x03\x00"):  # no stream of Deflate; one that ends at once
        path.write_bytes(whole[:start] + damage + whole[start + len(damage) :])
        assert not is_own(path)


def test_the_same_model_is_written_with_the_same_bytes(demo: wp.Model) -> None:
    head = head_for(demo)
    assert own_model(demo, head).archive == own_model(demo, head).archive


def test_it_classifies_explains_and_is_evaluated(own: wp.Model) -> None:
    pixels, labels = images(4)
    table = wp.classify(pixels, own)
    assert (table["prediction"] == labels).mean() > 0.8
    found = wp.evaluate(table, dict(zip(table["image"], labels, strict=True)), draws=20)
    assert found.metric("accuracy").n == 12
    (shown,) = wp.explain(pixels[1], own, classes=["noise"])
    assert shown.method == "cam"
    assert shown.completeness is not None
    assert abs(shown.completeness) < 1e-3


def test_the_card_says_what_it_is_made_of_in_counts(own: wp.Model, demo: wp.Model) -> None:
    card = card_in(own)
    assert card["base"] == {
        "name": demo.card.name,
        "id": "demo",
        "license": "BSD-3-Clause",
        "checksum": demo.checksum,
    }
    fitted = card["fitted_to"]
    assert fitted["images"] == 24
    assert fitted["of_class"] == {"flat": 8, "noise": 8, "stripes": 8}
    assert fitted["groups"] == 6
    assert fitted["calibration"]["method"] == "temperature"
    assert card["license"] == "BSD-3-Clause"
    assert card["preprocessing"]["standardize_mode"] == "tf"
    assert card["input"] == {"width": 224, "height": 224, "channels": 3, "channel_order": "RGB"}
    assert own.card.performance["accuracy"] == card["metrics"]["accuracy"]
    assert own.card.fitted_to is not None
    assert own.card.fitted_to.images == 24
    assert "24 labelled images of 6 groups" in own.card.description
    assert card["test"]["image"].startswith("data:image/png;base64,")
    assert len(card["test"]["probabilities"]) == 3


def test_the_base_is_cited(demo: wp.Model) -> None:
    cited = (Citation(text="A paper", doi="10.1/x"),)
    published = published_as(demo, record_doi="10.5281/zenodo.1", citations=cited)
    made = own_model(published, head_for(demo))
    assert [each.doi for each in made.card.citations] == ["10.1/x", "10.5281/zenodo.1"]
    assert made.card.base is not None
    assert made.card.base.doi == "10.5281/zenodo.1"
    assert made.card.record_doi is None, "it is another model, which nobody has published"


@pytest.mark.parametrize("given", [{}, {"name": "Leaves"}], ids=["unnamed", "named by a card"])
def test_the_name_of_the_file_of_a_base_is_told_to_nobody(
    demo: wp.Model, tmp_path: Path, given: dict[str, str]
) -> None:
    folder = tmp_path / "Mustermann Q4711Z"
    folder.mkdir()
    path = folder / "Mustermann Q4711Z.keras"
    path.write_bytes(FLAT.read_bytes())
    if given:
        (folder / "webipred.json").write_text(json.dumps({"schema_version": "1.0", **given}), encoding="utf-8")
    base = wp.open_model(folder if given else path, standardize="tf")
    made = own_model(base, head_for(base))
    assert made.card.base is not None
    assert made.card.base.name == given.get("name", "Unnamed model")
    assert made.card.base.id is None
    text = json.dumps(card_in(made))
    assert "Mustermann" not in text
    assert "Q4711Z" not in text.upper()


def test_a_model_made_of_an_own_one_has_the_same_base(own: wp.Model) -> None:
    head = head_for(own, classes=2)
    again = own_model(own, head)
    assert again.card.base == own.card.base
    x = batch(own)
    np.testing.assert_allclose(again.predict(x), head.probabilities(own.features(x)), atol=1e-5)


@pytest.mark.parametrize(
    ("licence", "words"),
    [("CC-BY-ND-4.0", "does not allow you to share"), (None, "is not known"), ("CC-BY-4.0", ""), ("BSD-3-Clause", "")],
)
def test_a_licence_that_forbids_derivatives_is_told_not_judged(demo: wp.Model, licence: str | None, words: str) -> None:
    base = published_as(demo, license=licence)
    remarks = " ".join(own_model(base, head_for(demo)).remarks)
    assert (words in remarks) if words else not remarks


def test_licences_are_known_by_their_names() -> None:
    forbidding = ("CC-BY-ND-4.0", "cc-by-nc-nd-3.0", "CC BY-NC-ND", "Attribution-NoDerivs", "No Derivatives 4.0")
    assert all(map(forbids_derivatives, forbidding))
    assert not any(
        map(forbids_derivatives, ("CC-BY-SA-4.0", "MIT", "BSD-3-Clause", "Indiana", "GPL and MIT", "", None))
    )


def test_a_network_that_is_no_keras_one_becomes_onnx(tmp_path: Path) -> None:
    base = heads.bright(tmp_path)
    head = head_for(base)
    made = own_model(base, head)
    assert made.card.weights[0].format == "onnx"
    x = batch(base)
    expected = head.probabilities(base.features(x))
    np.testing.assert_allclose(made.predict(x), expected, atol=1e-5)
    assert made.archive is not None
    with zipfile.ZipFile(io.BytesIO(made.archive)) as archive:
        plain = onnxruntime.InferenceSession(archive.read("model.onnx"))
    (taken,) = plain.get_inputs()
    np.testing.assert_allclose(plain.run(None, {taken.name: x})[0], expected, atol=1e-5)
    opened = wp.open_model(made.save(tmp_path / "own.zip"))
    assert opened.card == made.card


def test_numbers_that_differ_from_body_and_head_are_never_handed_out(
    demo: wp.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, wrong = head_for(demo), head_for(demo)
    wrong.kernel[:] = -wrong.kernel
    right = module.onnx_files
    monkeypatch.setattr(module, "browser_files", lambda base, _: right(base, wrong))
    made = own_model(demo, head)
    np.testing.assert_allclose(made.predict(batch(demo)), head.probabilities(demo.features(batch(demo))), atol=1e-5)
    monkeypatch.setattr(module, "onnx_files", lambda base, _: right(base, wrong))
    with pytest.raises(ModelError, match="cannot be written with a new head"):
        own_model(demo, head)


def test_a_base_whose_settings_are_open_is_refused(tmp_path: Path) -> None:
    nodes, weights = heads.body(np.random.default_rng(0))
    nodes += [
        heads.helper.make_node("GlobalAveragePool", ["maps"], ["p"]),
        heads.helper.make_node("Flatten", ["p"], ["y"]),
    ]
    base = wp.open_model(heads.write(tmp_path / "net.onnx", nodes, weights, 6))
    head = Head(("a", "b"), "single", np.ones((6, 2), np.float32), np.zeros(2, np.float32), 0.01)
    with pytest.raises(OptionError, match="how the model net needs images to be prepared"):
        own_model(base, head)


def test_a_model_that_cannot_be_saved_says_why(
    own: wp.Model, demo: wp.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="was not made here"):
        demo.save(tmp_path / "demo.zip")
    with pytest.raises(ModelError, match="its folder does not exist"):
        own.save(tmp_path / "nowhere" / "own.zip")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr("napari_webipred.atomic_file.write_whole", full)
    with pytest.raises(ModelError) as caught:
        own.save(tmp_path / "own.zip")
    assert caught.value.hint
    assert not list(tmp_path.iterdir())
