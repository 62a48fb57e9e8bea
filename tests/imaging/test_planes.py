from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_webipred.errors import ImageError, OptionError
from napari_webipred.imaging.planes import array_source
from napari_webipred.imaging.readers import read
from napari_webipred.imaging.selection import one_plane

STACK = np.arange(2 * 3 * 40 * 50, dtype=np.uint32).reshape(2, 3, 40, 50)
COLOURS = np.arange(5 * 40 * 50 * 3, dtype=np.uint32).reshape(5, 40, 50, 3)


class Lazy:
    """An array of which only planes may be computed."""

    def __init__(self, data: np.ndarray) -> None:
        self._data = data
        self.shape, self.dtype, self.ndim = data.shape, data.dtype, data.ndim
        self.asked: list[Any] = []

    def __getitem__(self, index: Any) -> np.ndarray:
        self.asked.append(index)
        return self._data[index]

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        pytest.fail("the whole array was computed")


def test_leading_axes_are_planes() -> None:
    source = array_source(STACK, "cells")
    assert (source.name, source.axes, source.shape, len(source)) == ("cells", ("axis_0", "axis_1"), (2, 3), 6)
    for index in source.indices():
        np.testing.assert_array_equal(read(source, index), STACK[index])


def test_nothing_but_the_plane_is_computed() -> None:
    lazy = Lazy(STACK)
    source = array_source(lazy, "lazy")
    assert lazy.asked == []
    np.testing.assert_array_equal(read(source, (1, 2)), STACK[1, 2])
    assert lazy.asked == [(1, 2)]


def test_a_plane_of_numpy_is_not_copied() -> None:
    assert np.shares_memory(read(array_source(STACK, "x"), (1, 0)), STACK)
    assert np.shares_memory(read(array_source(STACK[0, 0], "x"), ()), STACK)


@pytest.mark.parametrize(
    ("shape", "leading"),
    [
        ((31, 31, 3), ()),
        ((31, 31, 4), ()),
        ((5, 31, 40, 3), (5,)),
        ((30, 40, 3), ()),
        ((5, 6, 4), ()),
        ((40, 50, 5), (40,)),
        ((40, 50, 2), (40,)),
        ((40, 3), ()),
        ((3, 40, 50), (3,)),
    ],
)
def test_a_last_axis_of_3_or_4_is_taken_for_colours(shape: tuple[int, ...], leading: tuple[int, ...]) -> None:
    assert array_source(np.zeros(shape), "x").shape == leading


def test_rgb_can_be_told() -> None:
    tiny = np.zeros((6, 20, 20, 3))
    assert array_source(tiny, "x", rgb=False).shape == (6, 20)
    assert array_source(COLOURS, "x", rgb=False).shape == (5, 40)
    for data in (np.zeros((40, 3)), np.zeros((40, 50, 5))):
        with pytest.raises(OptionError, match="cannot be RGB"):
            array_source(data, "x", rgb=True)


def test_axes_can_be_named() -> None:
    assert array_source(STACK, "x", axes=["t", "z"]).axes == ("t", "z")
    for axes in (["t"], ["t", "t"], ["t", "z", "y"], ["t", ""]):
        with pytest.raises(OptionError, match="needs 2 different names"):
            array_source(STACK, "x", axes=axes)


def test_one_plane_can_be_chosen() -> None:
    source = one_plane(array_source(STACK, "x"), (1, 2))
    assert len(source) == 1
    assert list(source.indices()) == [(1, 2)]
    for only in ((1,), (2, 0), (0, -1), (0, 0, 0)):
        with pytest.raises(OptionError, match="has no plane"):
            one_plane(array_source(STACK, "x"), only)


@pytest.mark.parametrize("data", [np.zeros(5), np.float64(3), 7, [], [1, 2, 3]])
def test_what_has_no_height_and_width_is_refused(data: Any) -> None:
    with pytest.raises(ImageError, match="x "):
        array_source(data, "x")


def test_nested_lists_are_arrays() -> None:
    np.testing.assert_array_equal(read(array_source([[1, 2], [3, 4]], "x"), ()), [[1, 2], [3, 4]])


@pytest.mark.parametrize("wrap", [list, tuple])
def test_of_multiscale_images_the_full_size_counts(wrap: Any) -> None:
    levels = wrap([Lazy(STACK), Lazy(STACK[..., ::2, ::2])])
    source = array_source(levels, "x")
    assert source.shape == (2, 3)
    np.testing.assert_array_equal(read(source, (0, 1)), STACK[0, 1])
    assert array_source([STACK], "x").shape == (2, 3)


def test_multiscale_data_of_napari_is_known() -> None:
    multiscale = pytest.importorskip("napari.layers._multiscale_data")
    data = multiscale.MultiScaleData([COLOURS, COLOURS[:, ::2, ::2]])
    source = array_source(data, "x", rgb=True)
    assert source.shape == (5,)
    np.testing.assert_array_equal(read(source, (3,)), COLOURS[3])


def test_a_list_of_images_is_not_taken_for_levels() -> None:
    with pytest.raises(ImageError, match="list of 2 arrays that do not shrink"):
        array_source([STACK[0], STACK[1]], "x")


def test_dask_arrays_are_computed_plane_by_plane() -> None:
    dask = pytest.importorskip("dask.array")
    computed = []

    def count(block: np.ndarray) -> np.ndarray:
        computed.append(block.shape)
        return block

    data = dask.from_array(STACK, chunks=(1, 1, 40, 50)).map_blocks(count, dtype=STACK.dtype, meta=STACK[:0])
    plane = read(array_source(data, "x"), (1, 1))
    assert isinstance(plane, np.ndarray)
    np.testing.assert_array_equal(plane, STACK[1, 1])
    assert computed == [(1, 1, 40, 50)]
    np.testing.assert_array_equal(read(array_source(data[0, 0], "x"), ()), STACK[0, 0])


def test_zarr_arrays_are_read() -> None:
    zarr = pytest.importorskip("zarr")
    data = zarr.array(STACK)
    plane = read(array_source(data, "x"), (1, 1))
    assert isinstance(plane, np.ndarray)
    np.testing.assert_array_equal(plane, STACK[1, 1])
    np.testing.assert_array_equal(read(array_source(zarr.array(STACK[0, 0]), "x"), ()), STACK[0, 0])


@pytest.mark.parametrize("name", ["c", "Channel", "channels"])
def test_an_axis_of_three_channels_holds_the_colours(name: str) -> None:
    data = np.arange(2 * 3 * 40 * 50, dtype=np.uint16).reshape(2, 3, 40, 50)
    source = array_source(Lazy(data), "x", axes=("z", name))
    assert (source.axes, source.shape) == (("z",), (2,))
    np.testing.assert_array_equal(read(source, (1,)), np.moveaxis(data[1], 0, -1))
    source = one_plane(array_source(Lazy(data.swapaxes(0, 1)), "x", axes=(name, "z")), (1,))
    np.testing.assert_array_equal(read(source, (1,)), np.moveaxis(data[1], 0, -1))


@pytest.mark.parametrize(("length", "names"), [(2, ("z", "c")), (4, ("z", "c")), (3, ("z", "y"))])
def test_other_axes_are_planes(length: int, names: tuple[str, str]) -> None:
    assert array_source(np.zeros((2, length, 40, 50), np.uint8), "x", axes=names).axes == names


def test_xarray_brings_its_own_names() -> None:
    xarray = pytest.importorskip("xarray")
    source = array_source(xarray.DataArray(STACK, dims=("time", "plane", "y", "x")), "x")
    assert source.axes == ("time", "plane")
    plane = read(source, (1, 1))
    assert type(plane) is np.ndarray
    np.testing.assert_array_equal(plane, STACK[1, 1])
    assert array_source(xarray.DataArray(STACK), "x", axes=("t", "z")).axes == ("t", "z")
