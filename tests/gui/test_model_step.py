from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QDialog
from tests.gui.conftest import with_keyboard

from napari_webipred._napari.models.about import about
from napari_webipred._napari.models.add_model import AddModel
from napari_webipred._napari.models.entry import Entry, entry_lines
from napari_webipred._napari.models.model_filter import ModelFilter
from napari_webipred._napari.widgets.two_line_list import ITEM, TwoLineList
from napari_webipred.cache import index
from napari_webipred.card import ModelCard
from napari_webipred.errors import CatalogueError, SlowModelError
from napari_webipred.opening import Progress


def names(panel) -> list[str]:
    return [panel.model.choice.filter.index(row, 0).data() for row in range(panel.model.choice.filter.rowCount())]


def test_search_and_filters_narrow_the_list(panel, qtbot):
    assert names(panel) == ["Brightness", "Chest", "Eye"]
    qtbot.keyClicks(panel.model.choice.search, "pneumonia")
    assert names(panel) == ["Chest"]
    panel.model.choice.search.clear()
    panel.model.choice.discipline.setCurrentText("Ophthalmology")
    assert names(panel) == ["Eye"]
    panel.model.choice.procedure.setCurrentText("X-ray")
    assert names(panel) == []
    assert not panel.model.choice.no_match.isHidden()


def test_a_hyphen_may_be_left_out_of_a_search(panel, qtbot):
    qtbot.keyClicks(panel.model.choice.search, "xray")
    assert names(panel) == ["Chest"]


@pytest.mark.parametrize("words", ["müller", "torch", "xray", "ning covid", "pneumonia", "cc-by", "nothing like this"])
def test_the_panel_finds_what_python_and_the_command_line_find(qtbot, words):
    models = TwoLineList(entry_lines)
    models.fill([Entry(card, card.id, False) for card in index.cards()])
    found = ModelFilter()
    found.setSourceModel(models)
    found.narrow(words, None, None)
    assert [found.index(row, 0).data() for row in range(found.rowCount())] == [c.name for c in index.search(words)]


def test_narrowing_the_list_keeps_the_chosen_model(panel, qtbot, choose):
    choose(panel, "Brightness")
    qtbot.waitUntil(lambda: panel._session.loading.model is not None)
    model = panel._session.loading.model
    qtbot.keyClicks(panel.model.choice.search, "pneumonia")
    assert panel._session.loading.entry.card.name == "Brightness"
    assert not panel.model.choice.list.selectedIndexes()
    panel.model.choice.search.clear()
    assert [index.data() for index in panel.model.choice.list.selectedIndexes()] == ["Brightness"]
    assert panel._session.loading.entry.card.name == "Brightness"
    assert panel._session.loading.model is model


def test_tab_chooses_no_model_and_space_does(panel, qtbot):
    view = panel.model.choice.list
    with_keyboard(panel, view, qtbot)
    assert view.currentIndex().row() == 0
    assert panel.form.model.value is None
    qtbot.keyClick(view, Qt.Key.Key_Space)
    assert panel.form.model.value == view.currentIndex().data(ITEM).card.id


def test_a_model_that_is_here_is_opened_and_warmed_up_at_once(panel, fake_catalogue, qtbot, choose):
    choose(panel, "Brightness")
    qtbot.waitUntil(lambda: panel._session.loading.model is not None)
    assert fake_catalogue.models["brightness"].warm
    assert fake_catalogue.opened == [("brightness", {})]
    assert panel.model.opening.download.isHidden()


def test_a_model_that_is_not_here_waits_for_the_users_word(panel, fake_catalogue, qtbot, choose):
    choose(panel, "Chest")
    assert not panel.model.opening.download.isHidden()
    assert fake_catalogue.opened == []
    qtbot.mouseClick(panel.model.opening.download, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel._session.loading.model is not None)
    assert fake_catalogue.opened == [("chest", {})]
    assert panel._session.loading.entry.here


def test_a_download_shows_how_far_it_is_and_can_be_cancelled(panel, fake_catalogue, qtbot, choose):
    fake_catalogue.steps = [Progress("download", 5_000_000, 20_000_000, seconds_left=30)]
    fake_catalogue.gate.clear()
    choose(panel, "Chest")
    qtbot.mouseClick(panel.model.opening.download, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "5.0 MB of 20 MB" in panel.model.opening.progress.words.text())
    assert "about 30 s left" in panel.model.opening.progress.words.text()
    assert panel.model.opening.progress.bar.value() == 250
    qtbot.mouseClick(panel.model.opening.progress.cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: fake_catalogue.closed_in != [])
    assert panel.model.opening.progress.isHidden()
    assert not panel.model.opening.download.isHidden()
    assert fake_catalogue.closed_in != ["MainThread"]


def test_choosing_another_model_gives_the_first_one_up(panel, fake_catalogue, qtbot, choose):
    fake_catalogue.steps = [Progress("load")]
    fake_catalogue.gate.clear()
    choose(panel, "Brightness")
    qtbot.waitUntil(lambda: fake_catalogue.opened != [])
    choose(panel, "Eye")
    fake_catalogue.gate.set()
    qtbot.waitUntil(lambda: panel._session.loading.model is not None)
    assert panel._session.loading.model is fake_catalogue.models["eye"]
    qtbot.waitUntil(lambda: len(fake_catalogue.closed_in) == 2)
    assert panel._session.loading.model is fake_catalogue.models["eye"]


def test_an_error_stands_under_the_list_with_its_hint_and_can_be_tried_again(panel, fake_catalogue, qtbot, choose):
    fake_catalogue.error = CatalogueError("Zenodo <b>cannot</b> be reached.", "Check the connection.")
    choose(panel, "Brightness")
    qtbot.waitUntil(lambda: "Check the connection." in panel.model.opening.message.text)
    assert "&lt;b&gt;" in panel.model.opening.message.text
    fake_catalogue.error = None
    qtbot.mouseClick(panel.model.opening.message._retry, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel._session.loading.model is not None)
    assert panel.model.opening.message.text == ""


def test_a_slow_model_is_used_when_the_user_says_so(panel, fake_catalogue, qtbot, choose):
    fake_catalogue.error = SlowModelError("An image may take 5 hours.", "Use it anyway.", "allow slow model")
    choose(panel, "Brightness")
    message = panel.model.opening.message
    qtbot.waitUntil(lambda: "5 hours" in message.text)
    assert "You can cancel at any time." in message.text
    assert "This model is slow" in panel.classify.why.text()
    assert panel._session.loading.entry.refused == ""
    assert not message.accept.isHidden()
    assert message._retry.isHidden()
    fake_catalogue.error = None
    qtbot.mouseClick(message.accept, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel._session.loading.model is not None)
    assert fake_catalogue.opened == [("brightness", {}), ("brightness", {"allow_slow": True})]
    choose(panel, "Eye")
    qtbot.waitUntil(lambda: panel._session.loading.model is fake_catalogue.models["eye"])
    assert fake_catalogue.opened[-1] == ("eye", {})
    fake_catalogue.error = CatalogueError("It is gone.", "")
    panel._session.loading.start()
    qtbot.waitUntil(lambda: "It is gone" in message.text)
    assert message.accept.isHidden()


@pytest.mark.parametrize("kind", [RuntimeError, ValueError])
def test_the_details_of_an_unforeseen_error_can_be_copied(panel, fake_catalogue, qtbot, choose, kind):
    fake_catalogue.error = kind("no such thing")
    choose(panel, "Brightness")
    qtbot.waitUntil(lambda: "no such thing" in panel.model.opening.message.text)
    qtbot.mouseClick(panel.model.opening.message._copy, Qt.MouseButton.LeftButton)
    assert f"{kind.__name__}: no such thing" in QGuiApplication.clipboard().text()
    assert "Traceback" in QGuiApplication.clipboard().text()


def test_a_folder_becomes_a_model_of_the_list(panel, fake_catalogue, qtbot, tmp_path):
    fake_catalogue.models[tmp_path] = fake_catalogue.models["eye"]
    qtbot.mouseClick(panel.model.choice.add, Qt.MouseButton.LeftButton)
    dialog = panel.model.findChild(AddModel)
    assert not dialog.add.isEnabled()
    qtbot.keyClicks(dialog.field, str(tmp_path))
    qtbot.mouseClick(dialog.add, Qt.MouseButton.LeftButton)
    assert dialog.result() == QDialog.DialogCode.Accepted
    qtbot.waitUntil(lambda: panel._session.loading.model is fake_catalogue.models["eye"])
    assert fake_catalogue.opened == [(tmp_path, {})]
    assert panel._session.catalogue.models.rowCount() == 4


def test_the_same_folder_is_listed_once(panel, fake_catalogue, qtbot, tmp_path):
    fake_catalogue.models[tmp_path] = fake_catalogue.models["eye"]
    for _ in range(2):
        panel._session.catalogue.add(tmp_path)
        qtbot.waitUntil(panel.model.opening.progress.isHidden)
    assert panel._session.catalogue.models.rowCount() == 4


def test_a_zenodo_record_is_looked_up_and_not_downloaded(panel, fake_catalogue, qtbot, monkeypatch):
    found = fake_catalogue.cards[1].model_copy(update={"id": "zenodo-1", "name": "From Zenodo"})
    monkeypatch.setattr("napari_webipred.cache.index.resolve", lambda reference: found)
    panel._session.catalogue.add("10.5281/zenodo.1")
    qtbot.waitUntil(lambda: names(panel)[0] == "From Zenodo")
    assert panel._session.loading.entry.reference == "10.5281/zenodo.1"
    assert fake_catalogue.opened == []
    assert not panel.model.opening.download.isHidden()


def test_a_record_that_is_not_found_is_told(panel, qtbot, monkeypatch):
    def resolve(reference):
        raise CatalogueError(f"There is no record {reference}.", "Check the number.")

    monkeypatch.setattr("napari_webipred.cache.index.resolve", resolve)
    panel._session.catalogue.add("999")
    qtbot.waitUntil(lambda: "no record 999" in panel.model.opening.message.text)
    assert panel.model.opening.progress.isHidden()


def test_the_description_tells_classes_licence_and_citation(panel, qtbot, choose):
    choose(panel, "Chest")
    assert panel.model.purpose.text() == "Tells whether a lung is inflamed."
    qtbot.mouseClick(panel.model.more, Qt.MouseButton.LeftButton)
    assert not panel.model.about.isHidden()
    for text in (
        "Made for children.",
        "normal lung<br>PNEUMONIA: inflamed lung</p>",
        "4 × 4 pixels, colour",
        "Licence",
    ):
        assert text in panel.model.about.text()


def test_texts_of_a_card_cannot_bring_markup_or_images():
    evil = '<img src="http://example.org/spy.png"><a href="x">x</a>'
    card = ModelCard.model_validate(
        {
            "id": "evil",
            "name": evil,
            "description": evil,
            "license": evil,
            "limitations": evil,
            "classes": [{"index": 0, "name": evil, "label": evil}],
            "citations": [{"text": evil, "url": evil}],
            "authors": [{"name": evil}],
            "metrics": {"accuracy": 0.9, "source": evil},
        }
    )
    html = about(card)
    assert "<img" not in html
    assert set(re.findall("<a [^>]*>", html)) == {'<a href="http://example.org/spy.png">'}  # what anybody can read
    assert html.count("&lt;img") >= 8


def test_paths_are_told_from_record_numbers(qtbot, tmp_path):
    dialog = AddModel()
    qtbot.addWidget(dialog)
    dialog.field.setText(str(tmp_path))
    assert dialog.reference() == tmp_path
    dialog.field.setText(" 10.5281/zenodo.7785993 ")
    assert dialog.reference() == "10.5281/zenodo.7785993"
    assert not isinstance(dialog.reference(), Path)
