"""Runs that are ended from outside, each in a process of its own. They wait for one another by what they print."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hostile import models
from napari_webipred import cli
from napari_webipred.cli.commands import imported
from napari_webipred.cli.interruption import Interrupted, interruptible
from napari_webipred.samples import sample_images

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such signals")

# Whoever runs these tests may ignore signals, which is passed on.
LISTEN = """
import signal
for name in {"SIGTERM", "SIGHUP"} & set(dir(signal)):
    signal.signal(getattr(signal, name), signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
"""
# The program as it is, but after each row it says so and waits for a line.
PACED = """
import sys
from napari_webipred import cli, engine
original = engine.classify
def paced(*arguments):
    for event in original(*arguments):
        yield event
        if isinstance(event, engine.RowDone):
            print("row", file=sys.stderr, flush=True)
            sys.stdin.readline()
engine.classify = paced
raise SystemExit(cli.main(sys.argv[1:]))
"""


class Run:
    """A run over the sample images."""

    def __init__(self, *arguments: str, before: str = "") -> None:
        command = [
            sys.executable,
            "-c",
            LISTEN + before + PACED,
            "classify",
            *map(str, sample_images()),
            "-m",
            "demo",
        ]
        self.process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def rows(self, count: int) -> None:
        """Let it write some rows; it waits after the last of them."""
        assert self.process.stderr is not None
        assert self.process.stdin is not None
        for number in range(count):
            if number:
                self.process.stdin.write("\n")
                self.process.stdin.flush()
            while (line := self.process.stderr.readline()) != "row\n":
                assert line, "the run has ended"

    def end(self, number: int) -> tuple[int, str]:
        self.process.send_signal(number)
        _, said = self.process.communicate()
        return self.process.returncode, said


@contextmanager
def running(*arguments: str, before: str = "") -> Iterator[Run]:
    run = Run(*arguments, before=before)
    try:
        yield run
    finally:
        run.process.kill()
        run.process.communicate()


def names_in(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [Path(cells[0]).name for cells in csv.reader(stream)][1:]


FIRST_THREE = [path.name for path in sample_images()[:3]]


@POSIX
@pytest.mark.parametrize(("name", "said"), [("SIGTERM", "SIGTERM"), ("SIGHUP", "SIGHUP"), ("SIGINT", "Ctrl-C")])
def test_a_signal_that_ends_a_run_leaves_its_rows_and_a_record_that_says_so(tmp_path: Path, name, said) -> None:
    number = getattr(signal, name)
    with running("-o", str(tmp_path / "out.csv")) as run:
        run.rows(3)
        status, words = run.end(number)
    assert status == 128 + number
    assert f"stopped by {said}" in words
    assert "3 of 5 images are classified" in words
    assert "Traceback" not in words
    assert names_in(tmp_path / "out.csv") == FIRST_THREE
    record = json.loads((tmp_path / "out.csv.json").read_bytes())
    assert (record["complete"], record["stopped"]) == (False, f"stopped by {said}")
    assert record["planes"] == {"asked": 5, "done": 3, "failed": 0}
    assert {path.name for path in tmp_path.glob("*out*")} | {path.name for path in tmp_path.glob(".*")} == {
        *("out.csv", "out.csv.json", "out.csv.inputs.jsonl")
    }


@POSIX
def test_a_run_that_is_killed_has_written_its_rows_and_a_record_that_it_is_not_complete(tmp_path: Path) -> None:
    with running("-o", str(tmp_path / "out.csv")) as run:
        run.rows(3)
        run.end(signal.SIGKILL)
    assert names_in(tmp_path / "out.csv") == FIRST_THREE
    record = json.loads((tmp_path / "out.csv.json").read_bytes())
    assert not record["complete"]
    assert "still running, or ended" in record["stopped"]
    # What it has left stops no other run, which takes it away.
    assert {path.name for path in tmp_path.glob(".*")} == {".out.csv.napari-webipred.lock"}
    with running("-o", str(tmp_path / "out.csv")) as run:
        run.rows(1)
        run.end(signal.SIGTERM)
    assert names_in(tmp_path / "out.csv") == FIRST_THREE[:1]
    assert not list(tmp_path.glob(".*"))


@POSIX
def test_rows_on_standard_output_are_there_when_a_run_is_killed(tmp_path: Path) -> None:
    with running() as run:
        run.rows(3)
        run.process.kill()
        written, _ = run.process.communicate()
    assert [Path(cells[0]).name for cells in csv.reader(written.splitlines())][1:] == FIRST_THREE


@POSIX
def test_a_signal_that_was_ignored_stays_ignored(tmp_path: Path) -> None:
    """Under nohup a run goes on when its terminal is closed."""
    ignore = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    with running("-o", str(tmp_path / "out.csv"), before=ignore) as run:
        run.rows(2)
        run.process.send_signal(signal.SIGHUP)
        run.process.communicate("\n" * 5)
        assert run.process.returncode == 0
    assert len(names_in(tmp_path / "out.csv")) == 5


@POSIX
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_waits_until_a_library_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Libraries make an ImportError of what is raised in the middle, and that would end the program as an error."""
    number = getattr(signal, name)
    lines = ["import signal", f"signal.raise_signal({int(number)})", "whole = True"]
    (tmp_path / "library_with_a_signal.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Interrupted) as caught, interruptible():
        imported("library_with_a_signal")
    assert caught.value.number == number
    assert sys.modules.pop("library_with_a_signal").whole


@POSIX
def test_a_second_signal_does_not_end_what_the_first_has_begun(tmp_path: Path) -> None:
    """A terminal that is closed sends several; the record is written nevertheless."""
    again = """
import os, signal
from napari_webipred.results.record import Record
write = Record.write
def hit(*arguments):
    os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGTERM)
    return write(*arguments)
Record.write = hit
"""
    with running("-o", str(tmp_path / "out.csv"), before=again) as run:
        run.rows(2)
        status, _ = run.end(signal.SIGTERM)
    assert status == 128 + signal.SIGTERM
    assert json.loads((tmp_path / "out.csv.json").read_bytes())["stopped"] == "stopped by SIGTERM"


@POSIX
def test_a_signal_in_the_middle_of_a_row_waits_for_its_end(tmp_path: Path) -> None:
    hit = """
import os, signal
write, written = os.write, []
def hit(descriptor, content):
    written.append(content)
    if len(written) == 7:  # the journal, the first row, the record; then a line of journal and table for each row
        os.kill(os.getpid(), signal.SIGTERM)
    return write(descriptor, content)
os.write = hit
"""
    with running("-o", str(tmp_path / "out.csv"), before=hit) as run:
        run.rows(2)
        run.process.communicate("\n")
        assert run.process.returncode == 128 + signal.SIGTERM
    assert names_in(tmp_path / "out.csv") == FIRST_THREE
    assert json.loads((tmp_path / "out.csv.json").read_bytes())["planes"]["done"] == 3


def test_a_second_run_with_the_same_output_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    out = str(tmp_path / "out.csv")
    with running("-o", out) as first:
        first.rows(1)
        with running("-o", out) as second:
            _, said = second.process.communicate()
            assert second.process.returncode == 2
        assert "is being written by another run of napari-webipred" in said
        first.process.communicate("\n" * 5)
        assert first.process.returncode == 0
    assert len(names_in(tmp_path / "out.csv")) == 5


@POSIX
def test_a_closed_terminal_does_not_keep_a_run_from_its_end(tmp_path: Path) -> None:
    """Nobody reads what it says any more; the table is complete nevertheless."""
    command = [sys.executable, "-m", "napari_webipred.cli", "classify", *map(str, sample_images()), "missing.png"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*command, "-m", "demo", "-o", "out.csv"], stderr=writer, cwd=tmp_path, check=False)
    os.close(writer)
    assert done.returncode == 1
    assert len(names_in(tmp_path / "out.csv")) == 6
    assert json.loads((tmp_path / "out.csv.json").read_bytes())["complete"]


# The program as it is, but it says when the network begins to compute.
SAYING = """
import sys
from napari_webipred import cli
from napari_webipred.runtime.session import Session
run = Session._run
def said(*arguments):
    print("computing", file=sys.stderr, flush=True)
    return run(*arguments)
Session._run = said
raise SystemExit(cli.main(sys.argv[1:]))
"""


@POSIX
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_a_prediction_that_would_take_hours(tmp_path: Path, name: str) -> None:
    (tmp_path / "endless.onnx").write_bytes(models.products(2000, 5000))
    command = ["classify", str(sample_images()[0]), "-m", str(tmp_path / "endless.onnx"), "--allow-slow"]
    command += ["--standardize", "none", "--activation", "none", "-o", str(tmp_path / "out.csv")]
    with subprocess.Popen(
        [sys.executable, "-c", LISTEN + SAYING, *command], stderr=subprocess.PIPE, encoding="utf-8"
    ) as child:
        try:
            assert child.stderr is not None
            while (line := child.stderr.readline()) != "computing\n":
                assert line, "the run has ended"
            number = getattr(signal, name)
            child.send_signal(number)
            said = child.stderr.read()
            assert child.wait() == 128 + number
            assert "Traceback" not in said
        finally:
            child.kill()


def test_a_slow_model_is_refused_unless_the_user_allows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "endless.onnx").write_bytes(models.products(2000, 5000))
    assert cli.main(["classify", str(sample_images()[0]), "-m", str(tmp_path / "endless.onnx")]) == 2
    assert "--allow-slow" in capsys.readouterr().err
    assert cli.main(["fetch", str(tmp_path / "endless.onnx")]) == 0
