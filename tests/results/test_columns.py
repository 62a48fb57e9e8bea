from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_webipred.names import harmless
from napari_webipred.results.columns import class_places, columns


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


@given(st.lists(st.sampled_from(["image", "z", "prediction", "a", "a (2)", "=b", "1"]), min_size=1, max_size=6))
def test_the_classes_are_found_in_every_table_that_was_named_so(classes: list[str]) -> None:
    names = columns(("z",), classes)
    expected = range(2, 2 + len(classes))
    assert class_places(names, classes) == class_places(list(map(harmless, names)), classes) == expected


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["image", "x", "x_round", "prediction", "error"], ["x"]),
        (["image", "0", "1", "0_round", "1_round", "prediction", "error"], ["0", "1"]),
        (["image", "Normal", "Pneumonia (bacterial)", "prediction", "error"], ["Pneumonia"]),
        (["image", "x", "x (2) old", "prediction", "error"], ["x"]),
        (["image", "x"], ["x"]),
    ],
)
def test_columns_of_others_are_not_taken_for_those_of_the_classes(names: list[str], classes: list[str]) -> None:
    assert not class_places(names, classes)
