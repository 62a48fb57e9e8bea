"""How the cost grows with the size of the work: a figure with four parts."""

from __future__ import annotations

import json
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

from measures import Place
from process import HERE, NotMeasuredError, python

# Readable on white and on black.
COLOURS, TEXT = ("#2f8fd0", "#d9822b"), "#808080"


@dataclass(frozen=True)
class Curves:
    """One part of the figure: up to two curves over the same sizes."""

    title: str
    across: str
    up: str
    names: tuple[str, ...]
    points: list[tuple[float, ...]]


def files(place: Place) -> list[tuple[float, ...]]:
    """Milliseconds a file, for tiny files and the demo model, from the start of the process to its end."""
    found = []
    some = sorted((place.folder / "tiny").iterdir())
    for count in (1, 10, 100, 1000, 10_000) if place.quick else (1, 10, 100, 1000, 10_000, 100_000):
        folder = place.linked(f"files-{count}", some, count)
        took = place.ours(folder, "demo")
        found.append((float(count), 1000 * took.whole / count, took.memory))
    return found


def measure(place: Place) -> list[Curves]:
    """Measure all parts."""

    def part(name: str) -> list[tuple[float, ...]]:
        return [
            tuple(point)
            for point in json.loads(python(HERE / "parts.py", name, "1", str(int(place.quick))).splitlines()[-1])
        ]

    wanted = [
        ("Number of files", "files of 64 x 64 pixels", "ms a file", ("time", "memory, MB"), lambda: files(place)),
        ("Pixels", "pixels a side, one grey file", "ms", ("tiled TIFF", "JPEG"), lambda: part("pixels")),
        ("Lazy arrays", "planes a chunk", "ms a plane", ("lazy array", "each chunk once"), lambda: part("planes")),
        ("Classes", "classes", "microseconds a row", ("CSV", "table"), lambda: part("classes")),
    ]
    found = []
    for title, across, up, names, act in wanted:
        try:
            found.append(Curves(title, across, up, names, act()))
        except NotMeasuredError as error:
            print(f"{title}: not measured: {error}", flush=True)
    return found


def draw(parts: list[Curves], path: Path) -> None:
    """Draw the figure as SVG, without a background."""
    import os

    os.environ.setdefault("MPLCONFIGDIR", tempfile.mkdtemp())
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import LogLocator, NullLocator

    grey = dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor"), TEXT)
    with plt.rc_context({**grey, "svg.hashsalt": "napari-webipred", "font.size": 9, "svg.fonttype": "none"}):
        figure, axes = plt.subplots(2, 2, figsize=(8, 6), layout="constrained")
        for axis, part in zip(axes.flat, parts, strict=False):
            for number, (name, colour) in enumerate(zip(part.names, COLOURS, strict=False), 1):
                points = [point for point in part.points if not math.isnan(point[number])]
                axis.plot(
                    [p[0] for p in points],
                    [p[number] for p in points],
                    marker="os"[number - 1],
                    color=colour,
                    label=name,
                )
            memory = ", MB" if any(", MB" in name for name in part.names) else ""
            axis.set(title=part.title, xlabel=part.across, ylabel=part.up + memory, xscale="log", yscale="log")
            axis.set(facecolor="none", xticks=[p[0] for p in part.points])
            axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            for each in (axis.xaxis, axis.yaxis):
                each.set_major_formatter(lambda value, _: f"{value:,g}")
                each.set_minor_locator(NullLocator())
            axis.grid(visible=True, color=TEXT, alpha=0.3)
            axis.legend(frameon=False, labelcolor=TEXT)
        for axis in list(axes.flat)[len(parts) :]:
            axis.set_visible(False)
        figure.savefig(path, transparent=True, metadata={"Date": None})
        plt.close(figure)


def table(parts: list[Curves]) -> str:
    """Write the same numbers as tables."""
    lines = []
    for part in parts:
        lines += [
            f"| {part.across} | {' | '.join(_with_unit(name, part.up) for name in part.names)} |",
            "|---:" * (1 + len(part.names)) + "|",
        ]
        lines += ["| " + " | ".join([f"{p[0]:,.0f}", *map(_written, p[1:])]) + " |" for p in part.points]
        lines.append("")
    return "\n".join(lines)


def _with_unit(name: str, unit: str) -> str:
    return name if "," in name else f"{name}, {unit}"


def _written(value: float) -> str:
    return "refused" if math.isnan(value) else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
