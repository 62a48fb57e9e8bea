"""Heat maps of large pictures in the viewer: where they lie, how they grow, and what becomes of them."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.components import ViewerModel
from napari.layers import Image, Shapes
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog
from tests.gui.conftest import BRIGHTNESS, flat

from napari_webipred._napari.images.understanding import BY_ITSELF, AxisChoice, Understanding
from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.slides.drawn_region import drawn_on
from napari_webipred._napari.slides.estimate import Wanted, estimated
from napari_webipred._napari.slides.heat_layer import HeatLayer
from napari_webipred._napari.slides.map_file import KINDS, save_map
from napari_webipred._napari.slides.map_run import Laid, computed
from napari_webipred._napari.slides.picture_layer import axes_along, picture_of
from napari_webipred._napari.slides.request_form import MICRONS
from napari_webipred.errors import OptionError, WebIPredError
from napari_webipred.options import Options
from napari_webipred.slides.request import Request
from square_model import square_model

SHAPE, TILE, STRIDE = (384, 512), 64, 32
TOP, LEFT, SIZE = 100, 260, 24  # in the middle of one cell of the map, which is not that in the middle of the map
SQUARE = 1
LAYOUTS = {
    "plain": {},
    "scaled": {"scale": (0.3, 2.5)},
    "rotated": {"rotate": 33, "translate": (-40, 12)},
    "all": {
        "scale": (0.3, 2.5),
        "translate": (-40, 12),
        "rotate": 33,
        "shear": [0.7],
        "affine": [[0.5, -2, 9], [1.5, 0.3, -7], [0, 0, 1]],
    },
}


@pytest.fixture(scope="module")
def square(tmp_path_factory):
    return square_model(tmp_path_factory.mktemp("model"))


def marked(rgb: bool = False) -> list[np.ndarray]:
    """A dark picture with one bright spot, in three levels."""
    full = np.full((*SHAPE, 3) if rgb else SHAPE, 10, np.uint8)
    full[TOP : TOP + SIZE, LEFT : LEFT + SIZE] = 250
    return [full, full[::2, ::2], full[::4, ::4]]


def wanted_of(layer, model, request, understanding=BY_ITSELF, point=None, drawn=None):
    viewer = ViewerModel()
    viewer.layers.append(layer)
    if point is not None:
        viewer.dims.set_point(*point)
    picture, index = picture_of(layer, viewer.dims, understanding)
    return Wanted(model, picture, index, axes_along(layer, understanding), request, drawn, Options())


def finished(wanted):
    (laid,) = (event for event in computed(wanted, None) if isinstance(event, Laid))
    assert laid.heat.is_finished
    return laid.heat


def shown(layer, wanted, heat):
    return HeatLayer(layer, heat, wanted.index, wanted.axes)


def highest(map_layer: Image) -> np.ndarray:
    """Where in napari's world the middle of the cell lies in which the square is most probable."""
    values = np.asarray(map_layer.data)[SQUARE]
    cell = np.unravel_index(np.nanargmax(values), values.shape)
    return np.asarray(map_layer.data_to_world((SQUARE, *cell)))


def assert_on_spot(layer, world):
    cell = np.asarray(layer.world_to_data(world[1:]))[-2:]
    middle = np.array([TOP, LEFT]) + (SIZE - 1) / 2
    assert (np.abs(cell - middle) < STRIDE / 4).all(), cell


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_map_is_highest_at_the_marked_spot_at_every_level_however_the_layer_lies(square, layout, level):
    layer = Image(marked(), multiscale=True, **LAYOUTS[layout])
    request = Request(TILE >> level, STRIDE >> level, level=level, background="keep")
    wanted = wanted_of(layer, square, request)
    heat = finished(wanted)
    assert heat.level == level
    over = shown(layer, wanted, heat).layer
    assert_on_spot(layer, highest(over))
    rows, columns = heat.values.shape[1:]
    assert (rows * STRIDE, columns * STRIDE) == SHAPE
    for own, corner in zip(
        ((-0.5, -0.5), (rows - 0.5, columns - 0.5)), ((-0.5, -0.5), np.array(SHAPE) - 0.5), strict=True
    ):
        np.testing.assert_allclose(over.data_to_world((0, *own))[1:], layer.data_to_world(corner), atol=1e-6)


def test_the_map_of_colours_and_that_of_a_plane_of_a_stack_lie_on_the_spot_and_only_there(square):
    request = Request(TILE, STRIDE, background="keep")
    coloured = Image(marked(rgb=True), multiscale=True, rgb=True, **LAYOUTS["rotated"])
    wanted = wanted_of(coloured, square, request)
    assert_on_spot(coloured, highest(shown(coloured, wanted, finished(wanted)).layer))
    planes = np.full((3, *SHAPE), 10, np.uint8)
    planes[2] = marked()[0]
    stack = Image(planes, scale=(5, 2, 3), translate=(1, 2, 3), rotate=20)
    wanted = wanted_of(stack, square, request, point=(0, 11))
    assert wanted.index == (2,)
    over = shown(stack, wanted, finished(wanted)).layer
    assert over.data.shape[:2] == (2, 1)
    world = highest(over)
    assert_on_spot(stack, world)
    assert round(stack.world_to_data(world[1:])[0]) == 2


def test_where_the_channels_are_an_axis_the_map_lies_on_all_of_them(square):
    layer = Image(np.stack([marked()[0]] * 3), axis_labels=("c", "y", "x"), rgb=False)
    wanted = wanted_of(layer, square, Request(TILE, STRIDE, background="keep"))
    assert wanted.index == ()
    heat = finished(wanted)
    over = shown(layer, wanted, heat).layer
    assert over.data.shape == (2, 3, *heat.values.shape[1:])
    assert np.shares_memory(over.data, heat.values)
    assert_on_spot(layer, highest(over))


def test_the_map_follows_a_picture_that_is_moved_and_renamed(square):
    layer = Image(marked()[0], name="before")
    wanted = wanted_of(layer, square, Request(TILE, STRIDE, background="keep"))
    over = shown(layer, wanted, finished(wanted))
    layer.scale, layer.translate, layer.rotate, layer.name = (2, 0.7), (5, 6), 70, "after"
    layer.affine = LAYOUTS["all"]["affine"]
    assert_on_spot(layer, highest(over.layer))
    over.show_class(SQUARE)
    assert over.layer.name == "square · heat map of after"
    over.layer.name = "mine"
    over.show_class(0)
    assert over.layer.name == "mine"
    over.release()
    layer.scale = (1, 1)
    assert tuple(over.layer.scale) == (1, 2 * STRIDE, 0.7 * STRIDE)


def test_only_the_selected_shape_is_computed_wherever_both_layers_lie(square):
    layer = Image(marked()[0], scale=(2, 3), rotate=33)
    corners = [layer.data_to_world(each) for each in ((32, 192), (32, 352), (192, 352), (192, 192))]
    elsewhere = np.array(corners) + 700
    shapes = Shapes([elsewhere / 0.5, np.array(corners) / 0.5], shape_type="polygon", scale=(0.5, 0.5))
    shapes.selected_data = {1}
    wanted = wanted_of(layer, square, Request(TILE, STRIDE, background="keep"), drawn=drawn_on(shapes, layer))
    heat = finished(wanted)
    assert heat.states.size < 40
    assert_on_spot(layer, highest(shown(layer, wanted, heat).layer))


def test_a_layer_or_shapes_that_have_no_map_are_refused_in_words(square):
    stack = Image(np.zeros((3, 60, 80), np.uint8))
    with pytest.raises(OptionError, match="projection"):
        wanted_of(stack, square, Request(), Understanding((AxisChoice(use="max"),)))
    layer, lines = Image(marked()[0]), Shapes([np.array([[0, 0], [50, 50]])], shape_type="line", name="lines")
    wanted = wanted_of(layer, square, Request(), drawn=drawn_on(lines, layer))
    with pytest.raises(WebIPredError, match=r"lines has no shape that encloses a part of the picture\. 1 line"):
        list(computed(wanted, None))
    far = Shapes([np.array([[0, 0], [0, 50], [50, 50]]) + 10_000], shape_type="polygon")
    with pytest.raises(WebIPredError, match="no pixel"):
        list(estimated(wanted_of(layer, square, Request(), drawn=drawn_on(far, layer)), 1.0))


class Watched:
    """What a lazy array is read from; it notes how many pixels it was asked for at once."""

    def __init__(self, data: np.ndarray) -> None:
        self.data, self.shape, self.dtype = data, data.shape, data.dtype
        self.ndim = data.ndim
        self.asked: list[int] = []

    def __getitem__(self, key):
        found = self.data[key]
        self.asked.append(found.size)
        return found


class Torn(Watched):
    """One of its blocks cannot be read for a while."""

    torn = False

    def __getitem__(self, key):
        if self.torn and key[-1].start == 1024 and key[-2].stop == 512:
            raise OSError("torn")
        return super().__getitem__(key)


def lazy(array, chunk):
    da = pytest.importorskip("dask.array")
    return da.from_array(array, chunks=(chunk, chunk), meta=np.zeros((0, 0), np.uint8))


def test_a_lazy_picture_is_read_in_parts_only_from_the_level_that_is_needed(square):
    full = np.full((4096, 4096), 10, np.uint8)
    full[1000:1100, 3000:3100] = 250
    levels = [Watched(full[::step, ::step]) for step in (1, 4, 16)]
    layer = Image([lazy(level, 256) for level in levels], multiscale=True, contrast_limits=(0, 255))
    for level in levels:
        level.asked.clear()
    wanted = wanted_of(layer, square, Request(256, 256, level=1, background="keep"))
    finished(wanted)
    assert not levels[0].asked
    assert max(levels[1].asked) == 256 * 256
    assert sum(levels[1].asked) == levels[1].data.size


def test_the_panel_counts_the_intensities_of_a_huge_picture_in_a_level_that_is_soon_read(
    viewer, panel, qtbot, monkeypatch
):
    monkeypatch.setattr("napari_webipred.limits.LEVEL_PIXELS", 300 * 300)
    full = np.random.default_rng(3).integers(0, 255, (2048, 2048)).astype(np.uint16)
    levels = [Watched(full[::step, ::step]) for step in (1, 4, 8)]
    viewer.add_image([lazy(level, 256) for level in levels], multiscale=True, contrast_limits=(0, 255))
    statistics = panel.images.statistics
    qtbot.waitUntil(lambda: not statistics.counting.busy)
    assert statistics._counted.extent == (levels[2].data.min(), levels[2].data.max())
    assert not levels[0].asked


# --- in the panel -----------------------------------------------------------------------------------------------------


@pytest.fixture
def slide(viewer):
    """A large picture of which no tile is blank, brighter to the right."""
    rows, columns = np.mgrid[:1024, :1280]
    pixels = (columns // 8 + 50 * ((rows // 8 + columns // 8) % 2)).clip(0, 255).astype(np.uint8)
    return viewer.add_image(pixels, name="slide")


@pytest.fixture
def dock(viewer, panel, choose, qtbot):
    """Open the dock as a user does."""

    def open_it():
        choose(panel, "Brightness")
        qtbot.waitUntil(panel.classify.button.isEnabled)
        qtbot.mouseClick(panel.classify.heat_map, Qt.MouseButton.LeftButton)
        widget = viewer.window.add_plugin_dock_widget("napari-webipred", "Heat map")[1]
        settled(widget, qtbot)
        return widget

    return open_it


def settled(widget, qtbot):
    qtbot.waitUntil(lambda: not widget.latest.busy)


def click(button, qtbot):
    assert not button.isHidden()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def make(widget, qtbot):
    """Click, and wait for the whole map."""
    click(widget.button, qtbot)
    run = widget.view.run
    qtbot.waitUntil(lambda: not run.running, timeout=20_000)
    return run


@pytest.fixture
def held(fake_catalogue, monkeypatch):
    """Let the model wait after so many predictions until the gate is opened."""
    model = fake_catalogue.models["brightness"]
    seen = SimpleNamespace(count=0, hold=8)
    predict = type(model).predict

    def counting(own, batch):
        seen.count += 1
        if seen.count == seen.hold:
            own.gate.clear()
        return predict(own, batch)

    monkeypatch.setattr(type(model), "predict", counting)
    seen.open = lambda: (setattr(seen, "hold", -1), model.gate.set())
    yield seen
    model.gate.set()


def growing(widget, held, qtbot):
    """Click, and wait until some of the map is there and the model waits."""
    held.count, held.hold = 0, 8
    click(widget.button, qtbot)
    run = widget.view.run
    qtbot.waitUntil(lambda: run.shown is not None and np.count_nonzero(run.heat.states) > 2)
    return run


def test_the_map_of_a_large_image_is_made_by_clicks_and_has_a_slider_of_classes(viewer, panel, slide, dock, qtbot):
    widget = dock()
    assert widget.picture.currentText() == "slide"
    assert widget.count.text().startswith("12 tiles of 512 × 512 pixels, ")
    assert widget.count.text().endswith(", less where they are blank.")
    assert "Off-label" in widget.remark.text
    run = make(widget, qtbot)
    assert widget.view.state.text() == "12 tiles classified."
    over = run.shown.layer
    assert [layer.name for layer in viewer.layers] == ["slide", "dark · heat map of slide"]
    assert unwrapped(viewer.layers.selection.active) is unwrapped(slide)
    assert tuple(over.contrast_limits) == (0, 1)
    assert np.asarray(over.colormap.colors)[0, 3] < 0.2
    np.testing.assert_allclose(over.data.sum(axis=0), 1, atol=1e-6)
    assert over.data[1, 0, -1] > over.data[1, 0, 0]
    viewer.dims.set_point(0, 1)
    assert widget.view.classes.currentText() == "bright"
    assert over.name == "bright · heat map of slide"
    widget.view.classes.setCurrentIndex(0)
    widget.view.classes.activated.emit(0)
    assert viewer.dims.point[0] == 0
    assert over not in [unwrapped(layer) for layer in panel.form.images.value]


def test_tiles_are_classified_as_they_are_whatever_views_the_panel_takes(panel, slide, dock, qtbot):
    """The shell and Python have no views of tiles, so that a map can be made again there."""
    widget = dock()
    panel.form.views.value = "flip"
    assert panel.form.options().views == "flip"
    settled(widget, qtbot)
    run = make(widget, qtbot)
    assert run.wanted.options.views is None


def test_small_images_are_offered_no_heat_map(viewer, panel):
    viewer.add_image(flat(90), name="small")
    assert panel.classify.heat_map.isHidden()


def test_cancel_keeps_what_is_there_and_continue_goes_on_to_the_same_map(slide, dock, held, qtbot):
    widget = dock()
    held.open()
    undisturbed = make(widget, qtbot).heat.values.copy()
    run = growing(widget, held, qtbot)
    assert not widget.view.progress.isHidden()
    assert "of 12 tiles" in widget.view.progress.words.text()
    assert widget.button.isHidden()
    click(widget.view.progress.cancel, qtbot)
    held.open()
    qtbot.waitUntil(lambda: not run.running)
    kept = run.done
    assert 2 < kept < 12
    assert widget.view.state.text() == f"Cancelled: {kept} tiles classified, {12 - kept} left."
    assert np.isnan(run.heat.values).any()
    assert not np.isnan(run.heat.values).all()
    held.count = 0
    click(widget.view.resume, qtbot)
    qtbot.waitUntil(lambda: not run.running)
    assert held.count == 12 - kept
    assert widget.view.resume.isHidden()
    np.testing.assert_array_equal(run.heat.values, undisturbed)
    np.testing.assert_array_equal(run.shown.layer.data, undisturbed)


def test_closing_the_dock_and_the_panel_loses_nothing(viewer, panel, slide, dock, held, qtbot):
    widget = dock()
    run = growing(widget, held, qtbot)
    viewer.window.remove_dock_widget(widget)
    viewer.window.remove_dock_widget(panel)
    held.open()
    qtbot.waitUntil(lambda: not run.running)
    assert run.heat.is_finished
    again = viewer.window.add_plugin_dock_widget("napari-webipred", "Heat map")[1]
    settled(again, qtbot)
    assert again.view.run is run
    assert again.view.state.text() == "12 tiles classified."


def test_a_dock_that_is_closed_leaves_nothing_that_listens(viewer, slide, dock, qtbot):
    def listening():
        groups = (viewer.events, viewer.layers.selection.events, slide.events)
        emitters = [each for group in groups for each in group.emitters.values()]
        callbacks = [callback for each in emitters for callback in each.callbacks if isinstance(callback, tuple)]
        return sum(callback[0]() is not None for callback in callbacks)

    viewer.window.remove_dock_widget(dock())
    before = listening()
    for _ in range(2):
        widget = viewer.window.add_plugin_dock_widget("napari-webipred", "Heat map")[1]
        settled(widget, qtbot)
        assert listening() > before
        viewer.window.remove_dock_widget(widget)
        assert listening() == before


def test_removing_the_picture_stops_and_what_is_done_can_be_saved(viewer, slide, dock, held, qtbot, tmp_path):
    widget = dock()
    run = growing(widget, held, qtbot)
    viewer.layers.remove(slide)
    held.open()
    qtbot.waitUntil(lambda: not run.running)
    assert run.cancelled
    assert run.error is None
    assert not run.can_continue
    viewer.layers.selection.active = run.shown.layer
    assert widget.view.run is run
    assert widget.view.resume.isHidden()
    list(save_map(run, tmp_path / "map.csv"))
    assert "classified" in (tmp_path / "map.csv").read_text()
    pixels = weakref.ref(unwrapped(slide))
    del slide
    viewer.layers.clear()
    assert not widget._maps.runs
    gc.collect()
    assert pixels() is None or not run.wanted.picture.location


def test_removing_the_map_stops_and_it_can_be_shown_again(viewer, slide, dock, held, qtbot):
    widget = dock()
    run = growing(widget, held, qtbot)
    viewer.layers.remove(run.shown.layer)
    held.open()
    qtbot.waitUntil(lambda: not run.running)
    assert run.cancelled
    click(widget.view.show_again, qtbot)
    assert run.shown.layer in [unwrapped(layer) for layer in viewer.layers]
    assert run.shown.layer.data.base is not None
    viewer.layers.remove(run.shown.layer)
    click(widget.view.resume, qtbot)
    qtbot.waitUntil(lambda: not run.running)
    assert run.heat.is_finished
    assert len(viewer.layers) == 2


def test_other_pixels_in_the_layer_end_its_map(slide, dock, held, qtbot):
    widget = dock()
    run = growing(widget, held, qtbot)
    slide.data = np.zeros((1024, 1024), np.uint8)
    held.open()
    qtbot.waitUntil(lambda: not run.running)
    assert run.cancelled
    assert not run.can_continue
    settled(widget, qtbot)
    assert widget.count.text().startswith("9 tiles")


@pytest.mark.parametrize("kind", KINDS)
def test_the_map_is_saved_as_the_dialog_says(slide, dock, qtbot, tmp_path, monkeypatch, kind):
    suffix = KINDS[kind]
    if suffix == ".zarr":
        pytest.importorskip("zarr")
    widget = dock()
    make(widget, qtbot)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "map"), kind))
    click(widget.view.save, qtbot)
    qtbot.waitUntil(widget.view.save.isEnabled)
    assert f"Saved the heat map to map{suffix}" in widget.view.message.text
    assert (tmp_path / f"map{suffix}").exists()
    click(widget.view.save, qtbot)  # a name without its suffix was not asked about
    qtbot.waitUntil(widget.view.save.isEnabled)
    assert "already exists" in widget.view.message.text


def test_the_form_counts_tiles_of_the_region_the_level_and_micrometres(viewer, slide, dock, qtbot):
    widget = dock()
    form = widget.form

    def count():
        settled(widget, qtbot)
        return widget.count.text().split(",")[0]

    form.overlap.setValue(0)
    assert count() == "6 tiles of 512 × 512 pixels"
    assert form.resolution.findData(MICRONS) < 0
    slide.scale, slide.units = (0.5, 0.5), ("um", "um")
    form.unit.setCurrentIndex(form.unit.findText("µm"))
    form.tile.setValue(64)
    assert count() == "80 tiles of 128 × 128 pixels"
    form.resolution.setCurrentIndex(form.resolution.findData(MICRONS))
    form.microns.setValue(1)
    assert count() == "80 tiles of 128 × 128 pixels"
    assert form.request().tile == 64
    shapes = viewer.add_shapes([[[0, 0], [0, 128], [128, 128], [128, 0]]], scale=(0.5, 0.5), name="parts")
    assert count() == "80 tiles of 128 × 128 pixels"
    form.choose_shapes(unwrapped(shapes))
    assert count() == "1 tile of 128 × 128 pixels"
    shapes.add_rectangles([[0, 0], [0, 256], [256, 256], [256, 0]])
    assert count() == "4 tiles of 128 × 128 pixels"
    shapes.selected_data = {0}
    assert count() == "1 tile of 128 × 128 pixels"
    run = make(widget, qtbot)
    assert run.heat.values.shape[1:] == (1, 1)
    assert [layer.name for layer in viewer.layers] == ["slide", "parts", "dark · heat map of slide"]
    viewer.layers.remove(shapes)
    assert count() == "80 tiles of 128 × 128 pixels"


def test_a_model_for_tiles_has_no_remark_and_what_is_missing_is_said(viewer, panel, fake_catalogue, slide, dock, qtbot):
    model = fake_catalogue.models["brightness"]
    assert BRIGHTNESS.preprocessing is not None
    model.card = BRIGHTNESS.model_copy(update={"tile_ok": True})
    widget = dock()
    assert not widget.remark.text
    viewer.layers.clear()
    assert "No image is open" in widget.message.text
    assert not widget.button.isEnabled()
    viewer.add_image(np.zeros((2000, 1500), np.uint8), name="next")
    settled(widget, qtbot)
    assert widget.button.isEnabled()


def test_an_error_of_the_picture_is_shown_and_tiles_that_cannot_be_read_are_tried_again(
    viewer, dock, panel, qtbot, monkeypatch
):
    monkeypatch.setattr(Torn, "torn", True)
    data = np.random.default_rng(1).integers(0, 255, (1024, 1536), dtype=np.uint8)
    layer = Image([lazy(Torn(data), 512), data[::4, ::4]], multiscale=True, contrast_limits=(0, 255), name="torn")
    viewer.add_layer(layer)
    widget = dock()
    widget.form.overlap.setValue(0)
    widget.form.resolution.setCurrentIndex(widget.form.resolution.findData(0))
    run = make(widget, qtbot)
    assert "1 tile could not be read." in widget.view.message.text
    assert "torn" in widget.view.message.text
    assert widget.view.resume.text() == "Try failed tiles again"
    monkeypatch.setattr(Torn, "torn", False)
    click(widget.view.resume, qtbot)
    qtbot.waitUntil(lambda: not run.running)
    assert not run.failed
    assert not widget.view.message.text
    assert widget.view.state.text() == "6 tiles classified."
