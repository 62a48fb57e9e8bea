"""From a record on (an imitated) Zenodo to a table, as a user walks it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import napari_webipred as wp
from napari_webipred import cli
from napari_webipred.samples import sample_images
from zenodo_server import CONVERTED, ZenodoServer, model_zip


@pytest.fixture
def published(zenodo: ZenodoServer) -> ZenodoServer:
    zenodo.publish("7785993", {CONVERTED: model_zip()})
    return zenodo


def test_a_model_of_the_catalogue_is_fetched_once_and_then_needs_no_network(published, tmp_path, monkeypatch):
    arguments = ["classify", str(sample_images()[0]), "--model", "webipred-16", "-o", str(tmp_path / "out.csv")]
    assert cli.main(arguments) == 0
    first = (tmp_path / "out.csv").read_bytes()
    assert first.startswith(b"image,NORMAL,PNEUMONIA,prediction,error\r\n")
    record = json.loads((tmp_path / "out.csv.json").read_text(encoding="utf-8"))
    assert record["model"]["doi"] == "10.5281/zenodo.7785993"
    assert record["preprocessing"]["standardize_mode"] == "torch"
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    assert cli.main(arguments) == 0
    assert (tmp_path / "out.csv").read_bytes() == first


@pytest.mark.parametrize("reference", ["7785993", "10.5281/zenodo.7785993", "https://zenodo.org/records/7785993"])
def test_every_way_to_name_a_record_opens_it(published, reference):
    assert wp.open_model(reference).card.id == "webipred-16"


def test_fetch_cache_and_remove_go_together(published, capsys):
    assert cli.main(["fetch", "webipred-16"]) == 0
    assert cli.main(["cache"]) == 0
    assert "webipred-16" in capsys.readouterr().out
    assert cli.main(["models", "--search", "pneumonia"]) == 0
    assert "yes" in capsys.readouterr().out
    assert cli.main(["remove", "webipred-16"]) == 0
    cli.main(["cache"])
    assert "webipred-16" not in capsys.readouterr().out


def test_off_line_a_missing_model_is_named_and_nothing_is_asked(published, monkeypatch, capsys):
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    assert cli.main(["fetch", "webipred-16"]) == 2
    assert "not on this machine" in capsys.readouterr().err


def test_nothing_but_the_cache_and_the_output_is_written(published, tmp_path):
    before = set(tmp_path.rglob("*"))
    out = tmp_path / "out.csv"
    cli.main(["classify", str(sample_images()[0]), "--model", "webipred-16", "-o", str(out)])
    written = {path.relative_to(tmp_path).parts[0] for path in set(tmp_path.rglob("*")) - before if path.is_file()}
    assert written == {"cache", "out.csv", "out.csv.json"}


def test_a_damaged_compiled_graph_is_made_anew(published, tmp_path):
    wp.open_model("webipred-16")
    (graph,) = (tmp_path / "cache" / "compiled").glob("*.onnx")
    whole = graph.read_bytes()
    graph.write_bytes(whole[: len(whole) // 2])
    assert wp.open_model("webipred-16").classes == ["NORMAL", "PNEUMONIA"]
    assert Path(graph).read_bytes() == whole


def test_a_model_means_the_same_when_it_is_opened_from_the_cache(zenodo, monkeypatch):
    """What nobody has said of a model must not be taken for said once its card lies on this machine."""
    zenodo.publish("1000001", {CONVERTED: model_zip(3, activation="sigmoid")})
    zenodo.publish("1000003", {CONVERTED: model_zip(1, activation="linear")})
    cards = [wp.open_model(number).card for number in ("1000001", "1000003")]
    assert [card.task for card in cards] == ["multi-label", "regression"]
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    for card in cards:
        again = wp.open_model(card.id)
        assert again.card.task == card.task
        assert again.remarks == [*card.provenance.assumed]
