from __future__ import annotations

from html import escape
from types import SimpleNamespace
from typing import get_args

import pytest

pytest.importorskip("napari")

from napari_webipred._napari.remedies import REMEDIES
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.cache import bundle, index
from napari_webipred.errors import CatalogueError, Remedy


@pytest.fixture
def message(qtbot) -> Message:
    message = Message(Theme(SimpleNamespace(theme="dark")))
    qtbot.addWidget(message)
    return message


def test_the_panel_has_words_for_every_remedy():
    assert set(REMEDIES) == set(get_args(Remedy))


@pytest.mark.parametrize("remedy", get_args(Remedy))
def test_what_helps_is_named_as_it_is_called_in_the_panel(message, remedy):
    message.show_error(CatalogueError("It is full.", "Wait.", remedy))
    assert message.text == f"<b>It is full.</b><br>Wait. {escape(REMEDIES[remedy])}"


def test_an_error_without_a_hint_names_what_helps(message):
    message.show_error(CatalogueError("It is full.", "", "free space"))
    assert "<br>“On this machine…”" in message.text


def test_nobody_in_the_panel_is_told_to_use_a_terminal(message, tmp_path):
    (tmp_path / "model.zip").write_bytes(b"PK")
    for error in (index.unknown("xyzzy"), refusal_of(tmp_path / "model.zip")):
        message.show_error(error)
        assert message.text
        assert "napari-webipred" not in message.text
        assert "--" not in message.text


def refusal_of(path) -> Exception:
    with pytest.raises(Exception, match=r"model\.zip") as caught:
        for _ in bundle.read(path):
            pass
    return caught.value
