"""The command `report`."""

from __future__ import annotations

import json
import sys

import pytest

import napari_webipred as wp
from napari_webipred import cli
from napari_webipred.errors import OptionError

RITA = ("--reader", "Rita Reader", "--organisation", "Clinic")


def run(*arguments: object) -> int:
    return cli.main(["report", *map(str, arguments)])


def test_it_writes_the_report_and_says_what_of_the_patient_is_in_it(study, tmp_path, capsys) -> None:
    table, out = study.read({0: ("noisy", "")}), tmp_path / "report.json"
    assert run(table, "--to", "fhir", "-o", out, *RITA) == 0
    said = capsys.readouterr().err
    assert "1 file written" in said
    assert "PatientID" in said
    assert "PatientName" not in said
    assert json.loads(out.read_text(encoding="utf-8"))["type"] == "transaction"
    assert run(table, "--to", "fhir", "-o", out, "--name", "--overwrite", *RITA) == 0
    assert "PatientName" in capsys.readouterr().err


def test_nothing_is_replaced_unasked(study, tmp_path, capsys) -> None:
    out = tmp_path / "report.html"
    assert run(study.table, "--to", "html", "-o", out, "--pictures") == 0
    before = out.read_bytes()
    assert b"data:image/png" in before
    assert run(study.table, "--to", "html", "-o", out) == 2
    said = capsys.readouterr().err
    assert f"{out} exists." in said
    assert "--overwrite" in said
    assert "not written by" not in said
    assert out.read_bytes() == before
    with pytest.raises(OptionError, match="is not replaced: it is there already"):
        wp.report(study.table, "html").save(out)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--to", "html"), "--output"),
        (("--to", "fhir", "-o", "a.json", "--pictures"), "kind html only"),
        (("--to", "html", "-o", "a.html", "--corrects", "b"), "kind sr only"),
        (("--to", "fhir", "-o", "a.txt"), "ends in .json"),
        (("--to", "fhir", "-o", "a.json", "--images", "nowhere"), "not found"),
    ],
)
def test_a_mistake_is_told(study, capsys, tmp_path, monkeypatch, arguments: tuple[str, ...], said: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(study.table, *arguments) == 2
    assert said in capsys.readouterr().err


def test_the_reader_has_to_have_a_name(study, tmp_path, capsys) -> None:
    assert run(study.read({0: ("noisy", "")}), "--to", "fhir", "-o", tmp_path / "a.json") == 2
    assert "Add --reader and --organisation." in capsys.readouterr().err


def test_without_highdicom_the_command_says_how_to_install_it(study, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "highdicom", None)
    assert run(study.table, "--to", "sr", "-o", tmp_path / "a") == 2
    assert 'pip install "napari-webipred[report]"' in capsys.readouterr().err


def test_several_reports_go_into_a_folder(study, tmp_path, capsys) -> None:
    pytest.importorskip("highdicom", reason="LEFT OUT: DICOM reports, because highdicom is not installed")
    assert run(study.table, "--to", "sr", "-o", tmp_path / "a.dcm") == 2
    assert "name of a folder" in capsys.readouterr().err
    assert run(study.table, "--to", "sr", "-o", tmp_path / "a") == 0
    assert [path.name for path in sorted((tmp_path / "a").iterdir())] == ["report-1.dcm", "report-2.dcm"]
