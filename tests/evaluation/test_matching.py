"""Labels find their images, and whatever does not count is listed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

import napari_webipred as wp
from cohorts import Label, joined, table
from napari_webipred import cli
from napari_webipred.errors import OptionError
from napari_webipred.evaluation import predictions, truth
from napari_webipred.evaluation.matching import paired
from napari_webipred.names import plain


def test_the_same_path_comes_before_the_same_file_name() -> None:
    found = paired(["a/1.png", "b/1.png"], ["b/1.png", "a/1.png"]).found
    assert found == {"a/1.png": "a/1.png", "b/1.png": "b/1.png"}


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("/data/test/a/1.png", "a/1.png"),
        ("1.png", "/data/1.png"),
        (r"C:\\scans\1.png".replace("\\\\", "\\"), "scans/1.png"),
        ("'=1.png", "=1.png"),
        ("./x/1.png", "x/1.png"),
        (r"x/a\x0ab.png", "x/a\nb.png"),
    ],
)
def test_paths_that_end_alike_are_the_same_image(image: str, label: str) -> None:
    assert paired([image, "other.png"], ["another.png", label]).found == {image: label}


def test_a_file_name_that_fits_several_labels_fits_none() -> None:
    found = paired(["1.png"], ["a/1.png", "b/1.png"])
    assert not found.found
    assert found.ambiguous == {"1.png"}


def test_of_several_images_that_fit_a_label_the_longest_end_counts() -> None:
    found = paired(["/x/a/1.png", "/x/b/1.png", "c/2.png", "d/2.png"], ["a/1.png", "2.png"])
    assert found.found == {"/x/a/1.png": "a/1.png"}
    assert found.ambiguous == {"c/2.png", "d/2.png"}


def test_every_row_and_label_that_does_not_count_is_listed_with_its_reason() -> None:
    nan = float("nan")
    rows = table(
        ["1", "2", "3", "4", "5", "6"], [[0.9, 0.1], [nan, nan], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6], [0.1, 0.9]]
    )
    labels = [Label("1", ("a",)), Label("2", ("a",)), Label("4", ("z",)), Label("5", ("a",)), Label("5", ("b",))]
    found = joined(rows, [*labels, Label("6", ("B ",)), Label("7", ("b",))])
    assert found.images == ("1", "6")
    assert found.rows.tolist() == [0, 5]
    assert found.truth.tolist() == [[True, False], [False, True]]
    reasons = {(each.image, each.reason, each.row) for each in found.unmatched}
    assert reasons == {
        ("2", "failed", 1),
        ("3", "no label", 2),
        ("4", "unknown class", 3),
        ("5", "conflict", None),
        ("5", "no label", 4),
        ("7", "no row", None),
    }


def test_planes_of_an_image_have_its_label_or_their_own_and_are_a_group() -> None:
    given = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]
    rows = table(["s.tif", "s.tif", "t.tif"], given, axes=("z",), places=[("0",), ("1",), ("0",)])
    found = joined(rows, [Label("s.tif", ("a",)), Label("t.tif", ("b",))])
    assert found.truth[:, 0].tolist() == [True, True, False]
    assert found.groups is not None
    assert found.groups.tolist() == [0, 0, 1]
    assert found.grouped_by == "image"
    found = joined(rows, [Label("s.tif", ("a",), ("0",)), Label("s.tif", ("b",), ("1",))], ["z"])
    assert found.truth[:, 0].tolist() == [True, False]


def test_a_row_whose_group_is_not_known_is_a_group_of_its_own() -> None:
    rows = table(["1", "2", "3", "4"], [[0.9, 0.1]] * 4)
    labels = [Label("1", ("a",), group="p"), Label("2", ("a",)), Label("3", ("b",), group="p"), Label("4", ("b",))]
    found = joined(rows, labels, grouped_by="patient")
    assert found.groups is not None
    assert found.groups.tolist() == [0, 1, 0, 2]


def test_planes_of_an_image_whose_group_is_not_known_stay_together() -> None:
    rows = table(["s", "s", "t", "u"], [[0.9, 0.1]] * 4, axes=("z",), places=[("0",), ("1",), ("0",), ("0",)])
    labels = [Label("s", ("a",)), Label("t", ("b",), group="p"), Label("u", ("b",), group="p")]
    found = joined(rows, labels, grouped_by="patient")
    assert found.groups is not None
    assert found.groups.tolist() == [0, 0, 1, 1]


def test_labels_that_fit_nothing_are_an_error_that_shows_both_names() -> None:
    with pytest.raises(OptionError, match=r"The first row is of x\.png, and the first label of y\.png"):
        joined(table(["x.png"], [[0.9, 0.1]]), [Label("y.png", ("a",))])
    with pytest.raises(OptionError, match="The model has no class z"):
        joined(table(["x.png"], [[0.9, 0.1]]), [Label("x.png", ("z",))])


@pytest.mark.parametrize(
    "text",
    [
        "image,label\n1.png,a\n2.png,b\n",
        "\ufeffFile Name;Diagnosis\r\n1.png;A\r\n2.png;b\r\n",
        "SAMPLE,a,b\n1.png,1,0\n2.png,0,1\n",
        "id\tkind\n1.png\ta\n2.png\tb\n",
    ],
)
def test_labels_are_read_from_the_tables_that_people_have(tmp_path: Path, text: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode())
    labels, _ = truth.of(path, ["a", "b"])
    assert [(label.image, [plain(name) for name in label.classes]) for label in labels] == [
        ("1.png", ["a"]),
        ("2.png", ["b"]),
    ]


def test_what_pandas_has_for_a_missing_label_is_no_label() -> None:
    table = pd.DataFrame({"image": ["a", "b"], "label": pd.array(["x", None], dtype="string")})
    found, _ = truth.of(table, ("x", "y"))
    assert [label.classes for label in found] == [("x",), ()]


def test_an_image_with_an_empty_label_has_none_also_not_that_of_another_one() -> None:
    rows = table(["/data/p1/ct.png", "b"], [[0.9, 0.1], [0.1, 0.9]])
    cohort = joined(rows, [Label("p1/ct.png", ()), Label("p3/ct.png", ("a",)), Label("b", ("b",))])
    assert cohort.images == ("b",)
    assert [(each.image, each.reason) for each in cohort.unmatched] == [
        ("/data/p1/ct.png", "no label"),
        ("p3/ct.png", "no row"),
    ]
    with pytest.raises(OptionError, match="There are no labels"):
        joined(rows, [Label("b", ())])


def test_an_image_that_a_reader_is_unsure_of_does_not_take_the_answer_to_another_one() -> None:
    rows = table(["/data/p1/ct.png", "p2/b.png"], [[0.9, 0.1], [0.1, 0.9]])
    answers = {"image": ["p1/ct.png", "p3/ct.png", "p2/b.png"], "reader_class": ["", "a", "b"]}
    frame = pd.DataFrame(answers | {"reader_comment": "", "reader_time": "2026-01-31T10:00:00+00:00"})
    labels, _ = truth.of(frame, rows.classes)
    assert joined(rows, labels).images == ("p2/b.png",)
    of_several, _ = truth.of(frame, rows.classes, multi_label=True)
    assert [label.image for label in of_several] == ["p3/ct.png", "p2/b.png"]  # an empty one would be none of them


def test_results_without_answers_of_a_reader_are_no_labels() -> None:
    results = wp.classify(np.zeros((40, 50), np.uint8), "demo")
    with pytest.raises(OptionError, match="a table of results, but no reader has answered"):
        wp.evaluate(results, results)
    labels, _ = truth.of(results.assign(label="sharp"), wp.open_model("demo").classes)
    assert labels[0].classes == ("sharp",)


def test_several_labels_of_an_image_stand_in_one_cell() -> None:
    frame = pd.DataFrame({"image": ["1", "2"], "label": ["a; b", None], "age": [40, 50]})
    labels, _ = truth.of(frame, ["a", "b"], multi_label=True)
    assert [label.classes for label in labels] == [("a", "b"), ()]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"image,label\n", "has no labels"),
        (b"image,x,y\n1,2,3\n", "not clear which column holds the labels"),
        (b"image,label\n1,a\n2\n", "Line 3 of labels.csv has 1 cells, not 2"),
        (b"image,label\n\xff,a\n", "not UTF-8"),
        (b"image,a,b\n1,7,0\n", "has the value '7'"),
        (b'image,label\n"' + b"x" * 200_000 + b'",a\n', "no CSV table"),
    ],
)
def test_labels_that_cannot_be_used_are_an_error_with_words(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(content)
    with pytest.raises(OptionError, match=message):
        truth.of(path, ["a", "b"])


def test_the_folder_of_an_image_can_be_its_label() -> None:
    images = ["test/cat/1.png", r"C:\test\dog\2.png", "3.png"]
    assert [(label.image, label.classes) for label in truth.from_folders(images)] == [
        (images[0], ("cat",)),
        (images[1], ("dog",)),
    ]


def test_a_table_of_classify_is_evaluated_with_the_classes_that_it_assigned() -> None:
    images = [np.random.default_rng(0).integers(0, 256, (128, 128), dtype=np.uint8), np.zeros((64, 64), np.uint8)]
    frame = wp.classify(images, "demo")
    found = wp.evaluate(frame, {"array 0": "noisy", "array 1": "sharp"}, draws=10)
    assert found.confusion.loc["noisy", "noisy"] == 1
    assert found.confusion.loc["sharp", "underexposed"] == 1
    assert found.made["model"] == {"checksum": wp.open_model("demo").checksum}


def test_a_class_whose_name_pandas_reads_as_missing_is_not_taken_for_no_class(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("image,None,b,prediction,error\n1.png,0.9,0.1,None,\n2.png,0.2,0.8,b,\n")
    with pytest.raises(OptionError, match="pandas reads the name of the class None as missing"):
        predictions.of_frame(pd.read_csv(path))
    told = pd.read_csv(path, keep_default_na=False, na_values=[""])
    for found in (predictions.of_frame(told), predictions.of_file(path)[0]):
        assert found.assigned.tolist() == [[True, False], [False, True]]


NAMES_OF_COLUMNS = ["z", "model", "region", "image", "comment"]


def test_the_numbers_of_a_class_count_whatever_the_class_is_called(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 256, (4, 40, 50), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack", metadata={"axes": "ZYX"})
    own, image = tmp_path / "own.csv", str(tmp_path / "a.tif")
    assert cli.main(["classify", image, "-m", "demo", "--classes", ",".join(NAMES_OF_COLUMNS), "-o", str(own)]) == 0
    expected = wp.classify(image, "demo")
    numbers = expected[wp.open_model("demo").classes].to_numpy(np.float32)
    of_table, _ = predictions.of_file(own)
    frame = wp.classify(image, wp.open_model("demo", classes=NAMES_OF_COLUMNS))
    for found in (of_table, predictions.of_frame(frame)):
        assert list(found.classes) == NAMES_OF_COLUMNS
        assert found.probabilities.tobytes() == numbers.tobytes()
        assert found.axes == ("z",)
        assert found.assigned.argmax(1).tolist() == numbers.argmax(1).tolist()


@pytest.mark.parametrize(
    ("separator", "decimal", "suffix"),
    [(";", ",", ".csv"), (";", ".", ".csv"), ("\t", ",", ".txt"), ("\t", ".", ".csv")],
)
def test_results_are_read_as_spreadsheets_write_them(tmp_path: Path, separator: str, decimal: str, suffix: str) -> None:
    frame = wp.classify([np.full((40, 50), level, np.uint8) for level in (0, 90, 255)], "demo")
    path = tmp_path / f"results{suffix}"
    text = frame.to_csv(index=False, sep=separator, decimal=decimal)
    path.write_text(text.replace("\n", "\r\n"), encoding="utf-8-sig", newline="")
    found, _ = predictions.of_file(path)
    expected = predictions.of_frame(frame)
    assert found.probabilities.tobytes() == expected.probabilities.tobytes()
    assert found.assigned.tolist() == expected.assigned.tolist()
    assert found.classes == expected.classes


def test_results_that_are_not_utf_8_are_told_in_words(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("image,a,b,prediction,error\n", encoding="utf-16")
    with pytest.raises(OptionError, match=r"The results results\.csv are not UTF-8 text\.") as caught:
        predictions.of_file(path)
    assert caught.value.hint == "Save the table as CSV UTF-8."


@pytest.mark.parametrize("wrong", [386.0, -0.5])
def test_a_number_that_is_no_probability_is_refused_wherever_it_stands(tmp_path: Path, wrong: float) -> None:
    path = tmp_path / "results.csv"
    Image.new("L", (40, 50)).save(tmp_path / "a.png")
    assert cli.main(["classify", str(tmp_path / "a.png"), "-m", "demo", "-o", str(path)]) == 0
    frame = pd.read_csv(path, keep_default_na=False)
    frame["blurred"] = wrong
    frame.to_csv(path, index=False)
    with pytest.raises(OptionError, match=rf"a\.png has {wrong:g} for blurred, which is no probability"):
        wp.evaluate(path, {"a.png": "sharp"})


def test_columns_that_the_user_has_put_before_the_prediction_are_not_the_probabilities(tmp_path: Path) -> None:
    own, image, classes = tmp_path / "own.csv", tmp_path / "a.tif", [str(number) for number in range(5)]
    tifffile.imwrite(image, np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8))
    assert cli.main(["classify", str(image), "-m", "demo", "--classes", ",".join(classes), "-o", str(own)]) == 0
    expected, _ = predictions.of_file(own)
    frame = pd.read_csv(own)
    for name in classes:
        frame.insert(frame.columns.get_loc("prediction"), f"{name}_round", frame[name].round(1))
    frame.to_csv(own, index=False)
    found, _ = predictions.of_file(own)
    assert found.probabilities.tobytes() == expected.probabilities.tobytes()


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_labels_can_be_saved_as_results_are(tmp_path: Path, suffix: str) -> None:
    path, labels = tmp_path / f"truth.{suffix}", pd.DataFrame({"image": ["a", "b"], "label": ["x", None], "n": [1, 2]})
    if suffix == "parquet":
        labels.to_parquet(path)
    else:
        labels.to_json(path, orient="records", lines=True)
    assert truth.of(path, ["x", "y"], group="n")[0] == [Label("a", ("x",), (), "1"), Label("b", (), (), "2")]
    path.write_bytes(b"[1]\n")
    with pytest.raises(OptionError, match=rf"truth.{suffix} (are no table|has no labels)"):
        truth.of(path, ["x", "y"])


@pytest.mark.parametrize("line", ["2", "null", '"str"', "[" * 100_000, "image", '{"image": "b"', '[["image", "b"]]'])
def test_a_line_of_labels_that_is_no_json_object_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_text(f'{{"image": "a", "label": "x"}}\n\n{line}\n', encoding="utf-8")
    with pytest.raises(OptionError, match=r"The labels truth\.jsonl are no table: line 3 is no JSON object[.]"):
        truth.of(path, ["x", "y"])


def test_blank_lines_between_labels_count_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_text('\n{"image": "a", "label": "x"}\n \n{"image": "b", "label": "y"}\n\n', encoding="utf-8")
    assert truth.of(path, ["x", "y"])[0] == [Label("a", ("x",)), Label("b", ("y",))]


def test_labels_without_their_images_are_refused() -> None:
    with pytest.raises(OptionError, match="Labels cannot be given as a list"):
        wp.evaluate(wp.classify(np.zeros((40, 40), np.uint8), "demo"), ["noisy"])


@pytest.mark.parametrize("command", [["evaluate", "--truth", "truth.csv"], ["report", "--to", "html", "-o", "a.html"]])
def test_a_record_in_the_place_of_its_table_is_named(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*command, "results.csv.json"]) == 2
    assert "is a record, not a table of results. Give the table, such as results.csv." in capsys.readouterr().err


@pytest.mark.parametrize("name", ["foo.json", "session.webipred.json"])
def test_other_json_in_the_place_of_a_table_is_called_no_record(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", "--truth", "truth.csv", name]) == 2
    assert f"{name} is no table of results. Give the table, such as results.csv." in capsys.readouterr().err


def test_an_image_does_not_take_the_label_of_another_folder_that_no_image_of_its_own_has() -> None:
    found = paired(["p1/ct.png", "p2/ct.png"], ["p1/ct.png", "p3/ct.png"])
    assert found.found == {"p1/ct.png": "p1/ct.png"}
    assert found.ambiguous == {"p2/ct.png"}
    assert paired(["p1/ct.png", "/new/mr.png"], ["p1/ct.png", "/old/mr.png"]).found["/new/mr.png"] == "/old/mr.png"
    assert paired(["p1/ct.png", "p2/ct.png"], ["p1/ct.png", "ct.png"]).found["p2/ct.png"] == "ct.png"


def test_labels_of_one_path_that_is_written_in_two_ways_fit_no_image_of_another_spelling() -> None:
    found = paired(["x/1.png"], ["./x/1.png", r"x\1.png"])
    assert not found.found
    assert found.ambiguous == {"x/1.png"}


def test_letters_with_accents_are_the_same_however_they_are_composed() -> None:
    composed, apart = "Gr\u00f6\u00dfe/1.png", "Gro\u0308\u00dfe/1.png"
    assert paired([apart, "a/1.png"], ["b/1.png", composed]).found == {apart: composed}
    found = joined(table(["1"], [[0.9, 0.1]]), [Label("1", ("A",))])
    assert found.truth.tolist() == [[True, False]]
    assert plain("Ade\u0301nome") == plain("ad\u00e9nome")


@pytest.mark.parametrize("task", ["multi-class", "multi-label"])
def test_a_label_without_a_name_is_of_no_image(task: str) -> None:
    rows = table(["1", "2"], [[0.9, 0.1], [0.2, 0.8]], task)  # type: ignore[arg-type]
    found = joined(rows, [Label("1", ("a",)), Label("", ("a",))])
    assert found.images == ("1",)
    assert [(each.image, each.reason) for each in found.unmatched] == [("2", "no label"), ("", "no row")]


def test_empty_lines_that_a_spreadsheet_leaves_are_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("image,label,patient\n1.png,a,p\n,,\n , ,\n")
    assert truth.of(path, ["a", "b"])[0] == [Label("1.png", ("a",))]


def test_a_label_with_a_sign_is_not_the_class_without_it() -> None:
    assert plain("-1") != plain("1")
    assert plain("HER2-") != plain("HER2")
    assert plain("grade -1") != plain("grade 1")
    assert plain(" Not_sharp - at  all ") == plain("not-sharp at all")
    found = joined(table(["1", "2"], [[0.9, 0.1], [0.2, 0.8]]), [Label("1", ("a",)), Label("2", ("-b",))])
    assert found.images == ("1",)
    assert [(each.image, each.reason) for each in found.unmatched] == [("2", "unknown class")]


def test_groups_that_are_numbers_with_a_fraction_stay_apart() -> None:
    frame = pd.DataFrame({"image": ["1", "2", "3"], "case": [1.1, 1.2, 2.0], "a": 0.75, "b": 0.25, "prediction": "a"})
    assert list(predictions.of_frame(frame, "case", ["a", "b"]).groups) == ["1.1", "1.2", "2"]


def test_spaces_around_a_group_do_not_make_another_group_of_it(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("image,label,patient\n1.png,a,p\n2.png,b, p \n")
    assert [label.group for label in truth.of(path, ["a", "b"], group="patient")[0]] == ["p", "p"]
    assert truth.groups_from(path, "patient") == {"1.png": "p", "2.png": "p"}
    frame = pd.DataFrame({"image": ["1", "2"], "case": ["p", "p "], "a": 0.75, "b": 0.25, "prediction": "a"})
    assert list(predictions.of_frame(frame, "case", ["a", "b"]).groups) == ["p", "p"]


def test_an_image_of_several_groups_is_refused() -> None:
    frame = pd.DataFrame({"image": ["1", "1"], "label": ["a", "a"], "patient": ["p", "q"]})
    with pytest.raises(OptionError, match="several groups of 1: p and q"):
        truth.of(frame, ["a", "b"], group="patient")
    assert len(truth.of(frame, ["a", "b"])[0]) == 2
    cores = frame.assign(region=["left", "right"])
    assert len(truth.of(cores, ["a", "b"], ["region"], "patient")[0]) == 2


def test_it_is_asked_which_of_several_columns_holds_the_labels() -> None:
    frame = pd.DataFrame({"image": ["1"], "Diagnosis": ["a"], "truth": ["b"]})
    with pytest.raises(OptionError, match="Several columns can be the labels: Diagnosis, truth"):
        truth.of(frame, ["a", "b"])
    assert truth.of(frame.rename(columns={"truth": "Label"}), ["a", "b"])[0][0].classes == ("b",)
    with pytest.raises(OptionError, match="Several columns can be the labels: label, Label"):
        truth.of(pd.DataFrame([["1", "a", "b"]], columns=["image", "label", "Label"]), ["a", "b"])
