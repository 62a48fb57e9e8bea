from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from napari_webipred.results.columns import columns


def test_columns_stand_in_the_promised_order():
    assert columns(("t", "z"), ("NORMAL", "PNEUMONIA")) == [
        "image",
        "t",
        "z",
        "NORMAL",
        "PNEUMONIA",
        "prediction",
        "error",
    ]


def test_a_class_called_like_another_column_gets_a_number():
    assert columns((), ("image", "error", "error")) == [
        "image",
        "image (2)",
        "error (2)",
        "error (3)",
        "prediction",
        "error",
    ]


@given(st.lists(st.sampled_from(["image", "error", "prediction", "a", "a (2)", "b"]), max_size=6))
def test_every_column_name_stands_once(classes):
    names = columns((), classes)
    assert len(set(names)) == len(names) == len(classes) + 3


def test_very_many_equal_names_are_told_apart() -> None:
    names = columns((), ["a"] * 100_000)  # counted from 1 for each, this would take hours
    assert names[1:4] == ["a", "a (2)", "a (3)"]
    assert len(set(names)) == len(names) == 100_003
