"""Figures, tables and whole evaluations as files."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

from napari_webipred._napari.chosen_file import write_chosen
from napari_webipred._napari.evaluation.part import Cell, Plot
from napari_webipred.results.output import Kind

SUFFIXES: Mapping[str, str] = {"PNG": ".png", "SVG": ".svg", "CSV": ".csv", "JSON": ".json"}
_WORDS = {"PNG": "a figure is a PNG image", "SVG": "a figure is an SVG drawing", "CSV": "numbers are saved as CSV"}


def write_plot(path: Path, kind: str, plot: Plot, variant: str) -> Generator[None, None, str]:
    """Write a figure or its numbers to a file that the user has chosen; return what to say.

    Parameters
    ----------
    path : Path
        As the user gave it. The dialog has asked whether a file with this name may be replaced.
    kind : "PNG", "SVG" or "CSV"
    plot : Plot
    variant : str

    Raises
    ------
    OptionError
        A file with the completed name exists, or the file cannot be written.
    """
    yield
    content = content_of(kind, plot, variant)
    yield
    return write(path, kind, content)


def write(path: Path, kind: str, content: bytes) -> str:
    """Write a file that the user has chosen; return what to say."""
    what = Kind(_WORDS.get(kind, f"this is a {kind} file"), (SUFFIXES[kind],), lambda _: False)
    path = write_chosen(path, what, lambda: content)
    return f"Saved {path.name}."


def content_of(kind: str, plot: Plot, variant: str) -> bytes:
    """Return the content of a file."""
    from napari_webipred._napari.evaluation import rendering
    from napari_webipred.evaluation.files import as_csv

    if plot.numbers is not None:
        return as_csv(plot.numbers())
    if plot.parts is None:
        assert plot.lines is not None
        return as_csv(plot.lines(variant))
    parts = plot.parts(variant)
    if kind != "CSV":
        return rendering.file_of(parts, "png" if kind == "PNG" else "svg")
    lines: list[Sequence[Cell]] = []
    for part in parts:
        lines += [[part.title], *part.lines] if part.title else part.lines
    return as_csv(lines)
