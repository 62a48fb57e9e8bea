from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import napari_webipred as wp
from napari_webipred.catalogue import store
from napari_webipred.samples import sample_pictures

GOLDEN = json.loads((Path(__file__).parent / "goldens" / "demo_model.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def card() -> wp.ModelCard:
    return next(card for card in wp.list_models() if card.id == "demo")


def test_the_demo_model_gives_the_numbers_of_tensorflow_js():
    table = wp.classify(sample_pictures(), "demo")
    given = table[wp.open_model("demo").classes].to_numpy()
    np.testing.assert_allclose(given, [GOLDEN[path.name] for path in sample_pictures()], rtol=0, atol=1e-5)


def test_the_demo_model_is_right_about_the_sample_pictures():
    table = wp.classify(sample_pictures(), "demo")
    assert table["prediction"].tolist() == [path.stem.split("_")[-1] for path in sample_pictures()]


def test_the_card_describes_the_file_that_is_there(card):
    data = store.path_of(card).read_bytes()
    assert card.weights[0].checksum == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert card.weights[0].size == len(data) < 1_000_000


def test_the_card_is_honest_about_what_was_measured(card):
    held_out = card.metrics["held_out"]
    counts = np.array(held_out["confusion"]["counts"])
    assert held_out["accuracy"] >= 0.9
    assert held_out["accuracy"] == pytest.approx(np.trace(counts) / counts.sum(), abs=1e-4)
    used = {*card.provenance["training_pictures"], *card.provenance["validation_pictures"]}
    assert not used & set(card.provenance["held_out_pictures"])


def test_all_sample_pictures_together_stay_small():
    assert sum(path.stat().st_size for path in sample_pictures()) < 500_000
