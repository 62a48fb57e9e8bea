"""Text from outside stays text: no widget renders markup that a card, a layer, a path or an error brings along."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QLabel,
    QMessageBox,
    QTableView,
    QWidget,
)

from napari_webipred._napari.models import cache_tasks
from napari_webipred._napari.models.stored_model import StoredModel
from napari_webipred._napari.models.stored_models import StoredModels
from napari_webipred._napari.models.which_model import WhichModel
from napari_webipred._napari.widgets.label import BREAK, tip
from napari_webipred.cache.known_file import Proposal
from napari_webipred.card import ModelCard
from napari_webipred.errors import ModelError

EVIL = (
    '<img src="http://127.0.0.1:9/x.png"><img src="file:///etc/passwd"><a href="javascript:x">EVIL</a>'
    "<b>EVIL</b><style>*{}</style>"
)
MARKUP = re.compile(r"<\s*(img|a|style|script|object|table|link)\b|url\(", re.I)
# What the panel itself adds: the colour of links, and links to the web, which open after a question.
OURS = re.compile(r'<style>a \{ color: #[0-9a-f]{6}; \}</style>|<a href="https?://[^"<>]*">')
ROLES = (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.StatusTipRole, Qt.ItemDataRole.WhatsThisRole)


def rendered(text: str) -> str:
    """What of a text Qt would take for markup when it decides itself; nothing, if it would show it as it is."""
    return text if text and Qt.mightBeRichText(text) else ""


def texts(panel: QWidget):
    """Yield every text of the panel that Qt would render as markup, with the widget that shows it."""
    for widget in [panel, *panel.findChildren(QWidget)]:
        for text in (widget.toolTip(), widget.statusTip(), widget.whatsThis()):
            yield widget, rendered(text)
        if isinstance(widget, QLabel):
            kind = widget.textFormat()
            if kind == Qt.TextFormat.RichText:
                yield widget, widget.text()
            elif kind != Qt.TextFormat.PlainText:
                yield widget, rendered(widget.text())
        if isinstance(widget, QAbstractItemView) and widget.model() is not None:
            model = widget.model()
            columns = widget.horizontalHeader().count() if isinstance(widget, QTableView) else 1
            for row in range(model.rowCount()):
                for column in range(columns):
                    for role in ROLES:
                        yield widget, rendered(str(model.index(row, column).data(role) or ""))
            for column in range(columns):
                yield widget, rendered(str(model.headerData(column, Qt.Orientation.Horizontal, ROLES[0]) or ""))


def dangerous(panel: QWidget) -> list[tuple[QWidget, str]]:
    return [(widget, text) for widget, text in texts(panel) if MARKUP.search(OURS.sub("", text))]


@pytest.fixture
def evil(fake_catalogue):
    """A model every word of which is markup."""
    words = ("description", "intended_use", "limitations", "license", "discipline", "procedure", "record_doi")
    hostile = ModelCard.model_validate(
        {
            "id": "brightness",
            "name": f"Evil {EVIL}",
            "classes": [
                {"index": 0, "name": f"dark {EVIL}", "label": f"label {EVIL}"},
                {"index": 1, "name": EVIL},
            ],
            "input": {"width": 4, "height": 4, "channels": 3},
            "preprocessing": {"standardize_mode": "none"},
            "authors": [{"name": EVIL}],
            "citations": [{"text": EVIL, "url": EVIL}],
            **dict.fromkeys(words, EVIL),
        }
    )
    fake_catalogue.cards = [hostile]
    fake_catalogue.models = {"brightness": type(fake_catalogue.models["eye"])(hostile)}
    return hostile


def test_markup_of_a_card_and_a_layer_is_shown_as_it_is(evil, open_panel, viewer, qtbot, classify):
    panel = open_panel()
    viewer.add_image(np.full((40, 40, 3), 9, np.uint8), name=f"layer {EVIL}")
    viewer.add_image(np.full((2, 40, 40), np.nan), name=f"broken {EVIL}")
    classify(panel, evil.name)
    qtbot.mouseClick(panel.model.more, Qt.MouseButton.LeftButton)
    panel.results.table.selectRow(0)
    assert any("EVIL" in text for _, text in texts(panel))  # there is something to find
    assert dangerous(panel) == []


@pytest.mark.parametrize("error", [ModelError(f"broken {EVIL}", f"hint {EVIL}"), ValueError(EVIL)])
def test_markup_of_an_error_is_shown_as_it_is(fake_catalogue, panel, qtbot, choose, error):
    fake_catalogue.error = error
    choose(panel, "Eye")
    qtbot.waitUntil(lambda: "EVIL" in panel.model.opening.message.text)
    assert dangerous(panel) == []


def test_no_label_follows_a_link_by_itself(evil, open_panel, qtbot, choose):
    panel = open_panel()
    choose(panel, evil.name)
    assert [label for label in panel.findChildren(QLabel) if label.openExternalLinks()] == []


def test_the_search_for_markup_finds_it(qtbot):
    label = QLabel(EVIL)
    qtbot.addWidget(label)
    assert dangerous(label)


# What a text from outside may hold besides markup.
HOSTILE = {
    "markup": EVIL,
    "direction": "scan\u202egnp.exe \u2066inner\u2069 \u200fright",
    "controls": "a\x1b[2J\r\nb\x00\tc\x85d\u2028e",
    "unseen": "a\u200bb\ufeffc\u00add\u2060e",
    "long": "x" * 100_000,
    "long with spaces": "many words " * 10_000,
    "accents": "Z" + "\u0301" * 2_000,
    "emoji": "👩‍🔬" * 200,
    "mnemonic": "&Save && &Quit",
    "format": "%s %n %1 {} {0.__class__} {name!r}",
}
UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
LONGEST = 150_000  # of the description of a model, which has several long texts; every other text is shorter
HIGHEST = 60_000  # of the description, within the area that scrolls


def of_labels_and_fields(widget: QWidget):
    for name in ("text", "toPlainText", "currentText", "summary", "informativeText"):
        value = getattr(widget, name, "")
        yield value() if callable(value) else value
    yield from (widget.accessibleName(), widget.accessibleDescription(), widget.windowTitle())
    if isinstance(widget, QComboBox):
        yield from (widget.itemText(i) for i in range(widget.count()))


def of_lists_and_tables(view: QAbstractItemView):
    model = view.model()
    columns = model.columnCount() if isinstance(view, QTableView) else 1
    for row in range(model.rowCount()):
        for column in range(columns):
            for role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole, *ROLES):
                yield str(model.index(row, column).data(role) or "")
    for column in range(columns):
        yield str(model.headerData(column, Qt.Orientation.Horizontal) or "")


def all_texts(top: QWidget):
    """Yield every text of a widget and of all within it, as it is given to Qt."""
    for widget in [top, *top.findChildren(QWidget)]:
        yield from of_labels_and_fields(widget)
        yield widget.toolTip().replace(BREAK, "")
        if isinstance(widget, QAbstractItemView) and widget.model() is not None:
            yield from (
                text.replace(BREAK, "") if text.startswith("<qt>") else text for text in of_lists_and_tables(widget)
            )


def check(top: QWidget) -> None:
    """Check that all texts can be seen, are no markup and of bounded length, and that no widget is immense."""
    assert [
        text for text in all_texts(top) if isinstance(text, str) and (UNSEEN.search(text) or len(text) > LONGEST)
    ] == []
    assert dangerous(top) == []
    assert [widget for widget in top.findChildren(QWidget) if widget.isVisible() and widget.height() > HIGHEST] == []


def hostile_card(text: str, identifier: str = "brightness") -> ModelCard:
    """Make a card in which every text that may be anything is this one."""
    words = (
        "description",
        "intended_use",
        "limitations",
        "license",
        "discipline",
        "procedure",
        "record_doi",
        "version",
    )
    return ModelCard.model_validate(
        {
            "id": identifier,
            "name": text,
            "classes": [{"index": 0, "name": text, "label": text}, {"index": 1, "name": text}],
            "input": {"width": 4, "height": 4, "channels": 3},
            "preprocessing": {"standardize_mode": "none"},
            "authors": [{"name": text}],
            "citations": [{"text": text, "url": text}],
            "weights": [{"format": "onnx", "source": {"type": "url", "url": "https://<img src='x.png'>.example/a"}}],
            "metrics": {"auc": 0.5, "test_set": text},
            "provenance": {"assumed": text, "notes": [text, {text: [text]}], "published": text, "self_test": text},
            **dict.fromkeys(words, text),
        }
    )


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_text_from_outside_hides_anything_or_makes_the_panel_immense(
    text, fake_catalogue, open_panel, viewer, qtbot, monkeypatch, tmp_path
):
    card = hostile_card(text)
    fake_catalogue.cards, fake_catalogue.models = [card], {"brightness": type(fake_catalogue.models["eye"])(card)}
    panel = open_panel()
    width = panel.window().width()
    viewer.add_image(np.full((40, 40, 3), 9, np.uint8), name=text)
    viewer.add_image(np.full((2, 40, 40), np.nan), name=f"broken {text}")
    panel.model.choice.list.setCurrentIndex(panel.model.choice.filter.index(0, 0))
    qtbot.waitUntil(panel.classify.button.isEnabled)
    qtbot.mouseClick(panel.classify.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not panel._session.run.running)
    qtbot.mouseClick(panel.model.more, Qt.MouseButton.LeftButton)
    for row in range(3):
        panel.results.table.selectRow(row)
        check(panel)
    panel.model.settings.show_settings(fake_catalogue.models["brightness"])
    assert len(panel.model.settings.classes.value) == 2
    qtbot.wait(1)
    check(panel)
    assert panel.window().width() == width
    table = panel.results.table
    assert max(table.columnWidth(column) for column in range(table.model().columnCount())) < 300
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "out.csv"), ""))
    panel.results.buttons.menu.all.trigger()
    qtbot.waitUntil(lambda: not panel._session.table.unsaved)
    for name in ("out.csv", "out.csv.json"):
        assert not UNSEEN.search((tmp_path / name).read_text("utf-8").replace("\r\n", "\n"))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_dialogs_show_hostile_texts_within_bounds(text, fake_catalogue, open_panel, qtbot, monkeypatch):
    card = hostile_card(text)
    fake_catalogue.cards = [card]
    panel = open_panel()
    panel.model.choice.menu._ask_to_remove(panel._session.catalogue.models.items[0])
    box = panel.findChild(QMessageBox)
    check(box)
    assert box.width() < 1_200
    box.reject()
    stored = StoredModel("brightness", card.name, "Zenodo", "2026-01-01", 1, refused=text)
    own = StoredModel(Path(f"/{text}/a.onnx"), card.name, "your file", "2026-01-01", refused=text)

    def snapshot():
        yield
        return cache_tasks.CacheSnapshot((stored, own), 1)

    monkeypatch.setattr(cache_tasks, "snapshot", snapshot)
    page = StoredModels(panel.model._theme, panel)
    qtbot.waitUntil(lambda: page.stored.rowCount() == 2)
    page.open()
    page.message.show_note(f"Saved {text}", text)
    which = WhichModel(text, [Proposal(card, "name")], panel.model._theme, page)
    which.open()
    for dialog in (page, which):
        check(dialog)
        assert dialog.width() < 1_000
        dialog.reject()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_tooltip_is_no_wider_than_a_screen(text, qtbot):
    label = QLabel(tip(text))
    label.setWordWrap(True)  # as Qt's tooltips do
    qtbot.addWidget(label)
    assert label.sizeHint().width() < 1_000
