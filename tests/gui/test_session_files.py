"""A session that was saved goes on in another viewer, with the images that are open there."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QMessageBox
from tests.gui.conftest import flat
from tifffile import imwrite

from napari_webipred._napari.images.layer_input import found_again
from napari_webipred._napari.viewer_session import _sessions, unwrapped
from napari_webipred.results.reading import Reading, now


@pytest.fixture
def saved(viewer, panel, classify, qtbot, monkeypatch, tmp_path):
    """A session with two runs: of an image from a file and of one without; the viewer is empty then."""
    path = tmp_path / "my.webipred.json"
    Image.fromarray(flat(51)).save(tmp_path / "scan.png")
    viewer.open(str(tmp_path / "scan.png"))
    viewer.add_image(flat(204), name="made")
    classify(panel)
    classify(panel, "Eye")
    panel._session.comment(1, "look again")
    panel._session.read(3, Reading((), "too dark", now()))
    panel._session.delete([0])
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path.with_suffix("").with_suffix("")), ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    panel.results.buttons.menu.save_session.trigger()
    qtbot.waitUntil(lambda: "Saved 3 rows to my.webipred.json." in panel.results.buttons.message.text)
    assert panel._session.table.unsaved == 0
    return path


def rows(panel) -> list[tuple]:
    table = panel._session.table
    entries = [table.entry(number) for number in table.numbers]
    return [
        (e.run.card, e.row.image, e.row.probabilities.tobytes(), e.row.prediction, e.comment, e.reading)
        for e in entries
    ]


@pytest.fixture
def again(saved, viewer, panel, open_panel, qtbot):
    """Open the session in a viewer that knows nothing of it."""

    def open_it(keep: bool):
        before = rows(panel)
        viewer.window.remove_dock_widget("all")
        if not keep:
            viewer.layers.clear()
        del _sessions[unwrapped(viewer)]
        new = open_panel()
        assert not new.images.open_session.isHidden()
        qtbot.mouseClick(new.images.open_session, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: "Opened my.webipred.json: 2 runs, 3 rows." in new.results.buttons.message.text)
        assert rows(new) == before
        assert new._session.table.unsaved == 0
        return new

    return open_it


def test_rows_find_the_layers_that_are_open(again, viewer):
    panel = again(keep=True)
    assert "Not open" not in panel.results.buttons.message.text
    table = panel._session.table
    for number in table.numbers:
        entry = table.entry(number)
        (layer,) = panel._session.places.target(entry, ()).layers
        assert layer.name == entry.row.image


def test_an_empty_viewer_is_offered_the_files_and_says_what_is_not_open(again, viewer, qtbot):
    panel = again(keep=False)
    assert "Not open: scan and 3 more. The rows stay." in panel.results.buttons.message.text
    assert "image not open" in panel.results.detail.name.text()
    box = panel.findChild(QMessageBox)
    assert box.text().startswith("Open 1 file of the session?\nFrom ")
    (button,) = (each for each in box.buttons() if each.text().replace("&", "") == "Open")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "The images are open." in panel.results.buttons.message.text)
    assert [layer.name for layer in viewer.layers] == ["scan"]
    table = panel._session.table
    entries = [table.entry(number) for number in table.numbers]
    found = {entry.row.image: len(panel._session.places.target(entry, ()).layers) for entry in entries}
    assert found == {"scan": 1, "made": 0}


def test_a_stack_that_was_classified_from_its_file_has_its_axes_again_and_is_shown_once_the_file_is_open(
    viewer, panel, open_panel, classify, qtbot, monkeypatch, tmp_path
):
    path, session = tmp_path / "stack.tif", tmp_path / "my.webipred.json"
    imwrite(
        path, np.stack([flat(50 * z, (40, 40)) for z in range(4)]), photometric="minisblack", metadata={"axes": "ZYX"}
    )
    panel.form.images.value = [path]
    qtbot.waitUntil(lambda: not any(entry.finding for entry in panel._session.images.files))
    classify(panel)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(session), ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(session), ""))
    panel.results.buttons.menu.save_session.trigger()
    qtbot.waitUntil(session.exists)
    viewer.window.remove_dock_widget("all")
    del _sessions[unwrapped(viewer)]
    panel = open_panel()
    qtbot.mouseClick(panel.images.open_session, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(panel._session.table) == 4)
    detail = panel.results.detail
    detail.drawing.setCurrentIndex(detail.drawing.findText("Along z"))
    detail.drawing.activated.emit(detail.drawing.currentIndex())
    assert detail.plot.curves[1].values == pytest.approx([50 * z / 255 for z in range(4)], abs=0.01)
    qtbot.mouseClick(detail.explain.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "You have not agreed that stack.tif is read." in detail.explain.message.text)
    table = panel.results.table
    at = table.visualRect(table.model().index(0, 0)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    qtbot.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert "You have not agreed that stack.tif is read." in panel.results.buttons.message.text
    panel.images.choice.add([path])
    qtbot.waitUntil(lambda: not any(entry.finding for entry in panel._session.images.files))
    panel.images.choice.list.setCurrentIndex(panel.images.choice.layers.index(0))
    panel.images.choice._on_open()
    for row in (3, 1):
        panel.results.table.setCurrentIndex(panel.results.model.index(row, 0))
        assert viewer.dims.current_step[0] == row
    viewer.dims.set_current_step(0, 2)
    assert panel.results.chosen_entry.row.position == {"z": 2}


def test_a_file_that_is_no_session_is_told(panel, qtbot, monkeypatch, tmp_path):
    (tmp_path / "other.webipred.json").write_text("{}")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "other.webipred.json"), ""))
    qtbot.mouseClick(panel.images.open_session, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "is not a session of napari-webipred" in panel.classify.message.text)


def test_a_layer_of_another_shape_is_not_taken_for_the_image(viewer, panel, classify):
    viewer.add_image(flat(51), name="a")
    classify(panel)
    (image,) = panel._session.table.runs[0].inputs.images
    layer = unwrapped(viewer.layers[0])
    assert found_again([image], [layer]) == [layer]
    layer.data = np.zeros((9, 9, 3), np.uint8)
    assert found_again([image], [layer]) == [None]
