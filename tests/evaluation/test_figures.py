"""Figures show the numbers, in the colours of the caller, whatever classes are called."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from cohorts import exclusive, several
from napari_webipred.evaluation import curves, drawings, figures
from napari_webipred.evaluation.confusion import confusion
from napari_webipred.evaluation.curves import Curve
from napari_webipred.evaluation.metric import Metric


def axes_of() -> tuple[Figure, object]:
    figure = Figure()
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


@pytest.mark.parametrize("name", ["$\\frac{1}", "_hidden", "x" * 300, "a\nb\x1b[31m", "5 % & <b>"])
def test_a_class_can_be_called_anything(name: str) -> None:
    figure, axes = axes_of()
    figures.confusion(axes, np.array([[3, 1], [0, 4]]), [name, "b"], [name, "b"])
    figure.canvas.draw()
    label = axes.get_yticklabels()[0].get_text()
    assert label == figures.shortened(name)
    assert len(label) <= figures.LONGEST
    figure, axes = axes_of()
    empty = np.zeros(0)
    figures.roc(axes, {name: Curve(np.array([0, 1]), np.array([0, 1]), np.array([1, 0]), empty, empty, empty)})
    figure.canvas.draw()
    (text,) = axes.get_legend().get_texts()
    assert figures.shortened(name) in text.get_text()


def test_a_matrix_has_true_classes_as_rows_and_is_divided_as_asked() -> None:
    counts = np.array([[3, 1], [0, 0]])
    for mode, cells in {
        "raw": ["3", "1", "0", "0"],
        "rows": ["0.75", "0.25", "–", "–"],
        "columns": ["1.00", "1.00", "0.00", "0.00"],
        "all": ["0.75", "0.25", "0.00", "0.00"],
    }.items():
        _, axes = axes_of()
        figures.confusion(axes, counts, ["a", "b"], ["a", "b"], mode)  # type: ignore[arg-type]
        assert [text.get_text() for text in axes.texts] == cells
        assert axes.get_ylabel() == "true class"


def test_a_roc_curve_is_that_of_scikit_learn_within_its_band() -> None:
    cohort = exclusive(150, 3, ties=True)
    curve = curves.roc(cohort, 1)
    assert curve is not None
    x, y, _ = roc_curve(cohort.truth[:, 1], cohort.probabilities[:, 1], drop_intermediate=False)
    assert curve.x == pytest.approx(x)
    assert curve.y == pytest.approx(y)
    own = np.interp(curve.grid, curve.x, curve.y)
    inside = (curve.low <= own + 1e-9) & (own <= curve.high + 1e-9)
    assert inside.mean() > 0.95
    assert (curve.high - curve.low).min() > 0.01


def test_there_is_no_curve_without_images_of_both_kinds() -> None:
    cohort = exclusive(20, 2)
    cohort.truth[:, 0], cohort.truth[:, 1] = True, False
    assert curves.roc(cohort, 0) is None
    assert curves.precision_recall(cohort, 1) is None
    assert len(curves.roc_points(cohort, 0)) == 0


def test_bins_of_a_reliability_diagram_have_all_images() -> None:
    cohort = several(200, 2)
    found = curves.reliability(cohort, 1)
    assert found.n.sum() == 200
    assert (found.share * found.n).sum() == pytest.approx(cohort.truth[:, 1].sum())
    assert ((found.low <= found.share) & (found.share <= found.high)).all()


def test_the_same_numbers_give_the_same_files() -> None:
    cohort = exclusive(40, 2)
    found = {"b": curves.reliability(cohort, 1)}
    once, again = (drawings.as_files("r", lambda axes: figures.reliability(axes, found), 3, 3) for _ in range(2))
    assert once == again
    assert once["r.png"].startswith(b"\x89PNG")
    assert b"<svg" in once["r.svg"]


def test_a_class_without_a_value_has_its_place_among_the_bars() -> None:
    _, axes = axes_of()
    known = [Metric("sensitivity", "b", 0.5, 0.2, 0.8)]
    figures.bars(axes, "sensitivity", {"own": known}, ["a", "b", "c"])  # type: ignore[arg-type]
    assert axes.get_ylim() == (2.5, -0.5)


def test_colours_are_those_of_the_caller() -> None:
    figure, axes = axes_of()
    night = figures.Colours("#111111", "#eeeeee", "#444444", ("#00ff00",), "#3399ff")
    cohort = exclusive(30, 2)
    counts, names = confusion(cohort)
    figures.confusion(axes, counts, cohort.classes, names, "raw", night)
    assert figure.get_facecolor()[:3] == pytest.approx((17 / 255,) * 3)
    assert {text.get_color() for text in axes.texts} <= {"#111111", "#eeeeee"}


def test_of_very_many_points_those_are_drawn_that_can_be_seen() -> None:
    cohort = exclusive(60_000, 2)
    false, true, _ = roc_curve(cohort.truth[:, 1], cohort.probabilities[:, 1], drop_intermediate=False)
    kept = figures.seen(false, true)
    assert len(kept) < len(false) / 5
    assert (kept[0], kept[-1]) == (0, len(false) - 1)
    at, one = np.linspace(0, 1, 5001), 1 / figures.COLUMNS
    drawn = np.interp(at, false[kept], true[kept])  # as high as the curve is in the same very narrow column
    assert (drawn >= np.interp(at - one, false, true) - 1e-12).all()
    assert (drawn <= np.interp(at + one, false, true) + 1e-12).all()
    few = np.linspace(0, 1, 50)
    assert figures.seen(few, few).tolist() == list(range(50))
