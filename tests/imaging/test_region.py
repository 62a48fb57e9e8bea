from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_webipred.errors import ImageError
from napari_webipred.imaging.region import Region, blanked, cut, polygon, within

IMAGE = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)


def test_a_rectangle_is_the_slice_of_its_corners():
    part, inside = cut(IMAGE, polygon("1", [(2, 3), (2, 10), (12, 10), (12, 3)], blank=True))
    np.testing.assert_array_equal(part, IMAGE[2:12, 3:10])
    assert inside is not None
    assert inside.all()


def test_a_box_is_cut_off_at_the_border_of_the_image():
    part, _ = cut(IMAGE, Region("1", (-5, 25, 4, 99)))
    np.testing.assert_array_equal(part, IMAGE[:4, 25:])


@pytest.mark.parametrize("box", [(20, 0, 30, 5), (-9, -9, 0, 0), (3, 3, 3, 9)])
def test_a_region_without_a_pixel_is_refused(box):
    with pytest.raises(ImageError, match="region 7 contains no pixel"):
        cut(IMAGE, Region("7", box))


def test_pixels_outside_become_black():
    inside = np.zeros((20, 30), np.bool_)
    inside[5, 5] = True
    image = blanked(IMAGE, inside, 12.7)
    assert image[5, 5] == IMAGE[5, 5]
    assert (image[~inside] == 12).all()
    assert blanked(IMAGE, inside, -3.0).min() == 0


corner = st.tuples(st.floats(-5, 25, allow_nan=False), st.floats(-5, 35, allow_nan=False))


@given(st.lists(corner, min_size=3, max_size=7))
def test_a_pixel_is_inside_if_a_ray_from_its_centre_crosses_an_odd_number_of_sides(corners):
    outline = np.array(corners)
    found = within(outline, (0, 0, 20, 30))
    for row, column in ((0, 0), (7, 11), (19, 29)):
        crossings = 0
        for (r, c), (s, d) in zip(corners, corners[1:] + corners[:1], strict=True):
            if (r <= row) != (s <= row) and column < c + (row - r) / (s - r) * (d - c):
                crossings += 1
        assert found[row, column] == (crossings % 2 == 1)


@pytest.mark.parametrize("corners", [[(1, 2)], [(1, 2, 3)] * 3, [(1, np.nan)] * 3])
def test_corners_that_are_none_are_refused(corners):
    with pytest.raises(ImageError, match="region 3"):
        polygon("3", corners)
