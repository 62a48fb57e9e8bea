"""The review: a reader goes through the rows with the mouse or the keyboard, and loses nothing."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from tests.gui.conftest import EYE, card, flat

from dicom_maker import ct_slice, written
from napari_webipred._napari.images.layers import MAP, image_layers
from napari_webipred._napari.images.place import Target
from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.review.row_image import plane_of_file
from napari_webipred.errors import ImageError
from napari_webipred.results.reading import Reading, now
from napari_webipred.results.row_list import RowList
from napari_webipred.results.saved_session import SavedRun
from napari_webipred.steps import result_of

Key = Qt.Key
LEFT = Qt.MouseButton.LeftButton


def begin(panel, qtbot, blind: bool = False):
    """Click *Review…*, tick *blind*, and click *Start*."""
    qtbot.mouseClick(panel.results.buttons.review, LEFT)
    start = panel.review._start
    if blind != start.blind.isChecked():
        start.blind.click()
    qtbot.mouseClick(start.start, LEFT)
    return panel.review.view


def press(view, *keys) -> None:
    """Press keys where the keyboard is; a viewer without a canvas has no active window."""
    for key in keys:
        QTest.keyClick(QApplication.focusWidget() or view, key)


def answers(panel) -> list:
    table = panel._session.table
    return [(said.classes, said.comment) if (said := table.entry(n).reading) else None for n in range(len(table))]


def test_a_reader_answers_by_keyboard_and_goes_back_and_takes_back(viewer, panel, classify, qtbot):
    for number, value in enumerate((10, 240, 20, 230)):
        viewer.add_image(flat(value), name=f"image {number}")
    classify(panel)
    view = begin(panel, qtbot)
    assert not panel.results.table.isVisibleTo(panel)
    assert viewer.layers.selection.active.name == "image 0"
    assert view.form.verdict.text().startswith("Model: dark 0.9")
    press(view, Key.Key_A, Key.Key_1, Key.Key_U, Key.Key_S)
    assert answers(panel) == [(("dark",), ""), (("dark",), ""), ((), ""), None]
    assert "3 of 4 rows have an answer, 1 of them unsure, 1 was skipped" in view.form.end.text()
    press(view, Key.Key_Left, Key.Key_Left)
    assert (view.work.number, view.form.answer.text()) == (2, "You: unsure")
    QTest.keyClick(view, Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(view, Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert view.work.number == 1
    assert view.form.counts.text() == "1 of 4 answered · 100% agree"
    assert answers(panel)[1:] == [None] * 3
    press(view, Key.Key_Escape)
    assert panel.results.table.isVisibleTo(panel)
    assert panel.results.table.selected_numbers().tolist() == [1]
    assert begin(panel, qtbot).work.number == 1


def test_typing_a_comment_answers_nothing_and_it_stays_with_the_answer(viewer, panel, classify, qtbot):
    for number, value in enumerate((10, 240)):
        viewer.add_image(flat(value), name=f"image {number}")
    classify(panel)
    view = begin(panel, qtbot)
    view.comment_on()
    QTest.keyClicks(view.form.comment, "u1 sure a")
    assert answers(panel) == [None, None]
    press(view.form.comment, Key.Key_Return)
    assert answers(panel) == [None, None]
    view.skip()
    view.back()
    assert view.form.comment.text() == "u1 sure a"
    press(view, Key.Key_2)
    view.back()
    view.form.comment.setText("=2")
    view.form.comment.ended.emit(True)
    assert answers(panel) == [(("bright",), "=2"), None]
    QTest.keyClick(view, Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert answers(panel) == [(("bright",), "u1 sure a"), None]
    assert [column.kind for column in panel.results.model.columns].count("reader_class") == 0
    qtbot.mouseClick(view.form.leave, LEFT)
    headings = panel.results.model.headings()
    cells = {heading: panel.results.model.index(0, i).data() for i, heading in enumerate(headings)}
    assert (cells["Class"], cells["Reader's class"], cells["Reader's comment"]) == ("dark", "bright", "u1 sure a")


def test_several_classes_are_ticked_and_none_is_an_answer(viewer, panel, fake_catalogue, classify, qtbot):
    for number, value in enumerate((10, 200)):
        viewer.add_image(flat(value), name=f"image {number}")
    classify(panel, EYE.name)
    view = begin(panel, qtbot)
    assert (view.form.list.classes.ticked, view.form.agree.text()) == ({0}, "Agree")
    press(view, Key.Key_3)
    assert view.form.agree.text() == "Answer: 2 classes"
    assert [view.form.list.classes.index(row, 1).data()[0] for row in range(3)] == ["☑", "☐", "☑"]
    press(view, Key.Key_Return)
    while view.form.list.classes.ticked:
        view.choose(min(view.form.list.classes.ticked))
    assert view.form.agree.text() == "Answer: none"
    qtbot.mouseClick(view.form.agree, LEFT)
    assert answers(panel) == [(("blood", "normal"), ""), (("none",), "")]
    assert [panel._session.table.entry(number).agreed for number in range(2)] == [False, False]


def test_a_blind_reader_sees_nothing_that_tells_the_prediction(viewer, panel, classify, qtbot):
    for number, value in enumerate((10, 240)):
        viewer.add_image(flat(value), name=f"{number} is dark")
    classify(panel)
    view = begin(panel, qtbot, blind=True)
    form = view.form
    assert not any(each.isVisibleTo(panel) for each in (panel.results.table, panel.results.detail))

    def seen() -> str:
        classes = form.list.classes
        cells = [classes.index(row, 2).data() for row in range(classes.rowCount())]
        texts = [form.name, form.verdict, form.answer, form.counts]
        return " ".join([*cells, view.accessibleName(), *(label.text() for label in texts)])

    assert not any(word in seen() for word in ("dark", "bright", "0.", "%"))
    assert not form.agree.isEnabled()
    press(view, Key.Key_A, Key.Key_Return)
    assert answers(panel) == [None, None]
    press(view, Key.Key_2)
    assert not any(word in seen() for word in ("dark", "bright", "0.", "%"))
    press(view, Key.Key_Left)
    assert "Model: dark" in seen()
    assert "You: bright · you disagree" in seen()


@pytest.fixture
def files(tmp_path):
    paths = []
    for number, value in enumerate((10, 240, 60)):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(flat(value)).save(paths[-1])
    Image.fromarray(np.full((30, 50), 100, np.uint8)).save(paths[-1])
    return paths


def test_a_file_that_is_not_open_is_shown_for_as_long_as_it_is_reviewed(files, viewer, panel, choose, qtbot):
    viewer.add_image(flat(90), name="mine")
    panel.images.choice.add(files)
    choose(panel, "Brightness")
    qtbot.waitUntil(lambda: panel.classify.button.isEnabled() and len(panel.form.images.value) == 4)
    qtbot.mouseClick(panel.classify.button, LEFT)
    qtbot.waitUntil(lambda: not panel._session.running and len(panel._session.table) == 4)
    view = begin(panel, qtbot)
    shown = []
    for _ in range(4):
        if "mine" not in view.form.name.text():
            qtbot.waitUntil(lambda: not panel.review.image.busy and len(viewer.layers) == 2)
            shown.append(unwrapped(viewer.layers[-1]).data)
            assert [layer.name for layer in image_layers(viewer)] == ["mine"]
            assert len(panel.form.images.value) == 4
        press(view, Key.Key_A)
    assert [pixels.shape for pixels in shown] == [(40, 40, 3), (40, 40, 3), (30, 50)]
    np.testing.assert_array_equal(shown[1], flat(240))
    assert [layer.name for layer in viewer.layers] == ["mine"]
    view.back()
    viewer.window.remove_dock_widget("all")
    assert [layer.name for layer in viewer.layers] == ["mine"]
    assert len(panel._session.table.readings) == 4


def test_a_blind_reader_sees_a_plain_frame_in_place_of_a_region_that_is_coloured_after_its_class(
    viewer, panel, choose, qtbot
):
    image = flat(10)
    image[20:] = 240
    viewer.add_image(image, name="image", scale=(2, 2), translate=(5, 7))
    squares = [np.array([[t, 4], [t, 14], [t + 10, 14], [t + 10, 4]]) * 2 + (5, 7) for t in (4, 24)]
    drawn = viewer.add_shapes(squares, name="cells")
    panel.form.regions.value = unwrapped(drawn)
    choose(panel, "Brightness")
    qtbot.waitUntil(lambda: not panel.form.finder.searching and panel.classify.button.isEnabled())
    qtbot.mouseClick(panel.classify.button, LEFT)
    qtbot.waitUntil(lambda: len(panel._session.table) == 2 and not panel._session.regions.busy)
    view = begin(panel, qtbot, blind=True)
    (frame,) = [layer for layer in viewer.layers if layer.name == "Region under review"]
    np.testing.assert_allclose(frame.data[0], squares[0] - [[0, 0], [0, 2], [2, 2], [2, 0]])
    assert not drawn.visible
    assert not drawn.thumbnail[..., :3].any()
    assert unwrapped(drawn) not in map(
        unwrapped, viewer.layers.selection
    )  # or the controls have the colour of its class
    assert panel.form.regions.value is unwrapped(drawn)
    press(view, Key.Key_1, Key.Key_Left)
    assert drawn.visible
    assert drawn.thumbnail[..., :3].any()
    assert unwrapped(viewer.layers.selection.active) is unwrapped(drawn)
    assert [layer.name for layer in viewer.layers] == ["image", "cells"]
    press(view, Key.Key_Right)
    assert not drawn.visible
    assert unwrapped(drawn) not in map(unwrapped, viewer.layers.selection)
    panel.review.leave()
    assert drawn.visible
    assert drawn.thumbnail[..., :3].any()
    assert [layer.name for layer in viewer.layers] == ["image", "cells"]


def test_regions_of_an_earlier_run_or_a_session_have_a_frame_and_a_blind_reader_sees_nothing_of_their_classes(
    viewer, panel, classify, qtbot
):
    image = flat(10)
    image[20:] = 240
    viewer.add_image(image, name="image", scale=(2, 2), translate=(5, 7))
    square = np.array([[4, 4], [4, 14], [14, 14], [14, 4]]) * 2 + (5, 7)
    drawn = viewer.add_shapes([square], name="cells")
    panel.form.regions.value = unwrapped(drawn)
    qtbot.waitUntil(lambda: not panel.form.finder.searching)
    run = classify(panel)
    qtbot.waitUntil(lambda: not panel._session.regions.busy)
    session, first, row = panel._session, run.details, run.rows[0]
    panel.form.regions.value = None
    classify(panel)
    facts = (first.begun, first.card, first.checksum, first.options, (), 1, first.inputs.model, first.inputs.images)
    saved = SavedRun(*facts, RowList([row]))
    session.restore_rows(saved, session.restore(saved, session.places.targets(1)), range(1))
    viewer.add_image(image, name="dark · image", metadata={MAP: "map"})  # which the user has kept

    def shown() -> list[str]:
        return [layer.name for layer in viewer.layers if layer.visible]

    before, frame = shown(), "Region under review"
    assert before == ["image", "cells", "dark · image"]
    view = begin(panel, qtbot)
    for has_frame in (True, False, True):  # the second row is of the whole image
        assert (frame in shown()) == has_frame
        if has_frame:
            expected = square - [[0, 0], [0, 2], [2, 2], [2, 0]]
            np.testing.assert_allclose(unwrapped(viewer.layers[frame]).data[0], expected)
        press(view, Key.Key_Right)
    panel.review.leave()
    assert shown() == before
    view = begin(panel, qtbot, blind=True)
    assert shown() == ["image", frame]
    assert not any("dark" in layer.name for layer in viewer.layers)
    press(view, Key.Key_1)
    assert shown() == ["image"]
    panel.review.leave()
    assert shown() == before


def test_files_that_only_a_session_file_names_are_read_when_the_reader_agrees(files, viewer, panel, choose, qtbot):
    panel.images.choice.add(files[:2])
    choose(panel, "Brightness")
    qtbot.waitUntil(lambda: panel.classify.button.isEnabled() and len(panel.form.images.value) == 2)
    qtbot.mouseClick(panel.classify.button, LEFT)
    qtbot.waitUntil(lambda: not panel._session.running and len(panel._session.table) == 2)
    session, run = panel._session, panel._session.table.runs[0]
    facts = (run.begun, run.card, run.checksum, run.options, run.axes, run.total, run.inputs.model, run.inputs.images)
    saved = SavedRun(*facts, RowList(session.table.rows), {}, {1: Reading((), "dim", now())})
    again = session.restore(saved, [Target([], (), path) for path in files[:2]])
    session.restore_rows(saved, again, range(2))
    session.delete([0, 1])
    view = begin(panel, qtbot)
    assert view.work.answered == 1
    assert "not open" in view.form.message.text
    assert len(viewer.layers) == 0
    qtbot.mouseClick(view.form.message.accept, LEFT)
    qtbot.waitUntil(lambda: not panel.review.image.busy)
    np.testing.assert_array_equal(unwrapped(viewer.layers[0]).data, flat(10))
    assert view.form.message.text == ""
    files[1].unlink()
    view.skip()
    view.back()
    qtbot.waitUntil(lambda: not panel.review.image.busy)
    assert "1.png" in view.form.message.text
    assert len(viewer.layers) == 0


def test_one_of_many_classes_is_found_by_its_name_and_answers_one_row(viewer, panel, fake_catalogue, choose, qtbot):
    names = {f"kind {i}": None for i in range(12)}
    fake_catalogue.models["brightness"].card = many = card("brightness", "Brightness", names)
    fake_catalogue.models["brightness"].predict = lambda batch: np.eye(12, dtype=np.float32)[[3] * len(batch)]
    for number, value in enumerate((10, 240)):
        viewer.add_image(flat(value), name=f"image {number}")
    choose(panel, "Brightness")
    qtbot.waitUntil(panel.classify.button.isEnabled)
    qtbot.mouseClick(panel.classify.button, LEFT)
    qtbot.waitUntil(lambda: not panel._session.running and len(panel._session.table) == 2)
    view = begin(panel, qtbot)
    assert panel._session.table.runs[0].card is many
    assert view.form.find.isVisibleTo(panel)
    QTest.keyClicks(view.form.find, "ind 11")
    assert answers(panel) == [None, None]
    QTest.keyClick(view.form.find, Key.Key_Return)
    assert answers(panel) == [(("kind 11",), ""), None]
    QTest.keyClicks(view.form.find, "u")
    QTest.keyClick(view.form.find, Key.Key_Escape)
    assert (view.form.find.text(), answers(panel)[1]) == ("", None)
    assert panel.review.active
    press(view, Key.Key_9)
    assert answers(panel)[1] == (("kind 8",), "")


def test_a_plane_of_a_dicom_file_is_shown_as_the_file_says(tmp_path):
    path = written(tmp_path / "a", ct_slice(0.0, PixelSpacing=[0.5, 2.0], WindowCenter=40, WindowWidth=400))
    pixels, options = result_of(plane_of_file(path, {}))
    assert pixels.ndim == 2
    assert (options["scale"], options["colormap"], options["rgb"]) == ((0.5, 2.0), "gray", False)
    low, high = options["contrast_limits"]
    assert (round(low), round(high)) == (-160, 239)
    with pytest.raises(ImageError, match="other planes"):
        result_of(plane_of_file(path, {"z": 1}))
