"""Runs that go on, in every format of a table; and one that is killed at random moments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import test_resume
from test_resume import cohort as cohort
from test_resume import here as here

ROOT = Path(__file__).parents[1]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="a matter of POSIX")


@POSIX
@pytest.mark.parametrize("suffix", ["tsv", "jsonl", "parquet"])
def test_a_run_that_is_killed_gives_the_file_of_an_undisturbed_one(here: Path, suffix: str) -> None:
    test_resume.test_a_run_that_is_killed_again_and_again_gives_the_file_of_an_undisturbed_one(here, suffix)


@POSIX
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_full_disk_ends_a_run_that_goes_on(here: Path, suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    test_resume.test_a_full_disk_ends_a_run_that_goes_on_when_there_is_space(here, suffix, capsys)


@pytest.mark.parametrize(
    ("suffix", "ended"),
    [("csv", "at its end"), ("jsonl", "at its end"), ("parquet", "early"), ("parquet", "at its end")],
)
def test_images_that_failed_are_tried_again(
    here: Path, cohort: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, ended: str
) -> None:
    test_resume.test_images_that_failed_are_tried_again(here, cohort, monkeypatch, suffix, ended)


@POSIX
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_kills_at_random_moments_leave_nothing_wrong(suffix: str) -> None:
    program = [sys.executable, str(ROOT / "tools" / "kill_cohort.py"), "--files", "300", "--kills", "5"]
    done = subprocess.run([*program, "--suffix", suffix], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tables equal, records equal" in done.stdout
