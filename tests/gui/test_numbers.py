"""Numbers in the form are used as they were put in, and read as they stand there."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QLocale, Qt

from napari_webipred._napari.intensity.intensity import IntensityChoice
from napari_webipred._napari.widgets.theme import Theme


@pytest.fixture
def intensity(qtbot) -> IntensityChoice:
    widget = IntensityChoice(Theme(SimpleNamespace(theme="dark")))
    qtbot.addWidget(widget)
    return widget


@pytest.fixture
def german() -> Iterator[None]:
    """The language of a system in which a comma is the decimal point, and a point separates thousands."""
    before = QLocale()
    QLocale.setDefault(QLocale("de_DE"))
    yield
    QLocale.setDefault(before)


@pytest.mark.parametrize("low", [1 / 3, 1e-7, 0.1 + 0.2, -1e9, 123456.789012345])
def test_a_number_of_the_intensity_range_comes_out_as_it_was_put_in(intensity, low):
    intensity.set_value((low, 1e9))
    intensity.low.interpretText()
    assert intensity.value() == (low, 1e9)


@pytest.mark.parametrize(("low", "words"), [(0.5, "0,5"), (1234.25, "1234,25"), (1e-7, "0,0000001"), (-70.0, "-70")])
def test_a_number_is_the_same_in_every_language(german, intensity, low, words):
    intensity.set_value((low, 65535))
    assert intensity.low.text() == words
    intensity.low.interpretText()
    assert intensity.value() == (low, 65535)


@pytest.mark.parametrize(("keys", "words", "low"), [("0,25", "0,25", 0.25), ("1.000", "1000", 1000)])
def test_a_number_is_typed_with_the_decimal_point_of_the_language(german, intensity, qtbot, keys, words, low):
    intensity.set_value((0, 65535))
    intensity.low.selectAll()
    qtbot.keyClicks(intensity.low, keys)
    assert intensity.low.text() == words
    assert intensity.value() == (low, 65535)


@pytest.mark.parametrize("threshold", [0.125, 0.001, 1 / 3, 0.9999])
def test_a_threshold_comes_out_as_it_was_put_in(panel, threshold):
    panel.form.threshold.value = threshold
    panel.form.threshold.native.interpretText()
    assert (panel.form.threshold.value, panel.form.options().threshold) == (threshold, threshold)


def test_an_arrow_adds_a_hundredth_to_a_threshold(panel, qtbot):
    panel.form.threshold.value = 0.29
    qtbot.keyClick(panel.form.threshold.native, Qt.Key.Key_Up)
    assert (panel.form.threshold.value, panel.form.threshold.native.text()) == (0.3, "0.3")
