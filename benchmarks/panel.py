"""Does the panel keep up? `python benchmarks/panel.py`, on a display or with `xvfb-run -a -s '-screen 0 1600x1200x24'`.

Measures the longest time for which the window stands still, during runs and with many rows in the table; how long the
panel takes to open, beside an empty widget in the same dock; and what a row costs that is shown. Where the window
stands still for longer than the goal, it says in which lines of code. Nothing is asserted: times drift, so compare
figures of one run of this program. Each part has a process of its own; name parts to measure only these.

The model gives the mean of an image, so that rows come as fast as the window has to take them.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PLANES, ROWS, DEMO_PLANES = 10_000, 100_000, 300
STALL, OPENING, ROW = 50.0, 150.0, 50.0  # goals: ms, ms, microseconds
BEAT, SAMPLE = 2, 0.01  # ms, s
TIMES = 5  # how often each thing is done
PATIENCE = 1800


@dataclass
class Figure:
    """One line of the table: measurements, and the lines of code that took long.

    `computing` is how long the main thread worked at most in one turn of the event loop; the rest of a stall it waited
    for other threads and processes.
    """

    what: str
    unit: str
    goal: float
    values: list[float] = field(default_factory=list)
    computing: list[float] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)


class Heartbeat:
    """Notices for how long the window takes no events, and what the main thread does meanwhile."""

    def __init__(self) -> None:
        from qtpy.QtCore import Qt, QTimer

        self.longest = self.computing = 0.0
        self.lines: Counter[str] = Counter()
        self._clock = time.pthread_getcpuclockid(threading.get_ident())
        self._last, self._used = time.perf_counter(), time.thread_time()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.beat)
        self._timer.start(BEAT)
        self._main = f"0x{threading.get_ident():016x}"
        threading.Thread(target=self._watch, daemon=True).start()

    def beat(self) -> None:
        """Note that the window takes events now."""
        now, used = time.perf_counter(), time.thread_time()
        self.longest = max(self.longest, 1000 * (now - self._last))
        self.computing = max(self.computing, 1000 * (used - self._used))
        self._last, self._used = now, used

    def reset(self) -> None:
        """Forget the stalls so far."""
        self._last, self._used = time.perf_counter(), time.thread_time()
        self.longest = self.computing = 0.0
        self.lines.clear()

    def _watch(self) -> None:
        with tempfile.TemporaryFile("w+") as file:
            while True:
                time.sleep(SAMPLE)
                if 1000 * (time.clock_gettime(self._clock) - self._used) > STALL:
                    # Frames from sys._current_frames() would keep painters alive that Qt wants to be gone.
                    file.seek(0)
                    file.truncate()
                    faulthandler.dump_traceback(file)
                    file.seek(0)
                    self.lines[_where(file.read(), self._main)] += 1


def _where(stacks: str, thread: str) -> str:
    """Name the outermost and the innermost line of the panel in a stack; if there are none, the innermost function."""
    stack = next(part for part in stacks.split("\n\n") if f"hread {thread}" in part)
    steps = re.findall(r'File "(.*)", line (\d+) in (.*)', stack)
    own = [f"{Path(file).name}:{line}" for file, line, _ in steps if "napari_webipred" in file]
    if own:
        return " > ".join(dict.fromkeys((own[-1], own[0])))
    return f"napari or Qt, in {Path(steps[0][0]).name}, {steps[0][2]}"


def wait(until: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Let Qt work until something is true."""
    from qtpy.QtCore import QEventLoop, QTimer

    end = time.monotonic() + seconds
    loop, timer = QEventLoop(), QTimer()

    def look() -> None:
        if until():  # which may be true for a moment only
            loop.exit(0)
        elif time.monotonic() > end:
            loop.exit(1)

    timer.timeout.connect(look)
    timer.start(5)
    late = loop.exec()
    timer.stop()
    if late:
        raise SystemExit("It has taken too long.")


def settle(milliseconds: int = 150) -> None:
    """Let Qt paint, and wait for work in threads that has been started."""
    from napari_webipred._napari import task

    end = time.monotonic() + milliseconds / 1000
    wait(lambda: time.monotonic() > end and not task._under_way)


# What is measured of the panel; who changes the panel changes these.


def table_of(panel: Any) -> Any:
    """Return the view of the table of rows."""
    return panel.results.table


def rows_shown(panel: Any) -> int:
    """Return how many rows the table has now."""
    return int(table_of(panel).model().rowCount())


def filter_of(panel: Any) -> Any:
    """Return the field that filters rows."""
    return panel.results.filter.search


def choose(panel: Any, model: str) -> None:
    """Choose a model and wait until it can classify."""
    panel.form.model.value = model
    wait(panel.classify.button.isEnabled)


def classify(panel: Any, rows: int) -> None:
    """Click the button, and wait until the last row is shown."""
    panel.classify.button.click()
    wait(lambda: not panel._session.running and rows_shown(panel) >= rows)


@contextmanager
def opened(stand_in: bool) -> Iterator[tuple[Any, Any]]:
    """Open napari with the panel, with a stand-in for all models if wanted."""
    import napari

    if stand_in:
        imitate_models()
    viewer = napari.Viewer()
    viewer.window.resize(1400, 900)
    settle(500)
    _, panel = viewer.window.add_plugin_dock_widget("napari-webipred", "Classify images")
    wait(lambda: panel._session.catalogue.models.rowCount() > 0)
    settle(500)
    try:
        yield viewer, panel
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)  # the question about unsaved rows would wait for an answer


def imitate_models() -> None:
    """Put the stand-ins of the tests in the place of the catalogue."""
    sys.path.insert(0, str(ROOT))
    from tests.gui.conftest import FakeCatalogue

    from napari_webipred import opening
    from napari_webipred.cache import index, store

    fake = FakeCatalogue()
    index.cards = lambda: list(fake.cards)
    store.path_of = lambda card: Path("here") if card.id in fake.here else None
    opening.opening = fake.opening


def noise(count: int, size: int) -> Any:
    import numpy as np

    return np.random.default_rng(0).integers(0, 255, (count, size, size), np.uint8)


def stalls(heart: Heartbeat, what: str, acts: Iterable[Callable[[], object]]) -> Figure:
    """Do things, let Qt work until each has been done, and measure the longest stall of each."""
    figure, lines = Figure(what, "ms", STALL), Counter[str]()
    for act in acts:
        heart.reset()
        act()
        settle()
        heart.beat()
        figure.values.append(heart.longest)
        figure.computing.append(heart.computing)
        lines += heart.lines
    figure.lines = dict(lines)
    return figure


def opening() -> list[Figure]:
    """Open the panel, or an empty widget for comparison, each in a process of its own, one after the other."""
    times: dict[str, list[Opening]] = {"panel": [], "empty": []}
    child("open-panel")  # compiles the modules, as installing does
    for _ in range(TIMES):
        for who in times:
            times[who].append(Opening(**json.loads(child(f"open-{who}"))))
    panel, empty = times["panel"], times["empty"]
    pairs = list(zip(panel, empty, strict=True))
    return [
        Figure("open an empty widget", "ms", 0, [each.wall for each in empty], [each.painted for each in empty]),
        Figure("open the panel", "ms", 0, [each.wall for each in panel], [each.painted for each in panel]),
        Figure("open the panel: imports, computing", "ms", 0, [each.imports for each in panel]),
        Figure(
            "open the panel, beyond an empty widget",
            "ms",
            OPENING,
            [one.wall - other.wall for one, other in pairs],
            [one.painted - other.painted for one, other in pairs],
        ),
        Figure("open the panel, until the models are listed", "ms", 0, [each.listed for each in panel]),
        Figure("what is made after it is painted, computing", "ms", 0, [each.afterwards for each in panel]),
        Figure("what is made after it is painted, longest turn", "ms", STALL, [each.longest for each in panel]),
    ]


@dataclass
class Opening:
    """How long it takes until something docked is painted, in ms.

    `wall` and `listed` are by the clock, the second until the models are painted, too, which are read beside the
    window. All else counts processor time of the thread; `afterwards` and `longest` are what the window computes in
    the two seconds after it is painted, in all and in one turn.
    """

    wall: float
    listed: float
    imports: float
    painted: float
    afterwards: float
    longest: float


def open_once(who: str) -> None:
    """Print after how many ms something docked is painted."""
    import napari
    from qtpy.QtWidgets import QApplication, QWidget

    viewer = napari.Viewer()
    viewer.window.resize(1400, 900)
    end = time.monotonic() + 1.5
    wait(lambda: time.monotonic() > end)
    begin, used = time.perf_counter(), time.thread_time()
    imports = 0.0
    if who == "open-panel":
        import napari_webipred._napari.panel  # noqa: F401

        imports = time.thread_time() - used
        _, widget = viewer.window.add_plugin_dock_widget("napari-webipred", "Classify images")
    else:
        widget = QWidget()
        viewer.window.add_dock_widget(widget, name="empty")
    while not widget.isVisible() or widget.visibleRegion().isEmpty():
        QApplication.processEvents()
    QApplication.processEvents()  # which paints
    wall, painted = time.perf_counter() - begin, time.thread_time() - used
    turns, listed = [], 0.0
    end = time.monotonic() + 2
    while time.monotonic() < end:
        filled = who == "open-empty" or widget._session.catalogue.models.rowCount() > 0
        turn = time.thread_time()
        QApplication.processEvents()
        turns.append(time.thread_time() - turn)
        if filled and not listed:
            listed = time.perf_counter() - begin
        time.sleep(BEAT / 1000)
    found = Opening(*(1000 * seconds for seconds in (wall, listed, imports, painted, sum(turns), max(turns))))
    print(json.dumps(asdict(found)), flush=True)
    os._exit(0)


def running(model: str, count: int, size: int) -> None:
    """Classify a stack: the longest stall, and what a row costs the main thread."""
    with opened(stand_in=model == "brightness") as (viewer, panel):
        heart = Heartbeat()
        name = f"{count:,} planes, {model} model"
        figures = [stalls(heart, "nothing", [lambda: settle(2000)])]
        viewer.add_image(noise(count, size), name="stack")
        settle(1000)
        figures.append(stalls(heart, f"choose the {model} model", [lambda: choose(panel, model)]))
        begin, used = time.perf_counter(), time.thread_time()
        figures.append(stalls(heart, name, [lambda: classify(panel, count)]))
        used, seconds = time.thread_time() - used, time.perf_counter() - begin
        report(
            [
                *figures,
                Figure(f"{name}: main thread, each row", "us", ROW, [1e6 * used / count]),
                Figure(f"{name}: main thread, share of the time", "%", 0, [100 * used / seconds]),
                Figure(f"{name}: rows in a second", "", 0, [count / seconds]),
            ]
        )


def many() -> None:
    """Work with a table of many rows."""
    with opened(stand_in=True) as (viewer, panel):
        heart = Heartbeat()
        viewer.add_image(noise(ROWS, 8), name="stack")
        choose(panel, "brightness")
        acts = list(restored(viewer, panel))
        figures = [stalls(heart, f"{ROWS:,} rows: open a session", [lambda: in_turns(acts)])]
        settle(1000)
        report([*figures, *(stalls(heart, f"{ROWS:,} rows: {name}", acts) for name, acts in things(viewer, panel))])


def in_turns(acts: list[Callable[[], object]]) -> None:
    """Do things, each in a turn of the event loop of its own."""
    waiting = iter(acts)

    def done() -> bool:
        act = next(waiting, None)
        if act is not None:
            act()
        return act is None

    wait(done)


def restored(viewer: Any, panel: Any) -> Iterator[Callable[[], object]]:
    """Give steps that fill the table as a saved session does; classifying so many planes takes minutes."""
    from datetime import datetime
    from functools import partial

    import numpy as np

    from napari_webipred._napari.images.place import Target
    from napari_webipred._napari.proxy import unwrapped
    from napari_webipred._napari.results.session_files import ROWS_AT_ONCE
    from napari_webipred.results.row import Row
    from napari_webipred.results.saved_session import SavedRun

    session = panel._session
    model = session.loading.model
    options = {"intensity": "auto", "threshold": 0.5, "profile": None}
    names = model.card.class_names
    rows = [
        Row(0, "stack", {"z": i}, np.array([1 - p, p], np.float32), names[p > 0.5], (int(p > 0.5),))
        for i, p in enumerate(np.random.default_rng(1).random(ROWS).tolist())
    ]
    saved = SavedRun(
        datetime.now().astimezone(),
        model.card,
        model.checksum,
        options,
        ("z",),
        ROWS,
        session.loading.model_input(),
        (),
        rows,
    )
    run = session.restore(saved, [Target([unwrapped(viewer.layers[0])], (0,))])
    for first in range(0, ROWS, ROWS_AT_ONCE):
        yield partial(session.restore_rows, saved, run, range(first, min(first + ROWS_AT_ONCE, ROWS)))


def things(viewer: Any, panel: Any) -> Iterator[tuple[str, list[Callable[[], object]]]]:
    """Name what a user does, and do it several times."""
    from functools import partial

    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    table = table_of(panel)
    bar, header = table.verticalScrollBar(), table.horizontalHeader()
    left = Qt.MouseButton.LeftButton

    def press_heading(column: int) -> None:
        QTest.mouseClick(
            header.viewport(), left, pos=QPoint(header.sectionViewportPosition(column) + 8, header.height() // 2)
        )

    def click(row: int) -> None:
        index = table.model().index(row, 0)
        table.scrollTo(index)
        QTest.mouseClick(table.viewport(), left, pos=table.visualRect(index).center())

    def move(plane: int) -> None:
        viewer.dims.set_current_step(0, plane)

    places = [int(ROWS * part) for part in (0.9, 0.1, 0.99, 0.5, 0.75)]
    yield "scroll", [partial(bar.setValue, bar.maximum() * place // ROWS) for place in places]
    yield "choose a row by a click", [partial(click, place) for place in places]
    yield "choose the next row by a key", [partial(QTest.keyClick, table, Qt.Key.Key_Down) for _ in places]
    yield "move the slider", [partial(move, place) for place in places]
    for column in range(table.model().columnCount()):
        if not table.isColumnHidden(column):
            heading = table.model().headerData(column, Qt.Orientation.Horizontal)
            yield f"sort by {heading}", [partial(press_heading, column) for _ in range(2)]
    yield "move the slider, rows sorted", [partial(move, place) for place in places]
    field = filter_of(panel)
    yield "filter", [partial(QTest.keyClicks, field, letter) for letter in "stack"]
    yield "filter no more", [field.clear]
    dock = panel.parent()
    dock.hide()
    panel.setParent(None)
    yield "move the slider, without the panel", [partial(move, place) for place in places]


def report(figures: list[Figure]) -> None:
    print(json.dumps([asdict(figure) for figure in figures]), flush=True)


def child(part: str) -> str:
    """Run a part in a process of its own; return what it prints at last."""
    with tempfile.TemporaryDirectory(prefix="webipred-bench-") as folder:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
            "NAPARI_CONFIG": str(Path(folder) / "settings.yaml"),
            "NAPARI_WEBIPRED_CACHE": str(Path(folder) / "cache"),
            "NAPARI_WEBIPRED_OFFLINE": "1",
        }
        command = [sys.executable, "-W", "ignore", __file__, part]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()[-1]


def reported(part: str) -> list[Figure]:
    return [Figure(**figure) for figure in json.loads(child(part))]


PARTS: dict[str, Callable[[], object]] = {
    "opening": opening,
    "running": lambda: reported("in-running"),
    "demo": lambda: reported("in-demo"),
    "many": lambda: reported("in-many"),
}
INNER: dict[str, Callable[[], object]] = {
    "open-panel": lambda: open_once("open-panel"),
    "open-empty": lambda: open_once("open-empty"),
    "in-running": lambda: running("brightness", PLANES, 8),
    "in-demo": lambda: running("demo", DEMO_PLANES, 256),
    "in-many": many,
}


def show(figures: list[Figure]) -> None:
    """Print the table: median and greatest; if it is known, the most computing, whose ratio to the goal counts."""
    print(f"{'':<56} {'median':>8} {'greatest':>8} {'computing':>9} {'goal':>5}  of goal")
    for figure in figures:
        greatest = max(figure.values)
        computing = f"{max(figure.computing):9.1f}" if figure.computing else " " * 9
        most = max(figure.computing or figure.values)
        goal = f"{figure.goal:5.0f} {most / figure.goal:8.2f}" if figure.goal else ""
        what = ", ".join(part for part in (figure.what, figure.unit) if part)
        print(f"{what:<56} {median(figure.values):8.1f} {greatest:8.1f} {computing} {goal}".rstrip())
        for line, count in Counter(figure.lines).most_common(4):
            print(f"    {count:4} x {line}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure whether napari's window stands still because of the panel.")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, *INNER, []], metavar="part", help=", ".join(PARTS))
    parts = parser.parse_args().parts or list(PARTS)
    if parts[0] in INNER:
        INNER[parts[0]]()
        return
    for part in parts:
        show(PARTS[part]())


if __name__ == "__main__":
    main()
