from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from types import SimpleNamespace

from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QStyleOptionViewItem
from tests.gui.conftest import current_plane

from napari_webipred._napari.images.image_choice import ImageChoice
from napari_webipred._napari.images.image_item import sources_of
from napari_webipred._napari.images.images import Images
from napari_webipred._napari.images.layers import axes_of, describe
from napari_webipred._napari.images.understanding import AxisChoice, Understanding
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.two_line_delegate import SECOND_LINE
from napari_webipred.errors import OptionError
from napari_webipred.imaging.readers import read


def ticked(panel) -> list[str]:
    return [layer.name for layer in panel.images.choice.layers.ticked()]


def untick(panel, row: int) -> None:
    layers = panel.images.choice.layers
    layers.setData(layers.index(row), Qt.CheckState.Unchecked, Qt.ItemDataRole.CheckStateRole)


def grey(*shape: int, dtype=np.uint8) -> np.ndarray:
    return np.zeros(shape or (40, 40), dtype)


def test_ticks_follow_the_layers_through_renaming_reordering_and_removal(viewer, panel):
    for name in "abc":
        viewer.add_image(grey(), name=name)
    assert ticked(panel) == ["a", "b", "c"]
    untick(panel, 1)
    viewer.layers["b"].name = "a b"
    viewer.layers["c"].name = "b"
    assert ticked(panel) == ["a", "b"]
    viewer.layers.move(1, 0)
    assert [panel.images.choice.layers.index(row).data() for row in range(3)] == ["a b", "a", "b"]
    assert ticked(panel) == ["a", "b"]
    viewer.layers.remove("a")
    assert ticked(panel) == ["b"]
    viewer.add_image(grey(), name="new")
    assert ticked(panel) == ["b", "new"]


def test_the_current_plane_is_said_to_be_another_while_the_viewer_shows_none(viewer, panel):
    viewer.add_image(grey(5, 40, 40))
    unseen = panel.form.planes.native.unseen

    def said(order: tuple[int, ...], ndisplay: int = 2) -> bool:
        viewer.dims.ndisplay, viewer.dims.order = ndisplay, order
        return unseen.isVisibleTo(panel)

    assert not said((1, 0, 2))  # all planes are classified
    current_plane(panel).click()
    assert unseen.isVisibleTo(panel)
    assert not said((0, 2, 1))
    assert said((2, 0, 1))
    assert said((0, 1, 2), 3)
    assert not said((0, 1, 2))
    viewer.add_image(grey(3, 5, 40, 40))
    assert said((0, 2, 1, 3))
    untick(panel, 0)
    untick(panel, 1)
    assert not unseen.isVisibleTo(panel)


def test_only_image_layers_are_listed(viewer, panel):
    viewer.add_labels(np.zeros((40, 40), int))
    viewer.add_points(np.zeros((3, 2)))
    viewer.add_image(grey(), name="a")
    assert panel.images.choice.layers.rowCount() == 1


DESCRIBED = [
    (grey(40, 50, 3), {}, "2-D RGB · 50 × 40"),
    (grey(40, 50, 4), {}, "2-D RGBA · 50 × 40"),
    (grey(40, 50, dtype=np.uint16), {}, "2-D, 16-bit · 50 × 40"),
    (grey(40, 50, dtype=np.float32), {}, "2-D, 32-bit float · 50 × 40"),
    (grey(60, 40, 50), {"axis_labels": ("z", "y", "x")}, "60 planes along z · 8-bit · 50 × 40"),
    (grey(5, 6, 40, 50), {"axis_labels": ("t", "z", "y", "x")}, "5 × 6 planes along t, z · 8-bit · 50 × 40"),
    (grey(7, 40, 50, 3), {"rgb": True, "axis_labels": ("t", "y", "x")}, "7 planes along t · RGB · 50 × 40"),
    (grey(3, 40, 50), {"axis_labels": ("c", "y", "x")}, "3 channels as RGB · 8-bit · 50 × 40"),
    (
        grey(3, 7, 40, 50),
        {"axis_labels": ("channel", "z", "y", "x")},
        "7 planes along z · 3 channels as RGB · 8-bit · 50 × 40",
    ),
    (grey(5, 40, 50), {}, "5 planes · 8-bit · 50 × 40"),
    (grey(5, 40, 50), {"axis_labels": ("axis -3", "axis -2", "axis -1")}, "5 planes · 8-bit · 50 × 40"),
    ([grey(80, 80), grey(40, 40)], {"multiscale": True}, "2-D, 8-bit · 80 × 80"),
]


def test_a_layer_is_described_as_it_is_understood(viewer, panel):
    described = []
    for data, options, _ in DESCRIBED:
        viewer.add_image(data, **options)
        index = panel.images.choice.layers.index(0)
        assert index.flags() & Qt.ItemFlag.ItemIsEnabled
        described.append(index.data(Qt.ItemDataRole.AccessibleTextRole))
        viewer.layers.clear()
    wrong = [(words, text) for (*_, words), text in zip(DESCRIBED, described, strict=True) if words not in text]
    assert wrong == []


def test_planes_can_be_chosen_for_stacks_only(viewer, panel):
    viewer.add_image(grey())
    assert panel.form.planes.native.isHidden()
    viewer.add_image(grey(5, 40, 40), name="stack")
    assert not panel.form.planes.native.isHidden()
    assert panel.form.plane_count() == 6
    current_plane(panel).click()
    assert panel.form.plane_count() == 2
    untick(panel, 1)
    assert panel.form.planes.native.isHidden()


def test_all_layers_are_ticked_or_unticked_at_once(viewer, panel, qtbot):
    for name in "abc":
        viewer.add_image(grey(), name=name)
    untick(panel, 0)
    assert panel.images.choice.all.checkState() == Qt.CheckState.PartiallyChecked
    qtbot.keyClick(panel.images.choice.all, Qt.Key.Key_Space)
    assert ticked(panel) == ["a", "b", "c"]
    assert panel.images.choice.all.checkState() == Qt.CheckState.Checked
    qtbot.keyClick(panel.images.choice.all, Qt.Key.Key_Space)
    assert ticked(panel) == []
    assert panel.images.choice.all.checkState() == Qt.CheckState.Unchecked


def test_new_data_of_a_layer_is_understood_anew(viewer, panel):
    layer = viewer.add_image(grey(5, 40, 40), name="a")
    assert panel.form.plane_count() == 5
    layer.data = grey(9, 40, 40)
    assert panel.form.plane_count() == 9


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # napari divides by the length 0
def test_a_layer_that_cannot_be_used_is_grey_and_says_why(viewer, panel):
    viewer.add_image(grey(), name="good")
    viewer.add_image(np.zeros((0, 40, 40), np.uint8), name="bad")
    index = panel.images.choice.layers.index(1)
    assert not index.flags() & Qt.ItemFlag.ItemIsEnabled
    assert "empty" in index.data(Qt.ItemDataRole.AccessibleTextRole)
    assert ticked(panel) == ["good"]


def test_describing_a_layer_reads_no_pixels(viewer, panel):
    dask = pytest.importorskip("dask.array")
    read = []

    def block(block_info=None):
        read.append(1)
        return np.zeros((1, 40, 40), np.uint8)

    lazy = dask.map_blocks(block, chunks=((1,) * 9, (40,), (40,)), dtype=np.uint8, meta=np.zeros((0, 0, 0), np.uint8))
    layer = viewer.add_image(lazy, contrast_limits=(0, 255))
    read.clear()
    assert "9 planes" in describe(layer)[0]
    panel.form.sources()
    assert read == []


@pytest.fixture
def images(qtbot):
    """The list of a viewer without a window, which opens much faster."""
    model = ViewerModel()
    choice = ImageChoice(model, Images(), Theme(SimpleNamespace(theme="dark")))
    qtbot.addWidget(choice)
    choice.resize(300, 600)
    choice.show()
    return SimpleNamespace(model=model, choice=choice, images=choice.images)


def words(choice, row: int) -> str:
    return str(choice.layers.index(row).data(SECOND_LINE))


def press(images, qtbot, row: int, modifier=Qt.KeyboardModifier.NoModifier) -> None:
    view = images.choice.list
    place = view.visualRect(images.choice.layers.index(row)).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, modifier, place)


CONTROL = Qt.KeyboardModifier.ControlModifier


def test_a_click_on_edit_opens_the_form_and_what_is_chosen_counts_at_once(images, qtbot):
    layer = images.model.add_image(grey(60, 40, 50, dtype=np.uint16), axis_labels=("z", "y", "x"))
    view = images.choice.list
    option = QStyleOptionViewItem()
    option.initFrom(view)
    option.rect = view.visualRect(images.choice.layers.index(0))
    word = view.itemDelegate().action(option, images.choice.layers.index(0))
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=word.center())
    assert images.images.is_ticked(layer)  # the click edits and does not untick
    (axis,) = images.choice.editor.rows
    assert axis.range.isHidden()
    qtbot.keyClicks(axis.use, "Some")
    assert not axis.range.isHidden()
    axis.range.step.selectAll()
    qtbot.keyClicks(axis.range.step, "5\r")
    assert words(images.choice, 0) == "60 planes along z · every 5th: 12 · 16-bit · 50 × 40"
    (_, source), *_ = sources_of(layer, images.images, "all", images.model.dims)
    assert [index for (index,) in source.indices()] == list(range(0, 60, 5))
    qtbot.mouseClick(images.choice.editor.reset, Qt.MouseButton.LeftButton)
    assert words(images.choice, 0) == "60 planes along z · 16-bit · 50 × 40"
    qtbot.keyClick(images.choice.editor.close_button, Qt.Key.Key_Space)
    assert images.choice.editor.isHidden()


def test_the_form_names_an_image_as_it_is_called_now(images):
    layer = images.model.add_image(grey(6, 40, 50), name="before")
    images.choice.list.setCurrentIndex(images.choice.layers.index(0))
    images.choice.edit()
    layer.name = "after"
    assert images.choice.editor.heading.text() == "How “after” is read"


@pytest.mark.parametrize("key", [Qt.Key.Key_F2, Qt.Key.Key_Return, Qt.Key.Key_Enter])
def test_keys_open_the_form_for_all_selected_layers_of_the_same_shape(images, qtbot, key):
    for name, shape in (("a", (6, 40, 40)), ("other", (9, 40, 40)), ("b", (6, 40, 40))):
        images.model.add_image(grey(*shape), name=name)
    for row in (0, 1, 2):
        press(images, qtbot, row, CONTROL)
    assert ticked_names(images) == ["a", "other", "b"]  # with Ctrl, a click only selects
    qtbot.keyClick(images.choice.list, key)
    assert "2 images" in images.choice.editor.heading.text()
    (axis,) = images.choice.editor.rows
    qtbot.keyClicks(axis.use, "Maximum")
    assert [words(images.choice, row)[:19] for row in range(3)] == [
        "maximum of 6 planes",
        "9 planes · 8-bit · ",
        "maximum of 6 planes",
    ]


def ticked_names(images) -> list[str]:
    return [layer.name for layer in images.choice.value()]


def test_two_axes_swap_their_names(images, qtbot):
    layer = images.model.add_image(grey(5, 6, 40, 40), axis_labels=("t", "z", "y", "x"))
    press(images, qtbot, 0, CONTROL)
    images.choice.edit()
    first, second = images.choice.editor.rows
    first.name.setEditText("z")
    qtbot.keyClick(first.name.lineEdit(), Qt.Key.Key_Return)
    assert (first.shown_name, second.shown_name) == ("z", "t")
    assert [axis.name for axis in axes_of(layer, images.images.understanding(layer))] == ["z", "t"]
    first.name.setEditText("")
    qtbot.keyClick(first.name.lineEdit(), Qt.Key.Key_Return)
    assert first.shown_name == "z"


def test_channels_along_an_axis_are_merged_in_the_chosen_colours(images, qtbot):
    data = np.zeros((4, 2, 8, 8), np.uint8)
    data[1], data[3] = 255, 51
    layer = images.model.add_image(data, axis_labels=("c", "z", "y", "x"))
    press(images, qtbot, 0, CONTROL)
    images.choice.edit()
    channels, _ = images.choice.editor.rows
    qtbot.keyClicks(channels.use, "In")
    colours = channels.colours
    for number in (0, 2):
        qtbot.mouseClick(colours._boxes[number], Qt.MouseButton.LeftButton)
    colours._colours[1].setCurrentText("green")
    colours._colours[3].setCurrentText("magenta")
    assert words(images.choice, 0) == "2 planes along z · 2 of 4 channels in colours · 8-bit · 8 × 8"
    ((target, source),) = sources_of(layer, images.images, "all", images.model.dims)
    assert (source.axes, target.axes) == (("z",), (1,))
    assert read(source, (1,))[0, 0].tolist() == pytest.approx([0.2, 1, 0.2])
    tip = images.choice.layers.index(0).data(Qt.ItemDataRole.ToolTipRole)
    assert "c 1 in green, c 3 in magenta" in tip


def test_the_reason_for_rgb_is_given_and_can_be_overruled(images, qtbot):
    layer = images.model.add_image(grey(3, 40, 40), axis_labels=("c", "y", "x"))
    press(images, qtbot, 0, CONTROL)
    images.choice.edit()
    assert "because the axis is called c and has 3 channels" in images.choice.editor.why.text()
    qtbot.keyClicks(images.choice.editor.rows[0].use, "All planes")
    assert words(images.choice, 0) == "3 planes along c · 8-bit · 40 × 40"
    ((_, source),) = sources_of(layer, images.images, "all", images.model.dims)
    assert len(source) == 3


def test_what_is_chosen_outlives_the_panel_and_adapts_to_other_data(images, qtbot):
    layer = images.model.add_image(grey(9, 40, 40))
    images.images.understand([layer], Understanding((AxisChoice("z", "range", 2, 8, 2),)))
    images.choice.layers.leave()
    again = ImageChoice(images.model, images.images, Theme(SimpleNamespace(theme="dark")))
    qtbot.addWidget(again)
    assert words(again, 0) == "9 planes along z · 2 to 6, every 2nd: 3 · 8-bit · 40 × 40"
    layer.data = grey(5, 40, 40)
    assert words(again, 0) == "5 planes along z · 2 to 4, every 2nd: 2 · 8-bit · 40 × 40"
    layer.data = grey(4, 5, 40, 40)
    assert words(again, 0) == "4 × 5 planes · 8-bit · 40 × 40"


def test_selected_layers_are_merged_in_their_own_colours_and_split_again(images, qtbot):
    blue = images.model.add_image(
        np.full((8, 8), 100, np.uint8), name="DAPI", colormap="blue", contrast_limits=(0, 200)
    )
    green = images.model.add_image(np.full((8, 8), 30, np.uint8), name="GFP", colormap="green", contrast_limits=(0, 40))
    images.model.add_image(grey(8, 8, 3), name="colours")
    press(images, qtbot, 0, CONTROL)
    assert images.choice.merge.isHidden()
    press(images, qtbot, 1, CONTROL)
    qtbot.mouseClick(images.choice.merge, Qt.MouseButton.LeftButton)
    merged, colours = images.choice.value()
    assert (colours.name, merged.name) == ("colours", "DAPI + GFP")
    assert words(images.choice, 0) == "blue, green · 8-bit · 8 × 8"
    ((target, source),) = sources_of(merged, images.images, "all", images.model.dims)
    assert (source.name, target.layers) == (merged.name, [blue, green])
    assert read(source, ())[0, 0].tolist() == pytest.approx([0, 0.75, 0.5], abs=0.01)
    blue.colormap, green.contrast_limits, green.name = "red", (0, 60), "EGFP"
    assert images.choice.layers.index(0).data() == "DAPI + EGFP"
    ((_, source),) = sources_of(merged, images.images, "all", images.model.dims)
    assert read(source, ())[0, 0].tolist() == pytest.approx([0.5, 0.5, 0], abs=0.01)
    images.choice.menu.prepare(merged)
    images.choice.menu.split_action.trigger()
    assert ticked_names(images) == ["DAPI", "EGFP", "colours"]


def test_merged_stacks_keep_their_planes_and_can_be_projected(images, qtbot):
    first = images.model.add_image(grey(4, 8, 8), axis_labels=("z", "y", "x"))
    second = images.model.add_image(grey(4, 8, 8))
    merged = images.images.merge([first, second])
    ((target, source),) = sources_of(merged, images.images, slice(0, 4, 2), images.model.dims)
    assert (source.axes, list(source.indices()), target.axes) == (("z",), [(0,), (2,)], (0,))
    images.images.understand([merged], Understanding((AxisChoice(use="max"),)))
    ((_, source),) = sources_of(merged, images.images, "all", images.model.dims)
    assert len(source) == 1
    assert "maximum of 4 planes along z" in words(images.choice, 0)


@pytest.mark.parametrize(
    ("data", "why"), [(grey(8, 9), "different sizes: 8 × 8 and 8 × 9"), (grey(40, 40, 3), "has colours of its own")]
)
def test_layers_that_cannot_be_merged_are_not_and_merged_ones_say_why_they_have_become_so(images, qtbot, data, why):
    first = images.model.add_image(grey(8, 8))
    second = images.model.add_image(grey(8, 8))
    other = images.model.add_image(data)
    with pytest.raises(OptionError, match=why):
        images.images.merge([first, other])
    merged = images.images.merge([first, second])
    second.data = grey(8, 10)
    assert "different sizes" in words(images.choice, 0)
    assert merged not in images.choice.value()
    press(images, qtbot, 0)
    images.choice.menu.prepare(merged)
    assert images.choice.menu.selected() == [merged]
    assert images.choice.menu.split_action.isVisible()
    images.model.layers.remove(second)
    assert images.images.merged == []
    assert first in images.choice.value()
