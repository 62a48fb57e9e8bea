"""Several models on the same images: how far they agree, and one answer made of all."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from onnx import helper
from PIL import Image
from sklearn.metrics import cohen_kappa_score

import napari_webipred as wp
from heads import body, write
from napari_webipred import cli
from napari_webipred.ensembles.agreement import cohen_kappa, disagreement, fleiss_kappa
from napari_webipred.ensembles.ensemble import combined
from napari_webipred.errors import OptionError

# Fourteen psychiatrists and ten subjects, as the article on Fleiss' kappa in Wikipedia has them: 0.210.
RATINGS = [
    *([0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1]),
    *([7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]),
]


def made(model: str, rows: list[list[float]], classes: str = "ab", names: tuple[str, ...] = ()) -> pd.DataFrame:
    """Make the rows of a model; a row of NaN has failed."""
    numbers = np.array(rows, np.float32)
    table = pd.DataFrame({"image": names or [f"{i}.png" for i in range(len(rows))], "model": model})
    for name, column in zip(classes, numbers.T, strict=True):
        table[name] = column
    failed = np.isnan(numbers).any(1)
    best = np.where(failed, 0, np.nan_to_num(numbers).argmax(1))
    table["prediction"] = ["" if f else classes[b] for f, b in zip(failed, best, strict=True)]
    table["error"] = np.where(failed, "It is broken.", "")
    return table


def together(*tables: pd.DataFrame) -> pd.DataFrame:
    classes = list(dict.fromkeys(name for table in tables for name in table.columns[2:-2]))
    return pd.concat([table.reindex(columns=["image", "model", *classes, "prediction", "error"]) for table in tables])


A = made("A", [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.5, 0.5]])
B = made("B", [[0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.4, 0.6]])
C = made("C", [[0.7, 0.3], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]])
NAN = [math.nan, math.nan]


def test_the_images_on_which_models_differ_most_come_first() -> None:
    found = wp.agreement(together(A, B))
    assert found.models == ("A", "B")
    assert (found.images, found.share, found.kind) == (4, 0.5, "cohen")
    assert found.rows["image"].iloc[0] == "1.png"
    np.testing.assert_allclose(found.rows["disagreement"], [0.5, 0.1, 0.1, 0.1], atol=1e-6)
    assert found.rows.loc[0, ["A", "B"]].tolist() == ["a", "b"]
    assert found.kappa == pytest.approx(cohen_kappa_score(list("aaba"), list("abbb")))
    three = wp.agreement(together(A, B, C))
    assert three.kind == "fleiss"
    assert len(three.pairs) == 3
    assert three.share == 0.25
    assert three.rows["disagreement"].iloc[0] == pytest.approx((0.5 + 0.4 + 0.1) / 3)


@settings(deadline=None, max_examples=40)
@given(npst.arrays(np.intp, st.tuples(st.just(2), st.integers(1, 12)), elements=st.integers(0, 3)))
def test_kappa_of_two_models_is_that_of_scikit_learn(codes: np.ndarray) -> None:
    ours = cohen_kappa(codes[0], codes[1])
    if len(np.unique(codes)) == 1:
        assert math.isnan(ours)
    else:
        assert ours == pytest.approx(cohen_kappa_score(codes[0], codes[1]))


def test_kappa_of_more_models_is_that_of_the_published_example() -> None:
    codes = np.array([np.repeat(np.arange(5), counts) for counts in RATINGS]).T
    assert fleiss_kappa(codes) == pytest.approx(0.210, abs=5e-4)
    assert math.isnan(fleiss_kappa(np.zeros((3, 4), np.intp)))


def test_disagreement_runs_from_the_same_to_sure_of_something_else() -> None:
    same = np.array([[[0.2, 0.8]], [[0.2, 0.8]]])
    apart = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    for exclusive in (True, False):
        assert disagreement(same, exclusive).tolist() == [0]
        assert disagreement(apart, exclusive).tolist() == [1]


@pytest.mark.parametrize(
    ("method", "weights", "expected"),
    [
        ("mean", None, [[0.8, 0.2], [0.3, 0.7], [1.1 / 3, 1.9 / 3], [1.4 / 3, 1.6 / 3]]),
        ("median", None, [[0.8, 0.2], [0.2, 0.8], [0.3, 0.7], [0.5, 0.5]]),
        ("majority", None, [[1, 0], [1 / 3, 2 / 3], [1 / 3, 2 / 3], [2 / 3, 1 / 3]]),
        ("weighted", [2, 1, 1], [[0.825, 0.175], [0.375, 0.625], [0.325, 0.675], [0.475, 0.525]]),
        ("weighted", {"C": 0, "A": 3, "B": 0}, [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.5, 0.5]]),
    ],
)
def test_an_ensemble_combines_the_models_of_each_image(method, weights, expected) -> None:
    table = wp.ensemble(together(A, B, C), method, weights=weights)
    np.testing.assert_allclose(table[["a", "b"]], expected, atol=1e-6)
    assert list(table.columns) == ["image", "a", "b", "prediction", "error"]
    assert table["a"].dtype == np.float32
    assert table["prediction"].tolist()[:1] == ["a"]
    assert table.attrs["ensemble"]["method"] == method


def test_of_equal_votes_the_larger_mean_decides_and_then_the_first() -> None:
    two = [[[0.6, 0.4, 0], [0.5, 0.3, 0.2]], [[0.1, 0.9, 0], [0.3, 0.5, 0.2]]]
    probabilities = np.array(two)
    assigned = probabilities == probabilities.max(2, keepdims=True)
    _, given = combined(probabilities, assigned, "majority", [0.5, 0.5], 0.5, True)
    assert given.argmax(1).tolist() == [1, 0]


def test_medians_of_exclusive_classes_add_up_to_one_even_if_all_are_zero() -> None:
    sure = np.eye(3)[:, None, :]
    numbers, _ = combined(sure, sure > 0.5, "median", [1 / 3] * 3, 0.5, True)
    np.testing.assert_allclose(numbers, [[1 / 3] * 3])


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 4), st.integers(1, 5), st.sampled_from(["mean", "median", "majority"]), st.integers(0, 99))
def test_numbers_of_an_ensemble_of_exclusive_classes_add_up_to_one(models, images, method, seed) -> None:
    probabilities = np.random.default_rng(seed).dirichlet([0.3] * 3, (models, images))
    assigned = probabilities == probabilities.max(2, keepdims=True)
    numbers, given_ = combined(probabilities, assigned, method, [1 / models] * models, 0.5, True)
    np.testing.assert_allclose(numbers.sum(1), 1, atol=1e-6)
    assert (given_.sum(1) == 1).all()


def test_classes_that_do_not_exclude_each_other_have_a_threshold() -> None:
    first = made("A", [[0.9, 0.7], [0.2, 0.1]])
    second = made("B", [[0.3, 0.8], [0.1, 0.3]])
    first["prediction"], second["prediction"] = ["a; b", ""], ["b", ""]
    table = wp.ensemble(together(first, second))
    assert table["prediction"].tolist() == ["a; b", ""]
    assert wp.ensemble(together(first, second), threshold=0.65)["prediction"].tolist() == ["b", ""]
    votes = wp.ensemble(together(first, second), "majority")
    np.testing.assert_allclose(votes[["a", "b"]], [[0.5, 1], [0, 0]])
    assert votes["prediction"].tolist() == ["a; b", ""]
    assert wp.agreement(together(first, second)).share == 0.5


def test_classes_that_were_assigned_by_chosen_thresholds_count() -> None:
    lower = A.assign(prediction=["a", "b", "b", "b"])  # from 0.4 on, an image is b
    found = wp.agreement(together(lower, B))
    assert (found.share, found.kappa) == (1, 1)
    assert found.rows.loc[0, ["A", "B"]].tolist() == ["b", "b"]
    votes = wp.ensemble(together(lower, B), "majority")
    assert votes["prediction"].tolist() == ["a", "b", "b", "b"]
    np.testing.assert_allclose(votes["a"], [1, 0, 0, 0])
    several = A.assign(prediction=["a; b", "", "b", "a"])
    assert set(wp.agreement(together(several, B)).rows["A"]) == {"a; b", "", "b", "a"}


def test_a_class_whose_name_pandas_reads_as_missing_is_assigned_all_the_same() -> None:
    names = {"a": "None"}
    lost = [table.rename(columns=names).replace({"prediction": {"a": math.nan}}) for table in (A, B)]
    assert wp.agreement(together(*lost)).share == 0.5
    assert wp.agreement(together(*lost)).rows.loc[0, ["A", "B"]].tolist() == ["None", "b"]


def test_an_image_that_a_model_could_not_classify_does_not_count() -> None:
    broken = together(A, made("B", [[0.8, 0.2], NAN, [0.3, 0.7], [0.4, 0.6]]))
    assert wp.agreement(broken).images == 3
    table = wp.ensemble(broken)
    assert table["error"].tolist() == ["", "B has not classified the image. It is broken.", "", ""]
    assert table.loc[1, ["a", "b"]].isna().all()
    assert table["prediction"].iloc[1] == ""
    nothing = wp.agreement(together(A, made("B", [NAN] * 4)))
    assert nothing.images == 0
    assert math.isnan(nothing.share)
    shorter = wp.ensemble(together(A, B.iloc[:3]))
    assert shorter["error"].tolist() == ["", "", "", "B has not classified the image."]


def test_the_same_image_may_have_been_given_twice() -> None:
    names = ("x.png", "x.png")
    first, second = made("A", [[0.9, 0.1], [0.2, 0.8]], names=names), made("B", [[0.8, 0.2], [0.1, 0.9]], names=names)
    np.testing.assert_allclose(wp.ensemble(together(first, second))["a"], [0.85, 0.15], atol=1e-6)


def test_different_class_names_are_asked_for_and_mapped() -> None:
    other = made("B", [[0.2, 0.8], [0.9, 0.1], [0.7, 0.3], [0.6, 0.4]], "yx")
    with pytest.raises(OptionError, match=r"A has a, b; B has y, x\.") as caught:
        wp.agreement(together(A, other))
    assert "mapping=" in str(caught.value.__notes__)
    mapping = {"x": "a", "y": "b"}
    assert wp.agreement(together(A, other), mapping=mapping).share == 0.5
    np.testing.assert_allclose(
        wp.ensemble(together(A, other), mapping=mapping)["a"], [0.85, 0.35, 0.25, 0.45], atol=1e-6
    )
    with pytest.raises(OptionError, match="No model has a class 'z'"):
        wp.agreement(together(A, other), mapping={"z": "a"})
    finer = made("B", [[0.3, 0.3, 0.4]] * 4, "xyz")
    table = wp.ensemble(together(A, finer), mapping={"x": "a", "y": "a", "z": "b"})
    np.testing.assert_allclose(table["a"], [0.75, 0.6, 0.4, 0.55], atol=1e-6)
    assert wp.agreement(together(A, finer), mapping={"x": "a", "y": "a", "z": "b"}).rows["B"].tolist() == ["a"] * 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "best"}, "no ensemble 'best'"),
        ({"method": "weighted"}, "needs weights"),
        ({"weights": [1, 1]}, "takes no weights"),
        ({"method": "weighted", "weights": [1]}, "do not fit 2 models"),
        ({"method": "weighted", "weights": [-1, 2]}, "do not fit"),
        ({"method": "weighted", "weights": [0, 0]}, "do not fit"),
        ({"method": "weighted", "weights": [math.nan, 1]}, "do not fit"),
        ({"method": "weighted", "weights": {"A": 1}}, "The weights are for A; the models are A, B"),
    ],
)
def test_what_cannot_be_combined_is_refused_in_words(change, message) -> None:
    with pytest.raises(OptionError, match=message):
        wp.ensemble(together(A, B), **change)


def test_a_table_of_one_model_or_of_values_is_refused() -> None:
    with pytest.raises(OptionError, match="no rows of several models"):
        wp.agreement(A.drop(columns="model"))
    with pytest.raises(OptionError, match="of A only"):
        wp.agreement(A)
    with pytest.raises(OptionError, match="values, not probabilities"):
        wp.agreement(together(A, made("B", [[63.0, 2.0]] * 4)))


@pytest.fixture
def two(tmp_path: Path) -> list[str]:
    """Two models with other weights, and the second with its classes in another order."""
    paths = []
    for seed, names in enumerate((["a", "b", "c"], ["c", "b", "a"])):
        random = np.random.default_rng(seed)
        nodes, weights = body(random)
        nodes += [
            helper.make_node("GlobalAveragePool", ["maps"], ["p"]),
            helper.make_node("Flatten", ["p"], ["f"]),
            helper.make_node("Gemm", ["f", "w"], ["z"]),
            helper.make_node("Softmax", ["z"], ["y"], axis=1),
        ]
        folder = tmp_path / f"model-{seed}"
        folder.mkdir()
        write(folder / "net.onnx", nodes, {**weights, "w": random.normal(size=(6, 3)).astype(np.float32)}, 3)
        card = {
            "id": f"m{seed}",
            "name": f"Model {seed}",
            "classes": [{"index": i, "name": name} for i, name in enumerate(names)],
            "preprocessing": {"standardize_mode": "torch"},
        }
        (folder / "webipred.json").write_text(json.dumps(card))
        paths.append(str(folder))
    return paths


def test_python_and_the_command_line_give_the_same_rows_agreement_and_ensemble(two, tmp_path, capsys) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for seed in range(4):
        pixels = np.random.default_rng(seed).integers(0, 60 * (seed + 1), (40, 50, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{seed}.png")
    (folder / "broken.png").write_bytes(b"nothing")
    out = tmp_path / "out.csv"
    told = ["classify", str(folder), "-m", two[0], "-m", two[1], "--ensemble", "weighted", "--weights", "3,1"]
    assert cli.main([*told, "--views", "flip", "-o", str(out)]) == 1
    table = wp.classify(str(folder), two, views="flip")
    assert list(table.columns) == ["image", "model", *"abc", "prediction", "error", "a sd", "b sd", "c sd"]
    assert table["model"].tolist() == ["Model 0"] * 5 + ["Model 1"] * 5
    for number, path in enumerate(two):
        alone = wp.classify(str(folder), path, views="flip")
        np.testing.assert_array_equal(table[["a", "b", "c"]][5 * number : 5 * number + 5], alone[["a", "b", "c"]])
    ensemble = wp.ensemble(table, "weighted", weights=[3, 1])
    read = pd.read_csv(out, keep_default_na=False, na_values=[""])
    assert read.columns.tolist() == table.columns.tolist()
    np.testing.assert_array_equal(read[["a", "b", "c"]].iloc[:10].astype(np.float32), table[["a", "b", "c"]])
    np.testing.assert_array_equal(read[["a", "b", "c"]].iloc[10:].astype(np.float32), ensemble[["a", "b", "c"]])
    assert read["model"].iloc[10:].unique().tolist() == ["ensemble (weighted)"]
    assert read["prediction"].iloc[10:].fillna("").tolist() == ensemble["prediction"].tolist()
    record = json.loads(Path(f"{out}.json").read_text(encoding="utf-8"))
    assert [run["model"]["name"] for run in record["runs"]] == [run["called"] for run in record["runs"]]
    assert [run["model"]["reference"] for run in record["runs"]] == two
    assert record["complete"] is True
    assert record["ensemble"] == {
        "method": "weighted",
        "models": ["Model 0", "Model 1"],
        "weights": {"Model 0": 0.75, "Model 1": 0.25},
    }
    again = wp.agreement(read[read["model"] != "ensemble (weighted)"])
    assert record["agreement"] == wp.agreement(table).as_dict() == again.as_dict()
    assert f"agree on {again.share:.1%} of 4 images" in capsys.readouterr().err
    assert cli.main([*told[:-4], "-o", str(out)]) == 1  # the table is known as ours


def test_the_command_line_refuses_an_ensemble_of_different_classes_before_it_begins(two, tmp_path, capsys) -> None:
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(tmp_path / "a.png")
    told = ["classify", str(tmp_path / "a.png"), "-m", two[0], "-m", "demo"]
    out = tmp_path / "out.csv"
    assert cli.main([*told, "--ensemble", "mean", "-o", str(out)]) == 2
    assert not out.exists()
    message = capsys.readouterr().err
    assert "Model 0 has a, b, c; Image quality" in message
    assert "--map OLD=NEW" in message
    assert cli.main([*told, "-o", str(out)]) == 0
    assert "How far the models agree is not known" in capsys.readouterr().err
    with out.open(encoding="utf-8", newline="") as stream:
        header, first, second = csv.reader(stream)
    assert header[:5] == ["image", "model", "a", "b", "c"]
    assert first[5:10] == [""] * 5
    assert second[2:5] == [""] * 3
    mapping = [f"--map={old}={new}" for old, new in zip("abc", ("sharp", "blurred", "noisy"), strict=True)]
    mapping += ["--map=overexposed=sharp", "--map=underexposed=sharp"]
    assert cli.main([*told, "--ensemble", "majority", *mapping, "-o", str(out)]) == 0
    assert f"rows of 2 models classified, written to {out}." in capsys.readouterr().err
    record = json.loads(Path(f"{out}.json").read_text(encoding="utf-8"))
    assert record["mapping"]["a"] == "sharp"
    assert record["agreement"]["images"] == 1
    for wrong in (["--map", "a"], ["--ensemble", "mean", "--weights", "x"], ["--ensemble", "mean", "--weights", "1,1"]):
        assert cli.main([*told, *wrong]) == 2
    assert cli.main([*told[:4], "--ensemble", "mean"]) == 2
    assert "Repeat --model" in capsys.readouterr().err


def test_an_empty_list_of_models_and_an_outside_without_regions_are_refused() -> None:
    image = np.zeros((40, 40), np.uint8)
    with pytest.raises(OptionError, match="There is no model in the list"):
        wp.classify(image, [])
    with pytest.raises(OptionError, match="is about regions"):
        wp.classify(image, "demo", outside="blank")
