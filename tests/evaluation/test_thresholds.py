"""Thresholds follow their rule, and what is shown of them is of images that they were not fitted to."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sklearn.metrics import roc_curve

import napari_webipred as wp
from cohorts import cohort_of, exclusive, several
from napari_webipred.cache import overrides
from napari_webipred.card import ModelCard, named
from napari_webipred.cli import main
from napari_webipred.errors import OptionError
from napari_webipred.evaluation.evaluation import evaluated
from napari_webipred.evaluation.folds import folds_of
from napari_webipred.evaluation.thresholds import Rule, best, choose, rule_of
from napari_webipred.model_overrides import ModelOverrides, Thresholds
from napari_webipred.results.probabilities import assigned

CHECKSUM = "sha256:" + "a" * 64


def shares(truth: np.ndarray, scores: np.ndarray, threshold: float) -> tuple[float, float]:
    chosen = scores >= np.float32(threshold)
    return chosen[truth].mean(), (~chosen[~truth]).mean()


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=2, max_size=30).filter(
        lambda rows: len({has for has, _ in rows}) == 2
    ),
    st.sampled_from([0.5, 0.8, 0.95, 1.0]),
)
def test_no_threshold_does_better_than_the_one_that_a_rule_chooses(rows: list[tuple[bool, int]], target: float) -> None:
    truth = np.array([has for has, _ in rows])
    scores = (np.array([score for _, score in rows]) / 8).astype(np.float32)
    grid = [shares(truth, scores, t) for t in np.linspace(0, 1, 33)]
    sensitivity, specificity = shares(truth, scores, best(truth, scores, Rule("youden")))
    assert sensitivity + specificity >= max(map(sum, grid)) - 1e-9
    sensitivity, specificity = shares(truth, scores, best(truth, scores, Rule("sensitivity", target)))
    assert sensitivity >= target
    assert specificity >= max(each[1] for each in grid if each[0] >= target)
    sensitivity, specificity = shares(truth, scores, best(truth, scores, Rule("specificity", target)))
    possible = [each for each in grid if each[1] >= target]
    if possible:
        assert specificity >= target
        assert sensitivity >= max(each[0] for each in possible)
    cost = [5 * (1 - each[0]) * truth.mean() + (1 - each[1]) * (1 - truth.mean()) for each in grid]
    sensitivity, specificity = shares(truth, scores, best(truth, scores, Rule("cost", 5)))
    assert 5 * (1 - sensitivity) * truth.mean() + (1 - specificity) * (1 - truth.mean()) <= min(cost) + 1e-9


def test_youden_is_where_scikit_learns_curve_is_highest() -> None:
    cohort = exclusive(300, 2)
    truth, scores = cohort.truth[:, 1], cohort.probabilities[:, 1].astype(np.float32)
    x, y, _ = roc_curve(truth, scores)
    sensitivity, specificity = shares(truth, scores, best(truth, scores, Rule("youden")))
    assert sensitivity + specificity - 1 == pytest.approx((y - x).max())


def test_what_is_shown_is_worse_than_what_was_fitted() -> None:
    """A model that knows nothing: the fitted threshold seems to know something, images that it has not seen do not."""
    gains = {"fitted": [], "tried": []}
    for seed in range(20):
        random = np.random.default_rng(seed)
        given_, true = random.random(40), random.integers(2, size=40)
        found = choose(cohort_of(true, np.c_[1 - given_, given_]), Rule("youden"), seed=seed).each[0]
        gains["fitted"].append(found.fitted_sensitivity + found.fitted_specificity - 1)
        gains["tried"].append(found.sensitivity.value + found.specificity.value - 1)
    assert np.mean(gains["fitted"]) > 0.15
    assert abs(np.mean(gains["tried"])) < 0.12


def test_images_of_a_group_are_in_the_same_part_and_classes_are_spread() -> None:
    cohort = exclusive(100, 2)
    parts = folds_of(replace(cohort, groups=np.arange(100) // 4, grouped_by="patient"))
    assert all(len(set(parts[first : first + 4])) == 1 for first in range(0, 100, 4))
    parts = folds_of(cohort)
    positives = [int(cohort.truth[parts == part, 1].sum()) for part in range(5)]
    assert max(positives) - min(positives) <= 1


def test_of_two_classes_only_the_second_has_a_threshold_and_of_more_each() -> None:
    assert list(choose(exclusive(80, 2), Rule("youden")).values) == ["b"]
    assert list(choose(exclusive(80, 3), Rule("youden")).values) == ["a", "b", "c"]
    assert list(choose(several(80, 3), Rule("cost", 2)).values) == ["a", "b", "c"]


def test_too_few_images_are_said_to_be_too_few() -> None:
    given_ = np.array([[0.9, 0.1]] * 6 + [[0.2, 0.8]])
    found = choose(cohort_of(np.array([0] * 6 + [1]), given_), Rule("youden")).each[0]
    assert "too few" in found.note
    with pytest.raises(OptionError, match="labels of both kinds"):
        choose(cohort_of(np.zeros(7, int), given_), Rule("youden"))


@pytest.mark.parametrize("text", ["", "youden=1", "sensitivity", "sensitivity=2", "cost=0", "cost=inf"])
def test_a_rule_that_is_none_is_an_error_that_names_the_rules(text: str) -> None:
    with pytest.raises(OptionError) as error:
        rule_of(text)
    assert "youden, sensitivity=0.95" in error.value.hint


def test_chosen_thresholds_assign_classes_and_leave_probabilities_alone() -> None:
    card = ModelCard(id="m", name="m", classes=named(["a", "b"]))
    changed = Thresholds("screening", {"b": 0.3}).applied_to(card, {})
    assert changed.thresholds == "screening"
    for p, classes in {0.2: (0,), 0.3: (1,), 0.6: (1,)}.items():
        assert assigned(np.array([1 - p, p], np.float32), changed, 0.5) == classes
    assert assigned(np.array([0.6, 0.4], np.float32), card, 0.5) == (0,)
    three = Thresholds("x", {"a": 0.5, "b": 0.2, "c": 0.6}).applied_to(
        ModelCard(id="m", name="m", classes=named(["a", "b", "c"])), {}
    )
    assert assigned(np.array([0.6, 0.3, 0.1], np.float32), three, 0.5) == (0, 1)
    assert assigned(np.array([0.45, 0.1, 0.45], np.float32), three, 0.5) == ()
    with pytest.raises(OptionError, match="class b, which m does not have"):
        Thresholds("x", {"b": 0.2}).applied_to(ModelCard(id="m", name="m", classes=named(["a", "z"])), {})


def test_thresholds_are_kept_beside_the_settings_of_a_model() -> None:
    overrides.keep_thresholds(CHECKSUM, Thresholds("one", {"a": 0.25}, {"rule": "youden"}))
    assert overrides.load(CHECKSUM) == ModelOverrides()
    overrides.save(CHECKSUM, ModelOverrides(size=(8, 8)))
    overrides.keep_thresholds(CHECKSUM, Thresholds("two", {"a": 0.75}))
    assert overrides.thresholds(CHECKSUM).keys() == {"one", "two"}
    assert overrides.chosen(CHECKSUM, "one").values == {"a": 0.25}
    assert overrides.load(CHECKSUM).size == (8, 8)
    with pytest.raises(OptionError, match="no thresholds that are called three"):
        overrides.chosen(CHECKSUM, "three")
    for name in ("0.5", "", "a b", "../x"):
        with pytest.raises(OptionError, match="cannot be called"):
            Thresholds(name, {"a": 0.5})


def test_thresholds_of_an_evaluation_are_used_by_classify_and_recorded(
    tmp_path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (128, 128), dtype=np.uint8), np.zeros((128, 128), np.uint8)]
    plain = wp.classify(images, "demo")
    labels = {"array 0": "noisy", "array 1": "underexposed"}
    found = wp.evaluate(plain, labels, thresholds="youden", draws=10)
    found.keep("own")
    changed = wp.classify(images, "demo", threshold="own")
    for name in wp.open_model("demo").classes:
        assert (plain[name] == changed[name]).all()
    assert changed["prediction"].tolist() == ["noisy", "underexposed"]
    with pytest.raises(OptionError, match="no thresholds that are called other"):
        wp.classify(images, "demo", threshold="other")
    from PIL import Image

    Image.fromarray(images[0]).save(tmp_path / "a.png")
    output = tmp_path / "r.csv"
    assert main(["classify", str(tmp_path / "a.png"), "-m", "demo", "--threshold", "own", "-o", str(output)]) == 0
    assert '"thresholds": "own"' in output.with_name("r.csv.json").read_text(encoding="utf-8")
    assert pd.read_csv(output)["prediction"].tolist() == ["noisy"]
    assert main(["classify", str(tmp_path / "a.png"), "-m", "demo", "--threshold", "half"]) == 2
    assert "no thresholds that are called half. There are own." in capsys.readouterr().err
    results = tmp_path / "t.csv"
    results.write_text(f"image,label\n{tmp_path / 'a.png'},noisy\n", encoding="utf-8")
    assert main(["evaluate", str(output), "--truth", str(results), "--keep", "x"]) == 2
    assert "There are no thresholds to keep" in capsys.readouterr().err


@pytest.mark.parametrize("from_file", [False, True])
def test_thresholds_are_refused_where_settings_differ_from_those_that_they_were_chosen_by(
    tmp_path, capsys: pytest.CaptureFixture[str], from_file: bool
) -> None:
    from PIL import Image

    random = np.random.default_rng(0)
    images = [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    Image.fromarray(random.integers(0, 256, (128, 128), np.uint8)).save(images[0])
    Image.fromarray(np.zeros((128, 128), np.uint8)).save(images[1])
    labels = dict(zip(images, ("noisy", "underexposed"), strict=True))
    output = str(tmp_path / "r.csv")
    assert main(["classify", *images, "-m", "demo", "--range", "0:200", "-o", output]) == 0
    table = output if from_file else wp.classify(images, "demo", intensity=(0, 200))
    wp.evaluate(table, labels, thresholds="youden", draws=10).keep("own")
    capsys.readouterr()
    assert main(["classify", images[0], "-m", "demo", "--range", "0:200", "--threshold", "own"]) == 0
    assert wp.classify(images, "demo", intensity=(0, 200), threshold="own")["prediction"].tolist() == [*labels.values()]
    with pytest.raises(OptionError, match=r"other settings \(intensity: 0(.0)?, 200(.0)? then, auto now\)"):
        wp.classify(images, "demo", threshold="own")
    with pytest.raises(OptionError, match="views: not given then, flip now"):
        wp.classify(images, "demo", intensity=(0, 200), views="flip", threshold="own")
    assert main(["classify", images[0], "-m", "demo", "--threshold", "own"]) == 2
    assert "then, auto now" in capsys.readouterr().err
    with pytest.raises(OptionError, match="standardize mode: "):
        wp.classify(images, wp.open_model("demo", standardize="torch"), intensity=(0, 200), threshold="own")


def test_thresholds_of_a_table_without_its_record_go_with_all_settings(tmp_path) -> None:
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (128, 128), dtype=np.uint8), np.zeros((128, 128), np.uint8)]
    table = wp.classify(images, "demo")
    del table.attrs["conditions"]
    found = wp.evaluate(table, {"array 0": "noisy", "array 1": "underexposed"}, thresholds="youden", draws=10)
    found.keep("own")
    assert wp.classify(images, "demo", intensity=(0, 255), threshold="own")["prediction"].tolist()[0] == "noisy"


def test_an_evaluation_without_its_model_keeps_nothing() -> None:
    cohort = exclusive(40, 2)
    with pytest.raises(OptionError, match="No thresholds were chosen"):
        evaluated(cohort, draws=5).keep("x")
    with pytest.raises(OptionError, match="which model"):
        evaluated(cohort, draws=5, rule="youden").keep("x")
