from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

pytest.importorskip("qtpy.QtWidgets", exc_type=ImportError)

from napari_webipred._napari.evaluation import run_predictions
from napari_webipred._napari.evaluation.class_mapping import differing, likely
from napari_webipred._napari.evaluation.comparison import comparing
from napari_webipred._napari.evaluation.comparison_plots import comparison_plots
from napari_webipred._napari.evaluation.ensemble_run import ensemble_run
from napari_webipred._napari.evaluation.fits import fit_plots
from napari_webipred._napari.evaluation.grouping import group_of, grouped, grouped_by_table
from napari_webipred._napari.evaluation.line_table import parts, shared_width, unbroken
from napari_webipred._napari.evaluation.run_predictions import (
    evaluating_run,
    from_answers,
    from_features,
    from_folders,
    predictions_of,
)
from napari_webipred.card import ClassEntry, ModelCard
from napari_webipred.errors import OptionError
from napari_webipred.results.inputs import ImageInput, Inputs, ModelInput, Parts, RegionInput
from napari_webipred.results.prediction import as_cell
from napari_webipred.results.probabilities import assigned
from napari_webipred.results.row import Row
from napari_webipred.results.session_table import SessionTable


def session(given, *, task="multi-class", files=(), axes=(), positions=None, regions=None):
    """A table with an earlier run of one row, and a run of these probabilities; None: the image failed."""
    classes = len(next(each for each in given if each is not None))
    card = ModelCard.model_validate(
        {
            "id": "m",
            "name": "m",
            "task": task,
            "classes": [{"index": index, "name": "abc"[index]} for index in range(classes)],
            "input": {"width": 4, "height": 4, "channels": 3},
            "preprocessing": {"standardize_mode": "none"},
        }
    )
    table = SessionTable()
    table.append(table.begin(card, "", {"threshold": 0.5}, (), 1), [Row(0, "earlier", probabilities=np.zeros(classes))])
    images = tuple(ImageInput(f"image{n}", f"image{n}", path) for n, path in enumerate(files))
    run = table.begin(card, "sum", {"threshold": 0.5}, axes, len(given), inputs=Inputs(ModelInput("m"), images))
    rows = [
        Row(
            n if files else 0,
            f"image{n}" if files or positions is None else "stack",
            positions[n] if positions else {},
            probabilities=None if numbers is None else np.array(numbers, np.float32),
            assigned=() if numbers is None else assigned(np.array(numbers, np.float32), card, 0.5),
            region=regions[n] if regions else "",
        )
        for n, numbers in enumerate(given)
    ]
    table.append(run, rows)
    return table, run


def outcome_of(table, run, known, **more):
    steps = evaluating_run(table, run, known, **more)
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            return finished.value


def test_a_run_is_evaluated_without_its_deleted_and_failed_rows_and_cells_know_their_rows():
    table, run = session([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], None, [0.6, 0.4]])
    table.delete([2])
    found = outcome_of(table, run, from_answers({1: ("a",), 2: ("a",), 3: ("b",), 4: ("b",), 5: ("b",)}))
    cohort = found.evaluation.cohort
    assert found.evaluation.confusion.to_numpy().tolist() == [[1, 0], [1, 1]]
    assert found.numbers[found.evaluation.rows(1, 0)].tolist() == [5]
    assert [(each.image, each.reason) for each in cohort.unmatched] == [("image3", "failed")]


def test_thresholds_and_calibration_are_fitted_on_request_and_shown_as_tables():
    given = [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.55, 0.45], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8], [0.6, 0.4]]
    table, run = session(given)
    answers = from_answers({number: ("aaabbbba"[number - 1],) for number in range(1, 9)})
    assert fit_plots(outcome_of(table, run, answers).evaluation) == []
    found = outcome_of(table, run, answers, rule="youden", calibrate=True)
    thresholds, calibration = fit_plots(found.evaluation)
    (line,) = thresholds.lines("")[1:]
    assert line[:2] == ["b", "0.4250"]
    assert line[2].endswith("fitted 1.000")
    assert thresholds.numbers()[0][:2] == ["class", "threshold"]
    assert [line[0] for line in calibration.lines("")[1:]] == ["Log loss", "Brier score", "Calibration error"]


def test_a_threshold_that_was_changed_after_the_run_counts():
    table, run = session([[0.9, 0.6], [0.4, 0.2]], task="multi-label")
    assert predictions_of(table, run).predictions.assigned.tolist() == [[True, True], [False, False]]
    table.set_threshold(run, 0.3)
    assert predictions_of(table, run).predictions.assigned.tolist() == [[True, True], [True, False]]


@pytest.mark.parametrize("named", [["image0", "image1"], ["1.png", "2.png"], ["/data/a/1.png", "/data/b/2.png"]])
def test_labels_name_images_as_the_table_does_or_by_their_files(named, tmp_path):
    table, run = session([[0.9, 0.1], [0.2, 0.8]], files=["/data/a/1.png", "/data/b/2.png"])
    path = tmp_path / "labels.csv"
    path.write_text("image,label,patient\n" + "".join(f"{name},{'ab'[n]},p\n" for n, name in enumerate(named)))
    found = outcome_of(table, run, run_predictions.from_file(path, "patient"), grouped_by="patient")
    assert found.evaluation.metric("accuracy").value == 1
    assert found.evaluation.cohort.grouped_by == "patient"
    assert found.evaluation.made["truth"]["file"] == str(path)


def test_the_folders_of_the_files_are_labels():
    table, run = session([[0.9, 0.1], [0.2, 0.8]], files=["/data/a/1.png", "/data/b/2.png"])
    assert outcome_of(table, run, run_predictions.from_folders).evaluation.metric("accuracy").value == 1


def test_planes_are_labelled_one_by_one():
    table, run = session([[0.9, 0.1], [0.2, 0.8]], axes=("z",), positions=[{"z": 0}, {"z": 1}])
    found = outcome_of(table, run, from_answers({1: ("a",), 2: ("a",)}))
    assert found.evaluation.cohort.truth.tolist() == [[True, False], [True, False]]
    assert found.evaluation.cohort.assigned.tolist() == [[True, False], [False, True]]


def test_features_label_the_regions_of_a_layer_or_the_images_that_they_name():
    table, run = session([[0.9, 0.1], [0.2, 0.8]], regions=["1", "2"])
    truth = {"kind": ["b", "b", float("nan")]}
    found = outcome_of(table, run, from_features(truth, ["1", "2", "3"], "kind", "", "cells"))
    assert found.evaluation.confusion.to_numpy().tolist() == [[0, 0], [1, 1]]
    table, run = session([[0.9, 0.1], [0.2, 0.8]])
    named = {"image": ["image1", "image0"], "kind": ["b", "a"]}
    assert (
        outcome_of(table, run, from_features(named, None, "kind", "", "points")).evaluation.metric("accuracy").value
        == 1
    )
    empty = {"image": ["image0", "elsewhere/image0", "image1"], "kind": [pd.NA, "a", "b"]}
    assert outcome_of(table, run, from_features(empty, None, "kind", "", "points")).evaluation.cohort.images == (
        "image1",
    )
    with pytest.raises(OptionError, match="do not say which images"):
        outcome_of(table, run, from_features(truth, ["1", "2", "3"], "kind", "", "cells"))


def test_values_and_empty_runs_are_refused_in_words():
    table, run = session([[0.9, 0.1]], task="regression")
    with pytest.raises(OptionError, match="values, not classes"):
        predictions_of(table, run)
    table, run = session([[0.9, 0.1]])
    table.delete([1])
    with pytest.raises(OptionError, match="no rows"):
        predictions_of(table, run)


def test_a_missing_file_is_named(tmp_path: Path):
    table, run = session([[0.9, 0.1]])
    with pytest.raises(OptionError, match=r"gone\.csv cannot be read"):
        outcome_of(table, run, run_predictions.from_file(tmp_path / "gone.csv", ""))


def compared(table, *runs, mapping=None):
    return drained(comparing(table, runs, mapping))


def drained(steps):
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            return finished.value


def test_two_runs_are_compared_image_by_image_and_the_largest_disagreement_comes_first():
    table, other = session([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], None])
    run = table.begin(other.card, "", {"threshold": 0.5}, (), 3)
    said = {"image2": [0.25, 0.75], "image0": [0.0, 1.0], "image1": [0.6, 0.4], "new": [0.5, 0.5]}
    table.append(
        run,
        [
            Row(0, name, probabilities=np.array(each, np.float32), assigned=(int(np.argmax(each)),))
            for name, each in said.items()
        ],
    )
    found = compared(table, other, run)
    assert found.summary.startswith(
        "3 images in both runs. Same class: 66.7%, kappa 0.400. Left out, only in one run: 2"
    )
    plots = {plot.key: plot for plot in comparison_plots(found)}
    assert plots["apart"].lines("") == [
        ["Image", "Apart", "2: m", "3: m"],
        ["image0", "0.900", "a", "b"],
        ["image1", "0.200", "a", "a"],
        ["image2", "0.050", "b", "b"],
    ]
    assert plots["apart"].rows("") == [[1, 6], [2, 7], [3, 5]]
    matrix = plots["classes"].parts("raw")[0].matrix
    assert matrix.counts == [[1, 1], [0, 1]]
    assert matrix.rows(0, 1).tolist() == [1, 6]


def two_runs(*first: ImageInput, other: tuple[ImageInput, ...], region: str = ""):
    """A table with two runs over images that have the same names."""
    table, run = session([[0.9, 0.1]])
    rows = [
        Row(n, image.name, probabilities=np.array([0.9, 0.1], np.float32), assigned=(0,), region=region)
        for n, image in enumerate(first)
    ]
    runs = []
    for images in (first, other):
        given = Inputs(ModelInput("m"), images)
        runs.append(table.begin(run.card, "", {"threshold": 0.5}, (), len(rows), inputs=given))
        table.append(runs[-1], rows)
    return table, runs


def test_files_of_one_name_in_two_runs_are_not_compared_if_both_are_there(tmp_path):
    paths = [tmp_path / folder / "1.png" for folder in ("p1", "p2")]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(b"")
    one, other = (ImageInput("1", "1", str(path)) for path in paths)
    same = ImageInput("2", "2", str(paths[0]))
    linked = ImageInput("2", "2", str(tmp_path / "link.png"))
    (tmp_path / "link.png").symlink_to(paths[0])
    table, runs = two_runs(one, same, other=(other, linked))
    found = compared(table, *runs)
    assert found.summary.startswith("1 image in both runs.")
    assert found.summary.endswith(" Left out, other images of the same name: 1.")
    table, runs = two_runs(one, other=(other,))
    with pytest.raises(OptionError, match="they are not the same images"):
        compared(table, *runs)
    paths[1].unlink()  # as after a session was moved to another computer
    assert compared(table, *runs).summary.startswith("1 image in both runs.")


@pytest.mark.parametrize(
    ("one", "other", "images"),
    [
        ({"instances": "1"}, {"instances": "2"}, 0),
        ({"instances": "1", "shape": (4, 4)}, {"instances": "1"}, 1),
        ({"shape": (4, 4)}, {"shape": (4, 5)}, 0),
        ({"shape": (4, 4)}, {}, 1),
        ({"parts": (0, 0, 4, 4)}, {"parts": (0, 0, 4, 5)}, 0),
        ({"parts": (0, 0, 4, 4)}, {"parts": (0, 0, 4, 4)}, 1),
        ({"parts": (0, 0, 4, 4)}, {}, 1),
    ],
)
def test_images_and_regions_of_one_name_that_differ_are_not_compared(one, other, images):
    given = [
        ImageInput("1", "1", **{**said, "parts": Parts((), regions=(RegionInput("cell", said["parts"]),))})
        if "parts" in said
        else ImageInput("1", "1", **said)
        for said in (one, other)
    ]
    table, runs = two_runs(given[0], other=(given[1],), region="cell")
    if images:
        assert compared(table, *runs).summary.startswith("1 image in both runs.")
    else:
        with pytest.raises(OptionError, match="they are not the same images"):
            compared(table, *runs)


def test_runs_without_a_common_image_or_with_other_classes_are_not_compared():
    table, other = session([[0.9, 0.1]])
    run = table.begin(other.card, "", {"threshold": 0.5}, (), 1)
    table.append(run, [Row(0, "another", probabilities=np.array([0.5, 0.5], np.float32))])
    with pytest.raises(OptionError, match="no image in common"):
        compared(table, other, run)
    more = session([[0.9, 0.1, 0.0]])[1]
    three = table.begin(more.card, "", {"threshold": 0.5}, (), 1)
    table.append(three, [Row(0, "image0", probabilities=np.array([0.5, 0.5, 0], np.float32))])
    with pytest.raises(OptionError, match="different classes"):
        compared(table, other, three)


def test_classes_that_are_called_differently_are_mapped_and_those_of_one_name_added():
    table, other = session([[0.9, 0.1], [0.2, 0.8], [0.45, 0.55]])  # classes a and b
    names = ["A ", "bad", "worse"]
    card = other.card.model_copy(
        update={"classes": tuple(ClassEntry(index=index, name=name) for index, name in enumerate(names))}
    )
    run = table.begin(card, "", {"threshold": 0.5}, (), 3)
    given = [[0.5, 0.25, 0.25], [0.4, 0.3, 0.3], [0.9, 0.1, 0.0]]
    rows = [Row(0, f"image{n}", probabilities=np.array(p, np.float32), assigned=(0,)) for n, p in enumerate(given)]
    table.append(run, [replace(row, image=table.rows[n + 1].image) for n, row in enumerate(rows)])
    (asked,) = differing([other, run])
    assert (asked.run, asked.other, asked.names) == (run, other, tuple(run.classes))
    assert [likely(name, tuple(other.classes)) for name in run.classes] == ["a", "", ""]
    with pytest.raises(OptionError, match="different classes"):
        compared(table, other, run, mapping={run.number: {run.classes[0]: "a"}})
    found = compared(table, other, run, mapping={run.number: {run.classes[0]: "a", "bad": "b", "worse": "b"}})
    np.testing.assert_allclose(found.opinions.probabilities[1], [[0.5, 0.5], [0.4, 0.6], [0.9, 0.1]], atol=1e-6)
    assert found.opinions.assigned[1].argmax(1).tolist() == [0, 1, 0]  # 0.3 and 0.3 are more than 0.4
    assert found.opinions.classes == ("a", "b")


def three_runs():
    """Three runs over the same images; the last one calls its classes in capitals, and failed on the last image."""
    table, first = session([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8]])
    given = ([[0.6, 0.4], [0.3, 0.7], [0.1, 0.9]], [[0.3, 0.7], [0.25, 0.75], None])
    runs = [first]
    for number, numbers in enumerate(given):
        classes = first.card.classes if number == 0 else [ClassEntry(index=i, name="BA"[1 - i]) for i in range(2)]
        card = first.card.model_copy(update={"classes": tuple(classes)})
        run = table.begin(card, f"sum{number}", {"threshold": 0.5}, (), 3)
        rows = [
            Row(0, f"image{n}", error="damaged")
            if each is None
            else Row(0, f"image{n}", probabilities=np.array(each, np.float32), assigned=(int(np.argmax(each)),))
            for n, each in enumerate(numbers)
        ]
        table.append(run, rows)
        runs.append(run)
    return table, runs, {runs[2].number: {"A": "a", "B": "b"}}


def test_three_runs_are_compared_and_their_classes_mapped_for_each_run():
    table, runs, mapping = three_runs()
    assert [(each.run, each.other) for each in differing(runs)] == [(runs[2], runs[0])]
    found = compared(table, *runs, mapping=mapping)
    assert found.summary == "2 images in all 3 runs. Same class: 0.0%, kappa -0.333."
    plots = {plot.key: plot for plot in comparison_plots(found)}
    assert plots["agreement"].lines("")[5:] == [
        ["2: m and 3: m", "50.0%, kappa 0.000"],
        ["2: m and 4: m", "0.0%, kappa 0.000"],
        ["3: m and 4: m", "50.0%, kappa 0.000"],
    ]
    assert plots["classes"].variants == {"0": "2: m and 3: m", "1": "2: m and 4: m", "2": "3: m and 4: m"}
    matrix = plots["classes"].parts("1")[0].matrix
    assert (matrix.counts, matrix.sides) == ([[0, 2], [0, 0]], ("2: m", "4: m"))
    assert matrix.rows(0, 1).tolist() == [1, 2, 7, 8]


def test_an_ensemble_has_the_numbers_of_the_python_function_and_a_row_for_each_image():
    import pandas as pd

    import napari_webipred as wp

    table, runs, mapping = three_runs()
    found = compared(table, *runs, mapping=mapping)
    frames = []
    for run in runs:
        rows = [table.rows[number] for number in table.rows_of(run)]
        frames.append(
            pd.DataFrame(
                {
                    "image": [row.image for row in rows],
                    "model": f"{run.number}: m",
                    **{
                        name.lower(): [None if row.failed else row.probabilities[i] for row in rows]
                        for i, name in enumerate(run.classes)
                    },
                    "prediction": [as_cell(run.classes[i].lower() for i in row.assigned) for row in rows],
                    "error": [row.error for row in rows],
                }
            )
        )
    both = pd.concat(frames, ignore_index=True)
    for method, weights in (("mean", None), ("median", None), ("majority", None), ("weighted", [3, 2, 1])):
        expected = wp.ensemble(both, method, weights=weights)
        made = drained(ensemble_run(table, found, method, weights))
        assert [row.image for row in made.rows] == expected["image"].tolist()
        assert [row.prediction for row in made.rows] == expected["prediction"].tolist()
        np.testing.assert_array_equal(
            np.stack([row.probabilities for row in made.rows[:2]]), expected[["a", "b"]].to_numpy()[:2]
        )
        assert made.rows[2].error == "4: m has not classified the image. damaged"
        assert made.made["mapping"] == {"4: m": {"A": "a", "B": "b"}}
    assert made.made["weights"] == pytest.approx({"2: m": 1 / 2, "3: m": 1 / 3, "4: m": 1 / 6})
    with pytest.raises(OptionError, match="do not fit 3 models"):
        drained(ensemble_run(table, found, "weighted", [1, 2]))


@pytest.mark.parametrize(
    ("kind", "path", "group"),
    [
        ("folder", "/data/p1/a.png", "/data/p1"),
        ("above", "/data/p1/normal/a.png", "/data/p1"),
        ("above", r"C:\data\p1\normal\a.png", "C:/data/p1"),
        ("name", "/data/x/person12_bacteria_3.jpeg", "person12"),
        ("name", "/other/person12-7.jpeg", "person12"),
        ("name", "_x.png", "_x.png"),
        ("folder", "layer", "layer"),
        ("above", "a/b.png", "a/b.png"),
    ],
)
def test_the_path_of_an_image_says_what_it_belongs_to(kind, path, group):
    assert group_of(path, kind) == group


def test_answers_and_folders_are_grouped_by_paths_on_request():
    files = [f"/data/p{n // 2}/{'ab'[n % 2]}/{n}.png" for n in range(6)]
    table, run = session([[0.9, 0.1], [0.2, 0.8]] * 3, files=files)
    answers = from_answers({n + 1: ("ab"[n % 2],) for n in range(6)})
    for known in (answers, from_folders):
        found = outcome_of(table, run, grouped(known, "above"), grouped_by="images of the folder above")
        assert found.evaluation.cohort.groups.tolist() == [0, 0, 1, 1, 2, 2]
        assert found.evaluation.made["groups"] == "images of the folder above"


def test_answers_and_folders_are_grouped_by_a_table(tmp_path: Path):
    files = [f"/data/{'ab'[n % 2]}/{n}.png" for n in range(6)]
    table, run = session([[0.9, 0.1], [0.2, 0.8]] * 3, files=files)
    path = tmp_path / "patients.csv"
    path.write_text("patient;file name\np;0.png\np;3.png\nq;1.png\nq;2.png\nr;5.png\n")  # there is none for 4
    answers = from_answers({n + 1: ("ab"[n % 2],) for n in range(6)})
    for known in (answers, from_folders):
        found = outcome_of(table, run, grouped_by_table(known, path, "patient"), grouped_by="patient")
        assert found.evaluation.cohort.groups.tolist() == [0, 1, 1, 0, 2, 3]
        assert found.evaluation.made["groups"]["column"] == "patient"
    for content, why in (
        ("image,patient\nx.png,p\n", "no group of any image"),
        ("image,patient\n0.png,p\n0.png,q\n", r"several groups of 0\.png: p and q"),
        ("image,person\n0.png,p\n", "no column patient"),
    ):
        path.write_text(content)
        with pytest.raises(OptionError, match=why):
            outcome_of(table, run, grouped_by_table(answers, path, "patient"), grouped_by="patient")


def test_two_layers_of_one_file_have_the_group_of_the_file(tmp_path):
    table, run = session([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], files=["/x/1.png", "/x/1.png", "/x/2.png"])
    path = tmp_path / "groups.csv"
    path.write_text("image,patient\n1.png,p\n2.png,q\n")
    answers = from_answers({1: ("a",), 2: ("b",), 3: ("b",)})
    found = outcome_of(table, run, grouped_by_table(answers, path, "patient"), grouped_by="patient")
    assert found.evaluation.cohort.groups.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("there", "widths"), [(400, [100, 200]), (300, [100, 200]), (200, [75, 125]), (100, [50, 50]), (60, [50, 50])]
)
def test_columns_share_the_width_that_there_is(there, widths):
    assert shared_width(there, [100, 200], [50, 50]) == widths


def test_intervals_stay_in_one_line():
    assert parts("0.560 (0.480 to 0.637) fitted 0.9") == ["0.560", "(0.480 to 0.637)", "fitted", "0.9"]
    assert unbroken("0.560 (0.480 to 0.637) fitted") == "0.560 (0.480\u00a0to\u00a00.637) fitted"
