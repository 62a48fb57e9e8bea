"""What a report takes out of a table, and how it finds the images again."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import napari_webipred as wp
from dicom_maker import ct_slice, written
from napari_webipred import cli
from napari_webipred.errors import OptionError, WebIPredError
from napari_webipred.imaging.readers import file_source
from napari_webipred.reports import results
from napari_webipred.reports.making import Wishes, making
from napari_webipred.reports.origin import origins
from napari_webipred.reports.person import person
from napari_webipred.steps import result_of


def instances(found: results.Results, *folders: Path) -> list[str]:
    return [origin.instance[-3:] for own in result_of(origins(found, folders)) for origin in own]


def test_rows_are_read_with_their_places_and_answers(study) -> None:
    found = study.results({1: ("noisy", "=grain"), 2: ("", "")})
    assert [row.place for row in found.rows] == ["z 0", "z 1", "z 2", ""]
    assert [list(row.probabilities or ()) for row in found.rows] == study.numbers()
    assert [len(rows) for rows in found.by_image] == [3, 1]
    reading = found.rows[1].reading
    assert reading is not None
    assert (reading.classes, reading.time) == (("noisy",), datetime(2026, 11, 26, 10, tzinfo=UTC))
    assert found.rows[2].reading is not None
    assert found.rows[2].reading.unsure
    assert found.rows[0].reading is None
    assert "The table was changed after it was written." in found.notes
    assert study.results().notes == ()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("image,z,sharp", "image,z,soft", "not the classes"),
        ("prediction,error", "prediction,mistake", "lacks one of the columns"),
        ("IM", "IM", "no record"),
        ("0.", "nan0.", "something else than numbers"),
    ],
)
def test_a_table_that_is_none_is_refused(study, before: str, after: str, said: str) -> None:
    text = study.table.read_text(encoding="utf-8")
    study.table.write_text(text.replace(before, after), encoding="utf-8")
    if before == after:
        study.table.with_name("results.csv.json").unlink()
    with pytest.raises(OptionError, match=said):
        results.of_file(study.table)


def test_a_class_that_is_called_like_a_column_is_a_class(tmp_path: Path) -> None:
    Image.new("L", (40, 40), 90).save(tmp_path / "a.png")
    own, classes = tmp_path / "own.csv", ["model", "run", "region", "study", "reader_class"]
    told = ["classify", str(tmp_path / "a.png"), "-m", "demo", "--classes", ",".join(classes), "-o", str(own)]
    assert cli.main(told) == 0
    found = results.of_file(own)
    (row,) = found.rows
    assert found.classes == classes
    assert row.probabilities == pytest.approx(wp.classify(tmp_path / "a.png", "demo").iloc[0, 1:6].to_list())
    assert (row.region, row.identity, row.reading) == ("", (), None)


def test_images_are_found_where_they_were(study) -> None:
    assert instances(study.results()) == ["2.0", "2.1", "2.2", "4.1"]


def test_images_that_were_moved_are_found_by_their_checksum_or_their_identifiers(study, tmp_path) -> None:
    single, moved = tmp_path / "single.csv", tmp_path / "moved"
    assert cli.main(["classify", str(study.images / "XR"), "-m", "demo", "-o", str(single)]) == 0
    moved.mkdir()
    for number, path in enumerate(sorted(study.images.iterdir())):
        shutil.move(path, moved / f"other{number}")
    assert instances(results.of_file(single), moved) == ["4.1"]
    with pytest.raises(OptionError, match="not found"):
        instances(results.of_file(single))
    known = tmp_path / "identified.csv"
    assert cli.main(["classify", str(moved), "-m", "demo", "-o", str(known), "--identify"]) == 0
    shutil.copytree(moved, tmp_path / "again")
    shutil.rmtree(moved)
    assert instances(results.of_file(known), tmp_path / "again") == ["2.0", "2.1", "2.2", "4.1"]


def test_known_images_are_matched_by_their_places_and_never_by_a_name(study) -> None:
    known = [file_source(str(study.images / name)) for name in ("IM0", "IM1")]
    rows = [results.Result("IM", {}, "", (1.0,), ("a",), "", source=source) for source in (1, 0, 2)]
    found = results.Results(tuple(rows[:2]), {})
    assert [own[0].instance[-3:] for own in result_of(origins(found, known=known))] == ["2.1", "2.0"]
    assert [len(same) for same in found.by_image] == [1, 1]
    with pytest.raises(OptionError, match="IM is not open as it was classified"):
        result_of(origins(results.Results((rows[2],), {}), known=[*known, None]))


def test_a_series_of_the_same_name_in_another_folder_is_never_taken(tmp_path, monkeypatch) -> None:
    for patient in ("first", "second"):
        (tmp_path / patient / "dicom").mkdir(parents=True)
        for number in range(3):
            written(tmp_path / patient / "dicom" / f"IM{number}", ct_slice(5.0 * number, number, PatientID=patient))
    monkeypatch.chdir(tmp_path / "first")
    assert cli.main(["classify", "dicom", "-m", "demo", "-o", "results.csv"]) == 0
    table = results.of_file(tmp_path / "first" / "results.csv")
    assert len(instances(table)) == 3
    monkeypatch.chdir(tmp_path / "second")
    with pytest.raises(OptionError, match="CT series 3 is of other images than those that were classified"):
        instances(table)


def test_a_name_in_a_table_of_the_panel_is_no_path(study, monkeypatch) -> None:
    before = study.results()
    inputs = [{"image": entry["image"]} for entry in before.record["inputs"]]  # as the panel saves them
    monkeypatch.chdir(study.folder)
    with pytest.raises(OptionError, match="does not say where the image"):
        instances(results.Results(before.rows, {**before.record, "inputs": inputs}))


def test_another_image_of_the_same_name_is_never_taken(study, tmp_path) -> None:
    single = tmp_path / "single.csv"
    assert cli.main(["classify", str(study.images / "XR"), "-m", "demo", "-o", str(single)]) == 0
    shutil.copy(study.images / "IM0", study.images / "XR")
    with pytest.raises(OptionError, match="changed since it was classified"):
        instances(results.of_file(single))


def test_what_is_no_dicom_image_gets_a_page_only(tmp_path) -> None:
    Image.effect_noise((64, 64), 50).save(tmp_path / "a.png")
    assert cli.main(["classify", str(tmp_path / "a.png"), "-m", "demo", "-o", str(tmp_path / "out.csv")]) == 0
    found = results.of_file(tmp_path / "out.csv")
    with pytest.raises(OptionError, match="no DICOM image"):
        result_of(making(found, "fhir", Wishes()))
    assert result_of(making(found, "html", Wishes())).documents


def test_a_data_frame_needs_its_model(tmp_path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    table = wp.classify([noise, "missing.png"], "demo")
    table = pd.concat(
        [table, pd.DataFrame({"reader_class": ["noisy", ""], "reader_comment": "", "reader_time": ""})], axis=1
    )
    with pytest.raises(WebIPredError, match="which model"):
        wp.report(table, "html")
    table.loc[0, "reader_time"] = "2026-11-26T10:00:00+00:00"
    page = wp.report(table, "html", model="demo", reader="Rita Reader", organisation="Clinic")
    (written,) = page.save(tmp_path / "page.html")
    assert "Rita Reader" in written.read_text(encoding="utf-8")
    with pytest.raises(OptionError, match="not replaced"):
        page.save(tmp_path / "page.html")


@pytest.mark.parametrize("name", ["Rita Maria Reader", "Reader, Rita Maria", "Reader^Rita^Maria"])
def test_a_name_is_understood_as_people_write_it(name: str) -> None:
    found = person(name, "Clinic")
    assert (found.family, found.given, found.in_dicom) == ("Reader", "Rita Maria", "Reader^Rita Maria")


@pytest.mark.parametrize(("name", "where"), [("", "Clinic"), ("Rita", " "), ("a=b", "Clinic"), ("a" * 200, "Clinic")])
def test_a_reader_without_a_proper_name_is_refused(name: str, where: str) -> None:
    with pytest.raises(OptionError):
        person(name, where)


def test_a_table_that_is_not_there_is_told_before_its_record(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"There is no table gone\.csv\."):
        results.of_file(tmp_path / "gone.csv")


def test_a_table_that_a_spreadsheet_has_saved_gives_the_same_rows(study) -> None:
    path = study.read({1: ("noisy", "grain")})
    before = results.of_file(path)
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    numbers = [name for name in before.classes if name in table]
    table[numbers] = table[numbers].apply(lambda column: column.str.replace(".", ","))
    table.to_csv(path, sep=";", index=False, encoding="utf-8-sig")
    assert [(row.place, row.probabilities, row.reading) for row in results.of_file(path).rows] == [
        (row.place, row.probabilities, row.reading) for row in before.rows
    ]
    path.write_bytes(path.read_bytes().decode("utf-8-sig").encode("utf-16"))
    with pytest.raises(OptionError, match="are not UTF-8 text"):
        results.of_file(path)
