"""The code that the panel copies is run here, and gives the numbers of its rows bit for bit."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from msgspec.structs import replace
from PIL import Image

pytest.importorskip("napari")

from napari.components import ViewerModel
from napari.layers import Image as Layer
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog
from tests.dicom_maker import ct_slice, written

import napari_webipred as wp
from napari_webipred._napari.images import layer_input
from napari_webipred._napari.images.layer_input import image_input, image_inputs, row_axes_of
from napari_webipred._napari.images.layers import source_of
from napari_webipred._napari.images.place import Target
from napari_webipred._napari.images.understanding import AxisChoice, Understanding
from napari_webipred._napari.viewer_session import _sessions, unwrapped
from napari_webipred.imaging.region import Region, polygon
from napari_webipred.imaging.selection import Channel, merge
from napari_webipred.results import script, session_writer
from napari_webipred.results.inputs import ModelInput, RegionInput


@pytest.fixture
def panel(viewer, open_panel, qtbot, tmp_path):
    """Three rows of the demo model itself: of a file, and of a stack with a name that needs quotes."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 80), np.uint8)
    Image.fromarray(noise).save(tmp_path / "it's a scan.png")
    viewer.open(str(tmp_path / "it's a scan.png"))
    panel = open_panel()
    panel.form.model.value = "demo"
    qtbot.waitUntil(panel.classify.button.isEnabled, timeout=60_000)
    return panel


def classify(panel, qtbot) -> None:
    qtbot.waitUntil(panel.classify.button.isEnabled, timeout=60_000)  # the regions are found in a thread
    qtbot.mouseClick(panel.classify.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel._session.run is not None and not panel._session.running, timeout=60_000)


def copied(panel, qtbot, action) -> str:
    panel.results.buttons.message.clear()
    action.trigger()
    qtbot.waitUntil(lambda: bool(panel.results.buttons.message.text))
    assert "Copied the code of run 1." in panel.results.buttons.message.text
    return QGuiApplication.clipboard().text()


def numbers(panel) -> np.ndarray:
    table = panel._session.table
    return np.array([table.entry(number).row.probabilities for number in table.numbers])


def table_of(code: str, **names) -> np.ndarray:
    scope = dict(names)
    exec(code, scope)
    return scope["table"][scope["model"].classes].to_numpy(np.float32)


def test_python_for_layers_and_for_files_and_the_shell_give_the_same_numbers(panel, viewer, qtbot, tmp_path):
    classify(panel, qtbot)
    menu = panel.results.buttons.menu
    np.testing.assert_array_equal(table_of(copied(panel, qtbot, menu.python_layers), viewer=viewer), numbers(panel))
    np.testing.assert_array_equal(table_of(copied(panel, qtbot, menu.python_files)), numbers(panel))
    command = copied(panel, qtbot, menu.shell_files)
    if sys.platform != "win32":
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        subprocess.run(["bash", "-c", command], check=True, cwd=tmp_path, env={**os.environ, "PATH": path}, timeout=120)
        with (tmp_path / "results.csv").open(newline="") as stream:
            (_, line) = csv.reader(stream)
        np.testing.assert_array_equal(np.array([line[1:-2]], np.float32), numbers(panel))


def test_a_stack_that_was_never_a_file_is_classified_from_its_layer_only(panel, viewer, qtbot):
    stack = np.random.default_rng(1).integers(0, 4096, (3, 50, 60), np.uint16)
    viewer.layers.clear()
    viewer.add_image(stack, name="a 'stack'", axis_labels=("z", "y", "x"))
    panel.form.intensity.value = (0, 4095)
    classify(panel, qtbot)
    menu = panel.results.buttons.menu
    code = copied(panel, qtbot, menu.python_layers)
    np.testing.assert_array_equal(table_of(code, viewer=viewer), numbers(panel))
    assert len(numbers(panel)) == 3
    menu.shell_files.trigger()
    assert_said(panel, qtbot, "was not opened from a file")


def test_merged_channels_of_a_layer_are_known_as_a_step_and_merged_layers_are_not():
    stack = Layer(np.zeros((3, 2, 8, 8), np.uint8), name="s", axis_labels=("t", "c", "y", "x"))
    how = Understanding((AxisChoice(), AxisChoice(use="merge", channels=((1, "red"), (0, "green")))))
    described = image_input(Target([stack], (0,)), source_of(stack, how, slice(0, 2)))
    assert described.axes == ("t", "c")
    merged = ("merge", "c", (1, 0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)))
    assert described.steps == (merged, ("planes", (("t", (0, 2, 1)),)))
    assert row_axes_of(described) == (0,)
    channels = [Channel(source_of(stack, planes="all"), (1.0, 0.0, 0.0))] * 2
    assert image_input(Target([stack], (0, 1)), merge("two", channels)).steps is None


def assert_said(panel, qtbot, words: str) -> None:
    qtbot.waitUntil(lambda: words in panel.results.buttons.message.text)


def test_a_layer_that_was_changed_after_it_was_opened_is_not_taken_for_its_file(panel, viewer, qtbot):
    viewer.layers[0].data = 255 - np.asarray(viewer.layers[0].data)
    classify(panel, qtbot)
    panel.results.buttons.menu.shell_files.trigger()
    assert_said(panel, qtbot, "has other pixels than its file")


def test_regions_of_merged_layers_are_written_as_code_for_python_and_refused_for_a_shell(panel, viewer, qtbot):
    ramp = np.linspace(0, 4000, 96)
    for name, colour, pixels in (("nuclei", "magenta", ramp[:, None]), ("it's", "green", ramp[None, :])):
        data = np.stack([np.roll(np.broadcast_to(pixels, (96, 96)), 9 * t, 0) for t in range(3)]).astype(np.uint16)
        viewer.add_image(data, name=name, colormap=colour, axis_labels=("c", "y", "x"), contrast_limits=(7, 3900))
    corners = [[5, 5], [5, 60], [70, 33.3]], [[20, 10], [20, 90], [90, 90], [90, 10]]
    shapes = viewer.add_shapes([np.array(each) for each in corners], shape_type="polygon", name="regions")
    merged = panel.form.images.native.images.merge(list(viewer.layers)[1:3])
    panel.form.images.value = [merged]
    panel.form.planes.value = slice(0, 3, 2)
    panel.form.regions.value, panel.form.outside.value = shapes, "blank"
    classify(panel, qtbot)
    menu = panel.results.buttons.menu
    code = copied(panel, qtbot, menu.python_layers)
    viewer.layers["nuclei"].colormap = "gray"  # what the layer looks like now does not count
    scope: dict = {"viewer": viewer}
    exec(code, scope)
    table = scope["table"]
    np.testing.assert_array_equal(table[scope["model"].classes].to_numpy(np.float32), numbers(panel))
    assert table["region"].tolist() == ["1", "2", "1", "2"]
    assert table["image"].tolist() == [merged.name] * 4
    menu.python_files.trigger()
    assert_said(panel, qtbot, "nuclei was not opened from a file")
    menu.shell_files.trigger()
    assert_said(panel, qtbot, "Copy it as Python instead.")


def test_files_of_merged_layers_are_written_as_code_also_when_they_are_closed(tmp_path):
    layers = []
    for seed, name in enumerate("ab"):
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 50), np.uint8)).save(tmp_path / f"{name}.png")
        (opened,) = ViewerModel().open(str(tmp_path / f"{name}.png"), plugin="napari")
        layers.append(opened)
    colours = (1.0, 0.0, 0.0), (0.0, 1.0, 0.5)
    pairs = zip(layers, colours, strict=True)
    source = merge("both", [Channel(source_of(layer), colour, (0.0, 200.0)) for layer, colour in pairs])
    image = image_input(Target(layers), source)
    del layers[0], opened
    code = script.python_of_files([image], ModelInput("demo"), {}, "")
    expected = wp.classify([source], "demo")[wp.open_model("demo").classes].to_numpy(np.float32)
    np.testing.assert_array_equal(table_of(code), expected)


@pytest.fixture
def reopened(panel, viewer, open_panel, qtbot, monkeypatch, tmp_path):
    """Classify, save the session, and open it in a viewer that knows nothing of it, with the layers or without."""

    def reopen(keep: bool):
        classify(panel, qtbot)
        before, path = numbers(panel), tmp_path / "study.webipred.json"
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
        panel.results.buttons.menu.save_session.trigger()
        qtbot.waitUntil(path.exists)
        qtbot.waitUntil(lambda: "Saved" in panel.results.buttons.message.text)
        viewer.window.remove_dock_widget("all")
        layers = list(viewer.layers) if keep else []
        viewer.layers.clear()
        for layer in layers:
            viewer.add_layer(layer)
        del _sessions[unwrapped(viewer)]
        new = open_panel()
        new.results.buttons.menu.open_session.trigger()
        qtbot.waitUntil(lambda: "Opened study.webipred.json" in new.results.buttons.message.text)
        np.testing.assert_array_equal(numbers(new), before)
        return new

    return reopen


def channels(viewer, folder: Path) -> list:
    """Open two channels of a time series, which are files of their own."""
    ramp = np.linspace(0, 4000, 96)
    for name, colour, pixels in (("nuclei", "magenta", ramp[:, None]), ("it's", "green", ramp[None, :])):
        data = np.stack([np.roll(np.broadcast_to(pixels, (96, 96)), 9 * t, 0) for t in range(3)]).astype(np.uint16)
        tifffile.imwrite(folder / f"{name}.tif", data, photometric="minisblack")
        options = {"axis_labels": ("t", "y", "x"), "colormap": colour, "contrast_limits": (7, 3900)}
        viewer.open(str(folder / f"{name}.tif"), plugin="napari", name=name, **options)
    return list(viewer.layers)[-2:]


def write_series(folder: Path, slices: int = 3) -> None:
    """Write slices with new identifiers, as those of another patient in the same drive are."""
    folder.mkdir(exist_ok=True)
    for number in range(slices):
        pixels = np.random.default_rng(number).integers(0, 1000, (40, 50)).astype(np.int16)
        written(folder / f"{number}", ct_slice(5.0 * number, number, pixels))


CORNERS = [[5, 5], [5, 60], [70, 33.3]], [[20, 10], [20, 90], [90, 90], [90, 10]]


def test_regions_of_a_reopened_session_are_written_as_code(panel, viewer, reopened, qtbot):
    outlines = [np.array(each, float) / 2 for each in CORNERS]
    panel.form.regions.value = viewer.add_shapes(outlines, shape_type="polygon", name="regions")
    panel.form.outside.value = "blank"
    new = reopened(keep=True)
    assert len(numbers(new)) == 2
    menu = new.results.buttons.menu
    viewer.layers[0].name = "called otherwise"
    np.testing.assert_array_equal(table_of(copied(new, qtbot, menu.python_layers), viewer=viewer), numbers(new))
    np.testing.assert_array_equal(table_of(copied(new, qtbot, menu.python_files)), numbers(new))
    menu.shell_files.trigger()
    assert_said(new, qtbot, "was classified in regions, which a command cannot say")


def test_merged_layers_of_a_reopened_session_are_written_as_code(panel, viewer, reopened, qtbot, tmp_path):
    merged = panel.form.images.native.images.merge(channels(viewer, tmp_path))
    panel.form.images.value = [merged]
    panel.form.planes.value = slice(0, 3, 2)
    new = reopened(keep=True)
    assert len(numbers(new)) == 2
    menu = new.results.buttons.menu
    viewer.layers["nuclei"].name = "called otherwise"
    np.testing.assert_array_equal(table_of(copied(new, qtbot, menu.python_layers), viewer=viewer), numbers(new))
    np.testing.assert_array_equal(table_of(copied(new, qtbot, menu.python_files)), numbers(new))


def test_files_of_merged_layers_of_a_reopened_session_need_not_be_open(panel, viewer, reopened, qtbot, tmp_path):
    panel.form.images.value = [panel.form.images.native.images.merge(channels(viewer, tmp_path))]
    new = reopened(keep=False)
    menu = new.results.buttons.menu
    np.testing.assert_array_equal(table_of(copied(new, qtbot, menu.python_files)), numbers(new))
    menu.python_layers.trigger()
    assert_said(new, qtbot, "nuclei is not open")


def test_a_series_of_files_of_a_reopened_session_is_written_as_code(panel, viewer, reopened, qtbot, tmp_path):
    write_series(tmp_path / "series")
    viewer.layers.clear()
    viewer.open(str(tmp_path / "series"), plugin="napari-webipred")
    panel.form.planes.value = slice(0, 3, 2)
    new = reopened(keep=False)
    assert len(numbers(new)) == 2
    menu = new.results.buttons.menu
    np.testing.assert_array_equal(table_of(copied(new, qtbot, menu.python_files)), numbers(new))
    np.testing.assert_array_equal(table_of(copied(new, qtbot, menu.python_layers)), numbers(new))
    menu.shell_files.trigger()
    assert_said(new, qtbot, "was read from a series of files, which a command cannot say")


def test_why_an_old_session_has_no_code_is_said(panel, viewer, reopened, qtbot, monkeypatch):
    panel.form.regions.value = viewer.add_shapes([np.array(CORNERS[0]) / 2], shape_type="polygon")
    monkeypatch.setattr(session_writer, "_of_parts", lambda _: None)
    new = reopened(keep=True)
    for action in (new.results.buttons.menu.python_layers, new.results.buttons.menu.shell_files):
        new.results.buttons.message.clear()
        action.trigger()
        assert_said(new, qtbot, "it is not known how")
        assert "classify again" in new.results.buttons.message.text


def test_regions_with_more_corners_than_code_has_space_for_are_told(panel, viewer, reopened, qtbot, monkeypatch):
    monkeypatch.setattr(layer_input, "MOST_CORNERS", 3)
    panel.form.regions.value = viewer.add_shapes([np.array(CORNERS[0]) / 2], shape_type="polygon")
    panel.form.outside.value = "blank"
    new = reopened(keep=True)
    new.results.buttons.menu.python_layers.trigger()
    assert_said(new, qtbot, "The regions of the run are too many for code.")


def test_regions_are_left_out_from_where_those_of_a_run_are_too_many(monkeypatch):
    monkeypatch.setattr(layer_input, "MOST_CORNERS", 9)
    layers = [Layer(np.zeros((60, 60), np.uint8), name=name) for name in "abcd"]
    triangle = polygon("1", np.array(CORNERS[0]), blank=True)
    regions = [(triangle,), (triangle, Region("2", (0, 0, 4, 5))), (triangle,), None]
    sources = [replace(source_of(layer), regions=each) for layer, each in zip(layers, regions, strict=True)]
    a, b, c, d = image_inputs([Target([layer]) for layer in layers], sources)
    assert a.parts.regions == (RegionInput("1", triangle.box, None, ((5.0, 5.0), (5.0, 60.0), (70.0, 33.3))),)
    assert [len(image.parts.regions) for image in (a, b, c)] == [1, 2, 0]
    assert [image.parts.left_out for image in (a, b, c)] == [False, False, True]
    assert (d.steps, d.parts) == ((), None)
