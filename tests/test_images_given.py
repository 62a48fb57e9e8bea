"""Whatever is given as an image: each is classified or fails with a clear message, and costs no other its result."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

import napari_webipred as wp
from napari_webipred.engine import find_sources
from napari_webipred.errors import OptionError
from napari_webipred.imaging.readers import read

GOOD = np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)
GREY = GOOD[..., 0].astype(np.float32)


@pytest.fixture(scope="module")
def model() -> wp.Model:
    return wp.open_model("demo")


def error_of(image: Any, model: wp.Model) -> str:
    """Classify an image between two good ones, which must not notice; return the error of its only row."""
    table = wp.classify([GOOD, image, GOOD], model)
    assert list(table["error"].iloc[[0, -1]]) == ["", ""]
    assert table["prediction"].iloc[0] == table["prediction"].iloc[-1] != ""
    assert len(table) == 3
    assert np.isnan(table["sharp"].iloc[1]) == bool(table["error"].iloc[1])
    return str(table["error"].iloc[1])


class Raising:
    """An array that cannot be computed."""

    shape, dtype, ndim = (40, 50), np.dtype(np.uint8), 2

    def __getitem__(self, index: Any) -> Any:
        raise ConnectionError("the server is gone")

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise ConnectionError("the server is gone")


class Lying(Raising):
    """An array of another shape than it says."""

    shape, ndim = (40, 50), 2

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        return np.zeros(7, np.uint8)


class Rude:
    """Something whose very shape raises."""

    @property
    def shape(self) -> tuple[int, ...]:
        raise RuntimeError("no shape today")


structured = np.zeros((40, 50), [("r", "u1"), ("g", "u1")])
NO_IMAGES: dict[str, tuple[Any, str]] = {
    "object": (np.full((40, 50), None), "has the type object, which has no intensity"),
    "structured": (structured, "has no intensity"),
    "string": (np.full((40, 50), "x"), "has the type <U1, which has no intensity"),
    "bytes in an array": (np.full((40, 50), b"x"), "has no intensity"),
    "datetime": (np.zeros((40, 50), "M8[s]"), "has the type datetime64.*, which has no intensity"),
    "timedelta": (np.zeros((40, 50), "m8[s]"), "has no intensity"),
    "complex": (np.zeros((40, 50), complex), "has the type complex128, which has no intensity"),
    "stack of complex planes": (np.zeros((3, 40, 50), complex), "has no intensity"),
    "no axes": (np.array(7.0), r"has the shape \(\), so it is not an image"),
    "one axis": (np.zeros(9), r"has the shape \(9,\), so it is not an image"),
    "no rows": (np.zeros((0, 50)), r"is empty: its shape is \(0, 50\)"),
    "no columns": (np.zeros((40, 0, 3)), "is empty"),
    "no planes": (np.zeros((0, 40, 50)), r"is empty: its shape is \(0, 40, 50\)"),
    "no planes in one axis": (np.zeros((2, 0, 40, 50), np.uint8), "is empty"),
    "raises when it is computed": (Raising(), r"cannot be read \(ConnectionError: the server is gone\)"),
    "other shape than it says": (Lying(), r"An array of shape \(7,\) is not an image"),
    "shape raises": (Rude(), r"array 1 cannot be used \(RuntimeError: no shape today\)"),
    "None": (None, "is not an image: its type is NoneType"),
    "number": (5, "is not an image: its type is int"),
    "dict": ({"a": GOOD}, "is not an image: its type is dict"),
    "set": ({1, 2}, "is not an image: its type is set"),
    "generator in a list": ((i for i in [GOOD]), "is not an image: its type is generator"),
    "content of a file": (b"\x89PNG\r\n", "is not an image: its type is bytes"),
    "open file": (io.BytesIO(b"\x89PNG\r\n"), "is not an image: its type is BytesIO"),
    "function": (len, "is not an image: its type is builtin_function_or_method"),
    "type": (np.ndarray, "has an unknown shape"),
    "lists of different lengths": ([[1, 2], [3]], r"array 1 cannot be used \(ValueError"),
    "list of images": ([GOOD, GOOD], "do not shrink like the levels"),
    "path of nothing": (Path("no such folder") / "x.png", r"There is no file x\.png"),
    "name that is too long": ("x" * 9000 + ".png", "cannot be read: its name is too long"),
    "NaN": (np.where(GREY > 200, np.nan, GREY), "values of the image are not numbers"),
    "infinite": (np.where(GREY > 200, -np.inf, GREY), "values of the image are infinite"),
    "masked": (np.ma.masked_greater(GREY, 200), r"has masked pixels, whose values are not known.*filled\(0\)"),
    "masked colours": (np.ma.masked_greater(GOOD, 200), "has masked pixels"),
}


IN_A_LIST_ONLY = {"dict", "set", "generator in a list", "lists of different lengths", "list of images", "shape raises"}


@pytest.mark.parametrize("name", NO_IMAGES)
def test_what_is_no_image_fails_with_a_clear_message_and_costs_no_other_its_result(name: str, model: wp.Model) -> None:
    image, words = NO_IMAGES[name]
    assert re.search(words, error_of(image, model))


@pytest.mark.parametrize("name", [name for name in NO_IMAGES if name not in IN_A_LIST_ONLY])
def test_alone_it_fails_the_same_way(name: str, model: wp.Model) -> None:
    image, words = NO_IMAGES[name]
    table = wp.classify(image, model)
    assert len(table) == 1
    assert re.search(words.replace("array 1", "array 0"), table["error"][0])


# Lazy arrays


def lazy(array: Any) -> Any:
    dask = pytest.importorskip("dask.array")
    return dask.from_array(array, chunks=20, asarray=False)


def test_a_dask_array_of_unknown_shape_fails(model: wp.Model) -> None:
    dask = pytest.importorskip("dask.array")
    some = dask.from_array(GREY)[dask.from_array(GREY[:, 0]) > 100]
    assert "has an unknown shape: (nan, 50)" in error_of(some, model)
    assert "compute_chunk_sizes()" in error_of(some, model)
    assert error_of(some.compute_chunk_sizes(), model) == ""


@pytest.mark.parametrize("name", ["object", "structured", "string", "datetime", "complex", "NaN", "infinite", "masked"])
def test_lazy_arrays_fail_as_others_do(name: str, model: wp.Model) -> None:
    image, words = NO_IMAGES[name]
    assert re.search(words, error_of(lazy(image), model))


def test_a_lazy_array_whose_computation_fails_fails_alone(model: wp.Model) -> None:
    dask = pytest.importorskip("dask.array")

    def fail(block: np.ndarray) -> np.ndarray:
        raise OSError("disk on fire")

    broken = dask.from_array(GREY).map_blocks(fail, dtype=np.float32, meta=GREY[:0])
    assert error_of(broken, model) == "The image cannot be read (OSError: disk on fire)."


def test_a_lazy_array_is_classified_as_it_would_be_when_computed(model: wp.Model) -> None:
    table = wp.classify([GOOD, lazy(GOOD)], model)
    np.testing.assert_array_equal(table[model.classes].iloc[0], table[model.classes].iloc[1])


# Planes


def test_what_is_no_number_in_one_plane_does_not_matter_in_others(model: wp.Model) -> None:
    stack = np.stack([GREY, GREY, GREY])
    stack[1, 3, 4] = np.nan
    for data in (stack, lazy(stack)):
        table = wp.classify(data, model)
        assert [bool(error) for error in table["error"]] == [False, True, False]
    masked = np.ma.array(np.stack([GREY, GREY]), mask=False)
    masked[0, 3, 4] = np.ma.masked
    for data in (masked, lazy(masked)):
        assert [bool(error) for error in wp.classify(data, model)["error"]] == [True, False]


# Masks


def test_an_array_in_which_nothing_is_masked_is_a_plain_one(model: wp.Model) -> None:
    plain = wp.classify([GOOD, np.ma.array(GOOD), np.ma.array(GOOD, mask=np.zeros_like(GOOD, bool))], model)
    assert list(plain["error"]) == [""] * 3
    assert (plain[model.classes] == plain[model.classes].iloc[0]).all(axis=None)


def test_a_filled_array_is_classified_and_a_mask_of_alpha_does_not_matter(model: wp.Model) -> None:
    assert error_of(np.ma.masked_greater(GREY, 200).filled(0), model) == ""
    rgba = np.ma.array(np.dstack([GOOD, GOOD[..., 0]]), mask=False)
    rgba[3, 4, 3] = np.ma.masked
    assert error_of(rgba, model) == ""


def test_a_mask_given_to_xarray_is_seen(model: wp.Model) -> None:
    xarray = pytest.importorskip("xarray")
    for masked in (np.ma.masked_greater(GREY, 200), np.ma.masked_greater(GREY.astype(np.uint8), 200)):
        for data in (masked, lazy(masked)):  # xarray fills them with NaN
            assert "not numbers (NaN)" in error_of(xarray.DataArray(data), model)


# What is an image all the same


@pytest.mark.parametrize(
    "image",
    [
        GREY[..., None],
        np.stack([GREY] * 3, axis=-1),
        GREY.tolist(),
        Image.fromarray(GREY),
    ],
    ids=["channel axis of 1", "three channels", "nested lists", "Pillow"],
)
def test_other_forms_of_an_image_give_the_same_numbers(image: Any, model: wp.Model) -> None:
    table = wp.classify([GREY, image], model)
    assert list(table["error"]) == ["", ""]
    np.testing.assert_array_equal(table[model.classes].iloc[0], table[model.classes].iloc[1])


def test_a_batch_as_keras_has_it_is_a_stack_of_grey_images() -> None:
    (source,), _ = find_sources(np.zeros((7, 40, 50, 1)))
    assert (source.shape, read(source, (3,)).shape) == ((7,), (40, 50, 1))


def test_pandas_and_xarray_are_understood(tmp_path: Path, model: wp.Model) -> None:
    pandas, xarray = pytest.importorskip("pandas"), pytest.importorskip("xarray")
    Image.fromarray(GOOD).save(tmp_path / "a.png")
    paths = [str(tmp_path / "a.png")] * 2
    expected = wp.classify(paths, model)
    for column in (pandas.Series(paths), pandas.Index(paths), np.array(paths), pandas.Series(map(Path, paths))):
        pandas.testing.assert_frame_equal(wp.classify(column, model), expected)
    table = wp.classify([GREY, pandas.DataFrame(GREY), xarray.DataArray(GREY)], model)
    assert (table[model.classes] == table[model.classes].iloc[0]).all(axis=None)
    assert "shape (3,)" in wp.classify(pandas.Series([1, 2, 3]), model)["error"][0]


def test_arrays_in_an_array_of_objects_are_images_of_their_own(model: wp.Model) -> None:
    several = np.empty(3, object)
    several[:] = [GOOD, None, GREY]
    assert [bool(error) for error in wp.classify(several, model)["error"]] == [False, True, False]


@pytest.mark.parametrize("wrap", [iter, tuple, lambda images: (image for image in images)])
def test_iterables_of_all_kinds_are_lists_of_images(wrap: Any, model: wp.Model) -> None:
    table = wp.classify(wrap([GOOD, None, GOOD]), model)
    assert [bool(error) for error in table["error"]] == [False, True, False]


@pytest.mark.parametrize("kind", ["dict", "xarray"])
def test_a_mapping_is_refused_because_its_keys_are_no_images(kind: str, model: wp.Model) -> None:
    images = {"a": GOOD} if kind == "dict" else pytest.importorskip("xarray").Dataset({"a": (("y", "x"), GREY)})
    with pytest.raises(OptionError, match=r"cannot be given as a .*\. Give a list of its values"):
        wp.classify(images, model)


def test_what_an_iterable_raises_is_raised(model: wp.Model) -> None:
    def images() -> Any:
        yield GOOD
        raise KeyError("patient 7")

    with pytest.raises(KeyError, match="patient 7"):
        wp.classify(images(), model)


# Images of Pillow


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"])
def test_an_image_of_pillow_is_classified_as_its_file(mode: str, tmp_path: Path, model: wp.Model) -> None:
    image = Image.fromarray(GOOD).convert("L" if mode in {"I;16", "F", "I"} else "RGB").convert(mode)
    path = tmp_path / ("x.tif" if mode in {"F", "I", "CMYK", "YCbCr"} else "x.png")
    if mode in {"PA", "HSV"}:
        expected = image.convert("RGBA" if mode == "PA" else "RGB")
        expected.save(path)
    else:
        image.save(path)
    with Image.open(path) as opened:
        table = wp.classify([path, opened, image], model)
    assert list(table["error"]) == [""] * 3
    assert list(table["image"])[1:] == ["array 1", "array 2"]
    assert (table[model.classes] == table[model.classes].iloc[0]).all(axis=None)


def test_orientation_counts_for_an_image_as_it_was_opened_only(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(GOOD).save(tmp_path / "x.png", exif=exif)
    with Image.open(tmp_path / "x.png") as image:
        as_opened, converted = image, image.convert("L")
        sources, _ = find_sources([as_opened, converted])
        assert read(sources[0], ()).shape == (50, 40, 3)
        assert read(sources[1], ()).shape == (40, 50)


def test_an_image_of_pillow_that_is_given_often_is_decoded_by_one_thread(tmp_path: Path, model: wp.Model) -> None:
    Image.fromarray(np.kron(GOOD, np.ones((20, 20, 1), np.uint8))).save(tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        table = wp.classify([image] * 12, model)
    assert set(table["error"]) == {""}
    assert (table[model.classes] == table[model.classes].iloc[0]).all(axis=None)


def test_a_broken_image_of_pillow_fails_alone(tmp_path: Path, model: wp.Model) -> None:
    Image.fromarray(GOOD).save(tmp_path / "x.png")
    content = (tmp_path / "x.png").read_bytes()
    with Image.open(io.BytesIO(content[: len(content) // 2])) as image:
        assert "cannot be read" in error_of(image, model)
    with Image.open(tmp_path / "x.png") as closed:
        pass
    assert error_of(closed, model)


# Anything at all

anything = st.one_of(
    arrays.arrays(
        st.one_of(
            arrays.scalar_dtypes(),
            arrays.byte_string_dtypes(max_len=4),
            arrays.unicode_string_dtypes(max_len=4),
            arrays.nested_dtypes(),
            st.just(np.dtype(object)),
        ),
        arrays.array_shapes(min_dims=0, max_dims=6, min_side=0, max_side=4),
    ),
    arrays.arrays(arrays.floating_dtypes(), (3, 4)).map(np.ma.masked_invalid),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
        max_leaves=9,
    ),
)


@pytest.mark.filterwarnings("ignore")  # of NumPy, about the strange values
@settings(deadline=None, max_examples=150)
@given(images=st.lists(anything, max_size=4))
def test_anything_gives_numbers_or_an_error_and_never_raises(images: list[Any], model: wp.Model) -> None:
    table = wp.classify([GOOD, *images, GOOD], model)
    assert list(table["error"].iloc[[0, -1]]) == ["", ""]
    failed = table["error"] != ""
    assert np.isfinite(table.loc[~failed, model.classes]).all(axis=None)
    assert table.loc[failed, model.classes].isna().all(axis=None)
    assert (table["prediction"] == "").eq(failed).all()
