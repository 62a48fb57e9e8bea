"""Where a map lies: one marked spot is found at its place, at every level, in every region."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_webipred.errors import ImageError, OptionError
from napari_webipred.imaging.outline import within, within_at
from napari_webipred.imaging.tiling import Tiling, steps_along
from napari_webipred.slides.picture import picture_of
from napari_webipred.slides.plan import Plan, plan_of
from napari_webipred.slides.request import Request
from pictures import levels_of, spotted, write_ome_zarr, write_tiff

MODEL_SIZE = (224, 224)


def planned(image: Any, **request: Any) -> Plan:
    return plan_of(picture_of(image)[0], Request(**request), MODEL_SIZE)


def seen_at(plan: Plan, levels: list[np.ndarray]) -> tuple[float, float]:
    """Where a map of the darkness of each tile has its centre of mass, in full-size pixels."""
    weights = np.zeros(plan.tiling.shape)
    for index in np.ndindex(*plan.tiling.shape):
        top, left, bottom, right = plan.tiling.box(index)  # type: ignore[arg-type]
        weights[index] = 240 - levels[plan.level][top:bottom, left:right].astype(float).mean()
    rows, columns = np.indices(weights.shape)
    cell = [(weights * where).sum() / weights.sum() for where in (rows, columns)]
    return tuple(place * scale + first for place, scale, first in zip(cell, plan.scale, plan.translate, strict=True))  # type: ignore[return-value]


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("shape", [(1024, 1024), (1019, 1021)])
@pytest.mark.parametrize("region", [None, (96, 160, 992, 1000)])
def test_a_spot_is_where_it_is_at_every_level(level: int, shape: tuple[int, int], region: Any) -> None:
    levels = levels_of(spotted(shape, at=(640, 352), radius=32), 4)
    for coarser in levels[1:]:  # the noise of the spot has no weight of its own
        coarser[coarser != 240] = 0
    levels[0][levels[0] != 240] = 0
    step = 32 // 2**level
    plan = planned(levels, tile=step, stride=step, level=level, region=region)
    assert plan.scale == (32, 32)
    assert seen_at(plan, levels) == pytest.approx((640 - 0.5, 352 - 0.5), abs=1.5)


def test_levels_of_which_rounding_hides_the_factor_have_it_all_the_same() -> None:
    shapes = [(1001, 777), (500, 388), (250, 194)]
    picture, _ = picture_of([np.zeros(shape, np.uint8) for shape in shapes])
    assert [level.factor for level in picture.levels] == [(1, 1), (2, 2), (4, 4)]
    picture, _ = picture_of([np.zeros(shape, np.uint8) for shape in [(1000, 900), (300, 270)]])
    assert picture.levels[1].factor == pytest.approx((10 / 3, 10 / 3))


def test_the_coarsest_level_is_read_in_which_a_tile_has_what_the_model_sees() -> None:
    levels = [np.broadcast_to(np.uint8(0), (8192 // 2**n, 8192 // 2**n)) for n in range(5)]
    assert planned(levels).level == 1  # 256 pixels
    assert planned(levels, tile=2048).level == 3
    assert planned(levels, tile=100).level == 0
    assert planned(levels, tile=512, level=2).tiling.size == (512, 512)
    assert planned(levels, tile=512).tiling.size == (256, 256)


@pytest.mark.parametrize("write", [write_ome_zarr, write_tiff])
def test_a_resolution_in_micrometres_chooses_the_level_that_is_no_coarser(tmp_path: Path, write: Any) -> None:
    suffix = ".zarr" if write is write_ome_zarr else ".tif"
    path = write(tmp_path / f"x{suffix}", levels_of(spotted((800, 800), at=(400, 400)), 3))  # 0.5, 1 and 2 µm
    asked = (0.25, 0.5, 1, 1.5, 2, 9)
    at = {microns: planned(path, tile=100, stride=50, microns_per_pixel=microns) for microns in asked}
    assert [plan.level for plan in at.values()] == [0, 0, 1, 1, 2, 2]
    assert [plan.tiling.size[0] for plan in at.values()] == [50, 100, 100, 150, 100, 200]  # 450 are more than there are
    for microns, plan in list(at.items())[:-1]:
        assert plan.scale == pytest.approx((50 * microns / 0.5,) * 2)


def test_a_picture_smaller_than_a_tile_is_one_tile() -> None:
    plan = planned(np.zeros((100, 60), np.uint8), tile=512, stride=256)
    assert plan.tiling.shape == (1, 1)
    assert plan.tiling.box((0, 0)) == (0, 0, 100, 60)


def test_a_polygon_counts_the_tiles_whose_centre_lies_inside() -> None:
    triangle = [(0, 0), (0, 1000), (1000, 0)]
    plan = planned(np.zeros((1000, 1000), np.uint8), tile=100, stride=100, level=0, region=triangle)
    rows, columns = np.indices((10, 10))
    np.testing.assert_array_equal(plan.chosen, rows + columns <= 9)
    both = planned(
        np.zeros((1000, 1000), np.uint8), tile=100, stride=100, level=0, region=[triangle, (900, 900, 1000, 1000)]
    )
    assert both.chosen.sum() == plan.chosen.sum() + 1
    assert both.chosen[9, 9]


def test_a_region_that_holds_no_centre_has_the_nearest_tile() -> None:
    regions = {"a": (0, 0, 1000, 1000), "b": [(10, 10), (10, 14), (14, 10)]}
    plan = planned(np.zeros((1000, 1000), np.uint8), tile=100, stride=100, level=0, region={"b": regions["b"]})
    assert plan.tiling.shape == (1, 1)
    assert plan.chosen.all()
    far = [(500, 500), (500, 504), (504, 500)]
    plan = planned(np.zeros((1000, 1000), np.uint8), tile=100, stride=100, level=0, region=[regions["b"], far])
    assert plan.chosen.sum() == 2


@given(st.integers(0, 50), st.integers(1, 400), st.integers(1, 120), st.integers(1, 120))
def test_tiles_lie_in_the_part_and_reach_its_end(begin: int, length: int, size: int, step: int) -> None:
    steps = steps_along(begin, begin + length, size, step)
    starts = steps.starts().tolist()
    assert starts == [steps.start(i) for i in range(steps.count)]
    assert starts[0] == begin
    assert starts[-1] + steps.size == begin + length
    assert len(set(starts)) == len(starts)
    covered = np.zeros((steps.cells, steps.count), bool)
    for tile in range(steps.count):
        covered[list(steps.cells_of(tile)), tile] = True
    shares = steps.shares(range(steps.cells), range(steps.count))
    np.testing.assert_array_equal(shares > 0, covered)
    for tile in range(steps.count):
        cells = steps.cells_of(tile)
        needed = np.flatnonzero(covered[cells.start : cells.stop].any(axis=0))
        assert set(needed) <= set(steps.covering(cells))
    np.testing.assert_array_equal(shares.sum(axis=0), steps.size)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 15))
def test_every_tile_comes_once_whatever_the_strips_are(rows: int, columns: int, width: int) -> None:
    tiling = Tiling(steps_along(0, rows * 10, 10, 10), steps_along(0, columns * 10, 10, 10))
    order = list(tiling.order(width))
    assert sorted(order) == list(np.ndindex(rows, columns))
    assert all(column // width == order[0][1] // width for row, column in order[: rows * min(width, columns)])


@given(st.lists(st.tuples(st.integers(-5, 25), st.integers(-5, 25)), min_size=3, max_size=8))
def test_points_of_a_grid_lie_inside_a_polygon_as_pixels_do(corners: list[tuple[int, int]]) -> None:
    outline = np.array(corners, float)
    pixels = within(outline, (0, 0, 20, 20))
    np.testing.assert_array_equal(within_at(outline, np.arange(0, 20, 3.0), np.arange(0, 20, 2.0)), pixels[::3, ::2])


def test_one_plane_of_a_stack_is_chosen() -> None:
    stack = np.zeros((4, 2, 100, 100), np.uint8)
    assert picture_of(stack, place={"axis_0": 3, "axis_1": 1})[1] == (3, 1)
    assert picture_of(stack, place=(3, 1))[1] == (3, 1)
    assert picture_of(stack, place=(-1, -1))[1] == (3, 1)  # from the end, as everywhere
    assert picture_of(stack[:1, :1])[1] == (0, 0)
    assert picture_of(stack[:, :1], place={"axis_0": 2})[1] == (2, 0)
    for place in (None, 2, (4, 0), {"axis_0": 1}, {"z": 1}):
        with pytest.raises(OptionError):
            picture_of(stack, place=place)


def test_levels_with_other_planes_are_refused() -> None:
    with pytest.raises(ImageError, match="different planes"):
        picture_of([np.zeros((4, 100, 100)), np.zeros((2, 50, 50))])
