"""Maps lie on the pixels that the model has seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from napari_webipred.card import Input, Preprocessing
from napari_webipred.explanations.placing import placed
from napari_webipred.imaging.preprocess import prepare

TARGET = Input(width=56, height=56, channels=1)


def how(mode):
    return Preprocessing(standardize_mode="none", resize_mode=mode)


@given(
    st.sampled_from(["stretch", "center-crop", "pad"]),
    st.integers(40, 160),
    st.integers(40, 160),
    st.integers(0, 6),
    st.integers(0, 6),
)
def test_a_cell_lies_on_the_pixels_that_it_was_made_of(mode, height, width, row, column):
    grid = np.zeros((7, 7))
    grid[row, column] = 1
    found = placed(grid, (height, width), TARGET, how(mode))
    # Padding repeats the edge of the image, so that cells which are not wholly in the image show it, too.
    for cell, length in ((row, height), (column, width)):
        start, side = (length - max(height, width)) / 2, max(height, width)
        assume(mode != "pad" or (start + cell * side / 7 >= 0 and start + (cell + 1) * side / 7 <= length))
    # The image of that map has its light in that cell of the model input.
    seen, _ = prepare(np.nan_to_num(found).astype(np.float64), TARGET, how(mode), (0.0, 1.0))
    cells = seen[..., 0].reshape(7, 8, 7, 8).mean(axis=(1, 3))
    assert np.unravel_index(cells.argmax(), cells.shape) == (row, column)


def test_what_was_cropped_has_no_value():
    found = placed(np.ones((7, 7)), (100, 60), TARGET, how("center-crop"))
    assert np.isnan(found[:20]).all()
    assert np.isnan(found[80:]).all()
    assert (found[20:80] == 1).all()


@pytest.mark.parametrize("mode", ["stretch", "pad"])
def test_a_constant_map_stays_constant(mode):
    assert (placed(np.full((7, 7), 2.5), (33, 91), TARGET, how(mode)) == 2.5).all()
