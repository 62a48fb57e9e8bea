"""What becomes of hostile files? `python benchmarks/hostile_files.py > docs/hostile-files.md`.

Makes the files of `tests/hostile`, opens each in a process of its own and prints a page: what the user sees, seconds
and peak memory of that process. POSIX only.

With ``--before SRC``, the folder ``src`` of an older version, it prints instead what the models cost there and here.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from hostile.archives import ARCHIVES
from hostile.dicom_files import DICOM
from hostile.folder import opened
from hostile.images import IMAGES
from hostile.keras_files import HDF5_FILES, KERAS_FILES, SAVED_MODELS
from hostile.models import MODELS
from hostile.watch import GIVEN_UP

KERAS = [
    ("Keras files (HDF5)", ".h5", HDF5_FILES),
    ("Keras files (.keras)", ".keras", KERAS_FILES),
    ("SavedModels and checkpoints", ".zip", SAVED_MODELS),
]

PAGE = """# Hostile files

Archives, models, images and DICOM files that an attacker or an accident could make, and what the user sees.
`tests/hostile` makes them and checks every change of the program: each file is refused with a message that names it, or
opened if that does no harm. No archive and no image takes {limit} MB, and no DICOM file 600 MB or 2 s; refusing a model
takes at most 64 MB and four times the size of its file. [Limits](limits.md) lists the limits.

`python benchmarks/hostile_files.py` prints this page. Processor seconds and megabytes are those of the process that
opened the file, with all libraries that it needs ({empty} MB, for archives, models, images and DICOM
files). Models that are opened are also run once.

{archives} archives, {models} ONNX models, {keras} Keras files and SavedModels, {images} images, and {dicom} DICOM
files; the slowest took {seconds:.1f} s, the largest {megabytes:.0f} MB.
"""


def table(title: str, suffix: str, reports: list[dict[str, Any]]) -> str:
    """Lay out the reports as a table."""
    lines = [f"## {title}\n", "| file | what the user sees | s | MB |", "|---|---|---|---|"]
    for report in reports:
        name = report["case"].replace(":", "") + suffix
        words = report["words"].replace(name, "FILE").replace("|", "\\|")
        words = words.replace(f"The model {name.removesuffix(suffix)} ", "The model FILE ")
        words = words if len(words) <= 160 else words[:159] + "…"
        lines.append(f"| {report['case']} | {words} | {report['seconds']:.2f} | {report['megabytes']:.0f} |")
    return "\n".join(lines)


def comparison(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> str:
    """Lay out what two versions made of the same files."""
    lines = ["| file | before: s | MB | it was | after: s | MB | it is |", "|---|---:|---:|---|---:|---:|---|"]
    for old, new in zip(before, after, strict=True):
        cells = " | ".join(f"{each['seconds']:.2f} | {each['megabytes']:.0f} | {_end(each)}" for each in (old, new))
        lines.append(f"| {new['case']} | {cells} |")
    return "\n".join(lines)


def _end(report: dict[str, Any]) -> str:
    if report["kind"] == "Crash":
        return f"killed after {GIVEN_UP} s"
    return "refused" if report["kind"] else "opened"


def compare(source: Path) -> None:
    """Open the models with an older version and with this one."""
    layers = {name: ARCHIVES[name] for name in ("enlarging by 4720", "padding by 9438")}
    with tempfile.TemporaryDirectory() as folder:
        seen = []
        for name, code in (("before", source), ("after", None)):
            place = Path(folder, name)
            place.mkdir()
            networks = opened("model", ".onnx", MODELS, place, code)
            seen.append(networks + opened("archive", ".zip", layers, place, code))
    print(comparison(*seen))


def main() -> None:
    """Open all files and print the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--before", type=Path, metavar="SRC")
    if source := parser.parse_args().before:
        compare(source)
        return
    with tempfile.TemporaryDirectory() as folder:
        archives = opened("archive", ".zip", ARCHIVES, Path(folder))
        models = opened("model", ".onnx", MODELS, Path(folder))
        images = opened("image", ".dat", IMAGES, Path(folder))
        Path(folder, "dicom").mkdir()
        dicom = opened("image", ".dcm", DICOM, Path(folder, "dicom"))
        keras = {}
        for title, suffix, cases in KERAS:
            place = Path(folder, suffix)
            place.mkdir()
            keras[title] = opened("model", suffix, cases, place)
    every = archives + models + images + dicom + [report for reports in keras.values() for report in reports]
    worst = {key: max(report[key] for report in every) for key in ("seconds", "megabytes")}
    least = [f"{min(report['megabytes'] for report in reports):.0f}" for reports in (archives, models, images, dicom)]
    counts = {"archives": len(archives), "models": len(models), "images": len(images), "dicom": len(dicom)}
    counts["keras"] = sum(map(len, keras.values()))
    print(PAGE.format(limit=300, empty=f"{', '.join(least[:-1])} and {least[-1]}", **counts, **worst))
    print(table("Archives", ".zip", archives) + "\n")
    print(table("ONNX models", ".onnx", models) + "\n")
    for title, suffix, _ in KERAS:
        print(table(title, suffix, keras[title]) + "\n")
    print(table("Images", ".dat", images) + "\n")
    print(table("DICOM files", ".dcm", dicom))


if __name__ == "__main__":
    main()
