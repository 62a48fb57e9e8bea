"""A class has the same colour in the panel's charts, in figures and in files."""

from __future__ import annotations

import pytest

from napari_webipred.class_colours import COLOURS, rgb
from napari_webipred.evaluation.figures import PAPER


def test_figures_and_files_have_the_colours_of_charts() -> None:
    chart_look = pytest.importorskip("napari_webipred._napari.charts.chart_look")
    before_yellow = len(COLOURS) - 1  # of which figures have a darker one
    assert PAPER.lines[:before_yellow] == chart_look.LINES[:before_yellow] == COLOURS[:before_yellow]
    for place, line in enumerate(chart_look.LINES[: len(COLOURS)]):
        assert "#{:02x}{:02x}{:02x}".format(*rgb(place)) == line


def test_after_the_last_colour_the_first_follows() -> None:
    assert rgb(len(COLOURS)) == rgb(0) == (0, 114, 178)
