"""Addresses can be clicked, and nothing is opened before the user has seen where it leads."""

from __future__ import annotations

import html
import re

import pytest

pytest.importorskip("napari")

from hypothesis import given
from hypothesis import strategies as st
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QDesktopServices, QFont, QFontMetrics
from qtpy.QtWidgets import QLabel, QMessageBox, QWidget
from tests.gui.conftest import CHEST

from napari_webipred import licences
from napari_webipred._napari.links import ask_to_open, host_of, linked
from napari_webipred._napari.models.about import about
from napari_webipred._napari.widgets.label import BREAK
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.card import ModelCard


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    addresses: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: addresses.append(url.toString()) or True)
    return addresses


def leading_to(text: str) -> list[str]:
    return [html.unescape(address) for address in re.findall('<a href="([^"]*)">', text)]


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("See https://example.org/a.", ["https://example.org/a"]),
        ("(see http://example.org/a?b=1&c=2), or", ["http://example.org/a?b=1&c=2"]),
        ("https://en.wikipedia.org/wiki/Foo_(bar)", ["https://en.wikipedia.org/wiki/Foo_(bar)"]),
        (
            "doi:10.5281/zenodo.123; 10.1000/x(1)2.",
            ["https://doi.org/10.5281/zenodo.123", "https://doi.org/10.1000/x(1)2"],
        ),
        ("https://doi.org/10.5281/zenodo.123", ["https://doi.org/10.5281/zenodo.123"]),
        ("version 10.1234 of 2.10.5281/a", []),
        ("javascript:alert(1) file:///etc/passwd ftp://example.org data:text/html,x www.example.org", []),
        ("http://name:password@host:port", []),
        ("https://" + "a" * 3000, []),
        ("https:// http://", []),
    ],
)
def test_addresses_and_dois_become_links_and_nothing_else(text, addresses):
    assert leading_to(linked(text)) == addresses
    assert html.unescape(re.sub("<[^>]*>", "", linked(text))) == text


@given(st.text() | st.text(st.sampled_from("htps:/<>\"'&10.5281a(). \\\n"), max_size=60))
def test_no_text_becomes_other_markup(text):
    made = linked(text)
    assert html.unescape(re.sub('<a href="https?://[^"<>]*">|</a>', "", made)) == text
    assert all(host_of(address) for address in leading_to(made))


def test_a_host_is_shown_in_letters_that_cannot_be_mistaken():
    cyrillic = "zenod\u043e.org"
    assert host_of(f"https://{cyrillic}/records/1") == cyrillic.encode("idna").decode() != "zenodo.org"
    assert host_of("https://zenodo.org@example.org/") == "example.org"
    assert host_of("HTTPS://Zenodo.org") == "zenodo.org"


def test_the_question_shows_host_and_address_and_only_open_opens(qtbot, opened):
    parent = QWidget()
    qtbot.addWidget(parent)
    parent.show()
    for answer in ("Cancel", "Open"):
        ask_to_open(parent, "https://zenodo.org/records/7785993?a=b%20c")
        (box,) = parent.findChildren(QMessageBox)
        assert box.text() == "Open zenodo.org in the browser?"
        assert box.informativeText().replace(BREAK, "") == "https://zenodo.org/records/7785993?a=b%20c"
        assert opened == []
        (button,) = (button for button in box.buttons() if button.text().replace("&", "") == answer)
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert len(opened) == 1
    assert opened[0].startswith("https://zenodo.org/records/7785993")


@pytest.mark.parametrize("address", ["file:///etc/passwd", "javascript:alert(1)", "x-apple:y", "", "http://"])
def test_nothing_but_the_web_is_opened(qtbot, opened, address):
    parent = QWidget()
    qtbot.addWidget(parent)
    ask_to_open(parent, address)
    assert parent.findChildren(QMessageBox) == []


def test_the_card_leads_to_its_record_licence_and_citation():
    card = ModelCard.model_validate(
        CHEST.model_dump()
        | {
            "license": "cc-by-4.0",
            "citations": [{"text": "Somebody, 2024.", "doi": "10.1000/182"}],
            "record_doi": "10.5281/zenodo.42",
            "weights": [{"format": "onnx", "source": {"type": "zenodo", "record_id": "42", "file_key": "a.onnx"}}],
        }
    )
    addresses = leading_to(about(card))
    assert "https://spdx.org/licenses/CC-BY-4.0.html" in addresses
    assert {"https://doi.org/10.1000/182", "https://doi.org/10.5281/zenodo.42"} < set(addresses)
    assert any(address.endswith("/records/42") for address in addresses)


def test_only_licences_that_are_known_by_their_identifier_lead_somewhere():
    assert all(licences.page(name.lower()).endswith(f"/{name}.html") for name in licences.COMMON)
    assert licences.page("../../evil") == licences.page("") == licences.page("my own") == ""


def test_a_click_on_a_link_of_the_panel_asks(viewer, panel, choose, qtbot, opened):
    choose(panel, "Eye")
    panel.model.about.linkActivated.emit("https://example.org/eye")
    (box,) = panel.model.findChildren(QMessageBox)
    assert "example.org" in box.text()
    box.close()
    assert opened == []


def test_an_address_in_a_message_can_be_clicked(viewer, qtbot, opened):
    message = Message(Theme(viewer))
    qtbot.addWidget(message)
    message.resize(500, 120)
    message.show_note("Read https://example.org/help first.")
    message.show()
    qtbot.waitExposed(message)
    (label,) = message.findChildren(QLabel)
    bold = QFont(label.font())
    bold.setBold(True)
    words = QFontMetrics(bold).horizontalAdvance("Read https://")
    qtbot.mouseClick(label, Qt.MouseButton.LeftButton, pos=QPoint(words, label.height() // 2))
    (box,) = message.findChildren(QMessageBox)
    assert "example.org" in box.text()
    box.close()
