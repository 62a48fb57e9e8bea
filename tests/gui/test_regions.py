from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtCore import Qt
from tests.gui.conftest import current_plane, flat, open_again

from napari_webipred._napari.images.place import grid
from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.regions.region_look import TOO_MANY
from napari_webipred.errors import OptionError
from napari_webipred.results.sheet import Sheet

DARK, BRIGHT = [[0, 0], [0, 20], [40, 20], [40, 0]], [[0, 20], [0, 40], [40, 40], [40, 20]]


def halves() -> np.ndarray:
    """An image that is dark on the left and bright on the right."""
    image = flat(10)
    image[:, 20:] = 240
    return image


def choose_regions(panel, layer, qtbot):
    """Choose a layer with the keyboard, as a user does, and wait until its regions are found."""
    part = panel.form.regions.native
    place = [other.name for other in part.offered].index(layer.name) + 1
    part.box.setFocus()
    qtbot.keyClick(part.box, Qt.Key.Key_Home)
    for _ in range(place):
        qtbot.keyClick(part.box, Qt.Key.Key_Down)
    assert panel.form.regions.value is not None
    qtbot.waitUntil(lambda: not panel.form.finder.searching)


def settled(panel, qtbot):
    qtbot.waitUntil(lambda: not panel._session.regions.busy)


def rows(panel) -> list[tuple[str, str]]:
    return [(row.region, row.prediction) for row in panel._session.run.rows]


def test_regions_are_offered_only_while_there_is_a_layer_with_some(viewer, panel):
    viewer.add_image(flat(10))
    part = panel.images.regions
    assert part.isHidden()
    shapes = viewer.add_shapes([DARK])
    assert not part.isHidden()
    viewer.layers.remove(shapes)
    assert part.isHidden()


def test_the_chosen_layer_stays_chosen_when_it_is_renamed_or_moved_and_not_when_it_goes(viewer, panel):
    first, second = viewer.add_shapes([DARK], name="a"), viewer.add_labels(np.ones((9, 9), int), name="b")
    panel.form.regions.value = second
    first.name, second.name = "z", "c"
    viewer.layers.move(1, 0)
    assert panel.form.regions.value.name == "c"
    assert panel.form.regions.native.box.currentText() == "c"
    viewer.layers.remove(second)
    assert panel.form.regions.value is None
    with pytest.raises(OptionError, match="not a Shapes or Labels layer"):
        panel.form.regions.value = second


def test_each_shape_is_a_row_and_its_class_is_written_on_it(viewer, panel, qtbot, classify):
    viewer.add_image(halves())
    shapes = viewer.add_shapes([DARK, BRIGHT], shape_type="polygon", features={"name": ["left", "right"]})
    choose_regions(panel, shapes, qtbot)
    assert panel.images.regions.count.text() == "2 shapes = 2 rows."
    assert panel.classify.button.text() == "Classify 2 regions"
    classify(panel)
    settled(panel, qtbot)
    assert rows(panel) == [("left", "dark"), ("right", "bright")]
    features = shapes.features
    assert list(features) == ["name", "class", "probability", "dark", "bright"]
    assert list(features["class"]) == ["dark", "bright"]
    np.testing.assert_array_equal(features["bright"], [row.probabilities[1] for row in panel._session.run.rows])
    assert [str(text) for text in shapes.text.values] == ["dark 0.96", "bright 0.94"]
    assert not np.array_equal(shapes.edge_color[0], shapes.edge_color[1])


def test_shapes_show_the_classes_that_they_have_with_a_threshold_that_was_moved(viewer, panel, qtbot, classify):
    viewer.add_image(halves())
    shapes = viewer.add_shapes([DARK, BRIGHT], shape_type="polygon")
    choose_regions(panel, shapes, qtbot)
    classify(panel, "Eye")
    settled(panel, qtbot)
    assert list(shapes.features["class"]) == ["blood", "drusen"]
    panel.results.detail.threshold.number.setValue(0.95)
    table = panel._session.table
    qtbot.waitUntil(lambda: [table.entry(number).row.prediction for number in range(2)] == ["blood", ""])
    settled(panel, qtbot)
    assert list(shapes.features["class"]) == ["blood", ""]
    assert [str(text) for text in shapes.text.values] == ["blood 0.96", "none"]


def test_too_many_shapes_keep_their_look_and_the_panel_says_why(viewer, panel, qtbot, classify, monkeypatch):
    monkeypatch.setattr("napari_webipred._napari.regions.region_results.MOST_DRESSED", 1)
    viewer.add_image(halves())
    shapes = viewer.add_shapes([DARK, BRIGHT], face_color="red")
    choose_regions(panel, shapes, qtbot)
    classify(panel)
    settled(panel, qtbot)
    assert list(shapes.features["class"]) == ["dark", "bright"]
    np.testing.assert_array_equal(shapes.face_color, [[1, 0, 0, 1]] * 2)
    assert panel._session.regions.remark(unwrapped(shapes)) == TOO_MANY


def test_a_layer_that_gets_too_many_shapes_shows_the_classes_of_no_earlier_run(
    viewer, panel, qtbot, classify, monkeypatch
):
    monkeypatch.setattr("napari_webipred._napari.regions.region_results.MOST_DRESSED", 2)
    viewer.add_image(halves())
    shapes = viewer.add_shapes([DARK, BRIGHT], face_color="red")
    choose_regions(panel, shapes, qtbot)
    classify(panel)
    settled(panel, qtbot)
    assert not np.array_equal(shapes.face_color, [[1, 0, 0, 1]] * 2)
    shapes.add(DARK, face_color="blue")
    qtbot.waitUntil(lambda: len(panel.form.sources()[1][0].regions) == 3)
    classify(panel)
    settled(panel, qtbot)
    np.testing.assert_array_equal(shapes.face_color[:2], [[1, 0, 0, 1]] * 2)
    assert set(np.ravel(shapes.text.values)) == {""}
    assert panel._session.regions.remark(unwrapped(shapes)) == TOO_MANY


def test_the_look_of_the_user_comes_back(viewer, panel, qtbot, classify):
    viewer.add_image(halves())
    shapes = viewer.add_shapes(
        [DARK, BRIGHT], features={"mine": ["a", "b"]}, text="{mine}!", face_color=["red", "blue"]
    )
    before = shapes.face_color.copy(), shapes.edge_color.copy()
    choose_regions(panel, shapes, qtbot)
    classify(panel)
    settled(panel, qtbot)
    box = panel.images.regions.classes
    assert box.isChecked()
    shapes.add_polygons([[1, 1], [1, 5], [5, 5]], face_color="yellow")
    new = shapes.face_color[2].copy()
    panel.scroll.ensureWidgetVisible(box)
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=_spot(box))
    settled(panel, qtbot)
    assert [str(text) for text in shapes.text.values][:2] == ["a!", "b!"]
    np.testing.assert_array_equal(shapes.face_color[:2], before[0])
    np.testing.assert_array_equal(shapes.edge_color[:2], before[1])
    np.testing.assert_array_equal(shapes.face_color[2], new)
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=_spot(box))
    settled(panel, qtbot)
    assert [str(text) for text in shapes.text.values][:2] != ["a!", "b!"]


def test_texts_of_shapes_can_be_read_in_grid_view_too(viewer, panel, qtbot, classify):
    viewer.theme = "dark"
    viewer.add_image(np.full((8, 12), 255, np.uint8))
    shapes = viewer.add_shapes([DARK, BRIGHT])
    choose_regions(panel, shapes, qtbot)
    classify(panel)
    settled(panel, qtbot)

    def colour() -> list[float]:
        return np.unique(shapes.text.color(shapes.features)[..., :3]).tolist()

    assert colour() == [0]  # black on the white image
    grid(viewer).enabled = True
    assert colour() == [1]  # white on the black canvas
    viewer.theme = "light"
    assert colour() == [0]
    viewer.theme = "dark"
    grid(viewer).enabled = False
    assert colour() == [0]


def _spot(box):
    """Where a check box can be clicked."""
    from qtpy.QtCore import QPoint

    return QPoint(8, box.height() // 2)


def test_columns_of_the_user_are_not_overwritten_and_those_of_the_last_run_are(viewer, panel, qtbot, classify):
    viewer.add_image(halves())
    shapes = viewer.add_shapes([DARK, BRIGHT], features={"class": ["mine", "too"]})
    choose_regions(panel, shapes, qtbot)
    for _ in range(2):
        classify(panel)
        settled(panel, qtbot)
    assert list(shapes.features) == ["class", "class (2)", "probability", "dark", "bright"]
    assert list(shapes.features["class"]) == ["mine", "too"]
    assert list(shapes.features["class (2)"]) == ["dark", "bright"]


def test_only_shapes_that_are_still_as_they_were_get_results(viewer, panel, qtbot, fake_catalogue, choose):
    viewer.add_image(halves())
    shapes = viewer.add_shapes([[[1, 1], [1, 9], [9, 9]], DARK, BRIGHT], shape_type="polygon")
    choose_regions(panel, shapes, qtbot)
    fake_catalogue.models["brightness"].gate.clear()
    choose(panel, "Brightness")
    qtbot.waitUntil(panel.classify.button.isEnabled)
    qtbot.mouseClick(panel.classify.button, Qt.MouseButton.LeftButton)
    data = shapes.data
    shapes.selected_data = {0}
    shapes.remove_selected()
    shapes.data = [data[1], data[2] + 1]
    fake_catalogue.models["brightness"].gate.set()
    qtbot.waitUntil(lambda: not panel._session.run.running)
    settled(panel, qtbot)
    assert [name for name, _ in rows(panel)] == ["1", "2", "3"]
    assert list(shapes.features["class"]) == ["dark", ""]
    assert "2 regions were changed or removed" in panel.images.regions.remark.text()


def test_choosing_a_row_selects_its_shape_and_selecting_a_shape_chooses_its_row(viewer, panel, qtbot, classify):
    viewer.add_image(halves())
    shapes = viewer.add_shapes([DARK, BRIGHT])
    choose_regions(panel, shapes, qtbot)
    classify(panel)
    settled(panel, qtbot)
    camera = viewer.scene.camera if hasattr(viewer, "canvas") else viewer.camera
    zoom = camera.zoom
    panel.results.table.setCurrentIndex(panel.results.model.index(1, 0))
    assert set(shapes.selected_data) == {1}
    assert tuple(camera.center[-2:]) == (19.5, 29.5)
    assert camera.zoom == zoom
    shapes.selected_data = {0}
    assert panel.results.chosen_entry.row.region == "1"
    camera.zoom = 1000
    panel.results.table.setCurrentIndex(panel.results.model.index(1, 0))
    assert camera.zoom < 1000


def test_selecting_a_shape_chooses_its_row_also_after_a_session_was_opened(viewer, panel, qtbot, classify):
    viewer.add_image(halves())
    shapes = viewer.add_shapes([DARK, BRIGHT])
    choose_regions(panel, shapes, qtbot)
    run = classify(panel)
    settled(panel, qtbot)
    open_again(panel, run.details, list(run.rows))
    for place, region in ((1, "2"), (0, "1")):
        shapes.selected_data = {place}
        assert panel.results.chosen_entry.row.region == region
        assert panel.results.chosen_entry.run.number == 1


def test_flat_shapes_count_on_every_plane_and_carry_the_mean(viewer, panel, qtbot, classify):
    stack = np.stack([flat(value, (40, 40)) for value in (0, 100, 200)])
    viewer.add_image(stack, axis_labels=("z", "y", "x"))
    shapes = viewer.add_shapes([DARK, BRIGHT])
    shapes.add_lines([[0, 0], [9, 9]])
    choose_regions(panel, shapes, qtbot)
    words = panel.images.regions.count.text()
    assert words == "2 shapes × 3 planes = 6 rows. 1 line or path has no area and is left out."
    run = classify(panel)
    settled(panel, qtbot)
    assert [(row.position["z"], row.region) for row in run.rows] == [(z, n) for z in range(3) for n in "12"]
    assert list(shapes.features["rows"]) == [3, 3, 0]
    assert "z" not in shapes.features
    mean = np.mean([row.probabilities[1] for row in run.rows if row.region == "1"])
    assert shapes.features["bright"][0] == pytest.approx(mean)
    panel.results.table.setCurrentIndex(panel.results.model.index(5, 0))
    assert viewer.dims.current_step[0] == 2
    assert set(shapes.selected_data) == {1}
    viewer.dims.set_current_step(0, 1)
    assert panel.results.chosen_entry.row.position == {"z": 1}
    current_plane(panel).click()
    assert panel.images.regions.count.text().startswith("2 shapes = 2 rows.")


def test_shapes_of_a_stack_carry_their_plane(viewer, panel, qtbot, classify):
    viewer.add_image(np.stack([flat(value, (40, 40)) for value in (0, 100, 200)]), axis_labels=("z", "y", "x"))
    shapes = viewer.add_shapes([[[z, *corner] for corner in DARK] for z in (2, 0)])
    choose_regions(panel, shapes, qtbot)
    assert panel.images.regions.count.text() == "2 shapes on 3 planes = 2 rows."
    classify(panel)
    settled(panel, qtbot)
    assert list(shapes.features["z"]) == [2, 0]


def test_pixels_outside_a_polygon_can_become_black(viewer, panel, qtbot, classify):
    viewer.add_image(flat(200))
    rectangle = viewer.add_shapes([DARK], shape_type="rectangle", name="rectangle")
    triangle = viewer.add_shapes([[[0, 0], [0, 40], [40, 0]]], shape_type="polygon", name="triangle")
    choose_regions(panel, rectangle, qtbot)
    assert panel.form.outside.native.isHidden()
    choose_regions(panel, triangle, qtbot)
    outside = panel.form.outside.native
    assert not outside.isHidden()
    kept = classify(panel).rows[0].probabilities[1]
    qtbot.mouseClick(outside, Qt.MouseButton.LeftButton, pos=_spot(outside))
    assert panel.form.outside.value == "blank"
    qtbot.waitUntil(lambda: not panel.form.finder.searching)
    assert classify(panel).rows[0].probabilities[1] < 0.7 * kept


def test_labels_are_rows_and_are_coloured_only_if_asked(viewer, panel, qtbot, classify):
    viewer.add_image(halves())
    numbers = np.zeros((40, 40), int)
    numbers[5:15, 2:12], numbers[5:15, 25:35], numbers[20:30, 25:35] = 4, 9, 700
    labels = viewer.add_labels(numbers)
    former = unwrapped(labels.colormap)
    choose_regions(panel, labels, qtbot)
    assert panel.images.regions.count.text() == "3 labels = 3 rows."
    classify(panel)
    settled(panel, qtbot)
    assert rows(panel) == [("4", "dark"), ("9", "bright"), ("700", "bright")]
    assert list(labels.features["index"]) == [4, 9, 700]
    assert list(labels.features["class"]) == ["dark", "bright", "bright"]
    assert unwrapped(labels.colormap) is former
    box = panel.images.regions.classes
    assert not box.isChecked()
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=_spot(box))
    settled(panel, qtbot)
    assert isinstance(unwrapped(labels.colormap), DirectLabelColormap)
    np.testing.assert_array_equal(labels.get_color(9), labels.get_color(700))
    assert not np.array_equal(labels.get_color(4), labels.get_color(9))
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=_spot(box))
    assert unwrapped(labels.colormap) is former
    panel.results.table.setCurrentIndex(panel.results.model.index(2, 0))
    assert labels.selected_label == 700
    labels.selected_label = 4
    assert panel.results.chosen_entry.row.region == "4"


def test_labels_that_were_painted_over_get_no_results(viewer, panel, qtbot, classify):
    viewer.add_image(halves())
    numbers = np.zeros((40, 40), int)
    numbers[5:15, 2:12], numbers[5:15, 25:35] = 4, 9
    labels = viewer.add_labels(numbers, features={"index": [9], "mine": ["x"]})
    choose_regions(panel, labels, qtbot)
    run = classify(panel)
    settled(panel, qtbot)
    labels.data_setitem((np.array([5]), np.array([2])), 0)
    panel._session.regions.write(run)
    settled(panel, qtbot)
    features = labels.features.set_index("index")
    assert features["class"][9] == "bright"
    assert features["mine"][9] == "x"
    assert 4 not in features.index or not features["class"][4]


def test_regions_that_cannot_be_used_say_so(viewer, panel, qtbot, choose):
    viewer.add_image(flat(10))
    labels = viewer.add_labels(np.ones((3, 40, 40), int), name="cells")
    choose(panel, "Brightness")
    choose_regions(panel, labels, qtbot)
    assert "The layer cells has 3 axes" in panel.images.regions.count.text()
    assert not panel.classify.button.isEnabled()
    with pytest.raises(Exception, match="3 axes"):
        panel.form()


def test_a_script_need_not_wait_for_the_regions(viewer, panel, qtbot, choose):
    viewer.add_image(halves())
    shapes = viewer.add_shapes([DARK, BRIGHT])
    choose(panel, "Brightness")
    qtbot.waitUntil(panel.classify.button.isEnabled)
    panel.form.regions.value = shapes
    panel.form()
    qtbot.waitUntil(lambda: panel._session.run is not None and not panel._session.run.running)
    assert rows(panel) == [("1", "dark"), ("2", "bright")]
    settled(panel, qtbot)


def test_drawing_another_shape_counts_at_once(viewer, panel, qtbot):
    viewer.add_image(halves())
    shapes = viewer.add_shapes([DARK])
    choose_regions(panel, shapes, qtbot)
    shapes.add_rectangles(BRIGHT)
    qtbot.waitUntil(lambda: panel.images.regions.count.text() == "2 shapes = 2 rows.")


def test_a_closed_panel_leaves_the_layer_alone_and_its_results_arrive(viewer, panel, qtbot, classify, open_panel):
    viewer.add_image(halves())
    shapes = viewer.add_shapes([DARK, BRIGHT])
    choose_regions(panel, shapes, qtbot)
    classify(panel)
    settled(panel, qtbot)
    viewer.window.remove_dock_widget(panel.parent())
    assert not panel.form.finder._heard
    shapes.selected_data = {1}
    shapes.data = [np.array(DARK)]


def test_the_csv_file_names_the_region(viewer, panel, qtbot, classify):
    viewer.add_image(halves())
    shapes = viewer.add_shapes([DARK, BRIGHT])
    choose_regions(panel, shapes, qtbot)
    classify(panel)
    settled(panel, qtbot)
    sheet = Sheet(panel.results.visible_entries())
    assert sheet.names == ["image", "region", "dark", "bright", "prediction", "error"]
    assert [cells[1] for cells in sheet] == ["1", "2"]
