from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt

from napari_webipred import settings
from napari_webipred._napari.widgets.two_line_delegate import REMARK, SECOND_LINE
from zenodo_server import Answer, ZenodoServer, error_answer, model_zip

PAGE = "/api/records"


def publish(zenodo: ZenodoServer, count: int) -> list[dict[str, Any]]:
    return [
        zenodo.publish(
            str(2000001 + 2 * i),
            {"lungs_tfjs.zip": model_zip()},
            title=f"Lungs, part {i}",
            description="<p>Finds <b>shadows</b>. More follows.</p>",
            publication_date="2024-05-06",
            creators=[{"name": "Roe, Jane"}, {"name": "Doe, John"}],
            license={"id": "cc-by-4.0"},
        )
        for i in range(count)
    ]


@pytest.fixture
def found(zenodo: ZenodoServer) -> ZenodoServer:
    """Zenodo finds 30 records."""
    zenodo.found(publish(zenodo, 25), 30)
    return zenodo


@pytest.fixture
def panel(open_panel):
    """The panel with the real catalogue and an empty cache."""
    return open_panel()


def look_for(qtbot, panel, words: str) -> None:
    qtbot.keyClicks(panel.model.choice.search, words)
    qtbot.mouseClick(panel.model.choice.search_zenodo, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(panel.model.choice.zenodo.progress.isHidden)


def titles(panel) -> list[str]:
    found = panel.model.choice.zenodo.found
    return [found.index(row, 0).data() for row in range(found.rowCount())]


def choose(qtbot, panel, row: int) -> None:
    search = panel.model.choice.zenodo
    place = search.list.visualRect(search.found.index(row, 0)).center()
    qtbot.mouseClick(search.list.viewport(), Qt.MouseButton.LeftButton, pos=place)


def test_nothing_is_asked_before_the_user_clicks(found, panel, qtbot):
    assert panel.model.choice.search_zenodo.isHidden()
    qtbot.keyClicks(panel.model.choice.search, "no model here is called so")
    assert not panel.model.choice.search_zenodo.isHidden()
    assert "no model" in panel.model.choice.search_zenodo.text()
    qtbot.keyClick(panel.model.choice.search, Qt.Key.Key_Return)
    assert found.requests == []


def test_results_tell_authors_licence_date_format_and_size(found, panel, qtbot):
    look_for(qtbot, panel, "lungs")
    first = panel.model.choice.zenodo.found.index(0, 0)
    assert first.data() == "Lungs, part 0"
    assert first.data(SECOND_LINE) == "Roe et al. · cc-by-4.0 · 2024-05-06"
    assert first.data(REMARK) == "TF.js 0.0 MB"
    assert "30 records" in panel.model.choice.zenodo.heading.text()
    assert panel.model.choice.known.isHidden()
    assert '"lungs"' in found.queries[0]["q"]


def test_pages_of_25_can_be_turned(found, panel, qtbot):
    look_for(qtbot, panel, "lungs")
    search = panel.model.choice.zenodo
    assert len(titles(panel)) == 25
    assert search.page_number.text() == "page 1 of 2"
    assert not search.previous.isEnabled()
    found.found(publish(found, 5), 30)
    qtbot.mouseClick(search.next, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(search.progress.isHidden)
    assert (len(titles(panel)), search.page_number.text()) == (5, "page 2 of 2")
    assert not search.next.isEnabled()
    qtbot.mouseClick(search.previous, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(search.progress.isHidden)
    assert [query["page"] for query in found.queries] == ["1", "2", "1"]


def test_a_result_is_downloaded_opened_and_joins_the_list(found, panel, qtbot):
    look_for(qtbot, panel, "lungs")
    assert panel.model.choice.zenodo.download.isHidden()
    choose(qtbot, panel, 1)
    assert panel.model.choice.zenodo.purpose.text() == "Finds shadows.\nBy Roe, Jane; Doe, John · cc-by-4.0"
    assert found.requests == [PAGE]
    qtbot.mouseClick(panel.model.choice.zenodo.download, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel._session.loading.model is not None)
    assert panel._session.loading.entry.card.name == "Lungs, part 1"
    assert panel._session.loading.entry.here
    assert not panel.model.choice.known.isHidden()
    assert panel.model.choice.list.currentIndex().data() == "Lungs, part 1"


def test_a_double_click_is_enough(found, panel, qtbot):
    look_for(qtbot, panel, "lungs")
    choose(qtbot, panel, 0)
    qtbot.keyClick(panel.model.choice.zenodo.list, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: panel._session.loading.model is not None)


def test_a_download_tells_how_far_it_is_and_can_be_cancelled(zenodo, panel, qtbot):
    body = model_zip(classes=2**19)
    zenodo.found([zenodo.publish("4000001", {"m_tfjs.zip": body}, title="Large")])
    for path in ("/api/records/4000001/files/m_tfjs.zip/content", "/records/4000001/files/m_tfjs.zip"):
        zenodo.answers[path] = Answer(body=body, stall_after=4 * 10**6)
    look_for(qtbot, panel, "lungs")
    choose(qtbot, panel, 0)
    qtbot.mouseClick(panel.model.choice.zenodo.download, Qt.MouseButton.LeftButton)
    assert zenodo.stalled.wait(20)
    qtbot.waitUntil(lambda: "of 8.4 MB" in panel.model.opening.progress.words.text())
    assert panel.model.opening.progress.words.text().startswith("Downloading: ")
    assert panel.model.opening.progress.words.text().endswith(" left")
    assert 0 < panel.model.opening.progress.bar.value() < 500
    qtbot.mouseClick(panel.model.opening.progress.cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(panel.model.opening.progress.isHidden)
    assert not panel._session.loading.entry.here
    assert not panel.model.opening.download.isHidden()


def test_that_nothing_was_found_is_told(zenodo, panel, qtbot):
    zenodo.found([])
    look_for(qtbot, panel, "lungs")
    assert "No usable models found on Zenodo." in panel.model.choice.zenodo.message.text


def test_an_error_stands_in_the_search_and_can_be_tried_again(found, panel, qtbot):
    good = found.answers[PAGE]
    found.answers[PAGE] = error_answer("403_edge_html")
    look_for(qtbot, panel, "lungs")
    message = panel.model.choice.zenodo.message
    assert message.text.count("<br>") == 1
    found.answers[PAGE] = good
    qtbot.mouseClick(message._retry, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(panel.model.choice.zenodo.progress.isHidden)
    assert len(titles(panel)) == 25
    assert message.text == ""


def test_a_search_that_takes_long_can_be_given_up(found, panel, qtbot):
    found.answers[PAGE] = Answer(body=b"{" * 100, stall_after=10)
    qtbot.keyClicks(panel.model.choice.search, "lungs")
    qtbot.mouseClick(panel.model.choice.search_zenodo, Qt.MouseButton.LeftButton)
    assert found.stalled.wait(20)
    qtbot.mouseClick(panel.model.choice.zenodo.progress.cancel, Qt.MouseButton.LeftButton)
    assert not panel.model.choice.known.isHidden()
    found.released.set()


def test_back_leads_to_the_catalogue_as_it_was(found, panel, qtbot):
    look_for(qtbot, panel, "lungs")
    qtbot.mouseClick(panel.model.choice.zenodo.back, Qt.MouseButton.LeftButton)
    assert not panel.model.choice.known.isHidden()
    assert panel.model.choice.search.text() == "lungs"


def test_offline_zenodo_cannot_be_asked(found, qtbot, open_panel):
    settings.set_offline(True)
    panel = open_panel()
    qtbot.keyClicks(panel.model.choice.search, "lungs")
    qtbot.mouseClick(panel.model.choice.search_zenodo, Qt.MouseButton.LeftButton)
    assert not panel.model.opening.offline.isHidden()
    assert panel.model.choice.zenodo.isHidden()
    assert found.requests == []


def test_markup_in_a_record_stays_text(zenodo, panel, qtbot):
    evil = '<img src="http://example.org/spy.png">'
    record = zenodo.publish("3000001", {"x_tfjs.zip": model_zip()}, title=f"A {evil} model", description=evil)
    zenodo.found([record])
    look_for(qtbot, panel, evil)
    choose(qtbot, panel, 0)
    index = panel.model.choice.zenodo.found.index(0, 0)
    assert "<img" not in index.data(Qt.ItemDataRole.ToolTipRole)
    assert "<img" not in panel.model.choice.zenodo.heading.toolTip()
    assert zenodo.requests == [PAGE]
