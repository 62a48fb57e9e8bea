"""What was published about a model is read with true classes as rows, whoever wrote it."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_webipred as wp
from cohorts import exclusive, several
from napari_webipred.card import ModelCard
from napari_webipred.catalogue import local_model, side_files
from napari_webipred.catalogue.providers import zenodo as providers
from napari_webipred.cli import main
from napari_webipred.errors import OptionError
from napari_webipred.evaluation import performance, webipred
from napari_webipred.evaluation.evaluation import evaluated
from napari_webipred.evaluation.metric import named
from zenodo_server import ZenodoServer, model_zip

NAMES = ("NORMAL", "PNEUMONIA")


def model_16() -> dict[str, Any]:
    """The numbers that WebIPred publishes of its model 16, as far as they are known."""
    counts = {"NORMAL": [317, 18], "PNEUMONIA": [0, 837]}  # assigned outside, true inside
    matrix = [
        {"name": assigned, "series": [{"name": true, "value": n} for true, n in zip(NAMES, row, strict=True)]}
        for assigned, row in counts.items()
    ]

    def each(first: float, second: float) -> list[dict[str, Any]]:
        pairs = zip(NAMES, (first, second), strict=True)
        return [{"name": name, "series": [{"name": "JavaScript", "value": value}]} for name, value in pairs]

    return {
        "confusion_matrix_raw": matrix,
        "recall": each(1.0, 0.978947),
        "fnr": each(0.0, 0.021053),
        "fdr": each(0.053731, 0.0),
        "auc": each(0.999233, 0.999233),
        "distribution": [{"name": "NORMAL", "value": 317}, {"name": "PNEUMONIA", "value": 855}],
        "duration": [{"name": "Preprocessing", "series": [{"name": "JavaScript", "value": "8937.00000"}]}],
        "roc": [
            {"name": "NORMAL", "series": [{"name": 0, "value": 0}, {"name": 0.02, "value": 1}, {"name": 1, "value": 1}]}
        ],
        "raw": {},
    }


def test_the_outer_name_of_webipreds_matrix_is_the_assigned_class() -> None:
    found = webipred.read(model_16(), "JavaScript")
    assert found.confusion is not None
    assert found.confusion.tolist() == [[317, 0], [18, 837]]  # 18 with pneumonia were called normal
    assert named(found.metrics, "accuracy").value == pytest.approx(0.984642, abs=1e-6)
    assert named(found.metrics, "sensitivity", "PNEUMONIA").value == 0.978947
    assert named(found.metrics, "sensitivity", "PNEUMONIA").low == pytest.approx(0.967, abs=1e-3)
    assert named(found.metrics, "precision", "NORMAL").value == pytest.approx(1 - 0.053731)
    assert found.milliseconds == {"Preprocessing": 8937}
    assert found.distribution == {"NORMAL": 317, "PNEUMONIA": 855}
    assert found.roc["NORMAL"].x.tolist() == [0, 0.02, 1]


def test_the_card_of_that_model_says_the_same() -> None:
    (card,) = wp.list_models("chest x-ray")
    found = performance.of(card)
    assert [each.source for each in found] == ["JavaScript", "Python"]
    assert found[0].confusion is not None
    assert found[0].confusion.tolist() == [[317, 0], [18, 837]]
    assert named(found[1].metrics, "auc").value == 0.99924
    assert named(found[0].metrics, "sensitivity", "PNEUMONIA").value == pytest.approx(837 / 855)


def test_what_is_written_in_webipreds_format_is_read_again() -> None:
    cohort = exclusive(80, 3)
    own = evaluated(cohort, draws=5)
    found = webipred.read(json.loads(json.dumps(webipred.as_json(cohort, own.metrics, "own"))), "own")
    assert found.confusion is not None
    assert found.confusion.tolist() == own.confusion.to_numpy().tolist()
    for metric in ("sensitivity", "specificity", "precision", "accuracy", "f1", "auc"):
        for name in cohort.classes:
            assert named(found.metrics, metric, name).value == pytest.approx(own.metric(metric, name).value)
    area = np.trapezoid(found.roc["b"].y, found.roc["b"].x)
    assert area == pytest.approx(own.metric("auc", "b").value)


def test_published_figures_of_several_classes_at_once_count_images_and_not_labels() -> None:
    cohort = several(80, 3)
    own = evaluated(cohort, draws=5)
    written = json.loads(json.dumps(webipred.as_json(cohort, own.metrics, "own")))
    found = webipred.read(written, "own")
    for metric in ("sensitivity", "specificity", "accuracy"):
        one, other = named(found.metrics, metric, "b"), own.metric(metric, "b")
        assert (one.n, one.low, one.high) == (other.n, pytest.approx(other.low), pytest.approx(other.high))
    unknown = webipred.read({**written, "raw": {}}, "own")
    assert math.isnan(named(unknown.metrics, "specificity", "b").low)
    assert named(unknown.metrics, "sensitivity", "b").n == own.metric("sensitivity", "b").n


@pytest.mark.parametrize(
    "change",
    [
        {"recall": []},
        {"recall": "x"},
        {"confusion_matrix_raw": [{"name": "NORMAL", "series": [{"name": "cow", "value": 1}]}]},
        {"confusion_matrix_raw": [{"name": "NORMAL", "series": [{"name": "NORMAL", "value": -1}]}]},
        {"distribution": [{"name": "NORMAL", "value": "many"}]},
        {"roc": [{"name": "NORMAL", "series": [{"name": "left", "value": 1}]}]},
    ],
)
def test_metrics_in_another_format_are_an_error_with_words(change: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="not in the format of WebIPred"):
        webipred.read({**model_16(), **change}, "JavaScript")


def test_files_beside_a_model_complete_its_card() -> None:
    files = {
        "model.onnx": b"",
        "metrics-javascript.json": json.dumps(model_16()).encode(),
        "metrics-python.json": json.dumps({**model_16(), "auc": []}).encode(),
    }
    card = side_files.completed(local_model.card_of_path(Path("model.onnx")), files, "model.onnx")
    assert card.class_names == []  # they say how good a model is, not what its classes are
    first, second = performance.of_card(ModelCard.model_validate(card.model_dump(mode="json")))
    assert (first.source, second.source) == ("JavaScript", "Python")
    assert named(first.metrics, "auc", "NORMAL").value == 0.999233
    assert first.roc["NORMAL"].x.tolist() == [0, 0.02, 1]
    assert [each.source for each in performance.of(card, files)] == ["JavaScript", "Python"]  # each once
    own = card.model_copy(update={"metrics": {"accuracy": 0.5}})
    assert side_files.completed(own, files, "model.onnx").metrics == {"accuracy": 0.5}


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b'{"loss": [0.3]}', b'{"recall": [1]}', b'{"recall": [' + b"1," * 2**20]
)
def test_another_file_of_that_name_does_no_harm(content: bytes) -> None:
    card = side_files.completed(local_model.card_of_path(Path("m.onnx")), {"metrics.json": content}, "m.onnx")
    assert performance.of_card(card) == []


def test_metrics_in_the_record_of_a_model_are_read_with_it(zenodo: ZenodoServer) -> None:
    zenodo.publish(
        "123", {"m_model_converted.zip": model_zip(), "metrics-python.json": json.dumps(model_16()).encode()}
    )
    card = providers.resolve(providers.parse("10.5281/zenodo.123"))
    (found,) = performance.of_card(card)
    assert found.source == "Python"
    assert found.distribution == {"NORMAL": 317, "PNEUMONIA": 855}


def test_the_command_shows_the_card_and_the_files_beside_a_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_webipred.cache import index, store

    demo = index.find("demo")
    assert demo is not None
    path = store.path_of(demo)
    assert path is not None
    folder = tmp_path / "model"
    if path.is_dir():
        shutil.copytree(path, folder)
    else:
        folder.mkdir()
        shutil.copy(path, folder)
    (folder / "metrics-javascript.json").write_text(json.dumps(model_16()), encoding="utf-8")
    model = str(folder)
    assert main(["models", model, "--performance", "--output", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "Published performance: JavaScript" in out
    assert "PNEUMONIA        18      837" in out
    assert "Sensitivity: Of the images that have the class" in out
    names = {each.name for each in (tmp_path / "out").iterdir()}
    assert {"javascript-confusion-rows.svg", "javascript-roc.png", "javascript-metrics.csv", "bars-auc.png"} <= names
    assert main(["models", "webipred-15", "--performance"]) == 2
    assert "Nothing was published" in capsys.readouterr().err
    assert main(["models", "nothing", "--performance"]) == 2
    assert main(["models", "demo"]) == 2
