"""The checksum of a line is that of its cells, however they are separated and quoted."""

from __future__ import annotations

import csv
import io
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_webipred.results.export import dialect_of, line
from napari_webipred.results.line import check_of

TABLES = [Path("out.csv"), Path("out.tsv")]
CELLS = st.lists(st.text(st.sampled_from("\",;\t 'a1ü")) | st.floats().map(str), min_size=1, max_size=9)


@pytest.mark.parametrize("path", TABLES, ids=str)
@given(CELLS, st.integers(0, 4))
def test_the_checksum_is_of_the_cells_without_those_of_axes(path: Path, cells: list[str], axes: int) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream, dialect_of(path)).writerow(cells)
    wanted = zlib.crc32("\0".join([*cells[:1], *cells[1 + axes :]]).encode())
    assert check_of(stream.getvalue().encode(), path, axes) == wanted


def test_journals_of_earlier_versions_stay_good() -> None:
    assert check_of(b'"a, b.png",3,0.25,1e-05,"tench, ""Tinca""",\r\n', Path("out.csv"), 1) == 3521597680
    assert check_of(b'{"image": "a.png", "A": 0.25}\n', Path("out.jsonl"), 0) == 3343699095


@pytest.mark.parametrize("path", TABLES, ids=str)
@given(st.lists(st.text(), min_size=2))
def test_lines_are_those_of_pythons_own_writer(path: Path, texts: list[str]) -> None:
    written = line(texts, dialect_of(path))
    (cells,) = csv.reader([written], dialect_of(path))
    stream = io.StringIO(newline="")
    csv.writer(stream, dialect_of(path)).writerow(cells)
    assert stream.getvalue() == written
