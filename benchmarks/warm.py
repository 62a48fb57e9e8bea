"""How long one file takes when everything is ready, in turns: `python benchmarks/warm.py MODEL GRAPH FOLDER IMAGE`.

MODEL is a model folder, GRAPH the compiled graph for `bare.py`, FOLDER what `tuned.py` has saved of it. Prints JSON:
milliseconds of each run of each.
"""

from __future__ import annotations

import json
import sys
import time

RUNS, UNCOUNTED = 40, 5


def main() -> None:
    """Measure and print."""
    import bare
    import napari_webipred as wp
    import tuned
    from napari_webipred import engine

    model, graph, folder, path = sys.argv[1:]
    opened = wp.open_model(model, standardize="torch")
    plain, mark = bare.open_session(graph, bare.CORES), tuned.open_session(folder, tuned.CORES)
    acts = {
        "ours": lambda: list(engine.classify(opened, path)),
        "bare": lambda: plain.run(None, {"image": bare.prepare(bare.read(path))}),
        "tuned": lambda: mark.run(None, {"image": tuned.prepare(path)}),
    }
    times: dict[str, list[float]] = {name: [] for name in acts}
    for number in range(RUNS + UNCOUNTED):
        for name in acts if number % 2 else reversed(acts):
            time.sleep(0.03)  # until the threads of the one before have stopped to wait for work
            begin = time.perf_counter()
            acts[name]()
            if number >= UNCOUNTED:
                times[name].append(1000 * (time.perf_counter() - begin))
    print(json.dumps(times))


if __name__ == "__main__":
    main()
