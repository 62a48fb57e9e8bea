"""Files made by an attacker or an accident are refused in plain words, or opened where they do no harm."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from hostile.archives import ARCHIVES, EITHER
from hostile.folder import opened
from hostile.images import IMAGES
from hostile.keras_files import HDF5_FILES, KERAS_FILES, SAVED_MODELS
from hostile.models import MODELS
from napari_webipred import limits

MEGABYTES = 300
DICOM_MEGABYTES, DICOM_SECONDS = 600, 2  # of the processor

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are watched on POSIX systems only")


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return opened("archive", ".zip", ARCHIVES, tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return opened("image", ".dat", IMAGES, tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def dicom_files(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    pytest.importorskip("pydicom")
    from hostile.dicom_files import DICOM

    return opened("image", ".dcm", DICOM, tmp_path_factory.mktemp("dicom"))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return opened("model", ".onnx", MODELS, tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def keras_files(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Keras files, SavedModels and checkpoints."""
    return [
        report
        for suffix, cases in ((".h5", HDF5_FILES), (".keras", KERAS_FILES), (".zip", SAVED_MODELS))
        for report in opened("model", suffix, cases, tmp_path_factory.mktemp("keras"))
    ]


def wrong(reports: list[dict[str, Any]], kinds: set[str]) -> list[dict[str, Any]]:
    """Reports of harmless files that were refused, and of others that were opened, or refused without words."""
    found = []
    for report in reports:
        harmless = report["case"].startswith("harmless")
        refused = (
            report["kind"] in kinds and bool(report["hint"]) and report["case"].replace(":", "") in report["words"]
        )
        if report["case"] in EITHER:
            fine = refused or not report["kind"]
        else:
            fine = not report["kind"] if harmless else refused
        if not fine:
            found.append(report)
    return found


def excessive(reports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Reports of files that took more than 64 MB and four times the file until they were refused."""
    least = min(report["megabytes"] for report in reports)
    return [
        report
        for report in reports
        if report["kind"] and report["megabytes"] - least > (limits.OPENING + 4 * report["bytes"]) / 2**20
    ]


def test_hostile_archives_are_refused_by_name_and_strange_ones_are_opened(archives: list[dict[str, Any]]) -> None:
    assert len(archives) >= 40
    assert wrong(archives, {"ArchiveError", "TooLargeError", "LimitError", "ModelError"}) == []


def test_hostile_models_are_refused_by_name_and_strange_ones_are_run(models: list[dict[str, Any]]) -> None:
    assert len(models) >= 60
    assert wrong(models, {"ArchiveError", "LimitError", "ModelError", "SlowModelError"}) == []


def test_refusing_a_model_takes_no_more_memory_than_opening_may(models: list[dict[str, Any]]) -> None:
    """64 MB, and four times the file."""
    assert excessive(models) == []


def test_hostile_keras_files_are_refused_by_name_and_strange_ones_are_run(keras_files: list[dict[str, Any]]) -> None:
    assert len(keras_files) >= 100
    assert wrong(keras_files, {"ArchiveError", "LimitError", "ModelError", "TooLargeError"}) == []


def test_refusing_a_keras_file_takes_no_more_memory_than_opening_may(keras_files: list[dict[str, Any]]) -> None:
    assert excessive(keras_files) == []


def test_no_refused_model_leaves_a_graph_in_the_cache(models: list[dict[str, Any]], tmp_path_factory: Any) -> None:
    folders = {path.resolve() for path in tmp_path_factory.getbasetemp().glob("hostile*/model")}
    (cache,) = (path.parent / "cache" for path in folders)
    kept = list((cache / "compiled").glob("*.onnx"))
    assert len(kept) == sum(not report["kind"] for report in models)


def test_hostile_images_are_refused_by_name_and_strange_ones_are_opened(images: list[dict[str, Any]]) -> None:
    assert len(images) >= 25
    assert wrong(images, {"ImageError"}) == []


def test_hostile_dicom_files_are_refused_by_name_and_strange_ones_are_opened(
    dicom_files: list[dict[str, Any]],
) -> None:
    assert len([report for report in dicom_files if not report["case"].startswith("harmless")]) >= 30
    assert wrong(dicom_files, {"ImageError"}) == []


def test_no_hostile_dicom_file_takes_long_or_fills_the_memory(dicom_files: list[dict[str, Any]]) -> None:
    assert [report for report in dicom_files if report["megabytes"] >= DICOM_MEGABYTES] == []
    assert [report for report in dicom_files if report["seconds"] >= DICOM_SECONDS] == []


def test_no_hostile_file_fills_the_memory(archives: list[dict[str, Any]], images: list[dict[str, Any]]) -> None:
    assert [report for report in archives + images if report["megabytes"] >= MEGABYTES] == []


def test_no_hostile_archive_leaves_a_file_behind(archives: list[dict[str, Any]], tmp_path_factory: Any) -> None:
    """The watch runs in the folder of the tests, beside which names that lead up would have put a file."""
    left = {path.name for path in tmp_path_factory.getbasetemp().rglob("*")} & {"up.json", "job", "x.dll", "passwd"}
    assert left == set()
