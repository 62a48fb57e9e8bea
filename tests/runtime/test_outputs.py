"""Which of several outputs gives the classes, and what is no classification at all."""

from __future__ import annotations

from typing import Any

import pytest

from napari_webipred.errors import ModelError
from napari_webipred.runtime.ending import Ending
from napari_webipred.runtime.graph import Node
from napari_webipred.runtime.outputs import (
    ModelOutput,
    UndecidedOutputError,
    choose,
    described,
    outputs_in,
    properties_of,
)


def outputs(*given: tuple[str, tuple[int | None, ...] | None, Ending] | tuple[Any, ...]) -> list[ModelOutput]:
    return [ModelOutput(number, *each) for number, each in enumerate(given)]


LOGITS = ("logits", (3,), "linear")
FEATURES = ("features", (512,), "linear", False)
AGE = ("age", (1,), "linear")


def chosen(given: list[ModelOutput], wanted: str | None = None, classes: int = 0) -> str:
    return choose("m.h5", given, wanted, classes)[0].name


def reason(given: list[ModelOutput], classes: int = 0) -> str:
    return choose("m.h5", given, None, classes)[1]


def test_an_output_is_chosen_by_its_name_or_number():
    two = outputs(("kind", (3,), "softmax"), ("sex", (2,), "softmax"))
    for wanted in ("sex", "sex:0", "1"):
        assert chosen(two, wanted) == "sex"
    assert choose("m.h5", two, "sex")[1] == ""
    with pytest.raises(ModelError, match=r"no output 'age', but kind \(3 numbers, softmax\); sex"):
        choose("m.h5", two, "age")


def test_a_name_counts_before_a_number():
    named = described("m.h5", [("1", ("a", (3,))), ("0", ("b", (3,)))], [], {})
    assert [output.name for output in named] == ["0", "1"]  # names that are numbers are none
    assert choose("m.h5", named, "1")[0].number == 1


def test_the_only_list_of_numbers_gives_the_classes():
    given = outputs(("map", (7, 7, 512), "linear"), ("y", (1, 1, 3), "linear"))
    assert chosen(given) == "y"
    assert "only this one gives one list" in reason(given)


def test_the_number_of_class_names_decides_first():
    given = outputs(("kind", (3,), "softmax"), ("sex", (2,), "linear"))
    assert chosen(given, classes=2) == "sex"
    assert "as many numbers as there are names" in reason(given, 2)
    assert chosen(outputs(("a", (3,), "softmax"), ("b", (1,), "sigmoid")), classes=2) == "b"


def test_class_scores_go_before_values_and_features():
    given = outputs(FEATURES, AGE, ("sex", (2,), "softmax"))
    assert chosen(given) == "sex"
    assert reason(given) == "no other gives class scores"
    assert chosen(outputs(LOGITS, AGE)) == "logits"
    assert chosen(outputs(FEATURES, LOGITS)) == "logits"


def test_what_is_computed_on_the_way_to_a_value_is_not_the_value():
    assert chosen(outputs(FEATURES, AGE)) == "age"
    assert reason(outputs(FEATURES, AGE)) == "the others are computed on the way to it"


def test_the_logits_below_a_softmax_are_not_chosen():
    assert chosen(outputs((*LOGITS, False), ("probs", (3,), "softmax"))) == "probs"


@pytest.mark.parametrize(
    ("given", "classes"),
    [
        (outputs(("main", (3,), "softmax"), ("auxiliary", (3,), "softmax")), 0),
        (outputs(("main", (3,), "softmax"), ("auxiliary", (3,), "softmax")), 3),
        (outputs(("kind", (3,), "softmax"), ("sex", (2,), "softmax")), 4),
        (outputs(("kind", (3,), "softmax"), ("sex", (2,), "linear")), 4),
        (outputs(AGE, ("weight", (1,), "linear")), 0),
        # Logits, too, may be what counts, and not what a sigmoid says of the quality.
        (outputs(LOGITS, ("quality", (1,), "sigmoid")), 0),
        (outputs(("embedding", (128,), "linear"), ("probs", (5,), "softmax")), 0),
        # A diagnosis is no mere step on the way to whether it is malignant.
        (outputs(("diagnosis", (7,), "softmax", False), ("malignant", (1,), "sigmoid")), 0),
        # One that cannot be computed here might be the one.
        (outputs(LOGITS, ("strange", None)), 0),
    ],
)
def test_where_nothing_decides_the_user_is_asked(given, classes):
    with pytest.raises(UndecidedOutputError, match="not clear which one gives the classes") as raised:
        choose("m.h5", given, None, classes)
    assert [output.name for output in raised.value.outputs] == [output.name for output in given]
    assert raised.value.hint


def test_two_names_of_one_tensor_need_no_choice():
    same = [ModelOutput(i, name, (3,), "softmax", True, "t7") for i, name in enumerate(("probs", "output_0"))]
    assert chosen(same) == "probs"


def test_an_output_that_cannot_be_computed_is_left_to_the_compiler_which_says_why():
    assert chosen(outputs(("strange", None))) == "strange"
    assert chosen(outputs(("strange", None), ("stranger", None))) == "stranger"


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((240, 320, 3), "a map of 240 x 320 x 3 numbers per image"),
        ((1, 240, 320), "a map of 1 x 240 x 320 numbers"),
        ((None, None, 3), r"a map of \? x \? x 3 numbers"),
        ((16, 5), "gives 16 x 5 numbers per image"),
        ((None,), "no list of numbers"),
    ],
)
def test_more_than_one_list_of_numbers_is_refused_with_its_shape(shape, words):
    with pytest.raises(ModelError, match=f"{words}.*one label per image"):
        choose("m.h5", outputs(("y", shape, "softmax")))
    with pytest.raises(ModelError, match=f"{words}.*one label per image"):
        choose("m.h5", outputs(("y", shape, "softmax"), LOGITS), "y")


@pytest.mark.parametrize("shape", [(3,), (1, 1, 3), (3, 1, 1), (1, 3)])
def test_axes_of_one_do_not_matter(shape):
    assert choose("m.h5", outputs(("y", shape, "softmax")))[0].size == 3


def test_only_maps_are_no_classification():
    given = outputs(("a", (9, 9, 2), "softmax"), ("b", (5, 4), "linear"))
    with pytest.raises(ModelError, match=r"no output that lists classes: a \(9 x 9 x 2 numbers, softmax\); b \(5 x 4"):
        choose("m.h5", given)


def test_outputs_travel_with_the_graph_of_one_of_them():
    nodes = [Node("Gemm", ("x", "w"), "z", {}), Node("Softmax", ("z",), "s", {})]
    given = described("m.h5", [("logits", ("z", (3,))), ("map", ("x", (None, 4, 3))), ("odd", None)], nodes, {})
    assert [output.ending for output in given] == ["linear", "linear", "unknown"]
    assert [output.final for output in given] == [False, False, True]
    assert outputs_in(properties_of(given, given[2])) == (tuple(given), 2)
    assert properties_of(given[:1], given[0]) == {}
    assert outputs_in({}) == ((), 0)


def test_names_that_choose_nothing_are_numbers():
    names = ["a", "a", "line\nbreak", "x" * 81, "", "fine"]
    given = described("m.h5", [(name, ("t", (3,))) for name in names], [], {})
    assert [output.name for output in given] == ["0", "1", "2", "3", "4", "fine"]


def test_absurdly_many_outputs_are_refused():
    with pytest.raises(ModelError, match="1001 outputs"):
        described("m.h5", [(str(i), None) for i in range(1001)], [], {})
