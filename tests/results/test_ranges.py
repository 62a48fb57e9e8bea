from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from napari_webipred.results.ranges import Ranges, Varying, note, words
from napari_webipred.results.row import Row

RANGES = st.tuples(st.integers(0, 5), st.integers(6, 9)).map(lambda ends: (float(ends[0]), float(ends[1])))


def row(image: str, z: int | None, used: tuple[float, float] | None, source: int = 0) -> Row:
    return Row(source, image, {} if z is None else {"z": z}, intensity_range=used)


def varying_ranges(rows: Iterable[Row]) -> list[Varying]:
    ranges = Ranges()
    for each in rows:
        ranges.add(each)
    return ranges.varying()


@given(ranges=st.lists(RANGES, min_size=1, max_size=8))
def test_a_stack_varies_if_two_of_its_planes_have_different_ranges(ranges: list[tuple[float, float]]) -> None:
    found = varying_ranges(row("stack", z, used) for z, used in enumerate(ranges))
    assert bool(found) == (len(set(ranges)) > 1)
    if found:
        spread = found[0].spread
        assert spread.black == (min(low for low, _ in ranges), max(low for low, _ in ranges))
        assert spread.white == (min(high for _, high in ranges), max(high for _, high in ranges))


def test_images_that_are_not_stacks_are_not_compared() -> None:
    assert varying_ranges([row("a", None, (0, 1)), row("b", None, (0, 9), 1)]) == []


def test_stacks_are_not_compared_with_one_another_even_if_they_have_one_name() -> None:
    assert varying_ranges([row("a", 0, (0, 1)), row("a", 0, (0, 9), 1)]) == []


def test_failed_planes_do_not_count() -> None:
    assert varying_ranges([row("a", 0, (0, 1)), row("a", 1, None), row("a", 2, (0, 1))]) == []


def test_the_note_names_the_stack_and_the_ranges() -> None:
    rows = [row("a", 0, (90, 3020)), row("a", 1, (120, 3020)), row("b", 0, (0, 1), 1), row("b", 1, (0, 2), 1)]
    assert note(varying_ranges(rows)) == (
        "The intensity range differs from plane to plane in a (black 90 to 120, white 3020) and 1 more."
    )
    assert note([]) == ""
    assert words((103, 3020.25)) == "black 103, white 3020.25"
    assert words((0, 255)) == words(None) == ""
