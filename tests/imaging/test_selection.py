from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_webipred.errors import ImageError, OptionError
from napari_webipred.imaging.planes import array_source
from napari_webipred.imaging.readers import read
from napari_webipred.imaging.selection import (
    COLOURS,
    Channel,
    colour_name,
    merge,
    one_plane,
    project,
    take_channel,
    take_planes,
)

STACK = np.random.default_rng(0).integers(0, 4096, (4, 2, 6, 30, 40), dtype=np.uint16)


def stack():
    return array_source(STACK, "cells", axes=("t", "c", "z"))


@given(
    start=st.none() | st.integers(-8, 8), stop=st.none() | st.integers(-8, 8), step=st.sampled_from([None, 1, 2, 3, -1])
)
def test_planes_are_taken_as_slices_take_them(start, stop, step):
    wanted = list(range(6))[start:stop:step]
    if not wanted:
        with pytest.raises(OptionError, match="cells has no z"):
            take_planes(stack(), {"z": slice(start, stop, step)})
        return
    source = take_planes(stack(), {"t": -1, "z": slice(start, stop, step)})
    assert list(source.indices()) == [(3, c, z) for c in range(2) for z in wanted]
    assert len(source) == 2 * len(wanted)


@pytest.mark.parametrize("places", [{"z": 6}, {"z": -7}, {"z": range(3, 7)}, {"y": 0}])
def test_places_that_are_not_there_are_refused(places):
    with pytest.raises(OptionError, match="cells has no"):
        take_planes(stack(), places)


@pytest.mark.parametrize(("how", "numpy_way"), [("max", np.max), ("mean", np.mean)])
def test_a_projection_is_that_of_numpy(how, numpy_way):
    source = project(stack(), "z", how)
    assert (source.axes, source.shape) == (("t", "c"), (4, 2))
    expected = numpy_way(STACK[3, 1], axis=0).astype(np.float32 if how == "mean" else np.uint16)
    np.testing.assert_array_equal(read(source, (3, 1)), expected)
    assert ("maximum" if how == "max" else "mean") in source.reading


def test_a_part_of_an_axis_can_be_projected():
    source = project(stack(), "z", "max", slice(2, 4))
    np.testing.assert_array_equal(read(source, (0, 0)), STACK[0, 0, 2:4].max(axis=0))
    assert source.reading == "maximum along z 2 to 3"


def test_planes_taken_before_a_projection_are_kept():
    source = project(take_planes(stack(), {"t": 2}), "z", "max")
    assert list(source.indices()) == [(2, 0), (2, 1)]


def test_an_unknown_projection_is_refused():
    with pytest.raises(OptionError, match="'median' is no projection"):
        project(stack(), "z", "median")


def test_one_channel_is_grey():
    source = take_channel(stack(), "c", -1)
    assert (source.axes, source.reading) == (("t", "z"), "c 1")
    np.testing.assert_array_equal(read(source, (1, 5)), STACK[1, 1, 5])


def test_merged_channels_are_the_sum_of_their_colours():
    parts = [take_channel(stack(), "c", number) for number in range(2)]
    merged = merge("cells", [Channel(parts[0], (1, 0, 1), (0, 4000)), Channel(parts[1], (0, 1, 0.5), (1000, 3000))])
    assert (merged.axes, merged.shape, merged.scaled) == (("t", "z"), (4, 6), True)
    first = np.clip(STACK[1, 0, 5] / 4000, 0, 1)
    second = np.clip((STACK[1, 1, 5] - 1000.0) / 2000, 0, 1)
    expected = np.clip(np.stack([first, second, first + second / 2], axis=-1), 0, 1)
    np.testing.assert_allclose(read(merged, (1, 5)), expected, atol=1e-6)
    assert merged.reading == "merged: c 0 as magenta (0 to 4000), c 1 as #00FF80 (1000 to 3000)"


def test_merged_images_of_other_sizes_fail_by_name():
    small = array_source(STACK[0, 0, 0, :10], "small")
    with pytest.raises(ImageError, match="small has 40x10 pixels"):
        read(merge("x", [Channel(array_source(STACK[0, 0, 0], "large"), (1, 0, 0)), Channel(small, (0, 1, 0))]), ())


def test_images_with_other_axes_cannot_be_merged():
    with pytest.raises(OptionError, match="different axes"):
        merge("x", [Channel(stack(), (1, 0, 0)), Channel(array_source(STACK[0], "y"), (0, 1, 0))])


@pytest.mark.parametrize("name", COLOURS)
def test_colours_have_names(name):
    assert colour_name(COLOURS[name]) == name


def test_one_plane_knows_its_place():
    assert list(one_plane(stack(), (1, 1, 5)).indices()) == [(1, 1, 5)]
