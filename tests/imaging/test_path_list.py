"""Lists of very many paths, and the order of names."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from napari_webipred.imaging.files import naturally_sorted
from napari_webipred.imaging.path_list import BLOCK, PathList
from napari_webipred.imaging.unopened import Sources

NAMES = st.lists(st.text(st.characters(exclude_characters="\0/"), max_size=8), max_size=40)


@pytest.mark.parametrize("count", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_a_list_gives_back_what_was_put_into_it(count: int) -> None:
    paths = [f"folder {number // 100}/caf\udce9 \u00e9{number}.png" for number in range(count)]
    found = PathList(paths)
    assert (len(found), list(found)) == (count, paths)
    for number in {0, 1, BLOCK - 1, BLOCK, count // 2, count - 1} & {*range(count)}:
        assert found[number] == found[number - count] == paths[number]
        assert list(found.after(number)) == paths[number:]
        assert found[number : number + 3] == paths[number : number + 3]
    for number in (count, -count - 1):
        with pytest.raises(IndexError):
            found[number]
    assert found == PathList(paths) == paths
    assert found != [*paths, "x"]


@pytest.mark.parametrize("path", ["a\0b.png", "a\0\1b", "\ud83d.png", "\ud83d\ude00.png", "caf\udce9.png", "\0", ""])
def test_a_path_that_no_system_takes_changes_no_other(path: str) -> None:
    paths = [*(f"{number}.png" for number in range(BLOCK - 2)), path, "next.png", "last.png"]
    found = PathList(paths)
    assert list(found) == paths
    assert [found[number] for number in range(len(found))] == paths


def test_images_whose_paths_no_system_takes_have_an_identity() -> None:
    one, other = Sources(["\ud83d.png"]), Sources(["\udcff.png"])
    assert one.identity["count"] == 1
    assert one.identity != other.identity


def test_a_million_paths_take_a_few_megabytes() -> None:
    paths = PathList(f"/data/study {number // 1000:04}/image_{number:07}.png" for number in range(20 * BLOCK))
    packed = sum(map(len, paths._packed))
    assert packed < 8 * len(paths)


@given(NAMES)
def test_names_are_in_the_order_of_their_letters_and_numbers(names: list[str]) -> None:
    def pieces(name: str) -> tuple[list[str | int], str]:
        parts = re.split(r"(\d+)", name.casefold())
        return [int(part) if i % 2 else part for i, part in enumerate(parts)], name

    assert naturally_sorted(names) == sorted(names, key=pieces)


@given(st.lists(st.text("a0129Bb", max_size=6), max_size=40))
@example(["10.png", "9.png", "009.png", "09.png"])
@example(["a010b.png", "A002b.png", "a002b.png", "a100B.png"])
def test_numbers_in_names_count_as_numbers(names: list[str]) -> None:
    test_names_are_in_the_order_of_their_letters_and_numbers.hypothesis.inner_test(names)
