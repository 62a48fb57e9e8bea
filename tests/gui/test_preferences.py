"""napari's page of preferences, the file that napari writes, and what the panel makes of it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("napari")
pytest.importorskip("npe2")

import napari.settings
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QListWidget, QMessageBox
from tests.gui.conftest import flat

from napari_webipred import preferences, settings
from napari_webipred._napari import foot
from napari_webipred._napari import preferences as napari_preferences
from napari_webipred.cache import last_choice
from napari_webipred.preferences import ASK, DEFAULTS, FILE, Preferences

pytestmark = pytest.mark.skipif(
    not hasattr(napari.settings, "get_plugin_settings"), reason="this napari has no preferences of plugins"
)


@pytest.fixture
def chosen():
    """What napari's dialog changes."""
    return napari.settings.get_plugin_settings("napari-webipred")


def test_napari_reads_the_page_of_the_manifest(chosen):
    assert Preferences.of(chosen.model_dump()) == DEFAULTS


def test_the_file_that_napari_writes_is_the_one_that_every_front_reads(chosen, tmp_path):
    chosen.models.offline = True
    chosen.models.cache_limit = 3.5
    chosen.results.closing = ASK
    assert preferences.path() == chosen.config_path == tmp_path / "config" / FILE
    assert preferences.read() == Preferences(cache_limit=3.5, offline=True, closing=ASK)
    assert settings.current().offline


def test_the_file_is_looked_for_where_napari_writes_it_in_this_environment():
    """napari decides that when it is imported, so in a process of its own."""
    code = (
        "import os; os.environ.pop('NAPARI_CONFIG', None)\n"
        "from napari_webipred import preferences\nprint(preferences.path())\n"
        "from napari.settings import _napari_settings\nprint(_napari_settings._CFG_PATH)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    ours, theirs = done.stdout.split("\n")[:2]
    assert ours.removesuffix(FILE) == theirs.removesuffix("settings.yaml")


def test_a_choice_counts_in_the_panel_after_a_moment(viewer, panel, classify, chosen, qtbot):
    viewer.add_image(flat(51))
    classify(panel)
    cell = panel.results.model.index(0, 3)
    assert cell.data() == "0.800"
    chosen.results.decimals = 6
    chosen.results.chart_order = "descending"
    qtbot.waitUntil(lambda: len(cell.data()) == len("0.800000"))
    assert all(len(bar.shown) == len("0.800000") for bar in panel.results.detail.chart.bars)
    assert panel.results.detail.order.currentData() == "descending"
    width = panel.results.table.columnWidth(3)
    chosen.results.decimals = 8
    qtbot.waitUntil(lambda: panel.results.table.columnWidth(3) > width)


def test_the_panel_begins_with_what_is_preferred(fake_catalogue, open_panel, chosen):
    chosen.results.intensity = "dtype"
    chosen.results.chart_order = "ascending"
    panel = open_panel()
    assert panel.form.intensity.value == "dtype"
    assert panel.results.detail.order.currentData() == "ascending"


def test_another_intensity_range_is_shown_unless_one_was_chosen(panel, chosen, qtbot):
    chosen.results.intensity = "dtype"
    qtbot.waitUntil(lambda: panel.form.intensity.value == "dtype")
    panel.form.intensity.value = (1, 2)
    chosen.results.intensity = "auto"
    qtbot.waitUntil(lambda: settings.current().preferences.intensity == "auto")
    assert panel.form.intensity.value == (1, 2)


def test_offline_shows_in_the_panel(panel, chosen, qtbot):
    assert panel.model.opening.offline.isHidden()
    chosen.models.offline = True
    qtbot.waitUntil(lambda: not panel.model.opening.offline.isHidden())
    chosen.models.offline = False
    qtbot.waitUntil(panel.model.opening.offline.isHidden)


def test_a_change_waits_for_what_is_done_in_the_background(panel, fake_catalogue, choose, chosen, qtbot, monkeypatch):
    looked: list[bool] = []
    task = napari_preferences.task
    is_busy = task.under_way
    monkeypatch.setattr(task, "under_way", lambda: looked.append(is_busy()) or looked[-1])
    fake_catalogue.steps = [object()]
    fake_catalogue.gate.clear()
    monkeypatch.setattr(panel._session.loading, "_on_events", lambda steps: None)
    choose(panel, "Eye")
    chosen.models.offline = True
    qtbot.waitUntil(lambda: len(looked) > 1)
    assert not settings.current().offline
    fake_catalogue.gate.set()
    qtbot.waitUntil(lambda: settings.current().offline)


def test_the_folder_counts_from_the_next_start_on(panel, chosen, qtbot, tmp_path, monkeypatch):
    monkeypatch.delenv("NAPARI_WEBIPRED_CACHE")
    before = settings.current().cache_folder
    chosen.models.cache_folder = str(tmp_path / "elsewhere")
    chosen.results.decimals = 5
    qtbot.waitUntil(lambda: settings.current().preferences.decimals == 5)
    assert settings.current().cache_folder == before
    settings.prefer(None)  # as another program, or the next start
    assert settings.current().cache_folder == tmp_path / "elsewhere"


def test_a_private_session_begins_in_the_panel_and_ends_with_the_last_window(panel, chosen, qtbot, tmp_path):
    cache = tmp_path / "cache"
    assert panel.foot.private.isHidden()
    chosen.models.private_session = True
    qtbot.waitUntil(lambda: settings.current().cache_folder.parent == cache / "private")
    assert not panel.foot.private.isHidden()
    assert settings.current().cache_folder.is_dir()
    QApplication.instance().lastWindowClosed.emit()
    assert not (cache / "private").exists()


def test_a_private_session_does_not_note_that_the_panel_was_used(panel, chosen, choose, qtbot, tmp_path):
    chosen.models.private_session = True
    qtbot.waitUntil(lambda: settings.current().cache_folder.parent == tmp_path / "cache" / "private")
    choose(panel, "Brightness")
    qtbot.waitUntil(lambda: panel.memory._kept is not None and not panel.memory.first)
    QApplication.instance().lastWindowClosed.emit()
    assert not (tmp_path / "cache" / last_choice.FILE).exists()


@pytest.mark.parametrize("content", ["- a list\n", "models: [", "models: 3\n", "results: {decimals: many}\n"])
def test_the_panel_opens_with_a_damaged_file(fake_catalogue, open_panel, tmp_path, content):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / FILE).write_text(content)
    panel = open_panel()
    assert settings.current().preferences == DEFAULTS
    assert panel.results.detail.order.currentData() == "model"
    assert panel.foot.preferences.isHidden() == content.startswith("-")  # what napari cannot replace by defaults


def test_the_link_opens_the_page(make_napari_viewer_proxy, fake_catalogue, qtbot):
    viewer = make_napari_viewer_proxy(show=True)
    _, panel = viewer.window.add_plugin_dock_widget("napari-webipred", "Classify images")
    qtbot.waitUntil(lambda: not napari_preferences.page().searching)
    qtbot.mouseClick(panel.foot.preferences, Qt.MouseButton.LeftButton)
    (pages,) = panel.window().findChildren(QListWidget, "Preferences")
    assert pages.currentItem().text() == "napari-webipred"
    assert pages.isVisible()
    pages.window().reject()


def test_the_link_says_where_the_page_is_if_it_cannot_be_opened(panel, qtbot, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(foot, "show_info", said.append)
    monkeypatch.setattr(napari_preferences, "COMMAND", "no such command")
    panel.foot.preferences.click()
    assert "File menu" in said[0]


def test_without_preferences_of_plugins_there_is_no_link_and_the_defaults_count(
    fake_catalogue, open_panel, monkeypatch
):
    monkeypatch.delattr(napari.settings, "get_plugin_settings")
    panel = open_panel()
    assert panel.foot.preferences.isHidden()
    assert settings.current().preferences == DEFAULTS


def test_closing_forgets_rows_without_asking_unless_the_user_wants_to_be_asked(
    make_napari_viewer_proxy, fake_catalogue, classify, chosen, qtbot
):
    viewer = make_napari_viewer_proxy(show=True)
    _, panel = viewer.window.add_plugin_dock_widget("napari-webipred", "Classify images")
    qtbot.waitUntil(lambda: panel._session.catalogue.models.rowCount() > 0 and not napari_preferences.page().searching)
    viewer.add_image(np.zeros((40, 40), np.uint8))
    classify(panel)
    table = panel._session.table
    assert table.unsaved == 1
    assert not panel._closing._would_lose()
    chosen.results.closing = ASK
    qtbot.waitUntil(panel._closing._would_lose)
    panel._session.mark_saved([0])
    assert not panel._closing._would_lose()
    assert panel.findChildren(QMessageBox) == []
