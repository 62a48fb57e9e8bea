"""What a process costs, and comparisons of two of them in turns."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

# Nothing but the standard library here: on Linux a child's peak memory counts from that of its parent.

HERE = Path(__file__).resolve().parent
PATIENCE = 900


class NotMeasuredError(Exception):
    """A part of the benchmark cannot run here; the text says why."""


@dataclass(frozen=True)
class Cost:
    """What a process has cost: seconds until its first line with numbers and to its end, peak memory in MB."""

    first: float
    whole: float
    memory: float


@dataclass
class Line:
    """One line of the table.

    Attributes
    ----------
    goal, before : str
        As the goals were set, and what stood there then.
    values : list of float
        One of each round; ratios have no unit.
    """

    row: str
    task: str
    unit: str
    goal: str
    before: str
    values: list[float] = field(default_factory=list)
    reason: str = ""

    @property
    def result(self) -> str:
        """The median, and the range in brackets; or why there is none."""
        if not self.values:
            return f"not measured: {self.reason}"
        low, middle, high = (_written(value, self.unit) for value in (min(self.values), self.middle, max(self.values)))
        unit = f" {self.unit}" if self.unit != "x" else ""
        return f"{middle}{unit} ({low} to {high})"

    @property
    def middle(self) -> float:
        """The median."""
        return median(self.values)


def _written(value: float, unit: str) -> str:
    return f"{value:.2f}" if unit in {"x", "s"} else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def python(*command: str | Path) -> str:
    """Run a Python script or module to its end and return what it prints."""
    return output([sys.executable, *map(str, command)])


def output(command: Sequence[str]) -> str:
    """Run a program to its end and return what it prints.

    Raises
    ------
    NotMeasuredError
        It fails.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotMeasuredError(str(error)[:200]) from error
    if done.returncode:
        raise NotMeasuredError((done.stderr.strip().splitlines() or ["it failed"])[-1][:200])
    return done.stdout


def cost(*command: str | Path, program: str = sys.executable) -> Cost:
    """Run a process that prints a line per image, and measure it.

    Raises
    ------
    NotMeasuredError
        It fails.
    """
    if not hasattr(os, "wait4"):
        raise NotMeasuredError("this system does not tell what a process has cost")
    begin = time.perf_counter()
    process = subprocess.Popen([program, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    first = 0.0
    for line in process.stdout:
        if not first and not line.startswith(b"image,"):
            first = time.perf_counter() - begin
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    whole = time.perf_counter() - begin
    if status:
        raise NotMeasuredError(f"{' '.join(Path(str(part)).name for part in command)[:150]} has failed")
    kilobytes = usage.ru_maxrss / 1024 if sys.platform == "darwin" else usage.ru_maxrss
    return Cost(first or whole, whole, kilobytes / 1024)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that something takes, and those that processors were busy with it.

    The latter depend less on what else the machine does.
    """
    begin, busy = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begin, time.process_time() - busy


def peak() -> float:
    """Return the peak memory of this process in MB; what `resource` tells includes that of the process before it."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def in_turns(rounds: int, *acts: Callable[[], Cost]) -> list[tuple[Cost, ...]]:
    """Measure A B, B A, A B ...; the first round fills the caches of the operating system and does not count."""
    found = []
    for number in range(rounds + 1):
        order = range(len(acts)) if number % 2 else reversed(range(len(acts)))
        made = {place: acts[place]() for place in order}
        found.append(tuple(made[place] for place in range(len(acts))))
    return found[1:]
