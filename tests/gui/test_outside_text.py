"""Text from outside stays text: no widget renders markup that a card, a layer, a path or an error brings along."""

from __future__ import annotations

import re

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QLabel, QTableView, QWidget

from napari_webipred.catalogue.card import ModelCard
from napari_webipred.errors import ModelError

EVIL = (
    '<img src="http://127.0.0.1:9/x.png"><img src="file:///etc/passwd"><a href="javascript:x">EVIL</a>'
    "<b>EVIL</b><style>*{}</style>"
)
MARKUP = re.compile(r"<\s*(img|a|style|script|object|table|link)\b|url\(", re.I)
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
    return [(widget, text) for widget, text in texts(panel) if MARKUP.search(text)]


@pytest.fixture
def evil(shelf):
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
    shelf.cards = [hostile]
    shelf.models = {"brightness": type(shelf.models["eye"])(hostile)}
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
def test_markup_of_an_error_is_shown_as_it_is(shelf, panel, qtbot, choose, error):
    shelf.error = error
    choose(panel, "Eye")
    qtbot.waitUntil(lambda: "EVIL" in panel.model.message.text)
    assert dangerous(panel) == []


def test_no_label_follows_a_link_by_itself(evil, open_panel, qtbot, choose):
    panel = open_panel()
    choose(panel, evil.name)
    assert [label for label in panel.findChildren(QLabel) if label.openExternalLinks()] == []


def test_the_search_for_markup_finds_it(qtbot):
    label = QLabel(EVIL)
    qtbot.addWidget(label)
    assert dangerous(label)
