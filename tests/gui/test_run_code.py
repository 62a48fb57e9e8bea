"""The code that the panel copies is run here, and gives the numbers of its rows bit for bit."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("napari")

from napari.layers import Image as Layer
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication

from napari_webipred._napari.images.layer_input import image_input, row_axes_of
from napari_webipred._napari.images.layers import source_of
from napari_webipred._napari.images.place import Target
from napari_webipred._napari.images.understanding import AxisChoice, Understanding
from napari_webipred.imaging.selection import Channel, merge


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
    qtbot.mouseClick(panel.classify.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not panel._session.running, timeout=60_000)


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
