"""Files are read before their turn, but never more of them than fit into a number of bytes."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_webipred import engine
from napari_webipred.execution import reading_ahead
from napari_webipred.execution.plane import Plane
from napari_webipred.execution.reading_ahead import ReadingAhead, read_and_drop
from napari_webipred.imaging.finding import FIRST
from napari_webipred.imaging.source import Source
from napari_webipred.imaging.unopened import UNOPENED
from test_engine import MeanModel

PATIENCE = 30  # seconds, after which something is wrong


def planes(folder: Path, sizes: list[int]) -> list[Plane]:
    found = []
    for number, size in enumerate(sizes):
        path = folder / str(number)
        path.write_bytes(b"x" * size)
        found.append(Plane(number, Source(path.name, UNOPENED, path), ()))
    return found


class Disk:
    """Notes what is read, and how much is in use then."""

    def __init__(self, most: int) -> None:
        self.ahead = ReadingAhead(most, self.read)
        self.names: list[str] = []
        self.most_in_use = 0
        self.changed = threading.Condition()

    def read(self, path: Path, size: int) -> None:
        with self.changed:
            self.names.append(path.name)
            self.most_in_use = max(self.most_in_use, self.ahead.in_use)
            self.changed.notify_all()

    def wait_for(self, *names: str) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: {*names} <= {*self.names}, PATIENCE), self.names


def test_the_next_files_are_read_while_one_is_classified_and_no_more_than_fit(tmp_path: Path) -> None:
    disk = Disk(100)
    following = disk.ahead.following(planes(tmp_path, [40] * 200))
    assert next(following).number == 0
    disk.wait_for("1", "2")
    for number in range(1, 150):
        assert next(following).number == number
        disk.wait_for(str(number + 1), str(number + 2))
    following.close()
    assert disk.most_in_use == 80
    assert not [each for each in threading.enumerate() if "reading" in each.name]


def test_a_file_that_is_larger_than_all_that_may_be_read_is_read_in_part(tmp_path: Path) -> None:
    disk = Disk(100)
    following = disk.ahead.following(planes(tmp_path, [10] * 70 + [500] + [10] * 70))
    for number in range(141):
        assert next(following).number == number
        if number == 69:
            disk.wait_for("70")
    assert list(following) == []
    assert disk.most_in_use <= 100


def test_pipes_missing_files_and_described_images_are_passed_over(tmp_path: Path) -> None:
    given = planes(tmp_path, [10] * 8)
    (tmp_path / "3").unlink()
    if hasattr(os, "mkfifo"):
        (tmp_path / "4").unlink()
        os.mkfifo(tmp_path / "4")
    given[5] = Plane(5, Source("5", "raster", tmp_path / "5"), ())
    disk = Disk(10**6)
    following = disk.ahead.following(given)
    assert next(following).number == 0
    disk.wait_for("1", "2", "6", "7")
    assert [plane.number for plane in following] == [*range(1, 8)]
    assert not {"3", "5"} & {*disk.names}


def test_only_so_many_bytes_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path := tmp_path / "x").write_bytes(b"x" * 5000)
    pieces: list[int] = []
    read = os.read
    monkeypatch.setattr(os, "read", lambda file, size: pieces.append(size) or read(file, size))
    monkeypatch.setattr(reading_ahead, "_PIECE", 1000)
    read_and_drop(path, 2500)
    assert pieces == [1000, 1000, 500]
    pieces.clear()
    read_and_drop(path, 10**6)
    assert pieces == [1000] * 6


def test_a_run_reads_its_files_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(FIRST + 30):
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(tmp_path / f"{number}.png")
    read: list[str] = []
    monkeypatch.setattr(reading_ahead, "read_and_drop", lambda path, size: read.append(path.name))
    events = engine.classify(MeanModel(), tmp_path)
    rows = [event.row for event in events if isinstance(event, engine.RowDone)]
    assert len(rows) == FIRST + 30
    assert {*read} <= {f"{number}.png" for number in range(FIRST, FIRST + 30)}
    assert len(read) == len({*read}) > 0
