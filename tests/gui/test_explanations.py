"""Rows are explained in the panel: maps over their layers."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from msgspec.structs import replace

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from tests.gui.conftest import flat
from tests.gui.test_leaks import close

from napari_webipred._napari.proxy import unwrapped
from napari_webipred.explanations.explanation import CAPTION
from square_model import square_model

SIZE, TOP, LEFT = 24, 20, 60


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {kind: square_model(folder, unknown_head=kind == "unknown") for kind in ("known", "unknown")}


@pytest.fixture
def squares(fake_catalogue, models, panel):
    """The panel, with a model that answers to bright squares in the place of another one."""
    fake_catalogue.models["brightness"] = models["known"]
    return panel


def picture(top: int = TOP, left: int = LEFT) -> np.ndarray:
    image = flat(10, (64, 96))
    image[top : top + SIZE, left : left + SIZE] = 250
    return image


def names(viewer) -> list[str]:
    return [layer.name for layer in viewer.layers]


def explain(panel, qtbot):
    """Click Explain and wait for the map."""
    view = panel.results.detail.explain
    qtbot.mouseClick(view.button, Qt.MouseButton.LeftButton)
    settled(panel, qtbot)
    return view


def settled(panel, qtbot):
    qtbot.waitUntil(lambda: panel._session.maps.progress is None and not panel.maps.busy, timeout=20_000)


def highest(layer, *place) -> tuple[int, ...]:
    plane = np.asarray(layer.data[place])
    return np.unravel_index(plane.argmax(), plane.shape)


def test_a_click_lays_the_map_over_the_layer_and_a_class_in_the_chart_switches_it(squares, viewer, classify, qtbot):
    panel = squares
    layer = viewer.add_image(picture(), name="cells", scale=(2, 3), rotate=30)
    viewer.add_points([[3, 3]], name="points")
    viewer.layers.selection.active = layer
    classify(panel)
    menu = panel.results.detail.explain.menu
    assert menu.width() == menu.sizeHint().width()  # three dots need no more, with the legend and without it
    view = explain(panel, qtbot)
    assert names(viewer) == ["cells", "square · cells", "points"]
    shown = viewer.layers[1]
    row, column = highest(shown, slice(None), slice(None))
    assert TOP <= row < TOP + SIZE
    assert LEFT <= column < LEFT + SIZE
    assert viewer.layers.selection.active == layer
    assert panel.images.choice.list.model().rowCount() == 1  # the map is no image to classify
    assert CAPTION in view.caption.text()
    assert "square" in view.caption.text()
    assert shown.blending == "additive"
    assert shown.contrast_limits[0] == 0

    chart = panel.results.detail.chart
    dark = next(place for place, bar in enumerate(chart.bars) if bar.name == "dark")
    panel.scroll.ensureWidgetVisible(chart)
    at = chart._drawn().area(dark).center().toPoint()
    qtbot.mouseClick(chart, Qt.MouseButton.LeftButton, pos=at)
    settled(panel, qtbot)
    assert names(viewer) == ["cells", "dark · cells", "points"]
    assert np.asarray(shown.data).max() <= 0  # nothing speaks for it
    assert "dark" in view.caption.text()
    assert chart.marked == 0

    view.menu.signed.trigger()
    settled(panel, qtbot)
    low, high = shown.contrast_limits
    assert low == -high < 0
    assert "against" in shown.colormap.name

    viewer.layers.selection.active = shown  # to change its opacity: the row stays chosen
    assert panel.results.chosen_entry is not None
    layer.data = picture(0, 0)  # the map is of other pixels
    settled(panel, qtbot)
    assert names(viewer) == ["cells", "points"]
    explain(panel, qtbot)
    assert "not open as it was classified" in view.message.text


def test_a_stack_has_one_map_layer_for_all_rows_of_the_run_and_forgets_deleted_rows(squares, viewer, classify, qtbot):
    panel = squares
    lefts = (4, 24, 70)
    viewer.add_image(np.stack([picture(20, left) for left in lefts]), name="stack", scale=(4, 1, 1))
    classify(panel)
    view = panel.results.detail.explain
    view.explain_run()
    settled(panel, qtbot)
    assert names(viewer) == ["stack", "square · stack"]
    shown = viewer.layers[1]
    for place, left in enumerate(lefts):
        assert left <= highest(shown, place)[1] < left + SIZE
    assert {each.grids.shape for each in map(panel._session.maps.of, range(3))} == {(2, 8, 8)}

    scale = shown.contrast_limits[1]
    viewer.dims.set_point(0, 8)  # plane 2
    assert panel.results.chosen_entry.row.position == {"axis_0": 2}
    settled(panel, qtbot)
    assert shown.contrast_limits[1] == scale
    assert highest(shown, 2)[1] >= LEFT

    panel._session.delete([1])
    settled(panel, qtbot)
    assert not np.asarray(shown.data[1]).any()
    assert np.asarray(shown.data[0]).any()
    panel._session.delete([0, 2])
    settled(panel, qtbot)
    assert names(viewer) == ["stack"]
    assert not len(panel._session.maps)


def test_what_is_said_of_a_map_is_about_the_class_that_all_planes_of_a_stack_show(squares, viewer, classify, qtbot):
    panel = squares
    viewer.add_image(np.stack([picture(), flat(10, (64, 96))]), name="stack")
    classify(panel)
    panel.results.detail.explain.explain_run()
    settled(panel, qtbot)
    for row, most_probable in ((0, 1), (1, 0)):
        panel.results.table.selectRow(row)
        settled(panel, qtbot)
        assert np.argmax(panel.results.chosen_entry.row.probabilities) == most_probable
        assert names(viewer) == ["stack", "square · stack"]
        assert panel.results.detail.explain.caption.text().startswith("square, by CAM.")
        assert panel.results.detail.chart.marked == 1


def test_a_reopened_panel_says_how_maps_are_looked_at(squares, viewer, classify, qtbot, open_panel):
    viewer.add_image(picture(), name="cells")
    classify(squares)
    explain(squares, qtbot)
    squares.results.detail.explain.menu.signed.trigger()
    close(squares)
    menu = open_panel().results.detail.explain.menu
    assert (menu.signed.isChecked(), menu.alone.isChecked()) == (True, False)
    settled(squares, qtbot)
    menu.signed.trigger()
    assert not squares._session.maps.signed


def test_rows_that_cannot_be_explained_say_why_and_the_others_go_on(squares, viewer, classify, qtbot):
    panel = squares
    painted = viewer.add_image(picture(), name="painted")
    viewer.add_image(picture(), name="good")
    classify(panel)
    painted.data[:] = 10
    view = panel.results.detail.explain
    view.explain_run()
    settled(panel, qtbot)
    for row, text in ((0, "changed"), (1, "")):
        panel.results.table.selectRow(row)
        settled(panel, qtbot)
        assert text in view.message.text
        assert bool(view.message.text) == bool(text)
    assert names(viewer) == ["painted", "good", "square · good"]

    viewer.layers["good"].name = "renamed"
    assert names(viewer)[-1] == "square · renamed"
    view.menu.keep.trigger()
    panel._session.maps.choose(panel.results.chosen_entry, 0)
    settled(panel, qtbot)
    assert names(viewer) == ["painted", "renamed", "dark · renamed", "square · renamed"]
    viewer.layers.remove(viewer.layers["renamed"])
    settled(panel, qtbot)
    assert names(viewer) == ["painted", "square · renamed"]  # what is kept is the user's


def test_occlusion_is_used_where_a_head_cannot_be_cut_and_can_be_cancelled(
    squares, viewer, classify, qtbot, fake_catalogue, models, monkeypatch
):
    panel, model = squares, models["unknown"]
    fake_catalogue.models["brightness"] = model
    monkeypatch.setattr("napari_webipred._napari.explanations.maps.SECONDS_BETWEEN_EVENTS", 0)
    viewer.add_image(picture(), name="cells")
    classify(panel)
    view = panel.results.detail.explain
    session, gate, calls = type(model.session(1)), threading.Event(), []
    predict = session.predict

    def waiting(self, batch, *more):
        calls.append(len(batch))
        assert len(calls) < 5 or gate.wait(20)
        return predict(self, batch, *more)

    monkeypatch.setattr(session, "predict", waiting)
    qtbot.mouseClick(view.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "of 225 parts covered" in view.progress.words.text())
    assert not view.button.isEnabled()
    qtbot.mouseClick(view.progress.cancel, Qt.MouseButton.LeftButton)
    gate.set()
    settled(panel, qtbot)
    assert view.progress.isHidden()
    assert names(viewer) == ["cells"]
    explain(panel, qtbot)
    assert "by occlusion. The head of this model cannot be read" in view.caption.text()
    assert names(viewer) == ["cells", "square · cells"]
    row, column = highest(viewer.layers[1], slice(None), slice(None))
    assert TOP - 4 <= row < TOP + SIZE + 4
    assert LEFT - 6 <= column < LEFT + SIZE + 6


def test_a_map_is_checked_with_occlusion_on_request(squares, viewer, classify, qtbot):
    panel = squares
    viewer.add_image(picture(), name="cells")
    classify(panel)
    view = explain(panel, qtbot)
    assert "occlusion" not in view.caption.text()
    view.menu.check.trigger()
    settled(panel, qtbot)
    assert "CAM" in view.caption.text()
    assert "agrees with occlusion" in view.caption.text()
    maps = panel._session.maps
    maps._maps[0] = replace(maps.of(0), remarks=("", "The map disagrees"))
    maps.changed.emit()
    assert "disagrees" in view.message.text
    assert "agrees with" not in view.caption.text()


def test_a_map_in_a_file_is_shown_when_the_file_is_opened_for_it(squares, viewer, classify, qtbot, tmp_path):
    from PIL import Image

    panel = squares
    Image.fromarray(picture()).save(tmp_path / "cells.png")
    panel.images.choice.add([tmp_path / "cells.png"])
    qtbot.waitUntil(lambda: bool(panel.form.images.value) and not panel.form.images.value[0].finding)
    classify(panel)
    explain(panel, qtbot)
    assert [type(unwrapped(layer)).__name__ for layer in viewer.layers] == ["Image", "Image"]
    assert names(viewer)[1].startswith("square")
    assert LEFT <= highest(viewer.layers[1], slice(None), slice(None))[1] < LEFT + SIZE
