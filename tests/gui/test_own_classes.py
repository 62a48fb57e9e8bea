"""Own classes: named, labelled with mouse and keyboard, learned beside the window, and never lost."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

pytest.importorskip("napari")

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog
from tests.gui.conftest import flat

from napari_webipred._napari.own_classes.items import Item
from napari_webipred._napari.own_classes.label_taking import Listed, Taken, _of_project
from napari_webipred._napari.own_classes.learning import given_of
from napari_webipred._napari.own_classes.own_classes import OwnClasses
from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.task import under_way
from napari_webipred.errors import ModelError
from napari_webipred.fitting import project_file
from napari_webipred.fitting.project import UNSURE, Contents, Picture, Project

Key = Qt.Key
LEFT = Qt.MouseButton.LeftButton
PATIENCE = 120_000  # milliseconds for figures, which take some hundred fits
LABELS = (("none",), ("light", "odd"))
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def pictures(tmp_path) -> list[Path]:
    """Forty files, dark and bright, in a folder for each day."""
    random, paths = np.random.default_rng(0), []
    for number in range(40):
        value = int(random.integers(5, 80) + 150 * (number % 2))
        paths.append(tmp_path / f"day {number // 10}" / f"{number:02}.png")
        paths[-1].parent.mkdir(exist_ok=True)
        noise = random.integers(0, 20, (8, 8, 3))
        Image.fromarray((value + noise).astype(np.uint8)).save(paths[-1])
    return paths


@pytest.fixture(scope="module", autouse=True)
def _viewers_go_in_this_thread() -> Iterator[None]:
    """Let this thread delete what belongs to them, not one that works for the window and comes upon it."""
    gc.disable()
    yield
    gc.collect()
    gc.enable()


@pytest.fixture
def open_dock(viewer, qtbot):
    """Open the dock as a user does; at the end, wait for all work, which other tests must not find."""
    owners: list[OwnClasses] = []

    def open_it(panel):
        wait(qtbot, lambda: panel._session.loading.model is not None)
        qtbot.mouseClick(panel.model.own, LEFT)
        _, dock = viewer.window.add_plugin_dock_widget("napari-webipred", "My own classes")
        owners.append(dock.own)
        return dock

    yield open_it
    for own in owners:
        own.rest()
    wait(qtbot, lambda: not under_way())


@pytest.fixture
def dock(panel, choose, open_dock):
    choose(panel, "Brightness")
    return open_dock(panel)


def wait(qtbot, condition) -> None:
    """Wait as long as it takes on a busy machine."""
    qtbot.waitUntil(condition, timeout=PATIENCE)


def name_classes(dock, *names: str) -> None:
    for name in names:
        QTest.keyClicks(dock.classes.field, name)
        QTest.keyClick(dock.classes.field, Key.Key_Return)


def add(panel, dock, qtbot, paths) -> None:
    """Add files, and wait until the network has looked at them."""
    panel.images.choice.add(paths)
    wait(qtbot, lambda: len(dock.own.items) == len(paths) and settled(dock))


def write_labels(panel, dock, qtbot, paths, path) -> None:
    """Add files and two classes, and choose the file that labels are written to."""
    add(panel, dock, qtbot, paths)
    name_classes(dock, "dark", "light")
    dock.own.keeping.choose(path)
    wait(qtbot, lambda: settled(dock))


def settled(dock) -> bool:
    own: OwnClasses = dock.own
    waits = own.features.busy or own.learning.busy or own.taking or own.keeping.waits
    return not waits and own.features.done == len(own.items) and not dock.image.busy


def press(dock, *keys) -> None:
    """Press keys where the keyboard is; a viewer without a canvas has no active window."""
    for key in keys:
        QTest.keyClick(QApplication.focusWidget() or dock.labels, key)


def seen(viewer) -> int:
    """Return the key of the class that the picture in the viewer has."""
    return Key.Key_2 if np.mean(unwrapped(viewer.layers.selection.active).data) > 127 else Key.Key_1


def label_all(viewer, dock, qtbot, count: int) -> None:
    for _ in range(count):
        wait(qtbot, lambda: not dock.image.busy)
        press(dock, seen(viewer))


def shown_in(table) -> list[tuple[str, ...]]:
    model = table.pictures
    return [tuple(model.index(row, column).data() for column in range(4)) for row in range(model.rowCount())]


def test_thirty_pictures_are_labelled_by_keyboard_and_the_others_are_told_right(viewer, panel, dock, pictures, qtbot):
    add(panel, dock, qtbot, pictures)
    assert len(viewer.layers) == 0  # nothing is shown before there is a class
    name_classes(dock, "dark", "light")
    qtbot.mouseClick(dock.labels, LEFT, pos=QPoint(2, 2))
    assert dock.labels.form.verdict.text().startswith("Model: none yet")
    label_all(viewer, dock, qtbot, 30)
    wait(qtbot, lambda: settled(dock))
    own = dock.own
    assert own.project.decided() == 30
    assert len(set(own.project.labels)) == 30
    right = {path: "light" if np.asarray(Image.open(path)).mean() > 127 else "dark" for path in map(str, pictures)}
    assert {picture.image: answer for picture, answer in own.project.labels.items()} == {
        path: (right[path],) for path in (picture.image for picture in own.project.labels)
    }
    dock._refresh()
    rows = shown_in(dock.table)
    assert [row[2] for row in rows] == list(right.values())
    assert sum(row[1] == "" for row in rows) == 10
    assert dock.labels.form.counts.text() == "30 of 40 labelled"
    wait(qtbot, lambda: own.learning.is_judged)
    dock._refresh()
    assert dock.judged.figure.text().startswith("Balanced accuracy 100%")
    assert [count for count, _ in dock.judged.curve.points][-1] == 24
    assert dock.judged.advice.text()
    assert [layer.name for layer in viewer.layers] == ["Image to label"]


def test_the_keys_go_back_skip_leave_out_and_take_back(viewer, panel, dock, pictures, qtbot):
    add(panel, dock, qtbot, pictures[:6])
    name_classes(dock, "dark", "light")
    own = dock.own
    first = own.walk.picture
    press(dock, Key.Key_1, Key.Key_U)
    assert [own.project.labels[p] for p in (first, *[p for p in own.project.labels if p != first])] == [
        ("dark",),
        UNSURE,
    ]
    skipped = own.walk.picture
    press(dock, Key.Key_S)
    assert own.walk.picture not in (skipped, None)
    press(dock, Key.Key_Left)
    assert own.walk.picture == skipped
    press(dock, Key.Key_Left, Key.Key_Left)
    assert own.walk.picture == first
    press(dock, Key.Key_2)
    assert own.project.labels[first] == ("light",)
    QTest.keyClick(dock.labels, Key.Key_Z, CONTROL)
    assert (own.walk.picture, own.project.labels[first]) == (first, ("dark",))
    QTest.keyClick(dock.labels, Key.Key_Z, CONTROL)
    QTest.keyClick(dock.labels, Key.Key_Z, CONTROL)
    assert own.project.labels == {}
    assert own.project.classes == ("dark", "light")


def test_what_is_skipped_comes_again_at_the_end(viewer, panel, dock, pictures, qtbot):
    add(panel, dock, qtbot, pictures[:3])
    name_classes(dock, "dark", "light")
    press(dock, Key.Key_S, Key.Key_1, Key.Key_1)
    form = dock.labels.form
    assert (dock.own.walk.picture, form.end.text()) == (None, "1 skipped.")
    qtbot.mouseClick(form.again, LEFT)
    press(dock, Key.Key_2)
    assert form.where.text() == "Every image has a label"
    assert dock.own.project.counts() == {"dark": 2, "light": 1}


def test_a_first_model_proposes_a_class_that_one_key_accepts(viewer, panel, dock, pictures, qtbot):
    add(panel, dock, qtbot, pictures)
    name_classes(dock, "dark", "light")
    while len({*dock.own.project.labels.values()}) < 2:
        label_all(viewer, dock, qtbot, 1)
    wait(qtbot, lambda: settled(dock) and dock.labels.form.agree.isEnabled())
    picture, said = dock.own.walk.picture, dock.labels.form.verdict.text().split()[1]
    press(dock, Key.Key_Return)
    assert dock.own.project.labels[picture] == (said,)


def test_closing_the_dock_and_the_panel_loses_nothing(viewer, panel, dock, pictures, qtbot):
    viewer.add_image(flat(90), name="mine")
    add_count = len(pictures[:10])
    panel.images.choice.add(pictures[:10])
    wait(qtbot, lambda: len(dock.own.items) == add_count + 1 and settled(dock))
    name_classes(dock, "dark", "light")
    press(dock, Key.Key_1, Key.Key_2)
    wait(qtbot, lambda: settled(dock))
    before, own = dict(dock.own.project.labels), dock.own
    viewer.window.remove_dock_widget("all")
    assert [layer.name for layer in viewer.layers] == ["mine"]
    _, again = viewer.window.add_plugin_dock_widget("napari-webipred", "My own classes")
    assert (again.own, again.own.project.labels) == (own, before)
    assert again.own.features.known.all()
    assert again.classes.table.rowCount() == 2
    press(again, Key.Key_1)
    assert len(again.own.project.labels) == 3


def test_every_change_is_in_the_file_that_the_user_has_named(viewer, panel, dock, pictures, tmp_path, qtbot):
    add(panel, dock, qtbot, pictures[:6])
    name_classes(dock, "dark", "light")
    path = tmp_path / "labels.csv"
    dock.own.keeping.choose(path)
    press(dock, Key.Key_1, Key.Key_2, Key.Key_U)
    wait(qtbot, lambda: settled(dock))
    assert project_file.read(path) == dock.own.project.contents()
    press(dock, Key.Key_1)
    dock.own.keeping.finish()  # the end of the program, before anything could be written
    assert project_file.read(path).labels == dock.own.project.labels
    assert path.name in dock.files.state.text()


def test_labels_are_written_at_the_end_of_a_process_though_qt_has_deleted_timers(
    viewer, panel, dock, pictures, tmp_path, qtbot, monkeypatch
):
    write_labels(panel, dock, qtbot, pictures[:6], tmp_path / "labels.csv")

    def deleted() -> None:
        raise RuntimeError("wrapped C/C++ object of type QTimer has been deleted")

    press(dock, Key.Key_1)
    for part, name in ((dock.own, "_look_no_more"), (dock.own.learning, "rest"), (dock.own.keeping._latest, "stop")):
        monkeypatch.setattr(part, name, deleted)
    monkeypatch.setattr(dock.own.keeping, "changed", SimpleNamespace(emit=deleted))
    dock.own.rest()
    assert project_file.read(tmp_path / "labels.csv").labels == dock.own.project.labels
    monkeypatch.undo()  # the end of the test stops what could not be stopped here


def test_labels_that_are_not_written_at_the_end_are_no_secret(
    viewer, panel, dock, pictures, tmp_path, qtbot, monkeypatch
):
    write_labels(panel, dock, qtbot, pictures[:6], tmp_path / "labels.csv")

    def write(*_: object) -> None:
        raise RecursionError

    press(dock, Key.Key_1)
    monkeypatch.setattr(project_file, "write", write)
    with pytest.raises(RecursionError):
        dock.own.rest()
    assert dock.own.keeping.waits
    monkeypatch.undo()  # the end of the test writes them


def test_no_labels_are_replaced_that_the_dialog_has_not_asked_about(
    viewer, panel, dock, pictures, tmp_path, qtbot, monkeypatch
):
    add(panel, dock, qtbot, pictures[:6])
    name_classes(dock, "dark", "light")
    there = tmp_path / "labels.csv"
    there.write_text("of somebody else")
    chosen = [str(tmp_path / "labels"), str(there)]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (chosen.pop(0), ""))
    dock.files.save.click()
    dock.own.keeping.finish()
    assert there.read_text() == "of somebody else"
    assert dock.own.keeping.path is None
    assert "labels.csv already exists.</b>" in dock.files.message.text
    dock.files.save.click()
    wait(qtbot, lambda: settled(dock))
    assert project_file.read(there) == dock.own.project.contents()
    assert dock.files.message.text == ""


def test_the_header_names_the_file_as_soon_as_labels_are_saved(viewer, panel, dock, pictures, tmp_path, qtbot):
    add(panel, dock, qtbot, pictures[:6])
    name_classes(dock, "dark", "light")
    press(dock, Key.Key_1)
    wait(qtbot, lambda: settled(dock))
    assert dock.sections[2].header.summary == "not saved"
    dock.files.save_to(tmp_path / "mine.csv")
    assert dock.sections[2].header.summary == "mine.csv"


def test_labels_that_cannot_be_written_are_told_and_written_later(viewer, panel, dock, pictures, tmp_path, qtbot):
    add(panel, dock, qtbot, pictures[:6])
    name_classes(dock, "dark", "light")
    folder = tmp_path / "drive"
    dock.own.keeping.choose(folder / "labels.csv")
    wait(qtbot, lambda: dock.own.keeping.error is not None)
    assert "its folder does not exist" in dock.files.message.text
    press(dock, Key.Key_1)
    folder.mkdir()
    press(dock, Key.Key_2)
    wait(qtbot, lambda: dock.own.keeping.error is None and settled(dock))
    assert len(project_file.read(folder / "labels.csv").labels) == 2
    assert dock.files.message.text == ""


def test_a_saved_project_goes_on_where_it_was_also_from_another_folder(viewer, panel, dock, pictures, tmp_path, qtbot):
    add(panel, dock, qtbot, pictures[:6])
    name_classes(dock, "dark", "light", "grey")
    dock.own.keeping.choose(tmp_path / "labels.csv")
    press(dock, Key.Key_1, Key.Key_2, Key.Key_U)
    wait(qtbot, lambda: settled(dock))
    text = (tmp_path / "labels.csv").read_text().replace(str(tmp_path), "/elsewhere")
    (tmp_path / "moved.csv").write_text(text)
    beside = (tmp_path / "labels.csv.labels.json").read_text()
    (tmp_path / "moved.csv.labels.json").write_text(beside.replace(str(tmp_path), "/elsewhere"))
    before = dict(dock.own.project.labels)
    while dock.own.project.can_undo:
        dock.own.undo()
    dock.files.open(tmp_path / "moved.csv")
    wait(qtbot, lambda: len(dock.own.project.labels) == 3 and settled(dock))
    assert dock.own.project.labels == before
    assert dock.own.project.classes == ("dark", "light", "grey")
    assert dock.own.keeping.path == tmp_path / "moved.csv"


def test_an_image_with_an_empty_label_does_not_take_that_of_another_one(viewer, panel, dock, pictures, tmp_path, qtbot):
    add(panel, dock, qtbot, pictures[:3])
    own, *others = pictures[:3]
    lines = [f"{own.parent.name}/{own.name},,", f"elsewhere/{own.name},odd,p1"]
    lines += [f"{other.parent.name}/{other.name},even,p2" for other in others]
    (tmp_path / "truth.csv").write_text("\n".join(["image,label,group", *lines]))
    dock.files.open(tmp_path / "truth.csv")
    wait(qtbot, lambda: len(dock.own.project.labels) > 0 and settled(dock))
    assert dock.own.project.counts() == {"even": 2}
    assert [*dock.own.project.groups.values()] == ["p2", "p2"]


def test_labels_come_from_folders_and_from_a_table(viewer, panel, dock, pictures, tmp_path, qtbot):
    add(panel, dock, qtbot, pictures)
    dock.files.from_folders.trigger()
    wait(qtbot, lambda: len(dock.own.project.labels) == 40 and settled(dock))
    assert dock.own.project.counts() == {f"day {number}": 10 for number in range(4)}
    assert "40 labels taken" in dock.message.text
    dock.own.undo()
    assert dock.own.project.labels == {}
    table = tmp_path / "truth.csv"
    lines = [f"{path.name},{'odd' if number % 2 else 'even'},p{number % 3}" for number, path in enumerate(pictures[:9])]
    table.write_text("\n".join(["image,label,group", *lines, "99.png,odd,p9"]))
    dock.files.open(table)
    wait(qtbot, lambda: len(dock.own.project.labels) == 9 and settled(dock))
    assert dock.own.project.counts() == {"even": 5, "odd": 4}
    assert [*dock.own.project.groups.values()] == ["p0", "p1", "p2"] * 3
    assert {*dock.own.learning.learned.given.groups} == {"p0", "p1", "p2"}
    assert "1 label is of an image that is not listed" in dock.message.text
    assert dock.own.keeping.path is None  # a table of somebody else is not written to
    dock.own.group_by("")
    assert dock.own.project.groups == {}


def test_a_table_that_makes_no_sense_changes_nothing(viewer, panel, dock, pictures, tmp_path, qtbot):
    add(panel, dock, qtbot, pictures[:4])
    name_classes(dock, "dark")
    (tmp_path / "broken.csv").write_text("a,b,c\n1,2,3\n")
    dock.files.open(tmp_path / "broken.csv")
    wait(qtbot, lambda: dock.message.text != "")
    assert "not clear which column" in dock.message.text
    assert (dock.own.project.classes, dock.own.project.labels) == (("dark",), {})


def test_regions_of_a_shapes_layer_are_labelled_and_take_labels_from_its_features(viewer, panel, dock, qtbot):
    image = np.full((60, 60, 3), 10, np.uint8)
    image[30:] = 240
    viewer.add_image(image, name="image")
    boxes = [np.array([[t, l], [t, l + 9], [t + 9, l + 9], [t + 9, l]]) for t in (5, 40) for l in (5, 20, 35)]  # noqa: E741
    cells = viewer.add_shapes(boxes, name="cells", features={"kind": ["d", "d", "", "l", "l", ""]})
    panel.form.regions.value = unwrapped(cells)
    wait(qtbot, lambda: len(dock.own.items) == 6 and settled(dock))
    name_classes(dock, "dark", "light")
    assert [layer.name for layer in viewer.layers] == ["image", "cells", "Region to label"]
    region = dock.own.item.region
    frame = viewer.layers["Region to label"].data[0]
    assert frame.min(axis=0).tolist() == [region.box[0], region.box[1]]
    while dock.own.project.can_undo:
        dock.own.undo()
    dock.files._show_layer()
    dock.files.layer.column.setCurrentIndex(dock.files.layer.column.findData("kind"))
    qtbot.mouseClick(dock.files.take_layer, LEFT)
    wait(qtbot, lambda: len(dock.own.project.labels) == 4 and settled(dock))
    assert dock.own.project.counts() == {"d": 2, "l": 2}
    dock._refresh()
    assert [row[2] for row in shown_in(dock.table)] == ["d"] * 3 + ["l"] * 3
    cells.data = [*boxes[:5], boxes[5] + 1]
    wait(qtbot, lambda: settled(dock) and dock.own.items[5].region.box[0] == 41)
    assert len(dock.own.project.labels) == 4
    cells.selected_data = {0}
    cells.remove_selected()  # so that the others get other numbers
    wait(qtbot, lambda: len(dock.own.items) == 5 and settled(dock))
    dock._refresh()
    assert [row[1] for row in shown_in(dock.table)] == ["d", "", "l", "l", ""]


def test_pictures_that_cannot_be_read_are_listed_and_skipped(viewer, panel, dock, pictures, qtbot):
    pictures[1].write_bytes(pictures[1].read_bytes()[:60])
    add(panel, dock, qtbot, pictures[:4])
    name_classes(dock, "dark", "light")
    press(dock, Key.Key_1, Key.Key_1, Key.Key_1)
    assert dock.own.walk.picture is None
    assert len(dock.own.project.labels) == 3
    dock._refresh()
    assert "1 image cannot be read and is left out" in dock.listed.unreadable.text
    assert pictures[1].name in dock.listed.unreadable.text
    assert shown_in(dock.table)[1][2] == "cannot be read"
    dock.own.change(lambda: dock.own.project.label(dock.own.pictures[1], ("dark",)))
    dock.own.change(lambda: dock.own.project.label(dock.own.pictures[0], ("light",)))
    wait(qtbot, lambda: settled(dock) and dock.own.learning.learned.head is not None)
    assert dock.own.wanted().unread == 1
    dock.own.undo()
    dock.own.undo()
    Image.fromarray(flat(200)).save(pictures[1])
    qtbot.mouseClick(dock.listed.unreadable.accept, LEFT)
    wait(qtbot, lambda: settled(dock) and not dock.own.features.faults)
    assert dock.own.walk.picture is not None


def test_one_class_alone_is_told_what_is_missing(viewer, panel, dock, pictures, qtbot):
    add(panel, dock, qtbot, pictures[:4])
    name_classes(dock, "dark", "light")
    press(dock, Key.Key_1, Key.Key_1)
    wait(qtbot, lambda: settled(dock))
    dock._refresh()
    assert dock.labels.form.verdict.text() == "Model: none yet. Label images of a class other than dark, too."
    assert dock.judged.state.text() == "Label images of a class other than dark, too."


def test_a_model_without_features_is_told(viewer, panel, dock, fake_catalogue, pictures, qtbot):
    def features(batch, threads=None):
        raise ModelError("The network has no tensor that holds the features of an image.", "Choose another model.")

    fake_catalogue.models["brightness"].features = features
    panel.images.choice.add(pictures[:4])
    wait(qtbot, lambda: "no tensor that holds the features" in dock.message.text)
    panel.form.changed.emit()
    qtbot.wait(200)
    assert "no tensor that holds the features" in dock.message.text


def test_a_model_that_is_not_on_this_machine_is_told(viewer, panel, dock, choose, pictures, qtbot):
    choose(panel, "Chest")
    wait(qtbot, lambda: "Chest is not on this machine" in dock.message.text)
    choose(panel, "Eye")
    wait(qtbot, lambda: dock.message.text == "")


def test_the_model_stays_the_same_while_labels_depend_on_it(viewer, panel, dock, choose, pictures, qtbot):
    add(panel, dock, qtbot, pictures[:6])
    name_classes(dock, "dark", "light")
    press(dock, Key.Key_1, Key.Key_2)
    model = dock.own.base.model
    choose(panel, "Eye")
    wait(qtbot, lambda: panel._session.loading.model is not None and settled(dock))
    assert dock.own.base.model is model
    assert dock.base.currentText() == "Brightness"
    dock.base.setCurrentIndex(dock.base.findText("Eye"))
    dock.base.activated.emit(dock.base.currentIndex())
    wait(qtbot, lambda: dock.own.base.model is not model and dock.own.base.model is not None and settled(dock))
    assert len(dock.own.project.labels) == 2


def test_images_with_several_classes_are_ticked(viewer, panel, dock, pictures, qtbot):
    add(panel, dock, qtbot, pictures[:6])
    name_classes(dock, "dark", "round")
    dock.several.click()
    picture = dock.own.walk.picture
    press(dock, Key.Key_1, Key.Key_2, Key.Key_Return)
    assert dock.own.project.labels[picture] == ("dark", "round")
    press(dock, Key.Key_Return)
    assert ("none",) in dock.own.project.labels.values()
    dock.several.click()
    assert dock.several.isChecked()
    assert "several classes, or none" in dock.message.text


def test_a_model_of_several_classes_says_none_or_all_that_fit(viewer, panel, dock, pictures, qtbot):
    add(panel, dock, qtbot, pictures)
    name_classes(dock, "light", "odd")
    dock.several.click()
    for row, picture in enumerate(dock.own.pictures[:24]):
        dock.own.change(lambda picture=picture, row=row: dock.own.project.label(picture, LABELS[row % 2]))
    wait(qtbot, lambda: settled(dock) and dock.own.learning.is_judged)
    dock._refresh()
    assert [row[2] for row in shown_in(dock.table)] == ["none", "light; odd"] * 20
    assert dock.judged.figure.text().startswith("Balanced accuracy 100%")
    dock.own.go_to(dock.own.pictures[31])
    assert dock.labels.form.list.classes.ticked == {0, 1}
    assert dock.labels.form.verdict.text().startswith("Model: light; odd ")
    assert dock.labels.form.agree.text() == "Label: 2 classes"


def test_a_class_is_renamed_in_place_and_removed_with_its_labels_after_a_question(viewer, panel, dock, pictures, qtbot):
    add(panel, dock, qtbot, pictures[:6])
    name_classes(dock, "dark", "light", "dark")
    assert "There is a class dark already" in dock.message.text
    dock.classes.field.clear()
    press(dock, Key.Key_1, Key.Key_1)
    dock.classes.table.item(0, 1).setText("shade")
    assert dock.own.project.counts() == {"shade": 2, "light": 0}
    dock.classes.table.item(0, 1).setText("light")
    assert dock.classes.table.item(0, 1).text() == "shade"
    dock.classes.table.selectRow(0)
    QTest.keyClick(dock.classes.table, Key.Key_Delete)
    from qtpy.QtWidgets import QMessageBox

    (box,) = dock.classes.findChildren(QMessageBox)
    assert "2 labels" in box.informativeText()
    next(button for button in box.buttons() if button.text() == "Remove").click()
    wait(qtbot, lambda: dock.own.project.classes == ("light",))
    assert dock.own.project.labels == {}


def test_pictures_of_a_folder_are_held_out_together(viewer, panel, dock, pictures, qtbot):
    add(panel, dock, qtbot, pictures)
    name_classes(dock, "dark", "light")
    dock.files.groups.setCurrentIndex(dock.files.groups.findData("folder"))
    dock.files.groups.activated.emit(dock.files.groups.currentIndex())
    label_all(viewer, dock, qtbot, 24)
    wait(qtbot, lambda: dock.own.learning.is_judged)
    dock._refresh()
    assert "of 4 groups" in dock.judged.how.text()


def test_a_click_in_the_table_goes_to_an_image_and_a_heading_sorts(viewer, panel, dock, pictures, qtbot):
    add(panel, dock, qtbot, pictures[:8])
    name_classes(dock, "dark", "light")
    wait(qtbot, lambda: settled(dock))
    table = dock.table
    index = table.pictures.index(5, 0)
    table.scrollTo(index)
    qtbot.mouseClick(table.viewport(), LEFT, pos=table.visualRect(index).center())
    assert dock.own.walk.picture.image == str(pictures[5])
    press(dock, Key.Key_2)
    table.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    assert shown_in(table)[0][:2] == (pictures[5].name, "light")
    table.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
    assert [row[0] for row in shown_in(table)] == [path.name for path in pictures[:8]]


def test_the_model_comes_into_the_list_and_into_a_file_and_classifies_as_it_said(
    viewer, open_panel, open_dock, pictures, tmp_path, monkeypatch, qtbot
):
    """With the real demonstration model, and everything that belongs to it."""
    import napari_webipred as wp

    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(tmp_path / "cache"))
    panel = open_panel()
    panel.form.model.value = "demo"
    dock = open_dock(panel)
    panel.images.choice.add(pictures[:20])
    wait(qtbot, lambda: len(dock.own.items) == 20 and settled(dock))
    name_classes(dock, "dark", "light")
    assert not dock.model.isVisibleTo(dock)
    label_all(viewer, dock, qtbot, 12)
    wait(qtbot, lambda: settled(dock) and dock.own.learning.is_judged)
    dock._refresh()
    dock.model.name.setText("Dark or light")
    (tmp_path / "mine.v1.zip").write_text("another model")
    dock.model.save_to(tmp_path / "mine.v1")
    assert "mine.v1.zip already exists." in dock.model.message.text
    assert not dock.model.busy
    assert (tmp_path / "mine.v1.zip").read_text() == "another model"
    dock.model.save_to(tmp_path / "mine")
    wait(qtbot, lambda: not dock.model.busy)
    assert "Saved as mine.zip" in dock.model.message.text
    qtbot.mouseClick(dock.model.use, LEFT)
    loading = panel._session.loading
    wait(qtbot, lambda: loading.model is not None and loading.model.classes == ["dark", "light"])
    assert loading.entry.card.name == "Dark or light"
    assert "passed the self-test" in loading.model.card.provenance.self_test
    assert dock.own.base.model.card.id == "demo"
    learned = dock.own.learning.learned
    found = wp.classify(pictures[:20], tmp_path / "mine.zip")[["dark", "light"]].to_numpy()
    np.testing.assert_allclose(found, learned.probabilities, atol=1e-4)
    text = loading.model.card.model_dump_json()
    assert str(tmp_path) not in text
    assert "00.png" not in text
    dock.own.undo()
    wait(qtbot, lambda: settled(dock))
    before = loading.model
    qtbot.mouseClick(dock.model.use, LEFT)
    wait(qtbot, lambda: loading.model not in (None, before))
    assert loading.model.checksum != before.checksum


def test_planes_of_a_stack_are_labelled_one_by_one_and_the_slider_follows(viewer, panel, dock, qtbot):
    values = [10, 220, 30, 240, 20, 230]
    layer = unwrapped(viewer.add_image(np.stack([flat(value, (8, 8)) for value in values]), name="stack"))
    wait(qtbot, lambda: len(dock.own.items) == 6 and settled(dock))
    name_classes(dock, "dark", "light")
    for _ in range(4):
        (place,) = dock.own.item.index
        assert viewer.dims.current_step[0] == place
        assert unwrapped(viewer.layers.selection.active) is layer
        press(dock, Key.Key_2 if values[place] > 127 else Key.Key_1)
    wait(qtbot, lambda: settled(dock))
    dock._refresh()
    assert [row[2] for row in shown_in(dock.table)] == ["dark", "light"] * 3
    assert shown_in(dock.table)[5][0].startswith("stack · ")
    assert sum(dict(picture.place) != {} for picture in dock.own.project.labels) == 4


def said_in(dock) -> dict[str, str]:
    dock._refresh()
    return {row[0]: row[1] for row in shown_in(dock.table)}


def test_a_new_shape_or_layer_has_no_label_of_one_before_it_with_its_name(viewer, panel, dock, qtbot):
    viewer.add_image(np.full((60, 60, 3), 90, np.uint8), name="image")
    boxes = [np.array([[5, l], [5, l + 9], [14, l + 9], [14, l]]) for l in (5, 20, 35)]  # noqa: E741
    cells = viewer.add_shapes(boxes, name="cells")
    panel.form.regions.value = unwrapped(cells)
    wait(qtbot, lambda: len(dock.own.items) == 3 and settled(dock))
    name_classes(dock, "dark", "light")
    for picture in list(dock.own.pictures):
        dock.own.change(lambda picture=picture: dock.own.project.label(picture, ("dark",)))
    cells.selected_data = {2}
    cells.remove_selected()
    wait(qtbot, lambda: len(dock.own.items) == 2 and settled(dock))
    cells.add(boxes[2] + 20)
    wait(qtbot, lambda: len(dock.own.items) == 3 and settled(dock))
    assert [*said_in(dock).values()] == ["dark", "dark", ""]
    assert "1 label of images that are not listed now" in dock.listed.words.text()
    assert len(dock.own.learning.learned.given.rows) == 2


def test_labels_follow_a_layer_that_is_renamed_and_not_its_name(viewer, panel, dock, qtbot):
    first, second = (viewer.add_image(flat(value), name=name) for value, name in ((20, "A"), (200, "C")))
    wait(qtbot, lambda: len(dock.own.items) == 2 and settled(dock))
    name_classes(dock, "dark", "light")
    for item, answer in zip(list(dock.own.items), ("dark", "light"), strict=True):
        dock.own.change(lambda item=item, answer=answer: dock.own.project.label(item.picture, (answer,)))
    first.name, second.name = "B", "A"
    wait(qtbot, lambda: [item.name for item in dock.own.items] == ["B", "A"] and settled(dock))
    assert said_in(dock) == {"B": "dark", "A": "light"}
    viewer.layers.remove(second)
    wait(qtbot, lambda: len(dock.own.items) == 1 and settled(dock))
    viewer.add_image(flat(210), name="A")
    wait(qtbot, lambda: len(dock.own.items) == 2 and settled(dock))
    assert said_in(dock) == {"B": "dark", "A": ""}
    assert "1 label of images that are not listed now" in dock.listed.words.text()


def test_labels_for_shapes_that_have_changed_meanwhile_are_not_taken(viewer, panel, dock, qtbot):
    viewer.add_image(np.full((60, 60, 3), 90, np.uint8), name="image")
    boxes = [np.array([[5, l], [5, l + 9], [14, l + 9], [14, l]]) for l in (5, 20)]  # noqa: E741
    cells = viewer.add_shapes(boxes, name="cells", features={"kind": ["d", "l"]})
    panel.form.regions.value = unwrapped(cells)
    wait(qtbot, lambda: len(dock.own.items) == 2 and settled(dock))
    pictures = list(dock.own.pictures)

    def reading(listed):
        while dock.own.items is listed.items:
            yield
        return Taken(dict.fromkeys(pictures, ("a",)))

    dock.own.take(reading)
    cells.selected_data = {0}
    cells.remove_selected()
    wait(qtbot, lambda: dock.message.text != "")
    assert "changed while labels were read" in dock.message.text
    assert dock.own.project.labels == {}


def moved(own: Contents, *here: Picture) -> Taken:
    """Take a project where only these pictures are listed."""
    items = [Item(picture, None, None, (), None) for picture in here]
    return _of_project(own, Listed(items, own.classes, own.several))


def test_labels_of_a_moved_project_go_with_the_pictures_whose_paths_end_alike():
    own = Contents(("a", "b"), labels={Picture("/old/p1/1.png"): ("a",), Picture("/old/p2/1.png"): ("b",)})
    own = replace(own, groups={Picture("/old/p2/1.png"): "p2"})
    taken = moved(own, Picture("/new/p2/1.png"), Picture("/new/p1/1.png"))
    assert taken.labels == {Picture("/new/p1/1.png"): ("a",), Picture("/new/p2/1.png"): ("b",)}
    assert taken.groups == {Picture("/new/p2/1.png"): "p2"}


def test_the_label_of_a_patient_who_is_not_listed_goes_to_no_other_one():
    own = Contents(("a", "b"), labels={Picture("/x/p1/1.png"): ("a",), Picture("/x/p3/1.png"): ("b",)})
    assert moved(own, Picture("/x/p1/1.png"), Picture("/x/p2/1.png")).labels == own.labels


def test_the_label_of_a_plane_or_region_does_not_become_that_of_the_whole_image():
    plane, region = Picture("1.tif", (("z", 3),)), Picture("2.png", (), "cell")
    own = Contents(("a", "b"), labels={plane: ("a",), region: ("b",)})
    assert moved(own, Picture("1.tif"), Picture("2.png")).labels == own.labels
    there = replace(plane, image="/new/1.tif"), replace(region, image="/new/2.png")
    assert moved(own, *there).labels == {there[0]: ("a",), there[1]: ("b",)}


def test_planes_and_regions_of_an_image_are_held_out_together_unless_they_have_groups():
    stack = [Picture("s.tif", (("z", number),)) for number in range(2)]
    pictures = [*stack, Picture("1.png", (), "cell"), Picture("1.png", (), "other"), Picture("2.png")]
    project = Project()
    project.open(Contents(("a", "b"), labels={each: ("ab"[n % 2],) for n, each in enumerate(pictures)}))
    known = np.ones(len(pictures), np.bool_)
    assert given_of(project, pictures, known).groups == ("s.tif", "s.tif", "1.png", "1.png", "")
    project.groups = {stack[0]: "p", stack[1]: "q"}
    assert given_of(project, pictures, known).groups == ("p", "q", "1.png", "1.png", "")
    project.groups = {}
    assert given_of(project, [stack[0], pictures[-1]], known[:2]).groups is None
