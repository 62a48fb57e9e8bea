"""The user's own models are listed in every viewer until they are removed, whatever becomes of their files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QContextMenuEvent
from qtpy.QtWidgets import QApplication, QFileDialog, QMessageBox

from napari_webipred._napari.models.stored_models import StoredModels
from napari_webipred._napari.widgets.label import BREAK
from napari_webipred._napari.widgets.two_line_delegate import REMARK, SECOND_LINE
from napari_webipred.cache import index, local_models, overrides, store
from napari_webipred.card import ModelCard
from napari_webipred.model_overrides import ModelOverrides
from zenodo_server import CONVERTED, ZenodoServer, model_zip

CARD = """{"name": "My model", "classes": [{"index": 0, "name": "a"}, {"index": 1, "name": "b"}],
"preprocessing": {"standardize_mode": "tf"}}"""


@pytest.fixture
def new_panel(make_napari_viewer_proxy, qtbot):
    """Open the panel in a viewer of its own, as after a restart, and wait for its list."""

    def open_it():
        _, panel = make_napari_viewer_proxy().window.add_plugin_dock_widget("napari-webipred", "Classify images")
        qtbot.waitUntil(lambda: panel._session.catalogue.models.rowCount() > 0)
        return panel

    return open_it


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An own model with a card that says all that is needed."""
    import io
    import zipfile

    path = tmp_path / "models of mine" / "first"
    with zipfile.ZipFile(io.BytesIO(model_zip(2, size=8))) as archive:
        archive.extractall(path)
    (path / "webipred.json").write_text(CARD)
    return path


def unbroken(tip: str) -> str:
    """Take out the places where a long word may wrap."""
    return tip.replace(BREAK, "")


def line(panel, name: str, role=REMARK) -> str | None:
    """What the list says of a model; None if it is not there."""
    rows = [panel.model.choice.filter.index(row, 0) for row in range(panel.model.choice.filter.rowCount())]
    return next((str(row.data(role)) for row in rows if row.data() == name), None)


def select(panel, qtbot, name: str) -> QPoint:
    view = panel.model.choice.list
    (row,) = (
        row
        for row in range(panel.model.choice.filter.rowCount())
        if panel.model.choice.filter.index(row, 0).data() == name
    )
    view.scrollTo(panel.model.choice.filter.index(row, 0))
    place = view.visualRect(panel.model.choice.filter.index(row, 0)).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    return place


def right_click(panel, qtbot, name: str):
    """Open the context menu of a model and return it."""
    place = select(panel, qtbot, name)
    view = panel.model.choice.list.viewport()
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, view.mapToGlobal(place))
    QApplication.sendEvent(view, event)
    return panel.model.choice.menu.menu


def add(panel, qtbot, path: Path) -> None:
    panel._session.catalogue.add(path)
    qtbot.waitUntil(lambda: panel._session.loading.model is not None, timeout=30_000)
    qtbot.waitUntil(lambda: local_models.own_models()[0].checksum != "")


def settled(panel) -> bool:
    loading = panel._session.loading
    return loading.progress is None and (loading.model or loading.error) is not None


def test_a_model_opened_by_its_path_is_listed_in_the_next_viewer(folder, new_panel, qtbot, choose):
    add(new_panel(), qtbot, folder)
    panel = new_panel()
    assert line(panel, "My model") == "on this machine"
    assert line(panel, "My model", SECOND_LINE) == "your file"
    assert str(folder.parent) in unbroken(line(panel, "My model", Qt.ItemDataRole.ToolTipRole))
    choose(panel, "My model")
    qtbot.waitUntil(lambda: panel._session.loading.model is not None, timeout=30_000)
    assert panel._session.loading.model.classes == ["a", "b"]


def test_the_model_used_last_is_listed_first(folder, new_panel, qtbot, tmp_path):
    panel = new_panel()
    add(panel, qtbot, folder)
    other = tmp_path / "second"
    other.mkdir()
    for path in folder.rglob("*"):
        if path.is_file():
            (other / path.name).write_bytes(path.read_bytes().replace(b"My model", b"Another"))
    panel._session.catalogue.add(other)
    qtbot.waitUntil(lambda: [model.name for model in local_models.own_models()] == ["Another", "My model"])
    panel = new_panel()
    assert [panel.model.choice.filter.index(row, 0).data() for row in range(2)] == ["Another", "My model"]


def test_models_that_a_script_adds_at_once_are_all_listed(new_panel, qtbot, tmp_path):
    panel = new_panel()
    for name in ("a.zip", "b.zip", "c.zip"):
        (tmp_path / name).write_bytes(model_zip())
        panel._session.catalogue.add(tmp_path / name)
    qtbot.waitUntil(lambda: all(line(panel, name) for name in "abc"))
    assert len(local_models.own_models()) == 3


@pytest.mark.parametrize("how", ["key", "menu"])
def test_removing_forgets_the_entry_and_the_settings_and_leaves_the_file(new_panel, qtbot, tmp_path, how):
    path = tmp_path / "mine.zip"
    path.write_bytes(model_zip(2, size=8))
    panel = new_panel()
    panel._session.catalogue.add(path)
    qtbot.waitUntil(lambda: not panel.model.settings.native.isHidden(), timeout=30_000)
    panel._session.loading.entry.overrides["standardize"] = "tf"
    panel._session.loading.start()
    qtbot.waitUntil(
        lambda: panel._session.loading.model is not None and not panel._session.loading.needs_settings, timeout=30_000
    )
    checksum = panel._session.loading.model.checksum
    assert overrides.load(checksum).standardize == "tf"
    qtbot.waitUntil(lambda: local_models.own_models()[0].checksum == checksum)
    if how == "key":
        select(panel, qtbot, "mine")
        qtbot.keyClick(panel.model.choice.list, Qt.Key.Key_Delete)
    else:
        menu = right_click(panel, qtbot, "mine")
        assert menu.isVisible()
        assert panel.model.choice.menu.remove.text() == "Remove from the list"
        qtbot.mouseClick(
            menu, Qt.MouseButton.LeftButton, pos=menu.actionGeometry(panel.model.choice.menu.remove).center()
        )
    qtbot.waitUntil(lambda: line(panel, "mine") is None)
    assert path.exists()
    assert overrides.load(checksum) == ModelOverrides()
    assert local_models.own_models() == []
    assert panel._session.loading.entry is None
    assert "was not deleted" in panel.model.opening.message.text


def test_what_is_part_of_the_program_cannot_be_removed(new_panel, qtbot):
    panel = new_panel()
    name = index.find("demo").name
    right_click(panel, qtbot, name)
    assert not panel.model.choice.menu.remove.isVisible()
    assert not panel.model.choice.menu.rename.isVisible()
    panel.model.choice.menu.menu.close()
    qtbot.keyClick(panel.model.choice.list, Qt.Key.Key_Delete)
    assert panel.model.choice.list.findChild(QMessageBox) is None
    assert line(panel, name) == "on this machine"


def test_a_model_whose_file_is_gone_says_so_and_can_be_removed(folder, new_panel, qtbot):
    add(new_panel(), qtbot, folder)
    folder.rename(folder.with_name("moved"))
    panel = new_panel()
    qtbot.waitUntil(lambda: line(panel, "My model") == "file not found")
    select(panel, qtbot, "My model")
    qtbot.waitUntil(lambda: "was not found in" in panel.model.opening.message.text, timeout=30_000)
    qtbot.keyClick(panel.model.choice.list, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: line(panel, "My model") is None)
    assert local_models.own_models() == []


def test_a_model_whose_file_comes_back_can_be_used_again(folder, new_panel, qtbot):
    add(new_panel(), qtbot, folder)
    moved = folder.rename(folder.with_name("moved"))
    panel = new_panel()
    qtbot.waitUntil(lambda: line(panel, "My model") == "file not found")
    moved.rename(folder)
    select(panel, qtbot, "My model")
    qtbot.waitUntil(lambda: line(panel, "My model") == "on this machine", timeout=30_000)


def test_an_own_model_that_is_refused_is_not_said_to_be_usable(new_panel, qtbot, tmp_path):
    path = tmp_path / "letter.onnx"
    path.write_bytes(b"Dear colleague")
    panel = new_panel()
    panel._session.catalogue.add(path)
    qtbot.waitUntil(lambda: line(panel, "letter") == "cannot be used")
    again = new_panel()
    assert line(again, "letter") == "cannot be used"
    assert "letter.onnx is not a model" in line(again, "letter", Qt.ItemDataRole.ToolTipRole)
    select(again, qtbot, "letter")
    qtbot.waitUntil(lambda: settled(again))
    qtbot.keyClick(again.model.choice.list, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: line(again, "letter") is None)
    assert path.exists()


def test_a_refused_model_that_was_mended_can_be_added_again(new_panel, qtbot, tmp_path):
    path = tmp_path / "mine.zip"
    path.write_bytes(model_zip()[:-50])
    panel = new_panel()
    panel._session.catalogue.add(path)
    qtbot.waitUntil(lambda: line(panel, "mine") == "cannot be used")
    path.write_bytes(model_zip())
    panel._session.catalogue.add(path)
    qtbot.waitUntil(lambda: line(panel, "mine") == "on this machine", timeout=30_000)
    assert panel._session.loading.model is not None


def test_a_downloaded_model_that_is_refused_says_so_and_can_be_removed(zenodo: ZenodoServer, new_panel, qtbot):
    zenodo.publish("7785993", {CONVERTED: model_zip().replace(b"Dense", b"Dance")})
    panel = new_panel()
    name = index.find("webipred-16").name
    select(panel, qtbot, name)
    qtbot.mouseClick(panel.model.opening.download, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: line(panel, name) == "cannot be used", timeout=30_000)
    again = new_panel()
    assert line(again, name) == "cannot be used"
    menu = right_click(again, qtbot, name)
    assert again.model.choice.menu.remove.text() == "Remove from this machine…"
    menu.close()
    qtbot.keyClick(again.model.choice.list, Qt.Key.Key_Delete)
    question = again.model.choice.list.findChild(QMessageBox)
    assert store.entries() != []
    (button,) = (button for button in question.buttons() if button.text().replace("&", "") == "Remove")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: str(line(again, name)).startswith("download"))
    assert store.entries() == []
    qtbot.waitUntil(lambda: not again.model.opening.download.isHidden())


def open_page(panel, qtbot) -> StoredModels:
    qtbot.mouseClick(panel.model.stored, Qt.MouseButton.LeftButton)
    dialog = panel.model.findChild(StoredModels)
    qtbot.waitUntil(dialog.import_file.isEnabled)
    return dialog


@pytest.mark.parametrize("how", ["button", "key"])
def test_own_models_stand_on_the_page_of_this_machine_and_can_be_removed_there(folder, new_panel, qtbot, how):
    panel = new_panel()
    add(panel, qtbot, folder)
    dialog = open_page(panel, qtbot)
    first = dialog.stored.index(0, 0)
    assert first.data() == "My model"
    assert first.data(SECOND_LINE).startswith("your file · used ")
    assert str(folder.parent) in unbroken(first.data(Qt.ItemDataRole.ToolTipRole))
    qtbot.mouseClick(dialog.list.viewport(), Qt.MouseButton.LeftButton, pos=dialog.list.visualRect(first).center())
    if how == "button":
        qtbot.mouseClick(dialog.remove, Qt.MouseButton.LeftButton)
    else:
        qtbot.keyClick(dialog.list, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: line(panel, "My model") is None)
    assert dialog.stored.rowCount() == 0
    assert (folder / "webipred.json").exists()


def test_an_own_folder_is_not_exported_but_should_be_zipped(folder, new_panel, qtbot, tmp_path, monkeypatch):
    target = tmp_path / "carried.zip"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    panel = new_panel()
    add(panel, qtbot, folder)
    dialog = open_page(panel, qtbot)
    first = dialog.list.visualRect(dialog.stored.index(0, 0))
    qtbot.mouseClick(dialog.list.viewport(), Qt.MouseButton.LeftButton, pos=first.center())
    qtbot.mouseClick(dialog.export, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "zip archive of their own" in unbroken(dialog.message.text))
    assert not target.exists()


def test_removing_all_models_empties_the_list_and_the_question_says_so(folder, new_panel, qtbot):
    panel = new_panel()
    add(panel, qtbot, folder)
    dialog = open_page(panel, qtbot)
    qtbot.mouseClick(dialog.remove_all, Qt.MouseButton.LeftButton)
    question = dialog.findChild(QMessageBox)
    assert "Your own models are only removed from the list." in question.informativeText()
    (button,) = (button for button in question.buttons() if button.text().replace("&", "") == "Remove all")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: line(panel, "My model") is None)
    assert local_models.own_models() == []
    assert folder.is_dir()


def test_the_file_of_a_known_model_is_that_model(new_panel, qtbot, tmp_path):
    path = tmp_path / "download(3).zip"
    path.write_bytes(store.path_of(index.find("demo")).read_bytes())
    panel = new_panel()
    panel._session.catalogue.add(path)
    qtbot.waitUntil(lambda: panel._session.loading.model is not None, timeout=30_000)
    assert panel._session.loading.model.card.id == "demo"
    assert "download(3).zip is “" in panel.model.opening.message.text
    assert local_models.own_models() == []


def test_the_file_of_a_model_that_is_not_here_yet_is_imported(new_panel, qtbot, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    content = model_zip()
    path = tmp_path / "download(3).zip"
    path.write_bytes(content)
    cards = index.cards()
    (card,) = (card for card in cards if card.id == "webipred-16")
    weights = card.weights[0].model_copy(
        update={"size": len(content), "checksum": f"sha256:{hashlib.sha256(content).hexdigest()}"}
    )
    known: ModelCard = card.model_copy(update={"weights": (weights,)})
    monkeypatch.setattr(index, "cards", lambda: [known if other.id == known.id else other for other in cards])
    panel = new_panel()
    panel._session.catalogue.add(path)
    qtbot.waitUntil(lambda: panel._session.loading.model is not None, timeout=30_000)
    assert panel._session.loading.model.classes == ["NORMAL", "PNEUMONIA"]
    assert [entry.id for entry in store.entries()] == ["webipred-16"]
    assert f"is “{known.name}” from the catalogue" in panel.model.opening.message.text
    path.unlink()
    again = new_panel()
    assert line(again, known.name) == "on this machine"


def test_a_cache_that_cannot_be_written_keeps_the_model_in_this_viewer(folder, new_panel, qtbot, tmp_path, monkeypatch):
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(tmp_path / "a file" / "cache"))
    panel = new_panel()
    panel._session.catalogue.add(folder)
    qtbot.waitUntil(lambda: panel._session.loading.model is not None, timeout=30_000)
    dialog = open_page(panel, qtbot)
    dialog.changed.emit()
    with qtbot.waitSignal(panel._session.catalogue.listed):  # the models are listed anew
        pass
    assert line(panel, "My model") == "on this machine"
