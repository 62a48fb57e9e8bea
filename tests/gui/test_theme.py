from __future__ import annotations

from itertools import combinations, product
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("napari")

from hypothesis import example, given
from hypothesis import strategies as st
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from tests.gui.conftest import flat

from napari_webipred._napari.charts.chart_look import LINES, screen_look
from napari_webipred._napari.charts.plot_marks import DASHES
from napari_webipred._napari.widgets.theme import SHAPE_CONTRAST, TEXT_CONTRAST, Theme, blended, contrast, readable

THEMES = ("dark", "light")
COLOURS = st.builds(QColor, *[st.integers(0, 255)] * 3)


def colours(theme: str) -> Theme:
    return Theme(SimpleNamespace(theme=theme))


def test_contrast_is_what_wcag_says():
    white, black, grey = QColor("white"), QColor("black"), QColor(119, 119, 119)
    assert contrast(white, black) == contrast(black, white) == pytest.approx(21)
    assert contrast(grey, grey) == 1
    assert contrast(grey, white) == pytest.approx(4.48, abs=0.005)  # the well-known grey that just fails


@given(COLOURS, COLOURS)
@example(QColor(153, 18, 31), QColor(46, 51, 62))
def test_every_colour_has_a_readable_variant_on_every_background(colour, background):
    variant = readable(colour, background)
    assert contrast(variant, background) >= TEXT_CONTRAST
    if contrast(colour, background) >= TEXT_CONTRAST:
        assert variant == colour


def test_the_readable_variant_of_a_red_is_a_red():
    variant = readable(QColor(153, 18, 31), QColor(46, 51, 62))
    assert variant.red() > 1.5 * max(variant.green(), variant.blue())


@pytest.mark.parametrize("theme", THEMES)
def test_error_text_in_the_table_can_be_read(viewer, panel, qtbot, classify, theme):
    viewer.theme = theme
    viewer.add_image(flat(10), name="good")
    viewer.add_image(np.full((40, 40), np.nan), name="holes", contrast_limits=(0, 1))
    classify(panel)
    shown = panel.results.model.index(1, 1).data(Qt.ItemDataRole.ForegroundRole)
    assert contrast(shown, colours(theme).colour("foreground")) >= TEXT_CONTRAST
    assert shown != colours(theme).colour("text")


@pytest.mark.parametrize("theme", THEMES)
def test_texts_and_bars_can_be_told_from_what_is_below_them(theme):
    theme = colours(theme)
    for strength, on in product((0.6, 0.66, 0.7, 0.85, 1.0), ("background", "primary", "highlight", "current")):
        assert contrast(theme.readable("text", on, strength), theme.colour(on)) >= TEXT_CONTRAST
    for bar in ("current", "secondary"):
        shown = theme.readable(bar, "background", ratio=SHAPE_CONTRAST)
        assert contrast(shown, theme.colour("background")) >= SHAPE_CONTRAST
    assigned = blended(theme.colour("current"), theme.colour("foreground"), 0.55)
    assert contrast(theme.colour("text"), assigned) >= TEXT_CONTRAST


# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
NO_RED = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
NO_GREEN = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
TOLD_APART = 10.0  # in CIELAB, where 2.3 is just noticed


def seen(colour: QColor, vision: list[list[float]]) -> np.ndarray:
    """Return a colour in CIELAB as somebody sees it who lacks a kind of cones."""
    parts = np.array(colour.getRgbF()[:3])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    x, y, z = np.cbrt(XYZ @ np.clip(np.array(vision) @ linear, 0, 1) / [0.9505, 1, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", [NO_RED, NO_GREEN])
def test_colours_of_classes_and_regions_can_be_told_apart_without_red_or_green_cones(vision):
    for one, other in combinations(LINES, 2):
        assert np.linalg.norm(seen(QColor(one), vision) - seen(QColor(other), vision)) >= TOLD_APART, (one, other)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("vision", [NO_RED, NO_GREEN])
def test_lines_that_are_alike_on_a_background_differ_in_their_dashes(theme, vision):
    lines = screen_look(colours(theme)).lines
    for one, other in combinations(range(len(lines)), 2):
        alike = np.linalg.norm(seen(lines[one], vision) - seen(lines[other], vision)) < TOLD_APART
        assert not alike or DASHES[one % len(DASHES)] != DASHES[other % len(DASHES)], (one, other)
