from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from msgspec.structs import replace
from tests import cohorts

from napari_webipred._napari.evaluation.part import Plot
from napari_webipred._napari.evaluation.plot_files import content_of, write_plot
from napari_webipred._napari.evaluation.plots import plots_of
from napari_webipred._napari.evaluation.rendering import picturing
from napari_webipred.errors import OptionError
from napari_webipred.evaluation.cohort import Unmatched
from napari_webipred.evaluation.evaluation import evaluated
from napari_webipred.evaluation.figures import PAPER
from napari_webipred.evaluation.performance import of
from napari_webipred.evaluation.publication import Published


def done(work):
    while True:
        try:
            next(work)
        except StopIteration as finished:
            return finished.value


@pytest.fixture(scope="module")
def published() -> list[Published]:
    from napari_webipred.card import ModelCard

    counts = {"classes": ["a", "b", "c"], "counts": [[8, 1, 1], [0, 5, 0], [2, 0, 3]]}
    card = {"id": "m", "name": "m", "classes": [{"index": i, "name": n} for i, n in enumerate("abc")]}
    return of(ModelCard.model_validate({**card, "metrics": {"accuracy": 0.8, "confusion_matrix": counts}}))


@pytest.fixture(scope="module")
def plots(published) -> dict[str, Plot]:
    unmatched = (Unmatched("x.png", "no label"), Unmatched("y.png", "no row", "b"))
    cohort = replace(cohorts.exclusive(60, 3), unmatched=unmatched)
    return {plot.key: plot for plot in plots_of(evaluated(cohort, 20), published, cohort.rows)}


def test_own_images_stand_beside_the_published_ones(plots):
    assert [*plots] == [
        "summary",
        "confusion",
        "roc",
        "precision_recall",
        "reliability",
        "bars",
        "distribution",
        "unmatched",
    ]
    assert plots["summary"].lines("")[0] == ["Metric", "Your images", "Published"]
    assert [part.title for part in plots["confusion"].parts("raw")] == ["your images", "published"]
    assert [part.matrix.own for part in plots["confusion"].parts("raw")] == [True, False]
    assert {line[0] for line in plots["bars"].parts("sensitivity")[0].lines[1:]} == {"your images", "published"}
    assert plots["unmatched"].lines("no row")[1:] == [["y.png", "labels without a row", "b"]]
    assert all(plot.sentence(variant) for plot in plots.values() for variant in plot.variants)


def test_a_model_without_own_images_shows_what_is_published_and_nothing_else(published):
    assert [plot.key for plot in plots_of(None, published)] == ["summary", "confusion", "bars", "distribution"]
    assert plots_of(None, []) == []


@pytest.mark.parametrize(("width", "side_by_side"), [(380, False), (900, True)])
def test_each_cell_of_a_matrix_is_where_its_colour_is(plots, width, side_by_side):
    picture = done(picturing(plots["confusion"], "raw", PAPER, width, 2))
    assert picture.pixels.shape[:2] == (2 * picture.height, 2 * width)
    first, second = (next(a for a in picture.areas if a.matrix.own == own) for own in (True, False))
    assert (first.top == pytest.approx(second.top, abs=2)) == side_by_side
    for matrix in (first.matrix, second.matrix):
        own = [area for area in picture.areas if area.matrix is matrix]
        assert len(own) == len(matrix.true) * len(matrix.assigned)
        brightness = {}
        for area in own:
            x, y = round(2 * (area.left + 4)), round(2 * (area.top + 4))
            brightness[area.row, area.column] = int(picture.pixels[y, x, :3].sum())
        counts = np.array(matrix.counts)
        darkest = np.unravel_index(counts.argmax(), counts.shape)
        assert min(brightness, key=brightness.__getitem__) == tuple(darkest)
        assert brightness[tuple(np.unravel_index(counts.argmin(), counts.shape))] == max(brightness.values())


@pytest.mark.parametrize("key", ["roc", "precision_recall", "reliability", "distribution"])
def test_every_figure_is_drawn(plots, key):
    variant = [*plots[key].variants][-1]
    assert done(picturing(plots[key], variant, PAPER, 320, 1)).pixels.std() > 1


def test_two_classes_have_one_curve_and_classes_that_do_not_exclude_each_other_no_matrix():
    two = {plot.key: plot for plot in plots_of(evaluated(cohorts.exclusive(40, 2), 20), [])}
    assert [*two["roc"].variants.values()] == ["b", "a"]
    assert "confusion" not in {plot.key for plot in plots_of(evaluated(cohorts.several(40, 3), 20), [])}


def test_what_is_shown_is_saved_as_figure_and_as_numbers(plots, tmp_path):
    lines = list(csv.reader(io.StringIO(content_of("CSV", plots["summary"], "").decode())))
    assert lines[0][:4] == ["source", "metric", "class", "value"]
    assert ["published", "accuracy", ""] in [line[:3] for line in lines]
    assert content_of("SVG", plots["confusion"], "raw").startswith(b"<?xml")
    assert done(write_plot(tmp_path / "matrix", "PNG", plots["confusion"], "rows")) == "Saved matrix.png."
    assert (tmp_path / "matrix.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OptionError, match="already exists"):
        done(write_plot(tmp_path / "matrix", "PNG", plots["confusion"], "rows"))
