from __future__ import annotations

import base64
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import napari_webipred as wp
from napari_webipred import self_test
from napari_webipred.errors import ModelError
from test_model import write_tfjs


def png(value: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((3, 5), value, np.uint8)).save(out, "PNG")
    return out.getvalue()


def write_model(folder: Path, **test: object) -> Path:
    """A model that gives softmax of (mean, 2 * mean), with a card that says so."""
    write_tfjs(folder)
    card = {
        "classes": [{"index": 0, "name": "a"}, {"index": 1, "name": "b"}],
        "preprocessing": {"standardize_mode": "none"},
        "output": {"activation": "softmax"},
        "test": test,
    }
    (folder / "webipred.json").write_text(json.dumps(card))
    return folder


INLINE = "data:image/png;base64," + base64.b64encode(png(1)).decode()
RIGHT = [1 / (1 + np.e), np.e / (1 + np.e)]


def test_a_test_that_is_passed_is_told(tmp_path):
    model = wp.open_model(write_model(tmp_path / "m", image=INLINE, probabilities=RIGHT))
    assert model.card.provenance.self_test.startswith("The model passed the self-test of its card")


def test_it_is_run_once_and_its_result_is_kept(tmp_path, monkeypatch):
    folder = write_model(tmp_path / "m", image=INLINE, probabilities=RIGHT)
    said = wp.open_model(folder).card.provenance.self_test
    monkeypatch.setattr(self_test, "run", None)
    assert wp.open_model(folder).card.provenance.self_test == said


def test_a_model_that_fails_is_refused_each_time(tmp_path):
    folder = write_model(tmp_path / "m", image=INLINE, probabilities=[0.5, 0.5])
    for _ in range(2):
        with pytest.raises(ModelError, match=r"fails the self-test .* differ by 0\.23"):
            wp.open_model(folder)


def test_the_tolerance_is_that_of_the_card(tmp_path):
    wp.open_model(write_model(tmp_path / "m", image=INLINE, probabilities=[0.5, 0.5], tolerance=0.3))


def test_the_image_may_lie_in_the_archive(tmp_path):
    folder = write_model(tmp_path / "m", image="example.png", probabilities=RIGHT)
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("example.png", png(1))
        for path in folder.iterdir():
            archive.write(path, path.name)
    assert "passed" in wp.open_model(tmp_path / "m.zip").card.provenance.self_test


def test_another_scaling_by_the_user_is_not_tested(tmp_path):
    folder = write_model(tmp_path / "m", image=INLINE, probabilities=RIGHT)
    assert wp.open_model(folder, standardize="tf").card.provenance.self_test is None


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ({"image": "no.png", "probabilities": RIGHT}, "no.png is not among"),
        ({"image": INLINE}, "malformed"),
        ({"image": INLINE, "probabilities": "many"}, "malformed"),
        ({"image": "data:image/png;base64,####", "probabilities": RIGHT}, "damaged"),
        ({"image": "data:image/png;base64,AAAA", "probabilities": RIGHT}, "malformed"),
        ({"image": INLINE, "probabilities": RIGHT, "tolerance": -1}, "malformed"),
    ],
)
def test_a_test_that_cannot_be_run_is_told_and_does_no_harm(tmp_path, test, words):
    said = wp.open_model(write_model(tmp_path / "m", **test)).card.provenance.self_test
    assert "could not be run" in said
    assert words in said


def test_a_test_of_another_number_of_classes_is_refused(tmp_path):
    with pytest.raises(ModelError, match="expects 3 probabilities, the model gives 2"):
        wp.open_model(write_model(tmp_path / "m", image=INLINE, probabilities=[0.2, 0.3, 0.5]))


def test_a_test_of_numbers_that_are_no_probabilities_is_refused_as_the_cards_fault(tmp_path):
    folder = write_model(tmp_path / "m", image=INLINE, probabilities=RIGHT)
    card = json.loads((folder / "webipred.json").read_text())
    del card["output"]
    (folder / "webipred.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match=r"The self-test of m fails.*not probabilities"):
        wp.open_model(folder)
