"""What a cluster costs beside threads, on this machine: `python benchmarks/cluster.py [MODEL] [--rows N] [--rounds N]`.

Workers of one core each classify the same files as as many threads, in turns. Shown are the medians over the rounds of

- efficiency: wall time of threads by that of the cluster, and processor time of threads by that of workers, which on a
  busy machine says more;
- processor time of scheduler and client together, for each row;
- processor time of a row for which nothing is computed.

MODEL is `demo` by default, or what `napari-webipred classify --model` takes, such as a folder that
`full_networks.py DenseNet121 FOLDER` has made. The scheduler and the client need some of the same cores, so that two
workers on two cores cannot reach what they would elsewhere.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import napari_webipred as wp
from napari_webipred import engine
from napari_webipred.execution.cluster import connection
from napari_webipred.execution.cluster.executor import Cluster, moved
from napari_webipred.execution.threads import classify_planes
from napari_webipred.options import DEFAULTS

FILES = 32


def nothing(predict: Any, item: Any) -> Any:
    return item


@contextmanager
def cores(count: int) -> Iterator[None]:
    """Let this process use so many cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def spent() -> float:
    """Return the processor time of this process so far."""
    times = os.times()
    return times.user + times.system


def run(model: Any, sources: Any, executor: Any) -> tuple[float, float]:
    """Classify, and return wall time and processor time of this process."""
    begin, before = time.perf_counter(), spent()
    for event in engine.classify(model, sources, executor=executor):
        if isinstance(event, engine.RowDone) and event.row.failed:
            raise SystemExit(event.row.error)
    return time.perf_counter() - begin, spent() - before


def of_workers(client: Any) -> float:
    """Return the processor time of all workers so far."""
    return sum(client.run(spent).values())


def measure(model: Any, sources: Any, count: int, rounds: int) -> None:
    """Compare so many workers with as many threads."""
    connection.available_cores = lambda: count
    walls, cpus, others = [], [], []
    with connection.connected("local") as client:
        client.wait_for_workers(count)
        for number in range(rounds + 1):
            with cores(count):
                wall, cpu = run(model, sources, classify_planes)
            before = of_workers(client)
            there, client_cpu = run(model, sources, Cluster(client))
            worker_cpu = of_workers(client) - before
            if number:  # the first round opens the model
                walls.append(wall / there)
                cpus.append(cpu / worker_cpu)
                others.append(1e6 * client_cpu / len(sources))
    print(
        f"{count} worker(s): efficiency {median(walls):.2f} by wall time ({min(walls):.2f} to {max(walls):.2f}), "
        f"{median(cpus):.2f} by processor time; client and scheduler {median(others):.0f} us a row"
    )


def overhead(model: Any, rounds: int) -> None:
    """Measure rows for which nothing is computed."""
    connection.available_cores = lambda: 1
    planes = list(engine.planes_of(engine.found([f"{number}.png" for number in range(10_000)])))
    here, there = [], []
    with connection.connected("local") as client:
        client.wait_for_workers(1)
        for _ in range(rounds):
            ours, theirs = spent(), of_workers(client)
            found = Cluster(client).each(model, nothing, planes, len(planes), DEFAULTS, moved, repr)
            if sum(1 for _ in found) != len(planes):
                raise SystemExit("rows are missing")
            here.append(1e6 * (spent() - ours) / len(planes))
            there.append(1e6 * (of_workers(client) - theirs) / len(planes))
    print(f"a row that needs nothing: client and scheduler {median(here):.0f} us, worker {median(there):.0f} us")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", nargs="?", default="demo")
    parser.add_argument("--standardize")
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    model = wp.open_model(given.model, standardize=given.standardize)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, str(Path(__file__).with_name("images.py")), folder, str(FILES)], check=True)
        files = sorted(Path(folder).iterdir())
        sources = engine.found([str(files[number % FILES]) for number in range(given.rows)]).opened()
        for count in (1, 2):
            measure(model, sources, count, given.rounds)
    overhead(model, given.rounds)


if __name__ == "__main__":
    main()
