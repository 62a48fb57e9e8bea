"""How leading axes are understood; plain data, without a window."""

from __future__ import annotations

import pytest

pytest.importorskip("napari")

from hypothesis import given
from hypothesis import strategies as st

from napari_webipred._napari.images.understanding import (
    AxisChoice,
    Understanding,
    default_channels,
    in_words,
    reasons,
    taken,
    understood,
    uses,
)
from napari_webipred.imaging.selection import COLOURS, MOST_CHANNELS


def chosen(*choices: AxisChoice) -> Understanding:
    return Understanding(choices)


@pytest.mark.parametrize(
    ("names", "lengths", "choices", "planes", "words"),
    [
        ("z", (60,), (), "all", ["60 planes along z"]),
        ("z", (60,), (), slice(0, 60, 5), ["60 planes along z", "every 5th: 12"]),
        ("z", (60,), (), slice(10, 20), ["60 planes along z", "10 to 19: 10"]),
        ("z", (60,), (), slice(1, 40, 2), ["60 planes along z", "1 to 39, every 2nd: 20"]),
        ("z", (60,), (), "current", ["60 planes along z", "current plane"]),
        ("z", (20,), (), slice(30, 40), ["20 planes along z", "none in the range"]),
        ("zt", (5, 9), (), slice(0, 2), ["5 × 9 planes along z, t", "z 0 to 1: 2"]),
        ("pq", (5, 9), (), slice(0, 2), ["5 × 9 planes along p, q", "q 0 to 1: 2"]),
        ("cz", (3, 9), (), "all", ["9 planes along z", "3 channels as RGB"]),
        ("cz", (4, 9), (AxisChoice(use="merge"), AxisChoice(use="max")), "all",
         ["4 channels in colours", "maximum of 9 planes along z"]),
        ("cz", (4, 9), (AxisChoice(use="merge", channels=((2, "red"),)), AxisChoice(use="mean", start=2, stop=5)),
         "all", ["1 of 4 channels in colours", "mean of 9 planes along z, 2 to 4: 3"]),
        ("cz", (4, 9), (AxisChoice(use="range", start=2, stop=3), AxisChoice()), "all",
         ["4 × 9 planes along c, z", "c only 2"]),
        ("z", (60,), (AxisChoice(use="all"),), "current", ["60 planes along z"]),
        ("z", (60,), (AxisChoice(use="current"),), "all", ["60 planes along z", "current plane"]),
        ("z", (13,), (AxisChoice(use="range", step=13),), "all", ["13 planes along z", "only 0"]),
        ("z", (60,), (AxisChoice(use="range", step=11),), "all", ["60 planes along z", "every 11th: 6"]),
    ],
)  # fmt: skip
def test_axes_are_described_in_words(names, lengths, choices, planes, words):
    assert in_words(understood(names, lengths, chosen(*choices)), planes) == words


def test_three_channels_are_taken_as_rgb_and_the_reason_is_given():
    assert reasons(understood("cz", (3, 9))) == ["Taken as RGB because the axis is called c and has 3 channels."]
    assert reasons(understood("cz", (3, 9), chosen(AxisChoice(use="rgb"), AxisChoice()))) == []


def test_a_name_that_the_user_gives_makes_channels_of_an_axis():
    (axis,) = understood("q", (3,), chosen(AxisChoice(name="c")))
    assert (axis.name, axis.use, axis.by_itself) == ("c", "rgb", True)


@pytest.mark.parametrize(
    ("use", "length", "becomes"),
    [("rgb", 3, "rgb"), ("rgb", 4, "stack"), ("merge", MOST_CHANNELS, "merge"), ("merge", MOST_CHANNELS + 1, "stack")],
)
def test_a_choice_that_has_become_impossible_does_not_count(use, length, becomes):
    assert understood("z", (length,), chosen(AxisChoice(use=use)))[0].use == becomes


def test_choices_for_another_number_of_axes_do_not_count():
    assert [axis.use for axis in understood("tz", (5, 6), chosen(AxisChoice(use="max")))] == ["stack", "stack"]


def test_places_and_channels_beyond_the_end_are_left_out_when_a_stack_gets_shorter():
    axes = understood("z", (10,), chosen(AxisChoice(use="range", start=5, stop=60)))
    assert axes[0].places == range(5, 10)
    assert understood("z", (4,), chosen(AxisChoice(use="range", start=5)))[0].places == range(4)
    merged = understood("c", (2,), chosen(AxisChoice(use="merge", channels=((0, "red"), (5, "blue")))))
    assert merged[0].channels == ((0, "red"),)


def test_only_one_axis_becomes_colours():
    both = chosen(AxisChoice(use="merge"), AxisChoice(use="rgb"))
    assert [axis.use for axis in understood("ab", (3, 3), both)] == ["merge", "stack"]
    assert [axis.use for axis in understood("cb", (3, 3), chosen(AxisChoice(), AxisChoice(use="rgb")))] == [
        "stack",
        "rgb",
    ]


def test_equal_names_do_not_count():
    twice = chosen(AxisChoice(name="z"), AxisChoice())
    assert [axis.name for axis in understood("tz", (5, 6), twice)] == ["t", "z"]


def test_default_colours_differ_and_are_known():
    for length in range(1, MOST_CHANNELS + 1):
        channels = default_channels(length)
        assert [number for number, _ in channels] == list(range(length))
        assert {colour for _, colour in channels} <= set(COLOURS)
    assert len({colour for _, colour in default_channels(7)}) == 7


CHOICE = st.builds(
    AxisChoice,
    st.sampled_from(("", "c", "z")),
    st.sampled_from(("auto", *uses(3))),
    st.integers(0, 9),
    st.none() | st.integers(0, 9),
    st.integers(1, 9),
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(sorted(COLOURS))), max_size=3).map(tuple),
)
PLANES = st.sampled_from(("all", "current")) | st.builds(
    slice, st.none() | st.integers(-9, 9), st.none() | st.integers(-9, 9), st.integers(1, 9)
)


@given(st.lists(st.integers(1, 20), max_size=4), st.lists(CHOICE, max_size=4), PLANES, st.data())
def test_whatever_is_chosen_the_places_lie_within_the_axes(lengths, choices, planes, data):
    axes = understood("tzcq"[: len(lengths)], lengths, Understanding(tuple(choices)))
    current = [data.draw(st.integers(0, length - 1)) for length in lengths]
    places = taken(axes, planes, current)
    assert list(places) == [axis.name for axis in axes if axis.in_rows]
    assert sum(axis.use in ("rgb", "merge") for axis in axes) <= 1
    assert len({axis.name for axis in axes}) == len(axes)
    for axis in axes:
        assert axis.places
        assert set(axis.places) <= set(range(axis.length))
        assert set(places.get(axis.name, ())) <= set(range(axis.length))
        assert all(number < axis.length for number, _ in axis.channels)
    in_words(axes, planes)
