"""From labelled images to a model that others open from Zenodo."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import napari_webipred as wp
from napari_webipred.publishing.pictures import pictures
from zenodo_server import ZenodoServer


def published_model(zenodo: ZenodoServer, folder: Path) -> wp.Model:
    told = json.loads((folder / ".zenodo.json").read_text(encoding="utf-8"))
    zenodo.publish("1234567", {path.name: path.read_bytes() for path in folder.iterdir()}, title=told["title"])
    return wp.open_model("10.5281/zenodo.1234567")


def predictions(model: wp.Model) -> np.ndarray:
    return wp.classify(list(pictures()), model)[model.classes].to_numpy(np.float64)


def test_a_model_of_own_classes_is_published_with_its_base_and_its_warnings(zenodo, tmp_path) -> None:
    random = np.random.default_rng(0)
    fine = [random.integers(0, 256, (48, 48, 3), dtype=np.uint8) for _ in range(6)]
    images = fine + [np.kron(each[:6, :6], np.ones((8, 8, 1), np.uint8)) for each in fine]
    own = wp.fit_head(images, ["fine"] * 6 + ["coarse"] * 6, base="demo")
    said = {"authors": [{"name": "Roe, Jane"}], "name": "Fine or coarse"}
    deposit = wp.pack(own, tmp_path / "deposit", card=said, verify=False)
    assert deposit.missing == ()
    assert deposit.card.base is not None
    assert deposit.card.base.id == "demo"
    assert deposit.card.provenance.notes == own.card.provenance.notes
    page = deposit.files["README.md"].decode()
    assert "It was made of Image quality of microscopy" in page
    assert page.count("| Sensitivity |") == 1
    assert {"metrics.json", "card-confusion-rows.png"} <= set(deposit.files)
    np.testing.assert_allclose(predictions(published_model(zenodo, tmp_path / "deposit")), predictions(own), atol=2e-6)
