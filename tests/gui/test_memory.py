"""What was chosen last is chosen again, in the next viewer too, and one click classifies the active layer with it."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QInputDialog
from tests.gui.conftest import flat

from napari_webipred import settings
from napari_webipred._napari import again, notice
from napari_webipred._napari.again import classify_layer
from napari_webipred.cache import last_choice, local_models, refused_models
from napari_webipred.cache.last_choice import LastChoice
from zenodo_server import model_zip


@pytest.fixture
def said(monkeypatch) -> list[str]:
    """What napari's notifications say."""
    words: list[str] = []
    monkeypatch.setattr(again, "show_info", words.append)
    monkeypatch.setattr(notice, "show_info", words.append)
    return words


def restored(panel, qtbot):
    qtbot.waitUntil(lambda: panel.memory._kept is not None)
    return panel


def test_model_and_settings_are_kept_and_chosen_again(panel, choose, qtbot, open_panel, viewer, monkeypatch):
    restored(panel, qtbot)
    viewer.add_image(np.zeros((3, 40, 40), np.uint16), name="patient")
    choose(panel, "Brightness")
    panel.form.planes.value, panel.form.intensity.value = "current", (5, 70)
    panel.form.threshold.value, panel.form.profile.value = 0.25, "webipred"
    wanted = LastChoice(
        "brightness", {"planes": "current", "intensity": (5.0, 70.0), "threshold": 0.25, "profile": "webipred"}
    )
    qtbot.waitUntil(lambda: last_choice.read() == wanted)
    assert "patient" not in (settings.current().cache_folder / last_choice.FILE).read_text()

    monkeypatch.setattr("napari_webipred._napari.viewer_session._sessions", {})  # as another viewer, or another start
    viewer.window.remove_dock_widget(panel.parent())
    other = restored(open_panel(), qtbot)
    qtbot.waitUntil(lambda: other._session.loading.model is not None)
    assert other.form.model.value == "brightness"
    assert (other.form.planes.value, other.form.intensity.value) == ("current", (5, 70))
    assert (other.form.threshold.value, other.form.profile.value) == (0.25, "webipred")


@pytest.mark.parametrize(
    ("name", "usual", "other"),
    [("intensity", "auto", "dtype"), ("profile", None, "webipred")],
)
def test_usual_settings_are_not_kept_so_that_the_preference_counts(panel, qtbot, name, usual, other):
    restored(panel, qtbot)
    panel.form[name].value = other
    qtbot.waitUntil(lambda: last_choice.read().settings == {name: other})
    panel.form[name].value = usual
    qtbot.waitUntil(lambda: last_choice.read().settings == {})


def test_a_model_that_is_not_here_is_neither_chosen_nor_downloaded(fake_catalogue, open_panel, qtbot):
    last_choice.remember(LastChoice("chest"))
    panel = restored(open_panel(), qtbot)
    assert panel.form.model.value is None
    assert fake_catalogue.opened == []


def test_a_model_that_cannot_be_used_is_not_chosen(fake_catalogue, open_panel, qtbot):
    last_choice.remember(LastChoice("brightness"))
    refused_models.note("brightness", "It is broken.")
    assert restored(open_panel(), qtbot).form.model.value is None
    assert fake_catalogue.opened == []


def test_a_damaged_or_foreign_choice_harms_nothing(fake_catalogue, open_panel, qtbot):
    path = settings.current().cache_folder / last_choice.FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        json.dumps({"id": "brightness", "settings": {"intensity": "odd", "threshold": 7, "planes": 3, "profile": "no"}})
    )
    panel = restored(open_panel(), qtbot)
    assert (panel.form.intensity.value, panel.form.threshold.value, panel.form.planes.value) == ("auto", 0.5, "all")
    assert panel.form.profile.value is None
    qtbot.waitUntil(lambda: panel._session.loading.model is not None)


def test_the_command_classifies_the_active_layer_with_the_last_model(viewer, fake_catalogue, qtbot, said):
    last_choice.remember(LastChoice("brightness", {"planes": "current"}))
    viewer.add_image(flat(1), name="other")
    stack = viewer.add_image(np.full((4, 40, 40), 51, np.uint8), name="stack")
    viewer.layers.selection.active = stack
    classify_layer(viewer)
    _, panel = viewer.window.add_plugin_dock_widget("napari-webipred", "Classify images")
    qtbot.waitUntil(lambda: panel._session.run is not None and not panel._session.run.running)
    assert [row.image for row in panel._session.run.rows] == ["stack"]
    assert said == []
    classify_layer(viewer)  # the panel is open
    qtbot.waitUntil(lambda: len(panel._session.table.numbers) == 2)


def test_without_a_last_model_the_command_says_what_to_do(viewer, fake_catalogue, qtbot, said):
    viewer.add_image(flat(1))
    classify_layer(viewer)
    qtbot.waitUntil(lambda: said == [again.NO_MODEL])
    _, panel = viewer.window.add_plugin_dock_widget("napari-webipred", "Classify images")
    assert panel._session.run is None


def test_a_layer_that_is_no_image_is_not_classified(viewer, fake_catalogue, qtbot, said):
    last_choice.remember(LastChoice("brightness"))
    viewer.add_points([[0, 0]])
    classify_layer(viewer)
    assert said == [again.NO_IMAGE]


def test_a_model_that_is_not_downloaded_is_not_downloaded_by_the_command(viewer, panel, choose, qtbot, said):
    restored(panel, qtbot)
    choose(panel, "Chest")
    viewer.add_image(flat(1))
    classify_layer(viewer)
    assert said == [again.NOT_HERE]
    assert panel._session.loading.progress is None


@pytest.mark.parametrize(("seconds", "watched", "told"), [(11, False, True), (11, True, False), (9, False, False)])
def test_the_end_of_a_long_run_that_nobody_watches_is_told(
    viewer, panel, classify, monkeypatch, said, seconds, watched, told
):
    moments = iter([0.0])
    monkeypatch.setattr(notice, "now", lambda: next(moments, float(seconds)))
    monkeypatch.setattr(notice, "is_watched", lambda: watched)
    viewer.add_image(flat(51), name="patient")
    classify(panel)
    assert said == (["Classification has ended: 1 row."] if told else [])


def test_the_users_own_model_can_be_renamed(open_panel, qtbot, tmp_path):
    path = tmp_path / "own.zip"
    path.write_bytes(model_zip(classes=3))
    local_models.remember(path, "own")
    panel = open_panel()
    view = panel.model.choice.list
    entry = next(entry for entry in panel._session.catalogue.models.items if entry.is_local)
    panel._session.catalogue.choose_entry(entry)
    view.setFocus()
    panel.model.choice.menu._ask_for_name(entry)
    (dialog,) = view.findChildren(QInputDialog)
    assert dialog.textValue() == "own"
    dialog.setTextValue("My <b>model</b>")
    dialog.accept()
    qtbot.waitUntil(lambda: local_models.own_models()[0].title == "My <b>model</b>")
    assert entry.name == panel.model.summary == "My <b>model</b>"
    qtbot.waitUntil(lambda: panel._session.loading.progress is None)
    assert entry.name == "My <b>model</b>"
    qtbot.waitUntil(lambda: view.findChildren(QInputDialog) == [])
    panel.model.choice.menu._ask_for_name(entry)
    (dialog,) = view.findChildren(QInputDialog)
    dialog.setTextValue("")
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: local_models.own_models()[0].title == "")
    assert entry.name == entry.card.name
