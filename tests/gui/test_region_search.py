from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from hypothesis import given, settings
from hypothesis import strategies as st
from napari.layers import Image, Labels, Shapes

from napari_webipred._napari.regions.region_layer import drawn, grid_of
from napari_webipred._napari.regions.region_search import search
from napari_webipred.errors import ImageError
from napari_webipred.imaging.region import cut

SIZE = (24, 30)
SQUARE = [[4, 5], [4, 12], [10, 12], [10, 5]]


def found(regions, image, blank=True, axes=None):
    axes = range(image.ndim - 2) if axes is None else axes
    work = search(drawn(regions), grid_of(image, tuple(axes)), blank)
    try:
        while True:
            next(work)
    except StopIteration as finished:
        return finished.value


def image(*leading, **transform) -> Image:
    return Image(np.zeros((*leading, *SIZE), np.uint8), **transform)


def mask(region, size=SIZE) -> np.ndarray:
    """The pixels of an image that belong to a region."""
    numbers = np.arange(np.prod(size)).reshape(size)
    part, inside = cut(numbers, region)
    mask = np.zeros(size, bool)
    mask.flat[part.ravel() if inside is None else part[inside]] = True
    return mask


angle = st.floats(-180, 180, allow_nan=False)
factor = st.floats(0.4, 2.5, allow_nan=False)
shift = st.floats(-6, 6, allow_nan=False)
transforms = st.fixed_dictionaries(
    {
        "scale": st.tuples(factor, factor),
        "translate": st.tuples(shift, shift),
        "rotate": angle,
        "shear": st.floats(-0.8, 0.8, allow_nan=False).map(lambda shear: [shear]),
        "affine": st.tuples(factor, shift, shift).map(lambda a: [[a[0], 0.3, a[1]], [0, 1, a[2]], [0, 0, 1]]),
    }
)


def in_shape(kind: str, corners: np.ndarray, point: np.ndarray) -> float:
    """How far a point lies inside a parallelogram or its ellipse: positive inside, negative outside."""
    across, along = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    at = np.linalg.solve(np.stack([across, along], axis=1), point - (corners[0] + corners[2]) / 2)
    return 1 - (np.hypot(*at) if kind == "ellipse" else np.abs(at).max())


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["rectangle", "ellipse", "polygon"]), transforms, transforms)
def test_a_pixel_belongs_to_a_shape_if_its_centre_lies_in_it_in_the_world(kind, of_shapes, of_image):
    layer, below = Shapes([SQUARE], shape_type=kind, **of_shapes), image(**of_image)
    (region,) = found(layer, below).regions
    try:
        mine = mask(region)
    except ImageError:
        mine = np.zeros(SIZE, bool)
    corners = np.array([layer.data_to_world(corner) for corner in layer.data[0]])
    for pixel in np.ndindex(SIZE):
        inside = in_shape(kind, corners, np.array(below.data_to_world(pixel)))
        if abs(inside) > 2e-3:  # napari rounds corners, and an ellipse is a polygon here
            assert mine[pixel] == (inside > 0)


@settings(max_examples=30, deadline=None)
@given(transforms, transforms, st.booleans())
def test_a_pixel_has_the_label_that_napari_shows_at_its_centre(of_labels, of_image, blank):
    numbers = np.kron(np.arange(6).reshape(2, 3), np.ones((7, 8), int))
    layer, below = Labels(numbers, **of_labels), image(**of_image)
    seen = np.zeros(SIZE, int)
    edge = np.zeros(SIZE, bool)
    for pixel in np.ndindex(SIZE):
        place = np.asarray(layer.world_to_data(below.data_to_world(pixel)))
        edge[pixel] = (np.abs(place - np.floor(place) - 0.5) < 1e-4).any()
        at = np.floor(place + 0.5).astype(int)
        if ((at >= 0) & (at < numbers.shape)).all():
            seen[pixel] = numbers[tuple(at)]
    regions = {int(region.name): region for region in found(layer, below, blank).regions}
    if not edge.any():
        assert sorted(regions) == sorted(set(np.unique(seen)) - {0})
    for number, region in regions.items():
        rows, columns = np.nonzero(seen == number)
        if not edge.any():
            assert region.box == (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
        if blank:
            assert (mask(region) == (seen == number))[~edge].all()


def test_flat_shapes_lie_on_every_plane_of_a_stack():
    (region,) = found(Shapes([SQUARE]), image(3, 4)).regions
    assert (region.index, region.box) == (None, (4, 5, 10, 12))


def test_a_shape_of_a_stack_lies_on_its_own_plane():
    deep = [[[z, *corner] for corner in SQUARE] for z in (0, 2, 3)]
    search = found(Shapes(deep, scale=(5, 1, 1)), image(3, scale=(5, 1, 1)))
    assert [(region.name, region.index) for region in search.regions] == [("1", (0,)), ("2", (2,))]
    assert search.left_out == ("1 shape lies outside the stack and is left out.",)


def test_a_shape_that_knows_z_but_not_t_lies_on_each_t():
    regions = found(Shapes([[[1, *corner] for corner in SQUARE]]), image(3, 2)).regions
    assert [region.index for region in regions] == [(0, 1), (1, 1), (2, 1)]


def test_axes_that_are_no_axes_of_rows_do_not_count():
    regions = found(Shapes([[[1, 2, *corner] for corner in SQUARE]]), image(3, 4), axes=(1,)).regions
    assert [region.index for region in regions] == [(2,)]


def test_shapes_of_a_stack_lie_on_a_flat_image_too():
    (region,) = found(Shapes([[[7, *corner] for corner in SQUARE]]), image()).regions
    assert region.index is None


def test_what_has_no_area_or_no_plane_of_its_own_is_left_out_in_words():
    shapes = Shapes(ndim=3)
    shapes.add_lines([[0, 1, 1], [0, 9, 9]])
    shapes.add_paths([[0, 1, 1], [0, 9, 9], [0, 9, 1]])
    shapes.add_polygons([[0, 1, 1], [1, 9, 9], [1, 9, 1]])
    shapes.add_polygons([[1, 1, 1], [1, 9, 9], [1, 9, 1]])
    search = found(shapes, image(2))
    assert [region.name for region in search.regions] == ["4"]
    assert search.left_out == (
        "2 lines or paths have no area and are left out.",
        "1 shape does not lie in one plane and is left out.",
    )


@pytest.mark.parametrize("column", ["name", "label"])
def test_a_column_of_features_names_the_shapes(column):
    names = ["left", "left", "", 3.0, float("nan")]
    shapes = Shapes([SQUARE] * 5, features={column: np.array(names, object)})
    assert [region.name for region in found(shapes, image()).regions] == ["left", "left (2)", "3", "3 (2)", "5"]


def test_only_what_fills_its_box_has_nothing_outside():
    assert found(Shapes([SQUARE], shape_type="rectangle"), image()).filled
    assert not found(Shapes([SQUARE], shape_type="ellipse"), image()).filled
    assert not found(Shapes([SQUARE], shape_type="rectangle", rotate=20), image()).filled


def test_labels_of_a_stack_are_regions_of_their_planes():
    numbers = np.zeros((3, *SIZE), int)
    numbers[0, 2:4, 3:9] = 5
    numbers[2, 1, 1] = 5
    numbers[2, 6, 6] = 900
    regions = found(Labels(numbers), image(3)).regions
    assert [(region.name, region.index) for region in regions] == [("5", (0,)), ("5", (2,)), ("900", (2,))]


def test_labels_of_another_scale_are_looked_up_on_each_plane():
    numbers = np.zeros((2, 12, 15), int)
    numbers[1, 3:5, 2:6] = 1
    regions = found(Labels(numbers, scale=(4, 2, 2), translate=(0, 0.5, 0.5)), image(5, scale=(1, 1, 1))).regions
    assert [(region.index, region.box) for region in regions] == [
        (index, (6, 4, 10, 12)) for index in [(2,), (3,), (4,)]
    ]


def test_the_first_level_of_multiscale_layers_counts():
    full = np.zeros(SIZE, int)
    full[4:8, 4:8] = 1
    below = Image([np.zeros(SIZE, np.uint8), np.zeros((12, 15), np.uint8)])
    (region,) = found(Labels([full, full[::2, ::2]]), below).regions
    assert region.box == (4, 4, 8, 8)


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
def test_layers_that_are_tilted_against_each_other_are_refused():
    tilted = np.eye(4)
    tilted[:3, :3] = [[0.8, 0, -0.6], [0, 1, 0], [0.6, 0, 0.8]]
    with pytest.raises(ImageError, match="out of their planes"):
        found(Labels(np.ones((3, *SIZE), int)), image(3, affine=tilted))
    with pytest.raises(ImageError, match="out of their planes"):
        found(Shapes([SQUARE]), image(3, affine=tilted))


def test_labels_with_more_axes_than_the_image_are_refused():
    with pytest.raises(ImageError, match="has 3 axes, the image 2"):
        found(Labels(np.ones((3, *SIZE), int), name="cells"), image())


def test_masks_that_do_not_fit_into_memory_are_refused(monkeypatch):
    monkeypatch.setenv("NAPARI_WEBIPRED_MEMORY_LIMIT", "0.001MB")
    labels = Labels(np.ones((3, *SIZE), int), scale=(1, 2, 2))
    with pytest.raises(ImageError, match="takes more than"):
        found(labels, image(3), blank=True)
    assert len(found(labels, image(3), blank=False).regions) == 3
