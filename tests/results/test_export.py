from __future__ import annotations

import csv
import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from napari_webipred.names import visible
from napari_webipred.results.export import CsvWriter
from napari_webipred.results.json_lines import JsonLinesWriter
from napari_webipred.results.row import Row


def written(rows, classes=("A", "B"), axes=()) -> str:
    stream = io.StringIO(newline="")
    writer = CsvWriter(stream, classes, axes)
    for row in rows:
        writer.write(row)
    return stream.getvalue()


def row(image="a.png", p=(0.25, 0.75), **fields) -> Row:
    return Row(0, image, probabilities=np.array(p, np.float32), prediction="B", **fields)


def test_the_file_has_the_promised_columns_and_line_ends():
    text = written([row(position={"z": 3})], axes=("z",))
    assert text == "image,z,A,B,prediction,error\r\na.png,3,0.25,0.75,B,\r\n"


def test_a_failed_image_has_empty_probabilities_and_its_error():
    text = written([Row(0, "a, b.png", error='Cannot read "it".')])
    assert text.splitlines()[1] == '"a, b.png",,,,"Cannot read ""it""."'


def test_an_image_without_an_axis_leaves_its_cell_empty():
    assert written([row()], axes=("t", "z")).splitlines()[1] == "a.png,,,0.25,0.75,B,"


def test_a_line_of_json_has_a_key_for_each_axis_of_its_image_and_null_for_what_a_failed_one_lacks():
    stream = io.StringIO()
    writer = JsonLinesWriter(stream, ("A", "B"), ("t", "z"))
    writer.write(row(position={"z": 3}))
    writer.write(Row(0, 'ü"\n', error="damaged"))
    assert stream.getvalue().splitlines() == [
        '{"image": "a.png", "z": 3, "A": 0.25, "B": 0.75, "prediction": "B", "error": ""}',
        r'{"image": "ü\"\\x0a", "A": null, "B": null, "prediction": "", "error": "damaged"}',
    ]


def test_a_text_that_a_spreadsheet_would_run_is_made_harmless():
    for text in ("=1+1", "+1", "-1", "@SUM(A1)"):
        cell = next(csv.reader(io.StringIO(written([row(text)]).split("\r\n", 1)[1], newline="")))[0]
        assert cell == "'" + text
    assert written([], classes=("=cmd()", "B")).startswith("image,'=cmd(),B")


@given(npst.arrays(np.float32, 3, elements=st.floats(0, 1, width=32)))
def test_probabilities_survive_the_file_bit_for_bit(p):
    cells = next(csv.reader([written([row(p=p)], classes="ABC").splitlines()[1]]))
    np.testing.assert_array_equal(np.array(cells[1:4], np.float32), p)


@given(st.text(), st.text(), st.text(min_size=1))
def test_any_text_is_written_in_one_line_of_utf8_and_comes_back_visible(image, error, name):
    text = written([Row(0, image, error=error)], classes=(name, "B"))
    assert text.encode().count(b"\n") == 2
    header, cells = csv.reader(io.StringIO(text, newline=""))
    assert header[1].removeprefix("'").startswith(visible(name).removeprefix("'"))
    assert cells[0].removeprefix("'") == visible(image).removeprefix("'")
    assert cells[-1].removeprefix("'") == visible(error).removeprefix("'")
