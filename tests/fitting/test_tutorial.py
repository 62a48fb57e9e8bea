"""The page about own classes: what it tells the reader to type works, and prints what it says."""

from __future__ import annotations

import csv
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PAGE = Path(__file__).parents[2] / "docs" / "own-classes.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder ``cells`` with round cells and such that divide, of five days, and ``labels.csv`` beside it."""
    place = tmp_path_factory.mktemp("tutorial")
    (place / "cells").mkdir()
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[0:96, 0:96]
    lines = []
    for number in range(40):
        dividing = number % 2 == 0
        picture = random.normal(20, 4, (96, 96))
        for centre in ((48, 34), (48, 62)) if dividing else ((48, 48),):
            far = np.hypot(rows - centre[0] - random.normal(0, 2), columns - centre[1] - random.normal(0, 2))
            picture += 150 * (far < (12 if dividing else 20) + random.normal(0, 1))
        name = f"cells/{'abcde'[number // 8]}{number % 8 + 1}.png"
        Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(place / name)
        day = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")[number // 8]
        lines.append((name, "dividing" if dividing else "resting", day))
    with (place / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image", "label", "day"), *lines])
    return place


def run(arguments: list[str], place: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=place,
        env=os.environ | {"NAPARI_WEBIPRED_OFFLINE": "1", "PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_reader_who_types_what_the_page_says_gets_a_model(cells: Path) -> None:
    printed = ""
    for block in blocks("sh"):
        for line in block.splitlines():
            program, *arguments = shlex.split(line)
            assert program == "napari-webipred"
            printed += run(["-m", "napari_webipred.cli", *arguments], cells)
    assert (cells / "cells.zip").is_file()
    assert list((cells / "maps").glob("*.png"))
    results = (cells / "results.csv").read_text(encoding="utf-8").splitlines()
    assert results[0] == "image,dividing,resting,prediction,error"
    assert len(results) == 41
    shown = next(block for block in blocks("text") if "CROSS-VALIDATED" in block)
    for line in ("Own classes: dividing, resting: fitted to 40 images of 5 groups", "CROSS-VALIDATED", "FITTED TO"):
        assert line in shown
        assert line in printed
    for block in blocks("python"):
        run(["-c", block], cells)


def test_the_messages_of_the_page_are_those_of_the_program() -> None:
    source = PAGE.parents[1] / "src" / "napari_webipred"
    said = " ".join(
        re.sub(r'"\s+f?"', "", path.read_text(encoding="utf-8"))
        for room in ("fitting", "_napari/own_classes")
        for path in (*(source / room).glob("*.py"), source / "licences.py")
    )
    table = re.search(r"\| message \|.*?\n\n", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert table is not None
    for row in table[0].strip().splitlines()[2:]:
        message = row.split("|")[1].strip()
        words = max(re.split(r"\d+|\ba class\b|\bthe base model\b|\bthe base\b|,", message), key=len).strip()
        assert words in said, message
