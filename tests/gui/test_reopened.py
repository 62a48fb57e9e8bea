"""Rows of a session that was saved and opened again are explained, shown and reported as those of a run."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox
from tests.gui import test_run_code
from tests.gui.test_explanations import explain, names, settled
from tests.gui.test_run_code import CORNERS, channels, numbers, write_series

from napari_webipred._napari.images.layer_input import found_again, path_of
from napari_webipred._napari.images.layers import image_layers
from napari_webipred._napari.images.understanding import AxisChoice, Understanding
from napari_webipred._napari.reports.report_file import Asked, made
from napari_webipred.errors import WebIPredError
from napari_webipred.steps import result_of

panel = test_run_code.panel
reopened = test_run_code.reopened


def explained(panel, qtbot) -> list[str]:
    """Explain all rows, the chosen one by a click; return why it did not work, for each row."""
    explain(panel, qtbot)
    maps = panel._session.maps
    maps.explain(panel._session.table.numbers)
    settled(panel, qtbot)
    assert len(maps) + len(maps.faults) == len(panel._session.table)
    return [str(fault) for fault in maps.faults.values()]


def allow(panel, qtbot, question: str) -> None:
    """Agree that the session reads its files."""
    box = panel.findChild(QMessageBox)
    assert box.text().startswith(question)
    (button,) = (each for each in box.buttons() if each.text().replace("&", "") == "Allow")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def double_click(panel, qtbot) -> None:
    table = panel.results.table
    place = table.visualRect(table.currentIndex()).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)


def test_merged_layers_are_explained_and_followed(panel, viewer, reopened, qtbot, tmp_path):
    layers = channels(viewer, tmp_path)
    panel.form.images.value = [panel.form.images.native.images.merge(layers)]
    new = reopened(keep=True)
    assert explained(new, qtbot) == []
    for layer in layers:
        viewer.layers.selection.active = layer
        for place in (2, 0):
            viewer.dims.set_current_step(0, place)
            assert new.results.chosen_entry.row.position == {"t": place}


def test_merged_channels_of_a_layer_are_explained(panel, viewer, reopened, qtbot):
    data = np.random.default_rng(1).integers(0, 4000, (2, 3, 40, 50)).astype(np.uint16)
    viewer.layers.clear()
    layer = viewer.add_image(data, axis_labels=("t", "c", "y", "x"))
    merged = AxisChoice(use="merge", channels=((0, "red"), (2, "green")))
    panel._session.images.understand([layer], Understanding((AxisChoice(), merged)))
    new = reopened(keep=True)
    assert numbers(new).shape == (2, 5)
    assert explained(new, qtbot) == []


def test_regions_are_explained(panel, viewer, reopened, qtbot):
    outlines = [np.array(each, float) / 2 for each in CORNERS]
    panel.form.regions.value = viewer.add_shapes(outlines, shape_type="polygon", name="regions")
    panel.form.outside.value = "blank"
    new = reopened(keep=True)
    assert explained(new, qtbot) == []


def test_regions_whose_labels_are_not_in_the_session_say_what_to_do(panel, viewer, reopened, qtbot):
    labels = np.zeros((64, 80), int)
    labels[5:40, 5:50] = 1
    panel.form.regions.value = viewer.add_labels(labels)
    panel.form.outside.value = "blank"
    new = reopened(keep=True)
    (fault,) = explained(new, qtbot)
    assert fault == "The regions of it's a scan are not known any more. Classify it again, and explain the new row."


def test_files_are_opened_by_a_double_click_and_explained(panel, viewer, reopened, qtbot, tmp_path):
    viewer.layers.clear()
    panel.images.choice.add([tmp_path / "it's a scan.png"])
    new = reopened(keep=False)
    double_click(new, qtbot)
    assert "You have not agreed that it&#x27;s a scan.png is read." in new.results.buttons.message.text
    (fault,) = explained(new, qtbot)
    assert fault.startswith("You have not agreed that it's a scan.png is read. Open the session again and agree")
    assert names(viewer) == []
    allow(new, qtbot, "Read 1 file of the session when you explain, open or report their rows?\nFrom ")
    assert explained(new, qtbot) == []
    viewer.layers.clear()
    double_click(new, qtbot)
    qtbot.waitUntil(lambda: "it's a scan" in names(viewer))
    assert new.results.chosen_entry.row.image == "it's a scan.png"


def test_a_file_that_is_gone_is_named(panel, viewer, reopened, qtbot, tmp_path):
    viewer.layers.clear()
    path = tmp_path / "it's a scan.png"
    panel.images.choice.add([path])
    new = reopened(keep=False)
    allow(new, qtbot, "Read 1 file")
    path.unlink()
    (fault,) = explained(new, qtbot)
    assert "There is no file it's a scan.png" in fault


def test_a_series_of_files_is_explained_and_reported(panel, viewer, reopened, qtbot, tmp_path):
    write_series(tmp_path / "series")
    viewer.layers.clear()
    panel.images.choice.add([tmp_path / "series"])
    new = reopened(keep=False)
    allow(new, qtbot, "Read 3 files")
    assert explained(new, qtbot) == []
    session = new._session
    entries = [session.table.entry(number) for number in session.table.numbers]
    asked = Asked("sr", pictures=False, name=False, reader="", organisation="")
    report = result_of(made(entries, session.maps.sources.sources(1), asked))
    assert len(report.documents) == 1


def test_a_picture_that_was_changed_is_not_explained(panel, viewer, reopened, qtbot, tmp_path):
    viewer.layers.clear()
    path = tmp_path / "it's a scan.png"
    panel.images.choice.add([path])
    new = reopened(keep=False)
    allow(new, qtbot, "Read 1 file")
    Image.fromarray(np.zeros((64, 80), np.uint8)).save(path)
    (fault,) = explained(new, qtbot)
    assert "was changed after it was classified" in fault


@pytest.mark.parametrize("slices", [1, 3])
def test_a_layer_of_dicom_files_is_explained(panel, viewer, reopened, qtbot, tmp_path, slices):
    write_series(tmp_path / "series", slices)
    viewer.layers.clear()
    viewer.open(str(tmp_path / "series"), plugin="napari-webipred")
    new = reopened(keep=True)
    assert explained(new, qtbot) == []


def test_the_question_counts_all_files_of_a_series_that_was_a_layer(panel, viewer, reopened, qtbot, tmp_path):
    write_series(tmp_path / "series")
    viewer.layers.clear()
    viewer.open(str(tmp_path / "series"), plugin="napari-webipred")
    new = reopened(keep=False)
    sources = new._session.maps.sources
    assert sources.sources(1) == [None]
    words = "Open 1 file of the session, and read 3 files when you explain, open or report their rows?\nFrom "
    assert new.findChild(QMessageBox).text().startswith(words)
    sources.allow_files(1)
    (image,) = sources.sources(1)
    assert len(image.own_files) == 3


def test_a_layer_of_other_dicom_images_is_not_taken_for_that_of_the_session(panel, viewer, reopened, qtbot, tmp_path):
    write_series(tmp_path / "series")
    viewer.layers.clear()
    viewer.open(str(tmp_path / "series"), plugin="napari-webipred")
    (layer,) = image_layers(viewer)
    new = reopened(keep=True)
    images = new._session.table.runs[0].inputs.images
    assert found_again(images, [layer]) == [layer]
    write_series(tmp_path / "series")
    viewer.open(str(tmp_path / "series"), plugin="napari-webipred")
    other = image_layers(viewer)[-1]
    assert (path_of(other), other.data.shape) == (path_of(layer), layer.data.shape)
    assert found_again(images, [other]) == [None]


def test_a_slice_that_is_gone_is_named_and_found_when_it_is_back(panel, viewer, reopened, qtbot, tmp_path):
    write_series(tmp_path / "series")
    viewer.layers.clear()
    panel.images.choice.add([tmp_path / "series"])
    new = reopened(keep=False)
    allow(new, qtbot, "Read 3 files")
    (tmp_path / "series").rename(tmp_path / "elsewhere")
    double_click(new, qtbot)
    qtbot.waitUntil(lambda: "There is no file" in new.images.choice.message.text)
    faults = explained(new, qtbot)
    assert [fault.split(".")[0] for fault in faults] == ["There is no file 0"] * 3
    entries = [new._session.table.entry(number) for number in new._session.table.numbers]
    asked = Asked("fhir", pictures=False, name=False, reader="", organisation="")
    with pytest.raises(WebIPredError, match="There is no file 0"):
        result_of(made(entries, new._session.maps.sources.sources(1), asked))
    (tmp_path / "elsewhere").rename(tmp_path / "series")
    double_click(new, qtbot)
    qtbot.waitUntil(lambda: names(viewer) != [])


def test_a_picture_that_is_gone_is_opened_and_explained_when_it_is_back(panel, viewer, reopened, qtbot, tmp_path):
    viewer.layers.clear()
    path = tmp_path / "it's a scan.png"
    panel.images.choice.add([path])
    new = reopened(keep=False)
    allow(new, qtbot, "Read 1 file")
    path.rename(tmp_path / "elsewhere.png")
    double_click(new, qtbot)
    qtbot.waitUntil(lambda: "There is no file" in new.images.choice.message.text)
    (tmp_path / "elsewhere.png").rename(path)
    assert explained(new, qtbot) == []


def test_a_series_whose_files_are_other_images_now_is_neither_explained_nor_reported(
    panel, viewer, reopened, qtbot, tmp_path
):
    write_series(tmp_path / "series")
    viewer.layers.clear()
    panel.images.choice.add([tmp_path / "series"])
    new = reopened(keep=False)
    allow(new, qtbot, "Read 3 files")
    write_series(tmp_path / "series")
    faults = explained(new, qtbot)
    assert len(faults) == 3
    assert "CT series 3 is of another file than the one that was classified" in faults[0]
    session = new._session
    entries = [session.table.entry(number) for number in session.table.numbers]
    asked = Asked("fhir", pictures=False, name=False, reader="", organisation="")
    with pytest.raises(WebIPredError, match="CT series 3 is of another file than the one that was classified"):
        result_of(made(entries, session.maps.sources.sources(1), asked))
