"""Who has never used the panel is offered the samples, and is never asked again."""

from __future__ import annotations

import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication
from tests.gui.conftest import flat, with_keyboard

from napari_webipred.cache import last_choice
from napari_webipred.cache.last_choice import LastChoice


def restored(panel, qtbot):
    qtbot.waitUntil(lambda: panel.memory._kept is not None)
    return panel


def test_one_click_opens_the_samples_and_classifies_them_and_is_never_offered_again(
    viewer, open_panel, qtbot, monkeypatch
):
    """With nothing put in its place."""
    panel = restored(open_panel(), qtbot)
    assert not panel.first_use.isHidden()
    assert "Open Sample" not in panel.images.choice.hint.text()
    qtbot.mouseClick(panel.first_use.button, Qt.MouseButton.LeftButton)
    assert panel.first_use.isHidden()
    qtbot.waitUntil(lambda: panel._session.run is not None and not panel._session.run.running, timeout=60_000)
    assert len(panel._session.run.rows) == len(viewer.layers) == 5
    assert all(row.image.endswith(row.prediction) for row in panel._session.run.rows)
    qtbot.waitUntil(lambda: last_choice.read().model == "demo")
    assert not last_choice.read().first

    viewer.layers.clear()
    monkeypatch.setattr("napari_webipred._napari.viewer_session._sessions", {})  # as after another start
    viewer.window.remove_dock_widget(panel.parent())
    other = restored(open_panel(), qtbot)
    assert other.first_use.isHidden()
    assert "Open Sample" in other.images.choice.hint.text()


def test_the_offer_goes_as_soon_as_an_image_is_open_or_a_model_is_chosen(viewer, panel, choose, qtbot):
    restored(panel, qtbot)
    assert not panel.first_use.isHidden()
    layer = viewer.add_image(flat(1))
    assert panel.first_use.isHidden()
    viewer.layers.remove(layer)
    assert not panel.first_use.isHidden()
    choose(panel, "Brightness")
    assert panel.first_use.isHidden()
    qtbot.waitUntil(lambda: not panel.memory.first)


def test_tab_goes_to_the_offer_where_it_stands(viewer, panel, qtbot):
    restored(panel, qtbot)
    with_keyboard(panel, panel.sections[1].header, qtbot)
    qtbot.keyClick(panel.sections[1].header, Qt.Key.Key_Tab)
    assert panel.first_use.button.hasFocus()
    qtbot.keyClick(panel.first_use.button, Qt.Key.Key_Tab)
    assert panel.images.choice.file_buttons.isAncestorOf(QApplication.focusWidget())


def test_nothing_is_offered_to_those_who_have_chosen_a_setting_before(fake_catalogue, open_panel, qtbot):
    last_choice.remember(LastChoice(None, {"intensity": "dtype"}))
    panel = restored(open_panel(), qtbot)
    assert panel.first_use.isHidden()
