from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_webipred.errors import ImageError, OptionError
from napari_webipred.imaging.outline import within
from napari_webipred.imaging.region import Region, blanked, cut, polygon, regions_of

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


STACK_AXES, STACK_SHAPE = ("t", "z"), (2, 3)
SQUARE = [(0, 0), (0, 4), (4, 4), (4, 0)]


def test_boxes_and_polygons_are_counted_from_1():
    box, square = regions_of([(1, 2, 3, 4), SQUARE])
    assert (box.name, box.box, box.index, box.outline) == ("1", (1, 2, 3, 4), None, None)
    assert (square.name, square.box, square.outline) == ("2", (0, 0, 4, 4), None)


def test_a_mapping_names_its_regions():
    left, right = regions_of({"left": (0, 0, 5, 5), "right": np.array(SQUARE)}, "blank")
    assert (left.name, right.name) == ("left", "right")
    assert left.outline is None
    np.testing.assert_array_equal(right.outline, SQUARE)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("1,2,3,4", "as a str"),
        (7, "as a int"),
        ((0, 0, 9, 9), "region 1 is neither"),
        ([(0, 0, 9)], "region 1 is neither"),
        ([[(0, 0), (9, 9)]], "region 1 is neither"),
        ([(0, 0, 9, 9), "left"], "region 2 does not consist of numbers"),
        ([[(0, 0), (1,)]], "region 1 does not consist of numbers"),
        ([(0, 0, 9.5, 9)], "whole numbers"),
        ([(0, 0, float("nan"), 9)], "whole numbers"),
        ([(9, 0, 9, 9)], "ends before it begins"),
        ({"": (0, 0, 9, 9)}, "no name"),
    ],
)
def test_what_is_no_region_is_refused(given, words):
    with pytest.raises(OptionError, match=words):
        regions_of(given)


def test_another_way_to_treat_what_is_outside_is_refused():
    with pytest.raises(OptionError, match="'black'"):
        regions_of([(0, 0, 9, 9)], "black")


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros((4, 4), np.float32), "float32"),
        (np.full((4, 4), -3), "negative label -3"),
        (np.zeros(4, int), r"shape \(4,\)"),
        (np.zeros((5, 4, 4), int), r"shape \(5, 4, 4\)"),
    ],
)
def test_a_label_image_that_cannot_be_used_is_refused(labels, words):
    with pytest.raises(ImageError, match=words):
        regions_of(labels, "keep", STACK_AXES, STACK_SHAPE)


@pytest.mark.parametrize("form", ["labels", "planes", "boxes"])
def test_too_many_regions_are_refused(form, monkeypatch):
    monkeypatch.setattr("napari_webipred.limits.REGIONS", 10)
    eleven = np.arange(12).reshape(3, 4)
    given = {
        "labels": eleven,
        "planes": np.broadcast_to(eleven.clip(0, 2), (2, 3, 3, 4)),
        "boxes": [(0, 0, 1, 1)] * 11,
    }
    with pytest.raises(ImageError, match="more than 10 regions"):
        regions_of(given[form], "keep", STACK_AXES, STACK_SHAPE)


def test_a_polygon_with_too_many_corners_is_refused():
    with pytest.raises(ImageError, match="10,001 corners"):
        regions_of([np.zeros((10_001, 2))])


def test_a_label_image_of_another_size_than_the_image_is_refused():
    (region,) = regions_of(np.ones((3, 4), int))
    with pytest.raises(ImageError, match="4 × 3 pixels, the image 30 × 20"):
        cut(IMAGE, region)


labels_of_planes = arrays(
    st.sampled_from([np.uint8, np.int64, np.uint64]),
    st.tuples(*(st.integers(1, length) for length in (2, 3, 9, 9))),
    elements=st.sampled_from([0, 0, 1, 2, 7, 120]),
)


@given(labels_of_planes, st.booleans(), st.integers(1, 40))
def test_each_label_of_each_plane_is_a_region(labels, blank, band):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_webipred.imaging.label_image.BAND", band)
        regions = regions_of(labels, "blank" if blank else "keep", STACK_AXES, labels.shape[:2])
    expected = [
        (index, number) for index in np.ndindex(labels.shape[:2]) for number in np.unique(labels[index]) if number
    ]
    assert [(region.index, int(region.name)) for region in regions] == expected
    for region, (index, number) in zip(regions, expected, strict=True):
        rows, columns = np.nonzero(labels[index] == number)
        assert region.box == (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
        part, inside = cut(labels[index], region)
        if blank:
            np.testing.assert_array_equal(inside, part == number)
        else:
            assert inside is None


def test_a_flat_label_image_counts_on_every_plane():
    labels = np.zeros((4, 4), np.bool_)
    labels[1, 2:] = True
    (region,) = regions_of(labels, "blank", STACK_AXES, STACK_SHAPE)
    assert (region.name, region.box, region.index) == ("1", (1, 2, 2, 4), None)
