"""What `bench.py` measures: a function for each row of the table, and one for the contestants."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from process import HERE, Cost, Line, NotMeasuredError, cost, in_turns, output, python

FEW = 64


@dataclass(frozen=True)
class Place:
    """Where the benchmark works, and how much of it is done.

    Attributes
    ----------
    folder : Path
        With the model ``densenet``, its graph ``bare.onnx``, the folder ``tuned``, and the images ``few``.
    quick : bool
    keras : str
        A Python that has Keras.
    tfjs : Path
        A folder with ``node_modules``.
    """

    folder: Path
    quick: bool
    keras: str
    tfjs: Path

    @property
    def rounds(self) -> int:
        """How often each comparison is made."""
        return 3 if self.quick else 7

    def ours(self, images: Path, model: str | Path = "") -> Cost:
        """Classify with napari-webipred."""
        standardize = () if model == "demo" else ("--standardize", "torch")
        return cost(
            "-m", "napari_webipred.cli", "classify", images, "--model", model or self.folder / "densenet", *standardize
        )

    def bare(self, images: Path) -> Cost:
        """Classify by hand."""
        return cost(HERE / "bare.py", self.folder / "bare.onnx", images)

    def tuned(self, images: Path) -> Cost:
        """Classify by hand, tuned."""
        return cost(HERE / "tuned.py", self.folder / "tuned", images)

    def linked(self, name: str, files: list[Path], count: int) -> Path:
        """Make a folder with many links to a few files."""
        folder = self.folder / name
        if not folder.exists():
            folder.mkdir()
            for number in range(count):
                path = files[number % len(files)]
                os.link(path, folder / f"{number:06}{path.suffix}")
        return folder


def prepare(place: Place) -> None:
    """Make the model, its graph and the images; the first run compiles and optimises the model."""
    folder = place.folder
    python(HERE / "full_networks.py", "DenseNet121", folder / "densenet")
    python(HERE / "full_networks.py", "graph", folder / "densenet", folder / "bare.onnx")
    (folder / "tuned").mkdir()
    python(HERE / "tuned.py", "--save", folder / "bare.onnx", folder / "tuned")
    python(HERE / "images.py", folder / "few", str(FEW))
    (folder / "tiny").mkdir()
    python("-c", TINY, folder / "tiny")
    for _ in range(2):
        place.ours(_first(folder / "few"))
        place.ours(_first(folder / "few"), "demo")


TINY = """
import sys, numpy, pathlib
from PIL import Image
for n in range(50):
    pixels = numpy.random.default_rng(n).integers(0, 256, (64, 64, 3), numpy.uint8)
    Image.fromarray(pixels).save(pathlib.Path(sys.argv[1], f"{n}.png"))
"""


def _first(folder: Path) -> Path:
    return sorted(folder.iterdir())[0]


def start(place: Place) -> Iterator[Line]:
    """Row 1: one file, from the start of the process to its end."""
    one = _first(place.folder / "few")
    rounds = 8 * place.rounds  # a process is short, so that what else the machine does counts much
    found = in_turns(rounds, *(lambda who=who: who(one) for who in (place.ours, place.bare, place.tuned)))
    yield Line(
        "1", "command line, one file, against by hand", "x", "0.85", "1.7", [a.whole / b.whole for a, b, _ in found]
    )
    yield Line("1", "the same, against tuned", "x", "1.3", "3.1", [a.whole / c.whole for a, _, c in found])
    model = place.folder / "densenet"
    codes = (WITHOUT, PLAIN + WITH, WITH)
    in_python = [lambda code=code: cost("-c", IN_PYTHON.format(code), model, one) for code in codes]
    found = in_turns(3 * place.rounds, lambda: place.ours(one), *in_python)
    yield Line(
        "1",
        "Python without the table, against the command line",
        "x",
        "1",
        "1.1",
        [b.whole / a.whole for a, b, *_ in found],
    )
    more = [[1000 * (each.whole - b.whole) for each in tables] for _, b, *tables in found]
    yield Line("1", "the table more", "ms", "60", "170", [plain for plain, _ in more])
    yield Line(
        "1", "the same where pyarrow is installed, which pandas imports", "ms", "", "", [all_ for _, all_ in more]
    )
    for words, goal, before in ((["--version"], "40", "72"), (["--help"], "40", "72"), (["models"], "90", "196")):
        found = in_turns(3 * place.rounds, lambda words=words: cost("-m", "napari_webipred.cli", *words), _nothing)
        times = [EMPTY * each.whole / empty.whole for each, empty in found]
        yield Line("1", f"`{words[0]}`, where an empty program takes {EMPTY} ms", "ms", goal, before, times)


EMPTY = 10  # ms, where the goals were set


def _nothing() -> Cost:
    return cost("-c", "pass")


IN_PYTHON = """
import sys
import napari_webipred as wp
model = wp.open_model(sys.argv[1], standardize="torch")
{}
"""
WITHOUT = "from napari_webipred import engine; print(list(engine.classify(model, sys.argv[2])))"
# As it is installed without extras: pandas imports pyarrow where it is there.
PLAIN = "sys.modules['pyarrow'] = None; "
WITH = "print(wp.classify(sys.argv[2], model))"


def vgg(place: Place) -> Iterator[Line]:
    """Row 1: a network of 537 MB, from the cache."""
    if shutil.disk_usage(place.folder).free < 4e9:
        raise NotMeasuredError("it needs 4 GB of disk")
    model = place.folder / "vgg16"
    python(HERE / "full_networks.py", "VGG16", model)
    one = _first(place.folder / "few")
    for _ in range(2):
        place.ours(one, model)
    times = in_turns(place.rounds, lambda: place.ours(one, model))
    shutil.rmtree(model)
    yield Line("1", "VGG16 from the cache", "s", "1.2", "2.7", [each.whole for (each,) in times])


def many(place: Place) -> Iterator[Line]:
    """Rows 2 and 7: 64 and more files, and their memory."""
    few, count = place.folder / "few", 256 if place.quick else 1000
    lots = place.linked("many", sorted(few.iterdir()), count)
    found = in_turns(place.rounds, *(lambda who=who: who(few) for who in (place.ours, place.bare, place.tuned)))
    yield Line("2", f"{FEW} files, against tuned", "x", "0.98", "1.04", [a.whole / c.whole for a, _, c in found])
    yield Line("2", f"{FEW} files, against by hand", "x", "", "", [a.whole / b.whole for a, b, _ in found])
    memory = Line(
        "7", f"memory of {FEW} files, against by hand", "x", "1.0", "1.3", [a.memory / b.memory for a, b, _ in found]
    )
    found = in_turns(1 if place.quick else 3, lambda: place.ours(lots), lambda: place.bare(lots))
    yield Line("2", f"{count} files, against by hand", "x", "0.88", "0.92", [a.whole / b.whole for a, b in found])
    yield memory
    yield Line(
        "7", f"memory of {count} files, against by hand", "x", "1.0", "1.3", [a.memory / b.memory for a, b in found]
    )


def warm(place: Place) -> Iterator[Line]:
    """Row 2: a file when everything is ready."""
    ratios: dict[str, list[float]] = {"bare": [], "tuned": []}
    few = place.folder / "few"
    for _ in range(place.rounds):
        printed = python(
            HERE / "warm.py", place.folder / "densenet", place.folder / "bare.onnx", place.folder / "tuned", _first(few)
        )
        times = json.loads(printed.splitlines()[-1])
        for who, values in ratios.items():
            values.append(median(times["ours"]) / median(times[who]))
    yield Line("2", "one warm file, against tuned", "x", "1.0", "1.07", ratios["tuned"])
    yield Line("2", "one warm file, against by hand", "x", "", "", ratios["bare"])


def first_row(place: Place) -> Iterator[Line]:
    """Row 3: how long many files let wait for the first row, in a file and on standard output."""
    count = 20_000 if place.quick else 100_000
    lots, one = (
        place.linked(f"lots-{count}", sorted((place.folder / "tiny").iterdir()), count),
        _first(place.folder / "tiny"),
    )
    listing = "import os, sys; print(len(sorted(entry.path for entry in os.scandir(sys.argv[1]) if entry.is_file())))"
    ratios: dict[str, list[float]] = {FIRST_ROW_OF_FILE: [], FIRST_ROW_SHOWN: []}
    for _ in range(3 * place.rounds):
        at_least = place.ours(one, "demo").whole + cost("-c", listing, lots).whole
        for code, found in ratios.items():
            table = place.folder / "first.csv"
            found.append(float(python("-c", code, lots, table)) / at_least)
            for each in table.parent.glob(f"*{table.name}*"):
                each.unlink()
    task = f"first row of {count:,} files, in a file, against one file and listing them"
    yield Line("3", task, "x", "2", "about 30", ratios[FIRST_ROW_OF_FILE])
    task = "the same on standard output, which is told the axes of all stacks at first"
    yield Line("3", task, "x", "2", "about 30", ratios[FIRST_ROW_SHOWN])


# Each starts a run, ends it after its first row, and prints the seconds until then.
FIRST_ROW_SHOWN = """
import subprocess, sys, time
begin = time.perf_counter()
run = subprocess.Popen([sys.executable, "-m", "napari_webipred.cli", "classify", sys.argv[1], "--model", "demo"],
    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
while run.stdout.readline().startswith(b"image,"):
    pass
print(time.perf_counter() - begin)
run.kill()
"""
FIRST_ROW_OF_FILE = """
import pathlib, subprocess, sys, time
table = pathlib.Path(sys.argv[2])
begin = time.perf_counter()
run = subprocess.Popen([sys.executable, "-m", "napari_webipred.cli", "classify", sys.argv[1], "--model", "demo",
    "--output", table], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
while not table.exists():  # it comes with its first row
    assert run.poll() is None, "the run has failed"
    time.sleep(0.001)
print(time.perf_counter() - begin)
run.kill()
run.wait()
"""


def from_script(
    row: str, task: str, unit: str, goal: str, before: str, *given: str
) -> Callable[[Place], Iterator[Line]]:
    """Make a measure of what a part of `parts.py` prints."""

    def measure(place: Place) -> Iterator[Line]:
        printed = [python(HERE / "parts.py", *given, str(place.rounds), str(int(place.quick)))]
        yield Line(row, task, unit, goal, before, json.loads(printed[0].splitlines()[-1]))

    measure.__name__ = given[0]  # by which it is chosen
    return measure


def large(place: Place) -> Iterator[Line]:
    """Row 5: the memory of large images, as many as there are cores."""
    side, cores = (5000, 2) if place.quick else (9400, 2)
    folder = place.folder / "large"
    python(HERE / "parts.py", "large-images", folder, str(side), str(cores))
    decoded = cores * side * side * 3 / 2**20
    values = []
    for _ in range(place.rounds):
        small = place.ours(_first(place.folder / "few"), "demo").memory
        values.append((place.ours(folder, "demo").memory - small) / decoded)
    yield Line("5", f"memory of {cores} JPEG files of {side} pixels a side, of their pixels", "x", "1.5", "3.2", values)


def tiny(place: Place) -> Iterator[Line]:
    """Row 6: tiny files with the demo model."""
    count = 2000 if place.quick else 10_000
    graph = place.folder / "demo.onnx"
    python(HERE / "parts.py", "demo-graph", graph)
    lots = place.linked("tiny-many", sorted((place.folder / "tiny").iterdir()), count)
    found = in_turns(place.rounds, lambda: place.ours(lots, "demo"), lambda: cost(HERE / "bare.py", graph, lots))
    yield Line(
        "6", f"{count:,} tiny files, against by hand", "x", "1.1", "1.38 to 1.52", [a.whole / b.whole for a, b in found]
    )


def panel(place: Place) -> Iterator[Line]:
    """Row 8: opening the panel."""
    screen = (
        []
        if os.environ.get("DISPLAY") or sys.platform != "linux"
        else ["xvfb-run", "-a", "-s", "-screen 0 1600x1200x24"]
    )
    if screen and not shutil.which("xvfb-run"):
        raise NotMeasuredError("there is no display and no xvfb-run")
    values = []
    for number in range(place.rounds + 1):
        panel_, empty = (
            json.loads(output([*screen, sys.executable, str(HERE / "panel.py"), f"open-{who}"]).splitlines()[-1])[
                "wall"
            ]
            for who in ("panel", "empty")
        )
        values += [(panel_ - empty) / 1000] if number else []
    yield Line("8", "opening the panel, beyond an empty widget", "s", "0.15", "0.4", values)


ROWS: tuple[Callable[[Place], Iterator[Line]], ...] = (
    start,
    vgg,
    many,
    warm,
    first_row,
    from_script("4", "planes of a lazy array, 50 a chunk, against each chunk once", "x", "1.5", "6.6", "lazy"),
    large,
    tiny,
    panel,
    from_script("8", "CSV of 1,000 classes, against its table rows", "x", "2", "97", "csv"),
)


def contestants(place: Place) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, cold start, warm image, each of 64 files and memory of each, as texts."""
    one, few = _first(place.folder / "few"), place.folder / "few"
    times = json.loads(
        python(
            HERE / "warm.py", place.folder / "densenet", place.folder / "bare.onnx", place.folder / "tuned", one
        ).splitlines()[-1]
    )
    ours = (
        ("napari-webipred, command line", place.ours, "ours"),
        ("ONNX Runtime by hand", place.bare, "bare"),
        ("ONNX Runtime by hand, tuned", place.tuned, "tuned"),
    )
    cold, files = (
        zip(*in_turns(rounds, *(partial(act, images) for _, act, _ in ours)), strict=True)
        for images, rounds in ((one, 8 * place.rounds), (few, place.rounds))
    )
    for (name, _, key), alone, together in zip(ours, cold, files, strict=True):
        yield _told(name, _middle(alone), median(times[key]), _middle(together))
    for name, peer in (("Keras, traced (other weights)", _keras), ("TensorFlow.js in Node, without images", _tfjs)):
        try:
            yield _told(name, *peer(place, one, few))
        except (NotMeasuredError, ValueError, IndexError) as error:
            print(f"{name}: not measured: {error}", flush=True)


def _middle(costs: Sequence[Cost]) -> Cost:
    """Return the cost of the median time."""
    return sorted(costs, key=lambda cost: cost.whole)[len(costs) // 2]


def _told(name: str, cold: Cost, warm_ms: float, files: Cost | None) -> tuple[str, str, str, str]:
    memory = f"{(files or cold).memory:.0f}"
    return (
        name,
        f"{cold.whole:.2f}",
        f"{warm_ms:.0f}",
        f"{1000 * files.whole / FEW:.1f} | {memory}" if files else f"- | {memory}",
    )


def _keras(place: Place, one: Path, few: Path) -> tuple[Cost, float, Cost]:
    script = str(HERE / "keras_peer.py")
    warm_ms = median(json.loads(output([place.keras, script, str(one)]).splitlines()[-1])[5:])
    return cost(script, one, program=place.keras), warm_ms, cost(script, few, program=place.keras)


def _tfjs(place: Place, one: Path, few: Path) -> tuple[Cost, float, None]:
    node = shutil.which("node")
    if node is None or not (place.tfjs / "node_modules" / "@tensorflow").is_dir():
        raise NotMeasuredError(f"Node, or {place.tfjs}/node_modules with @tensorflow/tfjs, is missing")
    command = [str(HERE / "tfjs_peer.cjs"), str(place.tfjs), str(place.folder / "densenet")]
    warm_ms = median(json.loads(output([node, *command]).splitlines()[-1]))
    return cost(*command, program=node), warm_ms, None
