from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QPushButton

from napari_webipred._napari.models.add_model import AddModel
from napari_webipred.cache import bundle, index, store
from zenodo_server import CONVERTED, ZenodoServer, model_zip


def names(panel) -> list[str]:
    return [entry.card.name for entry in panel._session.catalogue.models.items]


def add(qtbot, panel, text: str) -> None:
    """Click Add model, type, press Return."""
    qtbot.mouseClick(panel.model.choice.add, Qt.MouseButton.LeftButton)
    dialog = panel.model.findChild(AddModel)
    qtbot.keyClicks(dialog.field, text)
    qtbot.keyClick(dialog.field, Qt.Key.Key_Return)


@pytest.fixture
def carried(zenodo: ZenodoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle of two models, on a machine where they are not."""
    for number in (1000001, 1000003):
        zenodo.publish(str(number), {CONVERTED: model_zip()}, title=f"Model {number}")
        for _ in store.fetch(index.resolve(str(number))):
            pass
    for _ in bundle.write(["zenodo-1000001", "zenodo-1000003"], tmp_path / "carried.zip"):
        pass
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(tmp_path / "other"))
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    return tmp_path / "carried.zip"


def test_a_bundle_puts_all_its_models_on_this_machine(carried, open_panel, qtbot):
    panel = open_panel()
    add(qtbot, panel, str(carried))
    qtbot.waitUntil(lambda: panel._session.loading.model is not None)
    assert {"Model 1000001", "Model 1000003"} <= set(names(panel))
    assert {entry.id for entry in store.entries()} == {"zenodo-1000001", "zenodo-1000003"}
    assert panel.model.opening.progress.isHidden()


def test_a_damaged_bundle_is_told(carried, open_panel, qtbot):
    content = carried.read_bytes()
    carried.write_bytes(content.replace(b"layers-model", b"layers-mobel"))
    panel = open_panel()
    add(qtbot, panel, str(carried))
    qtbot.waitUntil(lambda: panel.model.opening.message.text != "")
    assert "carried.zip" in panel.model.opening.message.text
    assert panel.model.opening.progress.isHidden()


def test_a_zip_of_one_model_stays_where_it_is(open_panel, qtbot, tmp_path):
    (tmp_path / "mine.zip").write_bytes(model_zip())
    panel = open_panel()
    add(qtbot, panel, str(tmp_path / "mine.zip"))
    qtbot.waitUntil(lambda: "mine" in names(panel))
    qtbot.waitUntil(lambda: not panel.model.settings.native.isHidden())
    assert store.entries() == []


def test_what_is_no_model_is_told_where_it_happens(open_panel, qtbot, tmp_path):
    (tmp_path / "text.zip").write_bytes(b"this is text")
    panel = open_panel()
    add(qtbot, panel, str(tmp_path / "text.zip"))
    qtbot.waitUntil(lambda: "text.zip" in panel.model.opening.message.text)


def test_a_server_that_cannot_be_reached_is_named(open_panel, qtbot):
    panel = open_panel()
    add(qtbot, panel, "hf:jane/moles")
    # The settings of the tests lead to a port where nobody listens.
    qtbot.waitUntil(lambda: panel.model.opening.message.text != "")
    assert "127.0.0.1" in panel.model.opening.message.text
    assert panel.model.opening.progress.isHidden()


def test_files_of_all_formats_can_be_chosen(qtbot, monkeypatch, tmp_path):
    asked: list[str] = []
    chosen = str(tmp_path / "net.onnx")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *words: asked.append(words[-1]) or (chosen, ""))
    dialog = AddModel()
    qtbot.addWidget(dialog)
    (button,) = (b for b in dialog.findChildren(QPushButton) if b.text() == "Choose &file…")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert all(f"*.{kind}" in asked[0] for kind in ("zip", "onnx", "h5", "keras", "json"))
    assert dialog.field.text() == chosen
    assert dialog.add.isEnabled()
