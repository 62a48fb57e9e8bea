"""A study of made images, classified once, with the answers of a reader."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dicom_maker import ct_slice, written
from napari_webipred import cli
from napari_webipred.reports import results
from napari_webipred.reports.results import Results

READER = ("reader_class", "reader_comment", "reader_time")
TIME = "2026-11-26T10:00:00+00:00"
NAME = "Mustermann^Erika"


class Study:
    """A folder with a series of three slices and a radiograph, and the table of what the demo model says of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images, self.table = folder / "study", folder / "results.csv"

    def read(self, answers: dict[int, tuple[str, str]], name: str = "read.csv") -> Path:
        """Write a copy of the table in which a reader has answered about these rows: class and comment."""
        path = self.folder / name
        with self.table.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*header, *READER])
            for number, row in enumerate(rows):
                writer.writerow([*row, *((*answers[number], TIME) if number in answers else ("", "", ""))])
        shutil.copy(self.table.with_name("results.csv.json"), path.with_name(f"{name}.json"))
        return path

    def results(self, answers: dict[int, tuple[str, str]] | None = None) -> Results:
        """The rows as a report takes them."""
        return results.of_file(self.read(answers) if answers else self.table)

    def numbers(self) -> list[list[float]]:
        """The probabilities, as they stand in the table."""
        with self.table.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        first, end = header.index("sharp"), header.index("prediction")
        return [[float(cell) for cell in row[first:end]] for row in rows]


@pytest.fixture(scope="session")
def made_study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = Study(tmp_path_factory.mktemp("reports"))
    study.images.mkdir()
    random = np.random.default_rng(2)
    about: dict[str, Any] = {
        "PatientName": NAME,
        "PatientID": "P-17",
        "PatientBirthDate": "19610101",
        "PatientSex": "F",
        "PatientAge": "065Y",
        "StudyInstanceUID": "1.2.826.0.1.3680043.8.498.1",
        "StudyDate": "20261120",
        "StudyTime": "101500",
        "StudyID": "S1",
        "AccessionNumber": "A77",
        "SeriesInstanceUID": "1.2.826.0.1.3680043.8.498.2",
        "FrameOfReferenceUID": "1.2.826.0.1.3680043.8.498.3",
        "ReferringPhysicianName": "Doktor^Dora",
        "PatientComments": "Mustermann",
    }
    for number in range(3):
        pixels = random.normal(40, 20 + 60 * number, (40, 48)).astype(np.int16)
        uid = f"1.2.826.0.1.3680043.8.498.2.{number}"
        written(study.images / f"IM{number}", ct_slice(5.0 * number, number + 1, pixels, **about, SOPInstanceUID=uid))
    series = {"SeriesInstanceUID": "1.2.826.0.1.3680043.8.498.4", "SOPInstanceUID": "1.2.826.0.1.3680043.8.498.4.1"}
    single = ct_slice(0.0, 1, random.normal(40, 90, (64, 64)).astype(np.int16), **{**about, **series})
    single.Modality, single.SOPClassUID = "CR", "1.2.840.10008.5.1.4.1.1.1"
    single.file_meta.MediaStorageSOPClassUID = single.SOPClassUID
    written(study.images / "XR", single)
    assert cli.main(["classify", str(study.images), "-m", "demo", "-o", str(study.table)]) == 0
    return study


@pytest.fixture
def study(made_study: Study, tmp_path: Path) -> Study:
    """A copy that a test may change; the table names the images where they were made."""
    copy = Study(tmp_path / "copy")
    shutil.copytree(made_study.folder, copy.folder)
    return copy


@pytest.fixture
def change_record(study: Study) -> Any:
    """Change what the record says of the model."""

    def change(**model: Any) -> None:
        path = study.folder / "results.csv.json"
        record = json.loads(path.read_text(encoding="utf-8"))
        record["model"] |= model
        path.write_text(json.dumps(record), encoding="utf-8")

    return change
