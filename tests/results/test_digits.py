"""Numbers come back from every format of text as they were, whatever 32-bit floats they are."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_webipred.results.digits import decimals, digits
from napari_webipred.results.export import CsvWriter, Tabs
from napari_webipred.results.json_lines import JsonLinesWriter
from napari_webipred.results.row import Row

NAMES = [f"class {number}" for number in range(8)]
BITS = st.lists(st.integers(0, 2**32 - 1), min_size=8, max_size=8)
SPECIAL = [0, 1 << 31, 1, 0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0x3727C5AC, 0x5A0E1BCA]  # subnormal, huge, 1e-05, 1e+16
NOT_FINITE = [0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00001, 0x3F800000, 0, 0x7F800001, 1]


def floats(bits: list[int]) -> NDArray[np.float32]:
    return np.array(bits, np.uint32).view(np.float32)


def written(writer: type, values: NDArray[np.float32], **settings) -> str:
    stream = io.StringIO(newline="")
    writer(stream, NAMES, measures=["one", "two"], **settings).write(
        Row(0, "a, b.png", probabilities=values, prediction='"A"', measures=values[:2])
    )
    return stream.getvalue()


def assert_same(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> None:
    """NaN is NaN, whatever its other bits are."""
    plain = np.where(np.isnan(wanted), np.float32(np.nan), wanted)
    np.testing.assert_array_equal(found.view(np.uint32), plain.view(np.uint32))


@given(BITS)
@example(SPECIAL)
@example(NOT_FINITE)
@pytest.mark.parametrize("dialect", [csv.excel, Tabs])
def test_cells_give_the_same_bits_and_are_empty_where_there_is_no_number(dialect: type, bits: list[int]) -> None:
    values = floats(bits)
    _, line = csv.reader(io.StringIO(written(CsvWriter, values, dialect=dialect), newline=""), dialect)
    assert (line[0], line[9:11]) == ("a, b.png", ['"A"', ""])
    cells = [*line[1:9], *line[11:]]
    assert "nan" not in cells
    assert_same(np.array([cell or "nan" for cell in cells], np.float32), np.concatenate([values, values[:2]]))


@given(BITS)
@example(SPECIAL)
@example(NOT_FINITE)
def test_json_gives_the_same_bits_and_null_for_what_is_not_finite(bits: list[int]) -> None:
    values = floats(bits)
    wanted = np.where(np.isfinite(values), values, np.float32(np.nan))
    found = json.loads(written(JsonLinesWriter, values), parse_constant=pytest.fail)
    assert_same(np.array([found[name] for name in NAMES], np.float32), wanted)
    assert_same(np.array([found["one"], found["two"]], np.float32), wanted[:2])
    assert_same(np.array(decimals(values), np.float32), wanted)


@given(BITS)
def test_there_are_no_more_digits_than_numpy_needs(bits: list[int]) -> None:
    values = floats(bits)[np.isfinite(floats(bits))]
    texts = digits(values).split(",") if len(values) else []
    assert [float(text) for text in texts] == [float(str(value)) for value in values]


def test_numbers_that_do_not_lie_side_by_side_or_are_of_another_type_are_written_too() -> None:
    table = np.arange(6, dtype=np.float32).reshape(3, 2)
    assert digits(table[:, 1]) == "1.0,3.0,5.0"
    assert digits(np.array([0.1], ">f4")) == "0.1"
