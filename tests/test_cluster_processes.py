"""A cluster of processes on this computer: what it listens on, and what becomes of rows when a worker is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cluster_work
import napari_webipred as wp
from napari_webipred import cli, engine
from napari_webipred.execution.cluster.connection import connected
from napari_webipred.execution.cluster.executor import Cluster
from napari_webipred.options import Options

distributed = pytest.importorskip("distributed")
psutil = pytest.importorskip("psutil")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nobody is killed in this way on Windows")
RANDOM = np.random.default_rng(6)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(60):
        Image.fromarray(RANDOM.integers(0, 256, (30, 40, 3), np.uint8)).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two workers, as the command line starts them."""
    monkeypatch.setattr("napari_webipred.execution.cluster.connection.available_cores", lambda: 2)
    with connected("local") as client:
        yield client


def listening() -> set[str]:
    """Addresses on which this process and all that it has started listen."""
    this = psutil.Process()
    found = set()
    for process in (this, *this.children(recursive=True)):
        ours = process.net_connections("inet") if hasattr(process, "net_connections") else process.connections("inet")
        found |= {each.laddr.ip for each in ours if each.status == psutil.CONN_LISTEN}
    return found


def test_a_cluster_on_this_computer_listens_there_only_and_takes_nobody_without_its_certificate(client: Any) -> None:
    before = listening() - {"127.0.0.1"}  # of other tests in this process
    client.wait_for_workers(2)
    assert listening() - before == {"127.0.0.1"}
    address = client.scheduler.address
    assert address.startswith("tls://127.0.0.1:")
    code = f"import distributed; distributed.Client({address.replace('tls', 'tcp')!r}, timeout=2)"
    assert subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL, timeout=60).returncode


def test_a_worker_that_is_killed_in_the_middle_costs_only_a_repeat(client: Any, pictures: Path) -> None:
    model = wp.open_model("demo")
    planes = RANDOM.integers(0, 256, (600, 20, 20), np.uint8)
    expected = [event.row for event in engine.classify(model, planes) if isinstance(event, engine.RowDone)]
    found = []
    for event in engine.classify(model, planes, executor=Cluster(client)):
        if isinstance(event, engine.RowDone):
            found.append(event.row)
            if len(found) in (20, 200):
                os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
    assert [row.position for row in found] == [row.position for row in expected]
    for row, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(row.probabilities, other.probabilities)


def test_what_kills_every_worker_fails_alone(client: Any) -> None:
    client.run_on_scheduler(allow_one)
    found = Cluster(client).each(
        wp.open_model("demo"), cluster_work.deadly, range(60), 60, Options(), list, lambda item: f"{item} is lost"
    )
    assert list(found) == [f"{item} is lost" if item == 13 else item for item in range(60)]


def allow_one(dask_scheduler: Any) -> None:
    dask_scheduler.allowed_failures = 1


def test_a_run_on_a_cluster_that_is_killed_goes_on_and_loses_nothing(tmp_path: Path) -> None:
    """Both the program and, when it goes on, a worker are killed; the file is that of an undisturbed run in threads."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(400):
        Image.fromarray(RANDOM.integers(0, 256, (200, 240, 3), np.uint8)).save(folder / f"{number:03}.png")
    (folder / "150.png").write_bytes(b"nonsense")
    there, arguments = tmp_path / "there.csv", ["classify", str(folder), "--model", "demo", "--output"]
    assert cli.main([*arguments, str(tmp_path / "here.csv")]) == 1
    with running(*arguments, str(there), "--resume", "--dask", "local") as program:
        wait_for_lines(there, 50, program)
        workers = program.children(recursive=True)
        program.kill()
        assert program.wait() == -signal.SIGKILL
        assert not psutil.wait_procs(workers, 60)[1]  # no worker stays
    with running(*arguments, str(there), "--resume", "--dask", "local") as program:
        wait_for_lines(there, 200, program)
        next(child for child in program.children() if "spawn_main" in " ".join(child.cmdline())).kill()
        assert program.wait() == 1
    assert there.read_bytes() == (tmp_path / "here.csv").read_bytes()


def test_ctrl_c_ends_a_run_on_this_computer_without_a_word_of_the_workers(pictures: Path, tmp_path: Path) -> None:
    table = tmp_path / "x.csv"
    arguments = ["classify", *[str(pictures)] * 200, "--model", "demo", "--output", str(table), "--dask", "local"]
    with running(*arguments, stderr=subprocess.PIPE, text=True, start_new_session=True) as program:
        wait_for_lines(table, 30, program)
        os.killpg(program.pid, signal.SIGINT)  # as a terminal does
        said = program.communicate(timeout=120)[1]
        assert program.returncode == 130
    assert "stopped by Ctrl-C" in said
    assert "Traceback" not in said


@contextmanager
def running(*arguments: str, **how: Any) -> Iterator[Any]:
    how = {"stderr": subprocess.DEVNULL} | how
    program = psutil.Popen([sys.executable, "-m", "napari_webipred.cli", *arguments], **how)
    try:
        yield program
    finally:
        if program.is_running():
            program.kill()
        program.wait()


def wait_for_lines(path: Path, count: int, program: Any) -> None:
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        with suppress(psutil.TimeoutExpired):
            pytest.fail(f"it ended too early: {program.wait(0.02)}")


def test_the_command_line_writes_the_same_file_with_and_without_a_cluster(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["classify", str(pictures), "--model", "demo", "--output"]
    assert cli.main([*arguments, str(tmp_path / "here.csv")]) == 0
    assert cli.main([*arguments, str(tmp_path / "there.csv"), "--dask", "local"]) == 0
    assert (tmp_path / "here.csv").read_bytes() == (tmp_path / "there.csv").read_bytes()
    here, there = (json.loads((tmp_path / f"{name}.csv.json").read_text()) for name in ("here", "there"))
    assert here["inputs"] == there["inputs"]
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".tmp"]
    del capsys
