from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_webipred import settings
from napari_webipred._napari.models.stored_models import StoredModels
from napari_webipred._napari.models.which_model import WhichModel
from napari_webipred._napari.widgets.label import BREAK
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.two_line_delegate import REMARK, SECOND_LINE
from napari_webipred._napari.widgets.two_line_list import ITEM
from napari_webipred.cache import bundle, importer, index, local_models, store
from zenodo_server import CONVERTED, ZenodoServer, model_zip

DAY = 24 * 60 * 60


@pytest.fixture
def fetched(zenodo: ZenodoServer) -> list[str]:
    """Two models on this machine; the first one was used two days before the other."""
    ids = []
    for number, classes in ((1000001, 2), (1000003, 5)):
        zenodo.publish(str(number), {CONVERTED: model_zip(classes)}, title=f"Model of {classes} classes")
        card = index.resolve(str(number))
        for _ in store.fetch(card):
            pass
        ids.append(card.id)
    long_ago = store.entries()[0].last_use - 2 * DAY
    for name in ("entry.json", "used"):
        note = store.entries()[0].folder / name
        note.touch()
        os.utime(note, (long_ago, long_ago))
    return ids


@pytest.fixture
def page(qtbot):
    """Open the page and wait for its list."""

    def open_it() -> StoredModels:
        dialog = StoredModels(Theme(SimpleNamespace(theme="dark")))
        qtbot.addWidget(dialog)
        dialog.show()
        idle(qtbot, dialog)
        return dialog

    return open_it


def idle(qtbot, dialog: StoredModels) -> None:
    qtbot.waitUntil(lambda: dialog.import_file.isEnabled())


def names(dialog: StoredModels) -> list[str]:
    return [dialog.stored.index(row, 0).data() for row in range(dialog.stored.rowCount())]


def press(qtbot, dialog: StoredModels, button) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    idle(qtbot, dialog)


def choose_row(qtbot, dialog: StoredModels, row: int, modifier=Qt.KeyboardModifier.NoModifier) -> None:
    place = dialog.list.visualRect(dialog.stored.index(row, 0)).center()
    qtbot.mouseClick(dialog.list.viewport(), Qt.MouseButton.LeftButton, modifier, place)


def test_models_are_listed_with_source_last_use_and_size(fetched, page):
    dialog = page()
    assert names(dialog) == ["Model of 5 classes", "Model of 2 classes"]
    first = dialog.stored.index(0, 0)
    assert first.data(SECOND_LINE) == f"Zenodo record 1000003 · used {first.data(ITEM).used}"
    assert first.data(ITEM).used > dialog.stored.index(1, 0).data(ITEM).used
    assert first.data(REMARK) == "0.0 MB"
    assert dialog.total.text().startswith("2 downloaded models, ")
    assert dialog.folder_path.text() == str(settings.current().cache_folder)


def test_an_empty_cache_says_so(page):
    dialog = page()
    assert not dialog.empty.isHidden()
    assert dialog.list.isHidden()
    assert not dialog.remove_all.isEnabled()


def test_only_the_chosen_model_is_removed(fetched, page, qtbot):
    dialog = page()
    assert not dialog.remove.isEnabled()
    choose_row(qtbot, dialog, 1)
    with qtbot.waitSignal(dialog.changed):
        press(qtbot, dialog, dialog.remove)
    qtbot.waitUntil(lambda: names(dialog) == ["Model of 5 classes"])
    assert [entry.id for entry in store.entries()] == fetched[1:]
    assert "freed" in dialog.message.text


def test_a_model_for_all_users_stays_and_that_is_told(fetched, page, qtbot, monkeypatch, tmp_path):
    monkeypatch.setenv("NAPARI_WEBIPRED_SHARED_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(tmp_path / "own"))
    dialog = page()
    assert "for all users" in dialog.stored.index(0, 0).data(SECOND_LINE)
    choose_row(qtbot, dialog, 0)
    press(qtbot, dialog, dialog.remove)
    assert "is read-only" in dialog.message.text
    assert len(names(dialog)) == 2


@pytest.mark.parametrize("agreed", [True, False])
def test_removing_all_asks_first(fetched, page, qtbot, agreed):
    dialog = page()
    qtbot.mouseClick(dialog.remove_all, Qt.MouseButton.LeftButton)
    question = dialog.findChild(QMessageBox)
    assert store.entries() != []
    text = "Remove all" if agreed else "Cancel"
    (button,) = (button for button in question.buttons() if button.text().replace("&", "") == text)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    idle(qtbot, dialog)
    assert len(store.entries()) == len(names(dialog)) == (0 if agreed else 2)


def test_return_does_not_remove_all(fetched, page, qtbot):
    dialog = page()
    qtbot.mouseClick(dialog.remove_all, Qt.MouseButton.LeftButton)
    qtbot.keyClick(dialog.findChild(QMessageBox), Qt.Key.Key_Return)
    idle(qtbot, dialog)
    assert len(store.entries()) == 2


def test_making_room_removes_what_was_not_used_for_longest(fetched, page, qtbot, monkeypatch):
    dialog = page()
    press(qtbot, dialog, dialog.free_space)
    assert "Nothing removed: the models already take less space than that." in dialog.message.text
    newest = store.entries()[1].folder
    most = sum(path.stat().st_size for path in newest.rglob("*") if path.is_file())
    monkeypatch.setattr("napari_webipred._napari.models.stored_models.GIGABYTE", most)
    dialog.limit.setFocus()
    dialog.limit.selectAll()
    qtbot.keyClicks(dialog.limit, "1")
    press(qtbot, dialog, dialog.free_space)
    assert names(dialog) == ["Model of 5 classes"]
    assert fetched[0] in dialog.message.text


def test_a_bundle_carries_models_to_an_empty_cache_without_a_network(fetched, page, qtbot, monkeypatch, tmp_path):
    path = tmp_path / "carried.zip"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path.with_suffix("")), ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    dialog = page()
    assert not dialog.export.isEnabled()
    choose_row(qtbot, dialog, 0)
    choose_row(qtbot, dialog, 1, Qt.KeyboardModifier.ControlModifier)
    press(qtbot, dialog, dialog.export)
    assert "Exported 2 models to carried.zip." in dialog.message.text
    path.write_bytes(carried := path.read_bytes() + b" and what the user has added")
    choose_row(qtbot, dialog, 0)
    press(qtbot, dialog, dialog.export)  # the dialog has asked about "carried" alone
    assert "carried.zip already exists.</b>" in dialog.message.text
    assert path.read_bytes() == carried
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(tmp_path / "other"))
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    dialog = page()
    assert names(dialog) == []
    press(qtbot, dialog, dialog.import_file)
    assert sorted(names(dialog)) == ["Model of 2 classes", "Model of 5 classes"]
    assert "Model of 2 classes" in dialog.message.text


def test_what_is_neither_a_bundle_nor_a_model_is_told(page, qtbot, monkeypatch, tmp_path):
    path = tmp_path / "letter.zip"
    path.write_bytes(b"Dear colleague")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    dialog = page()
    press(qtbot, dialog, dialog.import_file)
    assert "letter.zip is not a model" in dialog.message.text


def ask_which(qtbot, dialog: StoredModels, monkeypatch, path: Path) -> WhichModel:
    """Import a file and wait for the question which model it is."""
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    qtbot.mouseClick(dialog.import_file, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dialog.findChild(WhichModel) is not None)
    return dialog.findChild(WhichModel)


def proposed(asking: WhichModel) -> list[tuple[str, str]]:
    rows = [asking.filter.index(row, 0) for row in range(asking.filter.rowCount())]
    return [(index.data(), index.data(REMARK)) for index in rows]


def test_a_file_downloaded_by_hand_is_imported_as_the_model_that_the_user_says(page, qtbot, monkeypatch, tmp_path):
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    path = tmp_path / "download(1).zip"
    path.write_bytes(model_zip(classes=2))
    dialog = page()
    asking = ask_which(qtbot, dialog, monkeypatch, path)
    assert not asking.import_button.isEnabled()
    qtbot.keyClicks(asking.search, "chest x-ray")
    assert [name for name, _ in proposed(asking)] == [index.find("webipred-16").name]
    place = asking.list.visualRect(asking.filter.index(0, 0)).center()
    qtbot.mouseClick(asking.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    with qtbot.waitSignal(dialog.changed):
        qtbot.mouseClick(asking.import_button, Qt.MouseButton.LeftButton)
    idle(qtbot, dialog)
    assert [entry.id for entry in store.entries()] == ["webipred-16"]
    assert "could not be verified" in dialog.message.text
    assert names(dialog) == [index.find("webipred-16").name]


def test_the_model_with_the_checksum_of_the_file_is_proposed_first(fetched, page, qtbot, monkeypatch, tmp_path):
    path = tmp_path / "download(1).zip"
    path.write_bytes(store.entries()[1].path.read_bytes())
    dialog = page()
    asking = ask_which(qtbot, dialog, monkeypatch, path)
    assert proposed(asking)[0] == ("Model of 5 classes", "same checksum")
    assert {remark for _, remark in proposed(asking)[1:]} == {""}
    assert asking.import_button.isEnabled()
    qtbot.keyClick(asking, Qt.Key.Key_Return)
    idle(qtbot, dialog)
    assert dialog.message.text == "<b>Imported Model of 5 classes.</b>"


def test_a_file_of_another_model_is_refused(fetched, page, qtbot, monkeypatch, tmp_path):
    path = tmp_path / "download(1).zip"
    path.write_bytes(store.entries()[1].path.read_bytes())
    dialog = page()
    asking = ask_which(qtbot, dialog, monkeypatch, path)
    row = [name for name, _ in proposed(asking)].index("Model of 2 classes")
    asking.list.setCurrentIndex(asking.filter.index(row, 0))
    qtbot.mouseClick(asking.import_button, Qt.MouseButton.LeftButton)
    idle(qtbot, dialog)
    assert "has" in dialog.message.text
    assert "bytes" in dialog.message.text
    assert all(entry.is_sound() for entry in store.entries())


def test_the_user_may_change_their_mind_about_importing(page, qtbot, monkeypatch, tmp_path):
    path = tmp_path / "download(1).zip"
    path.write_bytes(model_zip())
    dialog = page()
    asking = ask_which(qtbot, dialog, monkeypatch, path)
    qtbot.keyClick(asking, Qt.Key.Key_Escape)
    assert dialog.import_file.isEnabled()
    assert store.entries() == []


def test_offline_counts_for_this_process(page, qtbot):
    dialog = page()
    with qtbot.waitSignal(dialog.changed):
        qtbot.keyClick(dialog.offline, Qt.Key.Key_Space)
    assert settings.current().offline
    assert page().offline.isChecked()
    qtbot.keyClick(dialog.offline, Qt.Key.Key_Space)
    assert not settings.current().offline


def test_what_the_environment_forbids_stays_forbidden(page, qtbot, monkeypatch):
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    dialog = page()
    assert dialog.offline.isChecked()
    qtbot.keyClick(dialog.offline, Qt.Key.Key_Space)
    assert dialog.offline.isChecked()
    assert "NAPARI_WEBIPRED_OFFLINE" in dialog.message.text


def test_the_folder_is_opened_where_it_is(fetched, page, qtbot, monkeypatch):
    opened: list[Path] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(Path(url.toLocalFile())) or True)
    dialog = page()
    qtbot.mouseClick(dialog.folder, Qt.MouseButton.LeftButton)
    assert opened == [settings.current().cache_folder]


def test_escape_closes_the_page(fetched, page, qtbot):
    dialog = page()
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert dialog.isHidden()


def open_page(panel, qtbot) -> StoredModels:
    qtbot.mouseClick(panel.model.stored, Qt.MouseButton.LeftButton)
    dialog = panel.model.findChild(StoredModels)
    idle(qtbot, dialog)
    return dialog


def listed(panel) -> dict[str, bool]:
    return {entry.card.name: entry.here for entry in panel._session.catalogue.models.items}


def test_a_model_that_is_removed_leaves_the_panel(fetched, open_panel, choose, qtbot):
    panel = open_panel()
    choose(panel, "Model of 5 classes")
    qtbot.waitUntil(lambda: panel._session.loading.model is not None)
    dialog = open_page(panel, qtbot)
    choose_row(qtbot, dialog, 0)
    press(qtbot, dialog, dialog.remove)
    qtbot.waitUntil(lambda: "Model of 5 classes" not in listed(panel))
    assert panel._session.loading.entry is None
    assert panel._session.loading.model is None
    assert "Model of 2 classes" in listed(panel)


def test_a_model_of_the_catalogue_that_is_removed_can_be_downloaded_again(zenodo, open_panel, choose, qtbot):
    zenodo.publish("7785993", {CONVERTED: model_zip()})
    card = index.find("webipred-16")
    for _ in store.fetch(card):
        pass
    panel = open_panel()
    choose(panel, card.name)
    qtbot.waitUntil(lambda: panel._session.loading.model is not None)
    dialog = open_page(panel, qtbot)
    choose_row(qtbot, dialog, 0)
    press(qtbot, dialog, dialog.remove)
    qtbot.waitUntil(lambda: not listed(panel)[card.name])
    qtbot.waitUntil(lambda: not panel.model.opening.download.isHidden())
    assert panel._session.loading.model is None


def test_other_models_stay_in_memory_when_one_is_removed(fetched, open_panel, choose, qtbot):
    panel = open_panel()
    choose(panel, "Model of 2 classes")
    qtbot.waitUntil(lambda: panel._session.loading.model is not None)
    model = panel._session.loading.model
    dialog = open_page(panel, qtbot)
    choose_row(qtbot, dialog, names(dialog).index("Model of 5 classes"))
    press(qtbot, dialog, dialog.remove)
    qtbot.waitUntil(lambda: "Model of 5 classes" not in listed(panel))
    assert panel._session.loading.model is model
    assert panel.model.choice.list.currentIndex().data() == "Model of 2 classes"


def test_offline_is_told_in_the_panel(open_panel, qtbot):
    panel = open_panel()
    assert panel.model.opening.offline.isHidden()
    dialog = open_page(panel, qtbot)
    qtbot.keyClick(dialog.offline, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: not panel.model.opening.offline.isHidden())


# --- other files under the same name ----------------------------------------------------------------------------------


def run(steps):
    for _ in steps:
        pass


def answer(qtbot, parent, text: str) -> None:
    """Wait for the question and press one of its buttons."""
    qtbot.waitUntil(lambda: parent.findChild(QMessageBox) is not None)
    (button,) = (b for b in parent.findChild(QMessageBox).buttons() if b.text().replace("&", "") == text)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.fixture
def bundled(fetched, zenodo: ZenodoServer, tmp_path, monkeypatch) -> Path:
    """A bundle of a model, and a cache in which there is nothing yet."""
    path = tmp_path / "models.zip"
    run(bundle.write(fetched[:1], path))
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(tmp_path / "other"))
    return path


@pytest.fixture
def changed(bundled, zenodo: ZenodoServer, monkeypatch) -> Path:
    """A bundle of a model; on this machine are other files of it, which are at the source now."""
    zenodo.publish("1000001", {CONVERTED: model_zip(3)}, title="Model of 3 classes")
    run(store.fetch(index.resolve("1000001")))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(bundled), ""))
    return bundled


@pytest.mark.parametrize(("text", "replaced"), [("Replace", True), ("Cancel", False)])
def test_import_asks_before_it_replaces_a_model(changed, page, qtbot, text, replaced):
    before = store.entries()[0].checksum
    dialog = page()
    qtbot.mouseClick(dialog.import_file, Qt.MouseButton.LeftButton)
    answer(qtbot, dialog, text)
    idle(qtbot, dialog)
    (entry,) = store.entries()
    assert (entry.checksum != before) is replaced
    assert ("Imported Model of 2 classes." in dialog.message.text) is replaced
    assert ("are not the same as before" in dialog.message.text) is not replaced


def test_return_does_not_replace_a_model(changed, page, qtbot):
    dialog = page()
    qtbot.mouseClick(dialog.import_file, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dialog.findChild(QMessageBox) is not None)
    before = store.entries()
    qtbot.keyClick(dialog.findChild(QMessageBox), Qt.Key.Key_Return)
    idle(qtbot, dialog)
    assert store.entries() == before


def test_adding_a_bundle_asks_before_it_replaces_a_model(changed, open_panel, qtbot):
    panel = open_panel()
    before = store.entries()[0].checksum
    panel._session.catalogue.add(changed)
    answer(qtbot, panel.model, "Replace")
    qtbot.waitUntil(lambda: panel._session.loading.model is not None)
    assert store.entries()[0].checksum != before
    assert len(panel._session.loading.model.classes) == 2


@pytest.mark.parametrize(("text", "replaced"), [("Replace", True), ("Cancel", False)])
def test_a_model_that_has_changed_at_its_source_is_downloaded_only_if_the_user_wants_it(
    zenodo, open_panel, choose, qtbot, text, replaced
):
    card = index.find("webipred-16")
    zenodo.publish("7785993", {CONVERTED: model_zip(2)})
    run(store.fetch(card))
    store.remove(card.id)
    zenodo.publish("7785993", {CONVERTED: model_zip(2, activation="sigmoid")})
    panel = open_panel()
    choose(panel, card.name)
    qtbot.mouseClick(panel.model.opening.download, Qt.MouseButton.LeftButton)
    answer(qtbot, panel.model, text)
    loading = panel._session.loading
    qtbot.waitUntil(lambda: loading.progress is None)
    assert (loading.model is not None) is replaced
    assert (store.path_of(card) is not None) is replaced
    assert ("are not the same as before" in panel.model.opening.message.text) is not replaced


def test_a_model_is_said_to_come_from_a_bundle_until_its_source_has_confirmed_it(
    bundled, open_panel, choose, page, qtbot
):
    run(bundle.read(bundled))
    assert "from a bundle, not verified · used" in page().stored.index(0, 0).data(SECOND_LINE)
    panel = open_panel()
    choose(panel, "Model of 2 classes")
    qtbot.waitUntil(lambda: panel._session.loading.model is not None)
    qtbot.mouseClick(panel.model.more, Qt.MouseButton.LeftButton)
    assert "The files come from a bundle." in panel.model.about.text()
    importer.confirm(index.find("zenodo-1000001"))
    assert "bundle" not in page().stored.index(0, 0).data(SECOND_LINE)
    panel._session.loading.choose(panel._session.loading.entry)
    qtbot.waitUntil(lambda: panel._session.loading.model is not None)
    assert "bundle" not in panel.model.about.text()


def test_an_own_model_is_exported_and_can_be_chosen_on_the_other_machine(
    page, qtbot, monkeypatch, tmp_path, open_panel, choose
):
    own = tmp_path / "cells.zip"
    own.write_bytes(model_zip(4))
    gone = tmp_path / "gone.zip"
    for path in (own, gone):
        local_models.remember(path, path.stem)
    path = tmp_path / "carried.zip"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    dialog = page()
    choose_row(qtbot, dialog, names(dialog).index("gone"))
    assert not dialog.export.isEnabled()
    choose_row(qtbot, dialog, names(dialog).index("cells"))
    press(qtbot, dialog, dialog.export)
    assert "Exported 1 model to carried.zip." in dialog.message.text
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(tmp_path / "other"))
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    own.unlink()
    dialog = page()
    press(qtbot, dialog, dialog.import_file)
    assert names(dialog) == ["cells"]
    assert dialog.stored.items[0].facts.startswith("own model, from a bundle · used")
    panel = open_panel()
    choose(panel, "cells")
    qtbot.waitUntil(lambda: panel._session.loading.model is not None)
    assert len(panel._session.loading.model.card.classes) == 4
    assert panel._session.loading.entry.subtitle == "own model, from a bundle"
    own.write_bytes(model_zip(4))
    panel._session.catalogue.add(own)
    said = "cells.zip is “cells”, which came in a bundle."
    qtbot.waitUntil(lambda: said in panel.model.opening.message.text.replace(BREAK, ""))
    qtbot.keyClick(panel.model.choice.list, Qt.Key.Key_Delete)
    question = panel.model.choice.list.findChild(QMessageBox)
    assert "It cannot be downloaded again" in question.informativeText()
    (button,) = (button for button in question.buttons() if button.text().replace("&", "") == "Remove")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "cells" not in listed(panel))
    assert store.entries() == []
