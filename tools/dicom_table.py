"""Read all DICOM files of pydicom and of the package pydicom-data, and compare them with DCMTK: a table for the docs.

``python tools/dicom_table.py`` writes docs/dicom-files.md. It needs dcmj2pnm and dcml2pnm (Debian: package dcmtk).
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from napari_webipred.errors import ImageError
from napari_webipred.imaging.dicom.content import is_dicom_file
from napari_webipred.imaging.display import displayed
from napari_webipred.imaging.readers import file_source, header_of, read
from napari_webipred.imaging.source import Index, Source

PAGE = Path(__file__).parents[1] / "docs" / "dicom-files.md"
HEAD = """\
# DICOM test files

What becomes of the DICOM files that come with pydicom {pydicom} and of the package pydicom-data {data}, and how many
grey levels their first and last frame differ at most from what DCMTK {dcmtk} makes of them with the same window. DCMTK
reads no JPEG 2000: GDCM has decoded those files for it. `python tools/dicom_table.py` writes this page.

{summary}

| file | read as | differs from DCMTK by |
|---|---|---|
"""
# Why files differ by more than a grey level; everything else is an error.
OVERLAY = "DCMTK paints the overlay onto the image"
WORDS = "DCMTK takes the 32-bit numbers for pairs of 16-bit words; ours equal those of rtdose.dcm"
REASONS = {
    "MR-SIEMENS-DICOM-WithOverlays.dcm": OVERLAY,
    "examples_overlay.dcm": OVERLAY,
    "rtdose_expb.dcm": WORDS,
    "rtdose_expb_1frame.dcm": WORDS,
    "SC_ybr_full_uncompressed.dcm": "the two round differently when they make RGB of YBR",
}


def folders() -> list[Path]:
    """Return the folders with test files."""
    import data_store
    import pydicom.data

    return [Path(pydicom.data.__file__).parent, Path(data_store.__file__).parent / "data"]


def files() -> Iterator[Path]:
    """Yield the DICOM files in them."""
    for folder in folders():
        yield from (path for path in sorted(folder.rglob("*")) if path.is_file() and is_dicom_file(path))


def shown(source: Source, index: Index) -> tuple[np.ndarray, list[str], str]:
    """Return a frame as it is displayed, what makes DCMTK display it so, and how it is displayed."""
    pixels, header = read(source, index), header_of(source, index)
    assert header is not None
    if header.display is None:
        return pixels, ["--no-windowing"], "colours"
    found = displayed(pixels, header.display, "auto")
    how = "full range"
    options = ["--min-max-window"]
    if header.display.windows:
        how = str(header.display.windows[0])
        options = ["--use-voi-lut", "1"] if how.startswith("table") else ["--use-window", "1"]
    return found.pixels, options, ", ".join([how, *(["inverted"] if header.display.inverted else [])])


def by_dcmtk(path: Path, frame: int, options: list[str]) -> np.ndarray | None:
    """Return a frame as DCMTK displays it; None if it cannot."""
    for program in ("dcmj2pnm", "dcml2pnm"):  # the second reads JPEG-LS
        command = [program, "+on", "--frame", str(frame + 1), *options, str(path)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.stdout.startswith(b"\x89PNG"):
            return np.asarray(Image.open(io.BytesIO(done.stdout)))
    return None


def by_dcmtk_after_gdcm(path: Path, frame: int, options: list[str]) -> np.ndarray | None:
    """Let GDCM decode a file, because DCMTK reads no JPEG 2000, and DCMTK display it."""
    from pydicom import dcmread

    dataset = dcmread(path)
    with tempfile.TemporaryDirectory() as folder:
        try:
            dataset.decompress(decoding_plugin="gdcm")
        except (ValueError, AttributeError):  # of pydicom, for odd files
            return None
        dataset.save_as(Path(folder) / "decoded.dcm")
        return by_dcmtk(Path(folder) / "decoded.dcm", frame, options)


def difference(ours: np.ndarray, theirs: np.ndarray) -> int | None:
    """Return the largest difference in grey levels; None if the sizes differ."""
    if ours.ndim != theirs.ndim:
        theirs = theirs[..., :1].repeat(3, -1) if ours.ndim == 3 else theirs
    return None if ours.shape != theirs.shape else int(np.abs(ours.astype(int) - theirs.astype(int)).max())


def row(path: Path) -> tuple[str, str]:
    """Say what becomes of a file, and how far it is from DCMTK."""
    source = file_source(path)
    indices = list(source.indices())
    try:
        frames = {index: shown(source, index) for index in (indices[0], indices[-1])}
    except ImageError as error:
        return "**not read**: " + error.message.removeprefix(f"{path.name}: "), ""
    first, _, how = frames[indices[0]]
    header = header_of(source, indices[0])
    assert header is not None
    count = f"{len(indices)} x " if len(indices) > 1 else ""
    words = "; ".join(part for part in (f"{count}{first.shape[1]} x {first.shape[0]}", how, header.decoding) if part)
    found = []
    for index, (pixels, options, _) in frames.items():
        theirs = by_dcmtk(path, index[0] if index else 0, options)
        if theirs is None and " 2000 " in header.decoding:
            theirs = by_dcmtk_after_gdcm(path, index[0] if index else 0, options)
        if theirs is None:
            return words, "DCMTK cannot read it"
        largest = difference(pixels, theirs)
        if largest is None:
            return words, "DCMTK gives another size"
        found.append(largest)
    return words, str(max(found))


def kind_of(words: str, far: str) -> str:
    """Say in which way a file was read."""
    if "not read" in words:
        return "hold no image" if "holds no image" in words else "refused"
    if far.isdigit():
        return "equal to DCMTK or one grey level off" if int(far) < 2 else "more"
    return "read, but not by DCMTK"


def main() -> int:
    """Write the page; 1 if a file differs without a reason."""
    from importlib.metadata import version

    for program in ("dcmj2pnm", "dcml2pnm"):
        if shutil.which(program) is None:
            print(f"{program} is missing: install DCMTK.", file=sys.stderr)
            return 1
    dcmtk = subprocess.run(["dcmj2pnm", "--version"], capture_output=True, text=True, check=False).stdout.split()[2]
    lines, counts, unexplained = [], Counter[str](), []
    for path in files():
        words, far = row(path)
        kind = kind_of(words, far)
        if kind == "more" and path.name in REASONS:
            kind = "differ for the reason that is given"
        counts[kind] += 1
        if not kind.startswith(("equal", "read", "hold", "ref")):
            reason = REASONS.get(path.name)
            far = f"{far}: {reason}" if reason else far
            if reason is None:
                unexplained.append(f"{path.name}: {far} ({words})")
        if kind != "hold no image":
            lines.append(f"| {path.name} | {words} | {far} |")
    summary = f"{counts.total()} files: " + ", ".join(f"{count} {kind}" for kind, count in counts.most_common()) + "."
    versions = {"pydicom": version("pydicom"), "data": version("pydicom-data"), "dcmtk": dcmtk.removeprefix("v")}
    PAGE.write_text(HEAD.format(summary=summary, **versions) + "\n".join(lines) + "\n", encoding="utf-8")
    print(summary, *unexplained, sep="\n")
    return bool(unexplained)


if __name__ == "__main__":
    sys.exit(main())
