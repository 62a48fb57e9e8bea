"""Images take little more memory than their pixels, and wait for one another when there is no more."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.large_files import FILES, GREEDY
from imaging.peak_memory import measured
from napari_webipred.errors import ImageError
from napari_webipred.imaging import blocks
from napari_webipred.imaging.memory import ImageMemory
from napari_webipred.imaging.planes import array_source
from napari_webipred.imaging.readers import memory_needed

SLACK = 12 * 2**20  # what libraries take at their first use

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from the files of Linux")


@on_linux
@pytest.mark.parametrize("name", FILES)
def test_reading_and_preparing_takes_half_as_much_again_as_the_image_at_most(name: str, tmp_path: Path) -> None:
    FILES[name](tmp_path / name)
    report = measured(tmp_path / name)
    assert report["image"] >= 9_000_000
    assert report["peak"] <= 1.5 * report["image"] + SLACK / 3
    assert report["peak"] <= report["expected"] + SLACK
    assert report["expected"] <= 1.5 * report["image"]


@on_linux
@pytest.mark.parametrize("name", GREEDY)
def test_what_greedy_decoders_take_is_known_before(name: str, tmp_path: Path) -> None:
    GREEDY[name](tmp_path / name)
    report = measured(tmp_path / name)
    assert report["peak"] <= report["expected"] + SLACK
    assert report["expected"] <= 2 * report["peak"]


def test_arrays_in_memory_need_none() -> None:
    assert memory_needed(array_source(np.zeros((2, 30, 40, 3)), "x"), (1,)) == 0


def test_a_plane_of_a_lazy_array_is_counted_with_its_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    dask = pytest.importorskip("dask.array")
    data = dask.zeros((5, 3, 30, 40), dtype=np.uint16, chunks=(1, 3, 10, 10))
    monkeypatch.setattr(blocks, "BLOCKS_AT_ONCE", 10**9)  # too large to be kept; those that are kept are counted there
    assert memory_needed(array_source(data, "x"), (1, 2)) == 2 * 30 * 40 * 2
    assert memory_needed(array_source(data, "x", axes=("t", "c")), (1,)) == 2 * 3 * 30 * 40 * 2


# Waiting


@settings(deadline=None, max_examples=25)
@given(sizes=st.lists(st.integers(0, 100), min_size=1, max_size=40), workers=st.integers(1, 8))
def test_the_sum_of_all_images_stays_within_the_budget(sizes: list[int], workers: int) -> None:
    memory, lock, in_use, most = ImageMemory(lambda: 100), threading.Lock(), 0, 0

    def work(size: int) -> int:
        nonlocal in_use, most
        with memory.reserved(size):
            with lock:
                in_use += size
                most = max(most, in_use)
            with lock:
                in_use -= size
        return size

    with ThreadPoolExecutor(workers) as pool:
        assert list(pool.map(work, sizes)) == sizes
    assert most <= 100


@pytest.fixture
def full() -> Iterator[tuple[ImageMemory, threading.Event]]:
    """A memory that is in use until the event is set."""
    memory, started, ends = ImageMemory(lambda: 100), threading.Event(), threading.Event()

    def work() -> None:
        with memory.reserved(70):
            started.set()
            ends.wait(60)

    thread = threading.Thread(target=work)
    thread.start()
    assert started.wait(60)
    yield memory, ends
    ends.set()
    thread.join()


def test_who_does_not_fit_waits_and_who_fits_does_not(full: tuple[ImageMemory, threading.Event]) -> None:
    memory, ends = full
    entered = threading.Event()

    def wait() -> None:
        with memory.reserved(40):
            entered.set()

    thread = threading.Thread(target=wait)
    thread.start()
    with memory.reserved(30):
        assert not entered.is_set()
    ends.set()
    thread.join(60)
    assert entered.is_set()


def test_memory_is_given_back_after_an_error() -> None:
    memory = ImageMemory(lambda: 100)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), memory.reserved(60):
            raise ZeroDivisionError
    with memory.reserved(100):
        pass


@pytest.mark.parametrize(
    ("size", "budget", "words"),
    [
        (
            1_100_000_000,
            500_000_000,
            "takes 1.1 GB of memory, more than the 500 MB .* NAPARI_WEBIPRED_MEMORY_LIMIT=2GB",
        ),
        (70_000_000, 20_000_000, "takes 70 MB of memory, more than the 20 MB .* NAPARI_WEBIPRED_MEMORY_LIMIT=70MB"),
    ],
)
def test_an_image_that_is_too_large_alone_is_refused_with_the_limit_and_how_to_raise_it(
    size: int, budget: int, words: str
) -> None:
    with pytest.raises(ImageError) as caught, ImageMemory(lambda: budget).reserved(size):
        pytest.fail("it was not refused")
    assert re.search(words, str(caught.value))
