"""Files and folders that are classified without being opened as layers."""

from __future__ import annotations

import gc
import logging
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("napari")

import tifffile
from napari.components import ViewerModel
from PIL import Image as PillowImage
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QFileDialog, QWidget
from tests.gui.conftest import flat

from napari_webipred._napari.images import image_files
from napari_webipred._napari.images.file_drop import NOT_HERE, FileDrop
from napari_webipred._napari.images.image_choice import ImageChoice
from napari_webipred._napari.images.image_item import sources_of, told_apart
from napari_webipred._napari.images.images import Images
from napari_webipred._napari.images.opened_files import OpenedFiles
from napari_webipred._napari.images.place import Target, place_shown
from napari_webipred._napari.results.row_places import RowPlaces
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.two_line_delegate import SECOND_LINE
from napari_webipred.errors import OptionError
from napari_webipred.imaging.planes import array_source

DARK = Theme(SimpleNamespace(theme="dark"))


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two images, one of them deeper, and a text."""
    (tmp_path / "scans" / "deeper").mkdir(parents=True)
    PillowImage.fromarray(flat(51)).save(tmp_path / "scans" / "2.png")
    PillowImage.fromarray(flat(204)).save(tmp_path / "scans" / "deeper" / "10.png")
    (tmp_path / "scans" / "notes.txt").write_text("no image")
    return tmp_path / "scans"


@pytest.fixture
def stack(tmp_path) -> Path:
    """A TIFF file with five pages."""
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, np.stack([flat(50 * i, (40, 40)) for i in range(5)]))
    return path


@pytest.fixture
def images(qtbot):
    """The list of a viewer without a window."""
    model = ViewerModel()
    choice = ImageChoice(model, Images(), DARK)
    qtbot.addWidget(choice)
    choice.resize(300, 600)
    choice.show()
    return SimpleNamespace(model=model, choice=choice, images=choice.images)


def found(images, qtbot) -> None:
    qtbot.waitUntil(lambda: not any(entry.finding for entry in images.images.files))


def words(images, row: int) -> str:
    return str(images.choice.layers.index(row).data(SECOND_LINE))


def entering(actions: Qt.DropAction, data: QMimeData) -> QDragEnterEvent:
    """What the window system sends first. PySide6 6.12 calls this constructor deprecated, and PyQt6 has no other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return QDragEnterEvent(QPoint(5, 5), actions, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)


def drop(widget: QWidget, *urls: QUrl, text: str = "") -> QDropEvent:
    """Move over a widget and drop there, as the window system does."""
    data = QMimeData()
    if urls:
        data.setUrls(list(urls))
    if text:
        data.setText(text)
    buttons = (Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = entering(Qt.DropAction.CopyAction | Qt.DropAction.MoveAction, data)
    QApplication.sendEvent(widget, enter)
    dropped = QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction | Qt.DropAction.MoveAction, data, *buttons)
    if enter.isAccepted():
        QApplication.sendEvent(widget, dropped)
    else:
        dropped.ignore()
    dropped.data = data  # which Qt does not keep
    return dropped


@pytest.fixture
def target(qtbot):
    """A widget that takes files."""
    widget = QWidget()
    qtbot.addWidget(widget)
    widget.show()
    taking = FileDrop(widget, DARK)
    heard: list[object] = []
    taking.dropped.connect(heard.append)
    taking.refused.connect(lambda message, hint: heard.append(message))
    return SimpleNamespace(widget=widget, taking=taking, heard=heard)


def test_files_that_are_dropped_are_taken_as_copies(target, folder, stack):
    event = drop(target.widget, QUrl.fromLocalFile(str(folder)), QUrl.fromLocalFile(str(stack)))
    assert target.heard == [[folder, stack]]
    assert event.dropAction() == Qt.DropAction.CopyAction  # a file manager would delete what was moved
    assert target.taking.sign.isHidden()


def test_a_sign_is_shown_while_files_are_over_the_panel(target, folder):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(folder))])
    enter = entering(Qt.DropAction.CopyAction, data)
    QApplication.sendEvent(target.widget, enter)
    assert not target.taking.sign.isHidden()
    assert target.taking.sign.size() == target.widget.size()
    QApplication.sendEvent(target.widget, QDragLeaveEvent())
    assert target.taking.sign.isHidden()


@pytest.mark.parametrize(
    ("urls", "text"),
    [
        (["https://example.org/a.png"], ""),
        (["file:///tmp/a.png", "https://example.org/a.png"], ""),
        ([], "some words"),
    ],
)
def test_what_is_no_file_of_this_machine_is_refused_in_words(target, urls, text):
    drop(target.widget, *map(QUrl, urls), text=text)
    assert target.heard == [NOT_HERE]


def test_a_layer_that_is_moved_in_napari_is_not_taken(target):
    assert not drop(target.widget).isAccepted()
    assert target.heard == []


def test_a_folder_is_one_entry_with_the_number_of_its_images(images, folder, tmp_path, qtbot):
    (folder / "link").symlink_to(tmp_path, target_is_directory=True)  # is no file that is left out
    images.choice.add([folder])
    found(images, qtbot)
    assert images.choice.layers.index(0).data() == "scans"
    assert words(images, 0) == "folder · 2 images · 1 other file left out"
    (entry,) = images.choice.value()
    names = [source.name for _, source in sources_of(entry, images.images, "all", None)]
    assert [Path(name).as_posix() for name in names] == ["scans/2.png", "scans/deeper/10.png"]


def test_a_file_says_what_it_holds_and_a_damaged_one_why_it_cannot_be_used(images, stack, tmp_path, qtbot):
    (tmp_path / "bad.tif").write_text("this is no image")
    images.choice.add([stack, tmp_path / "bad.tif", tmp_path / "gone.png"])
    found(images, qtbot)
    assert words(images, 0) == "file · 5 planes along page"
    assert "bad.tif is not an image that can be read" in words(images, 1)
    assert "There is no file gone.png" in words(images, 2)
    assert [entry.name for entry in images.choice.value()] == ["stack.tif"]


def test_a_range_of_planes_counts_for_files_too(images, stack, qtbot):
    images.choice.add([stack])
    found(images, qtbot)
    images.choice.layers.show_planes(slice(1, None, 2))
    assert words(images, 0) == "file · 5 planes along page · 1 to 3, every 2nd: 2"
    ((_, source),) = sources_of(images.images.files[0], images.images, slice(1, None, 2), None)
    assert list(source.indices()) == [(1,), (3,)]
    assert images.images.files[0].counts(slice(1, None, 2)) == (1, 2)


def test_a_folder_with_too_many_files_is_refused_in_words(images, folder, qtbot, monkeypatch):
    monkeypatch.setattr(image_files, "FILES_IN_A_FOLDER", 2)
    images.choice.add([folder])
    found(images, qtbot)
    assert "scans has more than 2 files" in words(images, 0)
    assert images.choice.value() == []


def test_the_same_file_is_listed_once_and_removed_with_the_delete_key(images, folder, stack, qtbot):
    images.choice.add([folder, stack])
    images.choice.add([stack])
    found(images, qtbot)
    assert images.choice.layers.rowCount() == 2
    images.choice.list.setCurrentIndex(images.choice.layers.index(1))
    qtbot.keyClick(images.choice.list, Qt.Key.Key_Delete)
    assert [entry.path for entry in images.images.files] == [folder]
    assert stack.exists()


def test_a_damaged_file_can_be_selected_and_removed_but_not_ticked(images, tmp_path, qtbot):
    (tmp_path / "bad.tif").write_text("this is no image")
    images.choice.add([tmp_path / "bad.tif"])
    found(images, qtbot)
    view = images.choice.list
    place = view.visualRect(images.choice.layers.index(0)).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert images.choice.layers.index(0).data(Qt.ItemDataRole.CheckStateRole) is None
    qtbot.keyClick(view, Qt.Key.Key_Delete)
    assert images.images.files == []


def test_files_and_folders_are_chosen_with_buttons(images, folder, stack, qtbot, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(stack)], ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    qtbot.mouseClick(images.choice.file_buttons.files, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(images.choice.file_buttons.folder, Qt.MouseButton.LeftButton)
    assert [entry.path for entry in images.images.files] == [stack, folder]
    found(images, qtbot)


def test_a_script_gives_paths(images, folder, stack, qtbot):
    layer = images.model.add_image(flat(1))
    images.choice.set_value([str(folder), stack])
    found(images, qtbot)
    assert [entry.path for entry in images.choice.value()] == [folder, stack]
    images.choice.set_value([layer])
    assert images.choice.value() == [layer]
    with pytest.raises(OptionError, match="is not an image layer of this viewer"):
        images.choice.set_value(["/no/such/file.png"])


@pytest.fixture
def opened(images, qtbot):
    """What opens files in the viewer."""
    return OpenedFiles(images.model, images.images, RowPlaces(), images.choice)


def test_a_double_click_opens_the_file_in_napari_and_not_twice(images, opened, stack, qtbot):
    images.choice.open_requested.connect(opened.show)
    images.choice.add([stack])
    found(images, qtbot)
    view = images.choice.list
    place = view.visualRect(images.choice.layers.index(0)).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: len(images.model.layers) == 1)
    layer = images.model.layers[0]
    assert not images.images.is_ticked(layer)  # its file is in the list already
    ((target, _),) = sources_of(images.images.files[0], images.images, "all", None)
    opened.show(target, (3,))
    assert len(images.model.layers) == 1
    assert place_shown(layer, images.model.dims) == (3,)


@pytest.mark.parametrize("most", [2**30, 1])
def test_where_napari_has_no_reader_the_file_is_read_by_this_program(images, opened, stack, qtbot, monkeypatch, most):
    def no_reader(self, *_, **__):
        raise ValueError("No plugin found capable of reading")

    monkeypatch.setattr(ViewerModel, "open", no_reader)
    monkeypatch.setattr("napari_webipred._napari.images.opened_files.OPENED_BYTES", most)
    images.choice.add([stack])
    found(images, qtbot)
    ((target, _),) = sources_of(images.images.files[0], images.images, "all", None)
    opened.show(target, (2,))
    qtbot.waitUntil(lambda: len(images.model.layers) == 1)
    layer = images.model.layers[0]
    assert layer.name == "stack.tif"
    shown = layer.data if most == 1 else layer.data[place_shown(layer, images.model.dims)]
    assert np.array_equal(shown, flat(100, (40, 40)))


# napari's own reader leaves a file open that it cannot read.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_file_that_nobody_can_read_is_reported(images, opened, tmp_path, qtbot):
    bad = tmp_path / "bad.tif"
    bad.write_text("this is no image")
    images.choice.add([bad])
    found(images, qtbot)
    heard: list[Exception] = []
    opened.failed.connect(heard.append)
    ((target, _),) = sources_of(images.images.files[0], images.images, "all", None)
    opened.show(target, ())
    qtbot.waitUntil(lambda: bool(heard))
    assert "bad.tif" in str(heard.pop())
    gc.collect()


def test_dropped_files_are_classified_beside_layers_and_their_rows_open_them(
    viewer, panel, qtbot, classify, folder, stack, caplog
):
    caplog.set_level(logging.DEBUG)
    viewer.add_image(flat(10), name="layer")
    panel.sections[1].header.setChecked(False)
    drop(panel, QUrl.fromLocalFile(str(folder)), QUrl.fromLocalFile(str(stack)))
    qtbot.waitUntil(lambda: not any(entry.finding for entry in panel._session.images.files))
    assert panel.sections[1].header.isChecked()
    qtbot.waitUntil(lambda: panel.classify.button.text() == "Classify 4 images (8 planes)")
    run = classify(panel)
    names = [Path(row.image).name for row in run.rows]
    assert names == ["layer", "2.png", "10.png", *["stack.tif"] * 5]
    assert [row.prediction for row in run.rows[1:3]] == ["dark", "bright"]
    table = panel.results.table
    index = table.model().index(6, 0)
    table.scrollTo(index)
    place = table.visualRect(index).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert len(viewer.layers) == 1  # choosing a row opens nothing
    qtbot.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: len(viewer.layers) == 2)
    assert viewer.dims.current_step[0] == 3
    viewer.dims.set_current_step(0, 1)
    assert panel.results.chosen_entry.row.position == {"page": 1}
    drop(panel, QUrl("https://example.org/a.png"))
    assert NOT_HERE in panel.images.choice.message.text
    assert "stack.tif" not in "".join(record.getMessage() for record in caplog.records if "webipred" in record.name)


def test_files_of_one_name_are_called_with_the_folders_that_tell_them_apart(viewer, panel, qtbot, classify, tmp_path):
    files = [Path(folder, "1.png") for folder in ("first/day", "second/day", "third")]
    for value, file in enumerate([*files, Path("2.png")]):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        PillowImage.fromarray(flat(60 * value)).save(tmp_path / file)
    viewer.add_image(flat(10), name="2.png")
    panel.form.images.value = [*viewer.layers, *(tmp_path / file for file in files), tmp_path / "2.png"]
    qtbot.waitUntil(lambda: not any(entry.finding for entry in panel._session.images.files))
    assert [row.image for row in classify(panel).rows] == [
        "2.png",
        *(str(Path("first/day/1.png")), str(Path("second/day/1.png")), str(Path("third/1.png"))),
        str(Path(tmp_path.name, "2.png")),
    ]


def test_a_name_with_folders_that_another_file_has_already_is_made_longer():
    paths = [Path(each).absolute() for each in ("p/a/1.png", "p/b/1.png", "q/a/1.png")]
    names = ["1.png", "1.png", str(Path("a/1.png"))]  # the last one is of the folder a
    pairs = [(Target([], (), path), array_source(flat(0), name)) for path, name in zip(paths, names, strict=True)]
    assert [source.name for _, source in told_apart(pairs)] == [
        str(Path("p/a/1.png")),
        str(Path("b/1.png")),
        str(Path("q/a/1.png")),
    ]


def test_thousands_of_files_of_one_name_are_told_apart():
    paths = [Path(f"{number // 2}/{number % 2}/scan/1.png").absolute() for number in range(4000)]
    found = told_apart([(Target([], (), path), array_source(flat(0), "1.png")) for path in paths])
    assert len({source.name for _, source in found}) == 4000
    assert found[-1][1].name == str(Path("1999/1/scan/1.png"))
