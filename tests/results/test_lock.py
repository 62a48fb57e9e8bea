from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_webipred.results.lock import locked

HOLD = """
import sys
from pathlib import Path
from napari_webipred.results.lock import locked
with locked(Path(sys.argv[1])) as ours:
    print(ours, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / ".out.csv.lock"


def holder(lock: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    return process


def test_a_lock_is_refused_while_another_process_holds_it_and_free_after_its_end(lock: Path) -> None:
    with holder(lock) as process:
        with locked(lock) as ours:
            assert not ours
        assert lock.exists()
        process.communicate("\n")
    with locked(lock) as ours:
        assert ours


def test_the_lock_of_a_process_that_was_killed_stops_nobody(lock: Path) -> None:
    with holder(lock) as process:
        process.kill()
    assert lock.exists()
    with locked(lock) as ours:
        assert ours
    assert not lock.exists()


def test_a_lock_excludes_others_in_the_same_process_and_leaves_nothing(lock: Path) -> None:
    with locked(lock) as first, locked(lock) as second:
        assert (first, second) == (True, False)
    with locked(lock) as third:
        assert third
    assert not lock.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not remove a file that is open")
def test_a_lock_on_a_file_that_its_last_holder_has_removed_does_not_count(lock, monkeypatch) -> None:
    """Or two runs would hold it: one on the removed file, and one on the next of the same name."""
    import fcntl

    lock.touch()
    original, calls = fcntl.flock, []

    def last_holder_removes_it_first(descriptor: int, how: int) -> None:
        if not calls:
            lock.unlink()
        calls.append(descriptor)
        original(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", last_holder_removes_it_first)
    with locked(lock) as ours:
        assert ours
        assert len(calls) == 2
        with locked(lock) as another:
            assert not another


@pytest.mark.skipif(sys.platform == "win32", reason="fcntl is of POSIX")
@pytest.mark.parametrize(("number", "goes_on"), [(errno.ENOLCK, True), (errno.EIO, False)])
def test_a_file_system_without_locks_is_written_without(lock, monkeypatch, number, goes_on) -> None:
    def refuse(descriptor: int, how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    if goes_on:
        with locked(lock) as ours:
            assert ours
    else:
        with pytest.raises(OSError, match=os.strerror(number)), locked(lock):
            pass
