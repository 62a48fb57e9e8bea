from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from tests.gui.conftest import current_plane

from napari_webipred._napari.layers import describe


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


def test_only_image_layers_are_listed(viewer, panel):
    viewer.add_labels(np.zeros((40, 40), int))
    viewer.add_points(np.zeros((3, 2)))
    viewer.add_image(grey(), name="a")
    assert panel.images.choice.layers.rowCount() == 1


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
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
    ],
)
def test_a_layer_is_described_as_it_is_understood(viewer, panel, data, options, words):
    viewer.add_image(data, **options)
    index = panel.images.choice.layers.index(0)
    assert words in index.data(Qt.ItemDataRole.AccessibleTextRole)
    assert index.flags() & Qt.ItemFlag.ItemIsEnabled


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
