"""Results come out of files, and evaluations go into files."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

import napari_webipred as wp
from cohorts import exclusive, several
from napari_webipred.cli import main
from napari_webipred.errors import OptionError
from napari_webipred.evaluation import drawings, webipred
from napari_webipred.evaluation.evaluation import evaluated
from napari_webipred.evaluation.predictions import of_file, of_frame


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_results_are_read_with_their_planes_and_failed_rows(tmp_path: Path) -> None:
    text = "image,z,a,b,prediction,error\nNA,0,0.9,0.1,a,\nNA,1,0.30000001,0.7,b,\nx.png,,,,,broken\n"
    found, record = of_file(written(tmp_path / "r.csv", text))
    assert found.images == ["NA", "NA", "x.png"]
    assert (found.axes, found.places) == (("z",), [("0",), ("1",), ("",)])
    assert found.classes == ("a", "b")
    assert found.task == "multi-class"
    assert found.probabilities[1, 0] == np.float32(0.30000001)
    assert np.isnan(found.probabilities[2]).all()
    assert found.assigned.tolist() == [[True, False], [False, True], [False, False]]
    assert record == {}


def test_predictions_with_several_classes_are_taken_apart() -> None:
    frame = pd.DataFrame(
        {"image": ["1", "2"], "a": [0.9, 0.1], "b; c": [0.8, 0.2], "d": [0.1, 0.3], "prediction": ["a; b; c", ""]}
    )
    found = of_frame(frame)
    assert found.task == "multi-label"
    assert found.assigned.tolist() == [[True, True, False], [False, False, False]]
    with pytest.raises(OptionError, match="names no class"):
        of_frame(frame.assign(prediction="z"))


@pytest.mark.parametrize("zero", ["0.0", "0"])
@pytest.mark.parametrize("empty", [0, 1, 2])
def test_a_class_without_any_probability_is_a_class_all_the_same(tmp_path: Path, zero: str, empty: int) -> None:
    """Without a record, a table does not say which of its columns are classes."""
    lines = [["0.3", "0.7"], ["0.6", "0.4"]]
    for line in lines:
        line.insert(empty, zero)
    text = "".join(f"{i}.png,{','.join(line)},{'abc'[(empty + 1) % 3]},\n" for i, line in enumerate(lines))
    found, _ = of_file(written(tmp_path / "r.csv", f"image,a,b,c,prediction,error\n{text}"))
    if zero == "0" and empty == 0:  # it can be the places along an axis
        assert (found.axes, found.classes) == (("a",), ("b", "c"))
    else:
        assert (found.axes, found.classes) == ((), ("a", "b", "c"))


def test_a_column_of_whole_numbers_that_a_prediction_names_is_a_class(tmp_path: Path) -> None:
    text = "image,a,b,c,prediction,error\nx,1,0,0,a,\ny,0,0.25,0.75,c,\n"
    assert of_file(written(tmp_path / "r.csv", text))[0].classes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no table of results"), ("name,a\nx,1\n", "no column image"), ("image,n\nx,7\n", "no column with the")],
)
def test_files_that_are_no_results_are_an_error_with_words(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        of_file(written(tmp_path / "r.csv", text))


def test_the_metrics_of_webipred_have_the_assigned_class_outside_and_the_true_one_inside() -> None:
    cohort = exclusive(60, 3)
    found = webipred.as_json(cohort, evaluated(cohort, draws=5).metrics, "napari-webipred")
    assert sorted(found) == sorted(
        [f"confusion_matrix_{mode}" for mode in ("raw", "rows", "cols", "all")]
        + ["recall", "specificity", "precision", "accuracy", "f1", "fdr", "fnr", "fpr", "auc"]
        + ["distribution", "duration", "roc", "raw"]
    )
    true, assigned = cohort.truth.argmax(1), cohort.assigned.argmax(1)
    cell = found["confusion_matrix_raw"][1]["series"][2]
    assert found["confusion_matrix_raw"][1]["name"] == "b"
    assert (cell["name"], cell["value"]) == ("c", ((assigned == 1) & (true == 2)).sum())
    for mode, total in {"rows": (true == 2).sum(), "cols": (assigned == 1).sum(), "all": 60}.items():
        part = found[f"confusion_matrix_{mode}"][1]["series"][2]["value"]
        assert part == pytest.approx(cell["value"] / total), mode
    entries = list(found["raw"].values())
    assert [entry["metric"] for entry in entries[:13]] == list(webipred.RAW)
    assert len(entries) == 39
    outside = sum(each["value"] for each in found["confusion_matrix_raw"][1]["series"] if each["name"] != "b")
    assert entries[13 + 2]["score"] == outside  # FP of b
    curve = [(point["name"], point["value"]) for point in found["roc"][0]["series"]]
    assert (curve[0], curve[-1]) == ((0, 0), (1, 1))
    area = np.trapezoid([y for _, y in curve], [x for x, _ in curve])
    assert area == pytest.approx(found["auc"][0]["series"][0]["value"])


def test_images_of_none_or_several_classes_count_in_the_shares_that_webipred_shows() -> None:
    cohort = exclusive(60, 3)
    cohort.assigned[:20] = False
    cohort.assigned[20:25] = True
    metrics = evaluated(cohort, draws=5).metrics
    found = webipred.as_json(cohort, metrics, "own")
    truth, alone = cohort.truth[:, 1], cohort.assigned[:, 1] & (cohort.assigned.sum(1) == 1)
    for mode, total in {"rows": truth.sum(), "all": 60}.items():
        part = found[f"confusion_matrix_{mode}"][1]["series"][1]["value"]
        assert part == pytest.approx((truth & alone).sum() / total), mode


def test_an_evaluation_is_saved_whole_and_replaces_only_an_evaluation(tmp_path: Path) -> None:
    cohort = replace(exclusive(40, 3), classes=("=a", "b", "c"))
    found = evaluated(cohort, draws=20)
    found.save(tmp_path / "out", figures=False)
    found.save(tmp_path / "out", figures=False)
    with (tmp_path / "out" / "metrics.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(found.metrics)
    assert lines[0]["metric"] == "accuracy"
    assert float(lines[0]["low"]) == found.metric("accuracy").low
    assert "'=a" in {line["class"] for line in lines}
    record = json.loads((tmp_path / "out" / "evaluation.json").read_bytes())
    assert (record["rows"], record["draws"], record["seed"]) == (40, 20, 0)
    json.loads((tmp_path / "out" / "metrics-webipred.json").read_bytes())
    (tmp_path / "photos").mkdir()
    written(tmp_path / "photos" / "x.txt", "x")
    with pytest.raises(OptionError, match="holds other files"):
        found.save(tmp_path / "photos")


def test_nothing_of_an_earlier_evaluation_stays_beside_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "thresholds.csv").write_text("of the user")
    evaluated(several(40, 2), draws=10).save(tmp_path, figures=False, may_replace=lambda folder: True)
    assert (tmp_path / "thresholds.csv").read_text() == "of the user"  # there was no evaluation before
    first = evaluated(exclusive(40, 3), draws=10, rule="youden", calibrate=True)
    pictures = {path.name for path in first.save(tmp_path) if path.suffix in {".png", ".svg"}}
    assert pictures == {f"{name}.{suffix}" for name in drawings.NAMES for suffix in drawings.SUFFIXES}
    (tmp_path / "notes.txt").write_text("of the user")
    written = evaluated(several(40, 2), draws=10).save(tmp_path, figures=False)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in written} | {"notes.txt"}


def test_a_folder_of_other_files_is_written_to_only_when_the_user_says_so(tmp_path: Path) -> None:
    results, folder = tmp_path / "results.csv", tmp_path / "photos"
    written(results, "image,cat,dog,prediction,error\ncat/1.png,0.9,0.1,cat,\ndog/2.png,0.2,0.8,dog,\n")
    folder.mkdir()
    written(folder / "x.txt", "x")
    command = ["evaluate", str(results), "--truth-from-folders", "--draws", "5", "--output", str(folder)]
    assert main(command) == 2
    assert [path.name for path in folder.iterdir()] == ["x.txt"]
    assert main([*command, "--overwrite"]) == 0
    assert {"x.txt", "metrics.csv"} <= {path.name for path in folder.iterdir()}


def test_what_is_not_defined_is_empty_in_csv_and_null_in_json(tmp_path: Path) -> None:
    cohort = exclusive(20, 2)
    found = evaluated(replace(cohort, truth=np.tile([True, False], (20, 1))), draws=5)
    found.save(tmp_path / "out", figures=False)
    assert math.isnan(found.metric("auc", "a").value)
    frame = pd.read_csv(tmp_path / "out" / "metrics.csv")
    assert frame[(frame["metric"] == "auc")]["value"].isna().all()
    assert json.loads((tmp_path / "out" / "metrics-webipred.json").read_bytes())["auc"][0]["series"][0]["value"] is None


def test_the_command_prints_the_numbers_of_python_and_says_what_does_not_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        f"f/{name}/{i}.png,{p},{1 - p:.1f},{'cat' if p > 0.5 else 'dog'},"
        for i, (name, p) in enumerate(
            [("cat", 0.9), ("dog", 0.1), ("cat", 0.4), ("dog", 0.2), ("cat", 0.7), ("cow", 0.7)]
        )
    ]
    results = written(tmp_path / "r.csv", "\n".join(["image,cat,dog,prediction,error", *lines, ""]))
    assert main(["evaluate", str(results), "--truth-from-folders", "--output", str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    labels = {f"f/cat/{i}.png": "cat" for i in (0, 2, 4)} | {f"f/dog/{i}.png": "dog" for i in (1, 3)}
    found = wp.evaluate(results, labels).metric("accuracy")
    assert f"accuracy              {found.value:.3f}  ({found.low:.3f} to {found.high:.3f})" in out
    assert "labels that are no class of the model: 1 (f/cow/5.png)" in err
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"roc.png", "roc.svg", "confusion-columns.svg", "reliability.png", "bars-auc.png", "rows.csv"} <= names
    saved = pd.read_csv(tmp_path / "out" / "metrics.csv")
    assert saved["value"][0] == found.value


def test_groups_come_from_a_column_that_is_there(tmp_path: Path) -> None:
    results = written(tmp_path / "r.csv", "image,a,b,prediction,error\n1,0.9,0.1,a,\n2,0.1,0.9,b,\n3,0.2,0.8,b,\n")
    labels = written(tmp_path / "t.csv", "image,label,patient\n1,a,p\n2,b,q\n3,a,q\n")
    found = wp.evaluate(results, labels, group="patient", draws=10)
    assert found.cohort.groups is not None
    assert found.cohort.groups.tolist() == [0, 1, 1]
    assert found.metric("accuracy").interval == "grouped wilson"
    with pytest.raises(OptionError, match="no column hospital"):
        wp.evaluate(results, labels, group="hospital")
