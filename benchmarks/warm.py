"""How long one image takes when everything is ready: `python benchmarks/warm.py ours|bare MODEL IMAGE`.

MODEL is a model folder for `ours`, the compiled graph for `bare`. Prints JSON: milliseconds of each run.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

RUNS, UNCOUNTED = 30, 5


def milliseconds(work: Callable[[], object]) -> list[float]:
    """Time `work` again and again."""
    times = []
    for _ in range(RUNS + UNCOUNTED):
        begin = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - begin))
    return times[UNCOUNTED:]


def ours(model: str, path: str) -> dict[str, Callable[[], object]]:
    """Prepare the three tasks for napari-webipred."""
    import bare
    import napari_webipred as wp
    from napari_webipred import engine

    opened = wp.open_model(model, standardize="torch")
    pixels = bare.read(path)
    batch = bare.prepare(pixels)
    return {
        "tensor": lambda: opened.predict(batch),
        "array": lambda: list(engine.classify(opened, pixels)),
        "file": lambda: list(engine.classify(opened, path)),
    }


def by_hand(graph: str, path: str) -> dict[str, Callable[[], object]]:
    """Prepare the same three tasks by hand."""
    import bare

    session = bare.open_session(graph, bare.CORES)
    pixels = bare.read(path)
    batch = bare.prepare(pixels)
    return {
        "tensor": lambda: session.run(None, {"image": batch}),
        "array": lambda: session.run(None, {"image": bare.prepare(pixels)}),
        "file": lambda: session.run(None, {"image": bare.prepare(bare.read(path))}),
    }


if __name__ == "__main__":
    who, model, path = sys.argv[1:]
    tasks = (ours if who == "ours" else by_hand)(model, path)
    print(json.dumps({task: milliseconds(work) for task, work in tasks.items()}))
