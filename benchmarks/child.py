"""Would a child process be a better place to predict? `python benchmarks/child.py [MODEL]`.

Compares predicting in the process that asks, as the program does, with a child process that is kept for as long as the
model is open: what it costs to start, per image, to cancel and in memory, and what is seen when it crashes.
MODEL is anything that `napari-webipred classify --model` takes; left out, it is the bundled one.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from statistics import median
from typing import Any

RUNS = 20
IMAGE = (3000, 4000, 3)


def private_megabytes() -> float:
    """Memory of this process that it shares with no other (Linux)."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty"))) / 1024


def serve(connection: Connection, reference: str) -> None:
    """Open the model, then answer each request in turn."""
    import numpy as np

    model = opened(reference)
    connection.send("ready")
    while (request := connection.recv()) is not None:
        if not isinstance(request, str):
            connection.send(model.predict(request) if request.ndim == 4 else request[-1, -1].tolist())
        elif request == "memory":
            connection.send(private_megabytes())
        elif request == "crash":
            ctypes.string_at(0)
        else:
            block = SharedMemory(request)
            connection.send(np.ndarray(IMAGE, np.uint8, block.buf)[-1, -1].tolist())
            block.close()


def opened(reference: str) -> Any:
    """Open and warm up the model."""
    import napari_webipred

    model = napari_webipred.open_model(reference, standardize="none")
    model.warm_up()
    return model


def start(reference: str) -> tuple[Any, Connection]:
    """Start a child and wait until it can predict."""
    context = multiprocessing.get_context("spawn")  # the only way on Windows, and the only safe one beside Qt
    ours, theirs = context.Pipe()
    child = context.Process(target=serve, args=(theirs, reference), daemon=True)
    child.start()
    theirs.close()
    assert ours.recv() == "ready"
    return child, ours


def milliseconds(work: Callable[[], object], runs: int = RUNS) -> float:
    """Time `work` again and again; give the median."""
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - begin))
    return median(times)


def asked(connection: Connection, request: object) -> Any:
    """Ask the child and wait for its answer."""
    connection.send(request)
    return connection.recv()


def through_shared_memory(connection: Connection, pixels: Any) -> Any:
    """Hand an image to the child in memory that both see."""
    import numpy as np

    block = SharedMemory(create=True, size=pixels.nbytes)
    np.ndarray(pixels.shape, pixels.dtype, block.buf)[:] = pixels
    answer = asked(connection, block.name)
    block.close()
    block.unlink()
    return answer


def stopped(reference: str) -> float:
    """Milliseconds from asking a busy child to stop until it is gone."""
    import numpy as np

    child, connection = start(reference)
    connection.send(np.zeros((200, *opened(reference).input_shape), np.float32))
    time.sleep(0.05)

    def stop() -> None:
        child.terminate()
        child.join()

    return milliseconds(stop, 1)


def crashed(reference: str) -> str:
    """Say what is seen of a child that crashes."""
    child, connection = start(reference)
    begin = time.perf_counter()
    connection.send("crash")
    try:
        connection.recv()
    except EOFError:
        child.join()
    return f"end of the connection after {1000 * (time.perf_counter() - begin):.0f} ms, exit code {child.exitcode}"


def main(reference: str) -> None:
    """Measure and print."""
    import numpy as np

    import napari_webipred  # noqa: F401

    empty = private_megabytes()
    begin = time.perf_counter()
    model = opened(reference)
    here = 1000 * (time.perf_counter() - begin)
    grown = private_megabytes() - empty
    starts: list[Any] = []
    there = milliseconds(lambda: starts.append(start(reference)), 3)
    for child, _ in starts[1:]:
        child.terminate()
    child, connection = starts[0]
    batch = np.random.default_rng(0).random((1, *model.input_shape), np.float32)
    pixels = np.random.default_rng(0).integers(0, 256, IMAGE, np.uint8)
    size = f"{pixels.nbytes / 1e6:.0f} MB"
    here_and_there: list[tuple[float, float]] = []
    for _ in range(RUNS):  # in turns, for the machine is not equally fast all the time
        once = milliseconds(lambda: model.predict(batch), 1)
        here_and_there.append((once, milliseconds(lambda: asked(connection, batch), 1)))
    inside, outside = (median(times) for times in zip(*here_and_there, strict=True))
    rows = [
        ("until ready, ms", f"{here:.0f}", f"{there:.0f}"),
        (f"predict one tensor of {batch.nbytes / 1e3:.0f} kB, ms", f"{inside:.1f}", f"{outside:.1f}"),
        (
            f"hand over pixels of a layer, {size}, by pipe, ms",
            "0",
            f"{milliseconds(lambda: asked(connection, pixels)):.0f}",
        ),
        (
            "the same by shared memory, ms",
            "0",
            f"{milliseconds(lambda: through_shared_memory(connection, pixels)):.0f}",
        ),
        (
            "cancel, ms",
            f"{inside:.1f} (the image under way)",
            f"{stopped(reference):.0f}, then {there:.0f} for a new child",
        ),
        ("memory of its own, MB", f"{grown:.0f}", f"{asked(connection, 'memory'):.0f}"),
        ("a crash", "napari is gone", crashed(reference)),
    ]
    connection.send(None)
    child.join()
    print("| | in the process | in a child |\n|---|---|---|")
    for row in rows:
        print("|", " | ".join(row), "|")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("NAPARI_WEBIPRED_CACHE", folder)
        start(sys.argv[1] if len(sys.argv) > 1 else "demo")[0].terminate()  # compiles it
        main(sys.argv[1] if len(sys.argv) > 1 else "demo")
