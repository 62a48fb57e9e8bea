"""Addresses in texts from outside: a click asks whether to open them in the browser, and says where they lead."""

from __future__ import annotations

import re
from html import escape

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QWidget

from napari_webipred._napari.widgets.label import in_pieces
from napari_webipred._napari.widgets.question import Answer, ask
from napari_webipred._napari.widgets.theme import Theme

_FOUND = re.compile(r"""https?://[^\s<>"'`{}|\\^]+|(?<![\w./-])10\.\d{4,9}/[^\s<>"'`{}|\\^]+""", re.IGNORECASE)
_ENDS = ".,;:!?"  # of a sentence, not of an address
_LONGEST = 2000  # characters of an address that can be clicked
_LONGEST_SHOWN = 300  # of its characters in the question, which always has the host


def linked(text: str) -> str:
    """Write a text as HTML in which nothing but addresses and DOIs is markup."""
    parts, end = [], 0
    for found in _FOUND.finditer(text):
        words = _without_end(found[0])
        parts += [escape(text[end : found.start()]), link(words if "://" in words else doi(words), words)]
        end = found.start() + len(words)
    return "".join([*parts, escape(text[end:])])


def doi(identifier: str) -> str:
    """Return the address of a DOI."""
    return f"https://doi.org/{identifier}"


def _without_end(words: str) -> str:
    """Leave out what ends the sentence, and a bracket that was opened before."""
    words = words.rstrip(_ENDS)
    return words[:-1].rstrip(_ENDS) if words.endswith((")", "]")) and "(" not in words else words


def link(address: str, words: str) -> str:
    """Write words as HTML that lead to an address, if that is one of the web."""
    return f'<a href="{escape(address)}">{escape(words)}</a>' if host_of(address) else escape(words)


def host_of(address: str) -> str:
    """Return the host of an address of the web in ASCII, so that no letter looks like another; empty for others."""
    url = QUrl(address, QUrl.ParsingMode.StrictMode)
    known = len(address) <= _LONGEST and url.isValid() and url.scheme() in ("http", "https")
    return url.host(QUrl.ComponentFormattingOption.FullyEncoded) if known else ""


def style(theme: Theme) -> str:
    """Return the colour of links on the background of the panel, to stand before their HTML."""
    return f"<style>a {{ color: {theme.readable('highlight', 'background').name()}; }}</style>"


def ask_to_open(parent: QWidget, address: str) -> None:
    """Ask whether to open an address in the browser; nothing is opened that is not of the web."""
    if not (host := host_of(address)):
        return
    url = QUrl(address, QUrl.ParsingMode.StrictMode)
    full = bytes(url.toEncoded().data()).decode("ascii")
    shown = full if len(full) <= _LONGEST_SHOWN else f"{full[:_LONGEST_SHOWN]}…"
    ask(
        parent,
        "Open link",
        f"Open {host} in the browser?",
        in_pieces(shown),
        [Answer("Open", lambda: QDesktopServices.openUrl(url))],
    )
