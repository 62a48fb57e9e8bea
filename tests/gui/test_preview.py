from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from tests.gui.conftest import MeanModel, current_plane, flat

from napari_webipred._napari.latest import Latest
from napari_webipred._napari.task import _under_way


@pytest.fixture
def open_preview(viewer):
    def open_it():
        _, preview = viewer.window.add_plugin_dock_widget("napari-webipred", "What the model sees")
        return preview

    return open_it


@pytest.fixture
def settled(qtbot):
    """Wait until nothing is computed any more."""

    def wait(preview):
        qtbot.waitUntil(lambda: not preview.latest.busy)
        return preview.shown

    return wait


def stack(planes: int = 5) -> np.ndarray:
    return np.stack([flat(20 * (i + 1), (40, 50)) for i in range(planes)])


def test_the_button_opens_what_the_model_sees(viewer, panel, choose, qtbot, settled):
    viewer.add_image(flat(90), name="a")
    choose(panel, "Brightness")
    qtbot.waitUntil(panel.classify.button.isEnabled)
    qtbot.mouseClick(panel.images.preview, Qt.MouseButton.LeftButton)
    preview = viewer.window.add_plugin_dock_widget("napari-webipred", "What the model sees")[1]
    shown = settled(preview)
    assert shown.tensor.shape == (4, 4, 3)
    assert preview.name.text() == "a"
    assert preview.range.text() == "Black 0, white 255"
    assert "Not standardised: values from 0 to 255." in preview.steps.text()
    assert preview.values.accessibleDescription().startswith("red: 90")
    assert not preview.seen.empty
    assert not preview.original.empty


def test_what_is_shown_is_what_the_run_predicts(viewer, panel, classify, open_preview, settled, monkeypatch):
    viewer.add_image(stack(1)[0].astype(np.uint16) * 7, name="a")
    predicted = []
    predict = MeanModel.predict

    def listening(model, batch):
        predicted.append(batch.copy())
        return predict(model, batch)

    monkeypatch.setattr(MeanModel, "predict", listening)
    classify(panel)
    assert (settled(open_preview()).tensor == predicted[-1][0]).all()


def test_it_follows_slider_planes_layer_intensity_profile_and_data(viewer, panel, choose, open_preview, settled, qtbot):
    layer = viewer.add_image(stack(), name="stack", axis_labels=("z", "y", "x"))
    viewer.add_image(flat(200), name="photo")
    viewer.layers.selection.active = layer
    choose(panel, "Brightness")
    qtbot.waitUntil(panel.classify.button.isEnabled)
    preview = open_preview()

    def mean() -> float:
        return settled(preview).tensor.mean()

    for place in (0, 3):
        viewer.dims.set_point(0, place)
        assert mean() == pytest.approx(20 * (place + 1), abs=0.1)
        assert preview.name.text() == f"stack · z {place}"
    current_plane(panel).click()
    assert mean() == pytest.approx(80, abs=0.1)
    panel.form.intensity.value = (0, 160)
    assert mean() == pytest.approx(80 * 255 / 160, abs=0.1)
    assert preview.range.text() == "Black 0, white 160"
    panel.form.profile.value = "aucmedi"
    settled(preview)
    assert "As AUCMEDI" in preview.steps.text()
    layer.data = stack() // 2
    assert mean() == pytest.approx(64, abs=0.6)
    viewer.layers.selection.active = viewer.layers["photo"]
    panel.form.intensity.value = "auto"
    assert mean() == pytest.approx(200, abs=0.1)
    assert preview.name.text() == "photo"


def test_the_contrast_limits_count_where_they_are_chosen(viewer, panel, choose, open_preview, settled, qtbot):
    layer = viewer.add_image(flat(50, (40, 40)), contrast_limits=(0, 100))
    choose(panel, "Brightness")
    qtbot.waitUntil(panel.classify.button.isEnabled)
    preview = open_preview()
    panel.form.intensity.value = "limits"
    assert settled(preview).intensity_range == (0, 100)
    layer.contrast_limits = (0, 200)
    qtbot.waitUntil(lambda: preview.latest.busy or preview.shown.intensity_range == (0, 200))
    assert settled(preview).intensity_range == (0, 200)


def test_the_selected_region_or_else_the_first_of_the_plane_is_shown_where_regions_are_classified(
    viewer, panel, choose, open_preview, settled, qtbot
):
    layer = viewer.add_image(flat(90, (40, 50)), name="a")
    labels = np.zeros((40, 50), int)
    labels[10:20, 5:35] = 3
    labels[25:31, 5:12] = 6
    regions = viewer.add_labels(labels, name="cells")
    viewer.layers.selection.active = layer
    choose(panel, "Brightness")
    qtbot.waitUntil(panel.classify.button.isEnabled)
    panel.form.regions.value = regions
    preview = open_preview()
    qtbot.waitUntil(lambda: preview.shown is not None and preview.shown.size == (10, 30))
    assert preview.name.text() == "a · 3"
    regions.selected_label = 6
    qtbot.waitUntil(lambda: preview.shown is not None and preview.shown.size == (6, 7))
    assert preview.name.text() == "a · 6"
    shapes = viewer.add_shapes([[[2, 2], [2, 9], [8, 9], [8, 2]], [[10, 2], [10, 30], [15, 30], [15, 2]]], name="drawn")
    panel.form.regions.value = shapes
    qtbot.waitUntil(lambda: preview.name.text() == "a · 1")
    shapes.selected_data = {1}
    qtbot.waitUntil(lambda: preview.name.text() == "a · 2")
    panel.form.regions.value = None
    qtbot.waitUntil(lambda: preview.shown is not None and preview.shown.size == (40, 50))


def test_it_works_without_the_panel_and_after_the_panel_is_closed(viewer, panel, choose, open_preview, settled, qtbot):
    viewer.add_image(flat(90), name="a")
    choose(panel, "Brightness")
    qtbot.waitUntil(panel.classify.button.isEnabled)
    panel.form.intensity.value = (0, 180)
    preview = open_preview()
    assert settled(preview).intensity_range == (0, 180)
    viewer.window.remove_dock_widget(panel)
    assert preview._session.form is None
    qtbot.waitUntil(lambda: preview.shown is not None and preview.shown.intensity_range == (0, 255))
    viewer.layers["a"].data = flat(100)
    qtbot.waitUntil(lambda: preview.shown.tensor.mean() > 95)


@pytest.mark.parametrize("state", ["no model", "not here", "opening", "error", "no image"])
def test_it_says_what_to_do_first(viewer, panel, fake_catalogue, choose, open_preview, qtbot, state):
    words = {
        "no model": "No model is chosen",
        "not here": "not on this machine",
        "opening": "being opened",
        "error": "cannot be used",
        "no image": "No image is open",
    }
    if state != "no image":
        viewer.add_image(flat(90))
    if state == "opening":
        fake_catalogue.steps = [None]
        fake_catalogue.gate.clear()
    if state == "error":
        fake_catalogue.error = RuntimeError("broken")
    if state != "no model":
        choose(panel, "Chest" if state == "not here" else "Brightness")
    if state in ("error", "no image"):
        qtbot.waitUntil(lambda: panel._session.loading.progress is None)
    preview = open_preview()
    qtbot.waitUntil(lambda: words[state] in preview.message.text)
    assert preview.seen.empty
    assert preview.range.isHidden()
    fake_catalogue.gate.set()
    if state == "opening":
        qtbot.waitUntil(lambda: preview.shown is not None)
        assert preview.message.text == ""


def test_an_error_stands_where_the_image_would_and_goes_with_the_next_one(
    viewer, panel, choose, open_preview, settled, qtbot
):
    bad = np.ones((2, 40, 40), np.float32)
    bad[1, 3, 3] = np.nan
    bad[0, 0] = 0.5
    viewer.add_image(bad, contrast_limits=(0, 1))
    viewer.dims.set_point(0, 1)
    choose(panel, "Brightness")
    qtbot.waitUntil(panel.classify.button.isEnabled)
    preview = open_preview()
    assert settled(preview) is None
    assert "not numbers (NaN)" in preview.message.text
    viewer.dims.set_point(0, 0)
    assert settled(preview) is not None
    assert preview.message.text == ""


class Slow:
    """A lazy stack whose planes take as long as the gate is closed, except for napari itself."""

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, planes: int) -> None:
        self.shape = (planes, 40, 40)
        self.gate = threading.Event()
        self.gate.set()
        self.read: list[int] = []

    def __getitem__(self, key):
        if threading.current_thread() is not threading.main_thread():
            self.read.append(key[0])
            assert self.gate.wait(20)
        planes = 10 * (np.arange(self.shape[0], dtype=np.uint8) + 1)
        return np.broadcast_to(planes[:, None, None], self.shape)[key]

    def __array__(self, dtype=None, copy=None):
        return self[:]


def test_a_slow_layer_is_read_beside_the_window_and_the_last_place_wins(
    viewer, panel, choose, open_preview, settled, qtbot
):
    lazy = Slow(9)
    gate, read = lazy.gate, lazy.read
    viewer.add_image(lazy, contrast_limits=(0, 255))
    viewer.dims.set_point(0, 0)
    choose(panel, "Brightness")
    qtbot.waitUntil(panel.classify.button.isEnabled)
    gate.clear()
    preview = open_preview()
    qtbot.waitUntil(lambda: 0 in read)
    assert preview.state.text() == "Computing…"
    assert not preview.state.isHidden()
    for place in range(1, 9):
        viewer.dims.set_point(0, place)
    gate.set()
    assert settled(preview).tensor.mean() == 90
    assert preview.state.isHidden()
    assert preview.name.text().endswith(" 8")


def test_a_click_or_a_key_enlarges_one_of_the_two(viewer, panel, choose, open_preview, settled, qtbot):
    viewer.add_image(flat(90))
    choose(panel, "Brightness")
    qtbot.waitUntil(panel.classify.button.isEnabled)
    preview = open_preview()
    settled(preview)
    seen, original = preview.seen.parentWidget(), preview.original.parentWidget()
    qtbot.mouseClick(preview.seen, Qt.MouseButton.LeftButton)
    assert (seen.isHidden(), original.isHidden()) == (False, True)
    qtbot.keyClick(preview.seen, Qt.Key.Key_Space)
    assert (seen.isHidden(), original.isHidden()) == (False, False)
    qtbot.keyClick(preview.original, Qt.Key.Key_Space)
    assert (seen.isHidden(), original.isHidden()) == (True, False)


def test_closing_it_leaves_nothing_behind(viewer, panel, choose, open_preview, settled, qtbot):
    layer = viewer.add_image(stack())
    choose(panel, "Brightness")
    qtbot.waitUntil(panel.classify.button.isEnabled)

    def callbacks():
        emitters = (
            layer.events.data,
            layer.events.contrast_limits,
            viewer.dims.events.current_step,
            viewer.layers.selection.events.active,
            viewer.layers.events.inserted,
            viewer.events.theme,
        )
        return [len(getattr(emitter, "callbacks", emitter)) for emitter in emitters]

    before = callbacks()
    preview = open_preview()
    settled(preview)
    assert callbacks() != before
    viewer.window.remove_dock_widget(preview)
    assert callbacks() == before
    gone = weakref.ref(preview.plane)
    preview.look()  # as a late signal would
    viewer.dims.set_point(0, 2)
    qtbot.waitUntil(lambda: not _under_way)
    preview.deleteLater()
    del preview
    qtbot.wait(1)
    gc.collect()
    qtbot.waitUntil(lambda: gone() is None)


def test_of_many_requests_the_first_and_the_last_are_done_and_only_the_last_is_heard(qtbot):
    gate, begun, done = threading.Event(), [], []
    latest = Latest()
    latest.done.connect(done.append)

    def work(number):
        begun.append(number)
        assert gate.wait(20)
        yield
        return number

    latest.ask(lambda: work(0))
    qtbot.waitUntil(lambda: begun == [0])
    for number in range(1, 50):
        latest.ask(lambda number=number: work(number))
    gate.set()
    qtbot.waitUntil(lambda: not latest.busy)
    assert begun == [0, 49]
    assert done == [49]
    latest.ask(lambda: work(50))
    latest.stop()
    assert not latest.busy
