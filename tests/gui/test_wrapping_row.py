"""Buttons in a row go to the next line where the row is narrow."""

from __future__ import annotations

import pytest

pytest.importorskip("napari")

from qtpy.QtWidgets import QCheckBox, QLabel, QLineEdit, QVBoxLayout, QWidget

from napari_webipred._napari.widgets.button import NARROWEST, Button
from napari_webipred._napari.widgets.wrapped_text import WrappedText, broken
from napari_webipred._napari.widgets.wrapping_row import SPACING, WrappingRow

WIDTH, HEIGHT = 100, 20


@pytest.fixture
def labels(qtbot):
    return [QLabel(text) for text in "abc"]


@pytest.fixture
def row(labels, qtbot):
    widget = QWidget()
    qtbot.addWidget(widget)
    for label in labels:
        label.setFixedSize(WIDTH, HEIGHT)
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addLayout(WrappingRow(labels))
    layout.addStretch(1)
    widget.show()
    return widget


def places(row, labels, width):
    row.resize(width, 200)
    row.layout().activate()
    return [(label.x(), label.y()) for label in labels if not label.isHidden()]


def test_in_a_wide_row_the_last_widget_is_at_the_right_end(row, labels):
    assert places(row, labels, 500) == [(0, 0), (WIDTH + SPACING, 0), (500 - WIDTH, 0)]


def test_what_does_not_fit_goes_to_the_next_line(row, labels):
    below = HEIGHT + SPACING
    assert places(row, labels, 250) == [(0, 0), (WIDTH + SPACING, 0), (250 - WIDTH, below)]
    assert places(row, labels, WIDTH) == [(0, 0), (0, below), (0, 2 * below)]
    assert row.layout().heightForWidth(250) == HEIGHT + below


def test_a_hidden_widget_takes_no_space(row, labels):
    labels[1].hide()
    assert places(row, labels, 250) == [(0, 0), (250 - WIDTH, 0)]


def test_the_row_can_be_as_narrow_as_its_widest_widget(row, labels):
    assert row.minimumSizeHint().width() == WIDTH


@pytest.mark.parametrize(
    ("room", "lines"),
    [
        (100, "Fit a reference again"),
        (15, "Fit a reference\nagain"),
        (9, "Fit a\nreference\nagain"),
        (0, "Fit\na\nreference\nagain"),
    ],
)
def test_text_is_broken_between_words(room, lines):
    assert broken("Fit a reference again", room, len) == lines


def test_a_check_box_shows_its_words_in_lines_where_it_is_narrow(qtbot):
    box = QCheckBox("Compare with the reference images")
    qtbot.addWidget(box)
    wrapped = WrappedText(box)
    box.resize(120, 60)
    box.show()
    assert box.text().replace("\n", " ") == wrapped.words
    assert "\n" in box.text()
    box.resize(1000, 60)
    assert box.text() == "Compare with the reference images"
    wrapped.set_words("Compare")
    assert (box.text(), box.accessibleName()) == ("Compare", "Compare")


def test_what_expands_takes_the_rest_of_its_line_and_one_of_its_own_where_it_is_too_narrow(qtbot):
    label, field = QLabel("a"), QLineEdit()
    label.setFixedSize(WIDTH, HEIGHT)
    field.setMinimumWidth(WIDTH)
    row = QWidget()
    qtbot.addWidget(row)
    layout = WrappingRow([label, field], last_at_end=False)
    layout.setContentsMargins(0, 0, 0, 0)
    row.setLayout(layout)
    row.show()
    assert places(row, [field], 500) == [(WIDTH + SPACING, 0)]
    assert field.width() == 500 - WIDTH - SPACING
    places(row, [field], 2 * WIDTH)
    assert (field.x(), field.y() >= HEIGHT + SPACING, field.width()) == (0, True, 2 * WIDTH)


def test_a_button_with_many_words_shows_them_in_lines_where_it_is_narrow(qtbot):
    button = Button("Histogram of the whole stack, with all of its planes")
    row = QWidget()
    qtbot.addWidget(row)
    layout = QVBoxLayout(row)
    layout.addWidget(button)
    layout.addStretch(1)
    row.resize(1000, 300)
    row.show()
    high = button.height()
    assert button.minimumSizeHint().width() == NARROWEST < button.sizeHint().width()
    row.resize(NARROWEST + 30, 300)
    qtbot.waitUntil(lambda: button.height() > high)
    row.resize(1000, 300)
    qtbot.waitUntil(lambda: button.height() == high)
