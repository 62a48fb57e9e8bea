from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import napari_webipred as wp
from napari_webipred.cache import store
from napari_webipred.samples import sample_images

GOLDEN = json.loads((Path(__file__).parent / "goldens" / "demo_model.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def card() -> wp.ModelCard:
    return next(card for card in wp.list_models() if card.id == "demo")


def test_the_demo_model_gives_the_numbers_of_tensorflow_js():
    table = wp.classify(sample_images(), "demo")
    given = table[wp.open_model("demo").classes].to_numpy()
    np.testing.assert_allclose(given, [GOLDEN[path.name] for path in sample_images()], rtol=0, atol=1e-5)


def test_the_demo_model_is_right_about_the_sample_images():
    table = wp.classify(sample_images(), "demo")
    assert table["prediction"].tolist() == [path.stem.split("_")[-1] for path in sample_images()]


def test_the_card_describes_the_file_that_is_there(card):
    data = store.path_of(card).read_bytes()
    assert card.weights[0].checksum == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert card.weights[0].size == len(data) < 500_000


def test_the_figures_of_the_card_follow_from_its_counts(card):
    for measured in (card.metrics["held_out"], card.metrics["cross_validation"]):
        counts = np.array(measured["confusion"]["counts"])
        found = np.diag(counts) / counts.sum(axis=1)
        assert measured["n"] == counts.sum()
        assert measured["accuracy"] == pytest.approx(np.trace(counts) / counts.sum(), abs=1e-4)
        np.testing.assert_allclose(list(measured["sensitivity"].values()), found, rtol=0, atol=1e-4)
        for name, (low, high) in measured["sensitivity_interval"].items():
            assert low <= measured["sensitivity"][name] <= high
    assert card.metrics["accuracy"] == card.metrics["held_out"]["accuracy"] > 0.9
    assert min(card.metrics["held_out"]["sensitivity"].values()) > 0.8


def test_nothing_that_the_model_is_judged_by_was_learned_from(card):
    held_out, learned = card.provenance.held_out, card.provenance.learned_from
    assert held_out
    assert not set(held_out) & set(learned)
    assert set(card.metrics["held_out"]["by_source"]) <= set(held_out)
    assert set(card.metrics["cross_validation"]["by_source"]) == set(learned)


@pytest.mark.parametrize("measured", ["held_out", "cross_validation"])
def test_the_document_tells_what_the_card_tells(card, measured):
    text = (Path(__file__).parents[1] / "docs" / "demo-model.md").read_text(encoding="utf-8")
    figures, mark = card.metrics[measured], measured.replace("_", "-")

    def table(name: str) -> list[list[str]]:
        lines = text.split(f"<!-- {name} -->")[1].split(f"<!-- end of {name} -->")[0].splitlines()
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
        return rows[2:]

    counts = figures["confusion"]["counts"]
    for row, name, numbers in zip(table(mark), figures["sensitivity"], counts, strict=True):
        assert row[:6] == [name, *map(str, numbers)]
        assert row[6:] == [
            f"{figures['sensitivity'][name]:.1%}",
            "{:.1%} to {:.1%}".format(*figures["sensitivity_interval"][name]),
        ]
    for key in ("by_kind", "by_source"):
        expected = [[name, *(f"{share:.1%}" for share in shares.values())] for name, shares in figures[key].items()]
        assert table(f"{mark}-{key.replace('_', '-')}") == expected


def test_the_demo_model_passes_the_self_test_of_its_card():
    assert "passed" in wp.open_model("demo").card.provenance.self_test


def test_all_sample_images_together_stay_small():
    assert sum(path.stat().st_size for path in sample_images()) < 500_000
