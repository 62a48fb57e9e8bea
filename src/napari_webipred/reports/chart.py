"""Charts as SVG inside of a page: bars of one image, and lines along an axis of a stack."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from html import escape

from napari_webipred.names import visible

_WIDTH, _LINE = 640, 24
_NUMBERS = 64  # what the numbers right of the bars take
_WIDEST, _NARROW = "MWmw@%", "iljtfrI.,:;'|()[]-/ "
_HEIGHT, _LEFT, _TOP, _BOTTOM = 220, 36, 10, 26
MOST_LINES = 5  # as many classes as there are colours
_LETTERS = 27  # that fit beside the bars


def bars(names: Sequence[str], numbers: Sequence[float], strong: Sequence[bool]) -> str:
    """Draw a bar for each probability, in the given order.

    Parameters
    ----------
    names : sequence of str
    numbers : sequence of float
        From 0 to 1.
    strong : sequence of bool
        Which of the classes are assigned.
    """
    shown = [text(name, _LETTERS) for name in names]
    left = round(14 + max((_width(visible(name)[:_LETTERS]) for name in names), default=0))
    room = _WIDTH - left - _NUMBERS
    parts = []
    for place, (name, number, is_strong) in enumerate(zip(shown, numbers, strong, strict=True)):
        y = place * _LINE
        length = max(0.0, min(1.0, number)) * room
        kind = "strong" if is_strong else "bar"
        weight = ' font-weight="600"' if is_strong else ""
        parts.append(
            f'<text x="{left - 10}" y="{y + 16}" text-anchor="end"{weight}>{name}</text>'
            f'<rect class="track" x="{left}" y="{y + 4}" width="{room}" height="15" rx="3"/>'
            f'<rect class="{kind}" x="{left}" y="{y + 4}" width="{length:.1f}" height="15" rx="3"/>'
            f'<text x="{left + room + 8}" y="{y + 16}"{weight}>{number:.4f}</text>'
        )
    said = "; ".join(f"{name} {number:.4f}" for name, number in zip(names, numbers, strict=True))
    return _svg(len(names) * _LINE, said, parts)


def lines(axis: str, places: Sequence[int], names: Sequence[str], numbers: Sequence[Sequence[float]]) -> str:
    """Draw the probabilities of classes along an axis of a stack.

    Parameters
    ----------
    axis : str
    places : sequence of int
        At least two.
    names : sequence of str
        At most `MOST_LINES`.
    numbers : sequence of sequence of float
        For each class, one for each place.
    """
    first, last = min(places), max(places)
    across, down = _WIDTH - _LEFT - 12, _HEIGHT - _TOP - _BOTTOM
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = _TOP + (1 - share) * down
        parts.append(f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - 12}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="pale" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share:g}</text>')
    for place, anchor in ((first, "start"), (last, "end")):
        x = _LEFT + (place - first) / (last - first) * across
        label = f"{text(axis, 12)} {place}"
        parts.append(f'<text class="pale" x="{x:.1f}" y="{_HEIGHT - 8}" text-anchor="{anchor}">{label}</text>')
    for number, values in enumerate(numbers):
        points = " ".join(
            f"{_LEFT + (place - first) / (last - first) * across:.1f},{_TOP + (1 - value) * down:.1f}"
            for place, value in zip(places, values, strict=True)
        )
        parts.append(f'<polyline class="c{number}" points="{points}"/>')
    for number, name in enumerate(names):
        y = _HEIGHT + 4 + number * _LINE
        parts.append(f'<line class="c{number}" x1="{_LEFT}" x2="{_LEFT + 24}" y1="{y + 11}" y2="{y + 11}"/>')
        parts.append(f'<text x="{_LEFT + 32}" y="{y + 16}">{text(name, 80)}</text>')
    return _svg(_HEIGHT + 4 + len(names) * _LINE, f"Probabilities along {axis}", parts)


def text(written: str, longest: int) -> str:
    """Write a text that fits into a place; East Asian characters take the place of two."""
    written, room = visible(written), longest
    for place, character in enumerate(written):
        room -= 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if room < 0:
            return escape(f"{written[: place - 1]}…")
    return escape(written)


def _width(written: str) -> float:
    """Return what a name takes at most, in bold letters of 13 pixels of a wide typeface (DejaVu Sans)."""
    return sum(map(_width_of, written))


def _width_of(letter: str) -> float:
    if letter in _WIDEST or unicodedata.east_asian_width(letter) in "WF":
        return 14.5
    if letter in _NARROW:
        return 6.5
    return 11.1 if letter.isupper() else 9.4


def _svg(height: int, said: str, parts: Sequence[str]) -> str:
    label = escape(visible(said), quote=True)
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
