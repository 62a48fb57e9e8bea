"""The whole way with a real archive. Run by `test_real.py`, in a namespace without any other network."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from faults import SEEN
from msgspec.structs import replace

import napari_webipred as wp
import orthanc
from dicom_maker import content, ct_slice, dataset
from napari_webipred.cli import main
from napari_webipred.errors import PacsError, SecretError
from napari_webipred.pacs import access, connection_file, dimse, folder, secret
from napari_webipred.pacs.connection import Connection
from napari_webipred.pacs.query import Query
from napari_webipred.pacs.retrieval import listing, retrieving
from napari_webipred.steps import result_of

assert orthanc.INSIDE in os.environ, "run test_real.py"

JPEG_2000, RLE = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"
WEB = Connection("web", "dicomweb", f"http://127.0.0.1:{orthanc.HTTP_PORT}/dicom-web", user=orthanc.USER)
DIMSE = Connection("dimse", "dimse", f"127.0.0.1:{orthanc.DICOM_PORT}", title="ORTHANC", own_port=orthanc.OWN_PORT)
STUDIES = {"1.2.3": ("Doe^Jane", "P 1", "20260131"), "1.2.4": ("Müller^Jörg=山田^太郎", "P2", "20260201")}


def study(uid: str) -> dict[str, bytes]:
    """A CT of six slices, two of them compressed, an X-ray image, and a truncated one; by their identifiers."""
    name, patient, date = STUDIES[uid]
    noise = np.random.default_rng(int(uid[-1])).integers(-900, 900, (32, 64)).astype(np.int16)
    about = {"SpecificCharacterSet": "ISO_IR 192", "PatientName": name, "PatientID": patient, "StudyDate": date}
    about |= {"StudyInstanceUID": uid, "AccessionNumber": f"A{uid[-1]}", "StudyID": "S"}
    made = []
    for place in range(6):
        made.append(ct_slice(place * 2.0, place + 1, np.roll(noise, place), SeriesInstanceUID=f"{uid}.1", **about))
    made[2].compress(RLE, generate_instance_uid=False)
    made[4].compress(JPEG_2000, generate_instance_uid=False)
    made.append(dataset((noise - noise.min()).astype(np.uint16), "CR", SeriesInstanceUID=f"{uid}.2", **about))
    made.append(dataset((noise - noise.min()).astype(np.uint16), "CR", SeriesInstanceUID=f"{uid}.3", **about))
    for number, each in enumerate(made):
        each.SOPInstanceUID = each.file_meta.MediaStorageSOPInstanceUID = f"{uid}.9.{number}"
    files = {str(each.SOPInstanceUID): content(each) for each in made}
    files[f"{uid}.9.7"] = files[f"{uid}.9.7"][:-3000]
    return files


FILES = {uid: study(uid) for uid in STUDIES}


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    orthanc.loopback_up()
    with orthanc.archive() as process:
        secret.remember(WEB, orthanc.PASSWORD)
        store = access.opened(WEB)
        store.store(each for files in FILES.values() for each in files.values())
        store.close()
        yield
        assert process.poll() is None, "the archive has crashed, as it does when it converts JPEG 2000"


@pytest.fixture(autouse=True)
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    connection_file.add(WEB)
    connection_file.add(DIMSE)
    secret.remember(WEB, orthanc.PASSWORD)
    yield
    assert not folder.parent().exists(), "images were left behind"


@pytest.mark.parametrize("name", ["web", "dimse"])
@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(), {"1.2.3", "1.2.4"}),
        (Query(patient_name="doe"), {"1.2.3"}),
        (Query(patient_name="Doe^Ja?e"), {"1.2.3"}),
        (Query(patient_name="D*"), {"1.2.3"}),
        (Query(patient_name="Doe Jane"), set()),  # the archive is asked for Doe?Jane, which would match
        (Query(patient_name="müller"), {"1.2.4"}),
        (Query(patient_name="山田"), {"1.2.4"}),
        (Query(patient_id="P 1"), {"1.2.3"}),
        (Query(date="2026-02-01.."), {"1.2.4"}),
        (Query(date="20260131", modality="ct"), {"1.2.3"}),
        (Query(modality="MR"), set()),
        (Query(accession_number="A4"), {"1.2.4"}),
    ],
)
def test_a_search_finds_exactly_what_was_meant(name: str, query: Query, found: set[str]) -> None:
    opened = access.opened(connection_file.connection(name))
    assert {study.uid for study in opened.studies(query)} == found
    opened.close()


@pytest.mark.parametrize("name", ["web", "dimse"])
def test_names_in_any_script_dates_and_counts_are_those_of_the_files(name: str) -> None:
    with wp.Archive(name) as opened:
        first, second = sorted(opened.find(), key=lambda study: study.uid)
        assert (first.patient_name, second.patient_name) == tuple(about[0] for about in STUDIES.values())
        assert (second.patient_id, second.date, second.series, second.instances) == ("P2", "20260201", 3, 8)
        assert set(second.modalities) == {"CT", "CR"}
        assert {(each.uid, each.modality, each.instances) for each in opened.series(second)} == {
            ("1.2.4.1", "CT", 6),
            ("1.2.4.2", "CR", 1),
            ("1.2.4.3", "CR", 1),
        }
        assert len(opened.find(limit=1)) == len(opened.find(limit=1, offset=1)) == 1
        assert opened.find(limit=1) != opened.find(limit=1, offset=1)


@pytest.mark.parametrize("way", ["web", "get", "move"])
def test_images_come_as_they_are_stored(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte for byte from the first attribute on, in their own transfer syntax; the head is the archive's."""
    if way == "move":

        def no_getting(*arguments: object) -> None:
            raise NotImplementedError

        monkeypatch.setattr(dimse, "getting", no_getting)
    opened = access.opened(WEB if way == "web" else DIMSE)
    made = folder.make()
    wanted = result_of(listing(opened, opened.studies(Query(patient_id="P2"))))
    assert len(wanted) == 8
    sources = result_of(retrieving(opened, wanted, made))
    files = [path.read_bytes() for path in made.rglob("*") if path.is_file()]
    stored = [each[each.index(b"\x08\x00\x05\x00") :] for each in FILES["1.2.4"].values()]
    assert all(any(file.endswith(each) for file in files) for each in stored if each is not stored[-1])
    assert [source.name for source in sources][:2] == ["study 1/CT series 3", "study 1/CR series 3 image 1"]
    assert sources[0].shape == (6,)
    assert made.stat().st_mode & 0o777 == 0o700
    folder.delete(made)
    opened.close()


def test_classifying_in_a_terminal_gives_the_numbers_of_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "files").mkdir()
    for number, each in enumerate(FILES["1.2.3"].values()):
        (tmp_path / "files" / f"{number}.dcm").write_bytes(each)
    expected = wp.classify("files", "demo")
    for name in ("web", "dimse"):
        arguments = ["pacs", "classify", name, "--patient-name", "Doe", "--model", "demo", "--output", f"{name}.csv"]
        assert main([*arguments, "--identify"]) == 1, capsys.readouterr().err  # the truncated image
        table = pd.read_csv(f"{name}.csv", keep_default_na=False)
        assert len(table) == len(expected) == 8
        assert table["image"].unique().tolist()[0] == "study 1/CT series 3"
        assert set(table["study"][:-1]) == {"1.2.3"}  # the truncated one is not read far enough
        for column in ("sharp", "blurred", "noisy", "overexposed", "underexposed"):
            numbers = pd.to_numeric(table[column]).astype(np.float32)
            assert numbers.dropna().tolist() == expected[column].dropna().tolist()
        assert table["error"].astype(bool).sum() == 1
        assert "cut short" in table["error"].iloc[-1]
        record = Path(f"{name}.csv.json").read_text(encoding="utf-8")
        assert not any(word in record for word in ("Doe", "P 1", str(folder.parent())))
    said = capsys.readouterr()
    assert "Asking 127.0.0.1." in said.err
    assert "Doe" not in said.out + said.err


@pytest.mark.parametrize("name", ["web", "dimse"])
def test_nothing_tells_of_a_patient_but_the_answer(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a log with every message of every library, nor a file, also after an error."""
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.DEBUG)
    logging.getLogger("check").debug("the log is written")
    assert main(["pacs", "classify", name, "--patient-name", "Doe^Jane", "-m", "demo", "-o", "out.csv"]) == 1
    assert main(["pacs", "find", name, "--patient-id", "P 1", "--modality", "C/T"]) == 2
    assert "the log is written" in caplog.text
    assert not [word for word in ("Doe", "P 1", "1.2.3.9", "PatientName") if word in caplog.text]
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert tmp_path / "out.csv" in written
    assert not [path for path in written if b"Doe" in path.read_bytes() or "Doe" in path.name]


def test_finding_in_a_terminal_shows_studies_and_series(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pacs", "test", "dimse"]) == 0
    assert main(["pacs", "find", "web", "--patient-name", "müller", "--series"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert ["Müller^Jörg" in line for line in shown] == [False, True, False, False, False]
    assert main(["pacs", "find", "dimse", "--json"]) == 0
    assert {each["uid"] for each in json.loads(capsys.readouterr().out)} == set(STUDIES)


def test_python_finds_retrieves_and_classifies() -> None:
    with wp.Archive("web", password=orthanc.PASSWORD) as opened:
        sources = opened.retrieve(opened.find(patient_id="P2"), modality="CT")
        assert wp.classify(sources, "demo")["z"].tolist() == [0, 1, 2, 3, 4, 5]


def test_a_report_is_stored_by_both_ways_and_found_again() -> None:
    made = dataset(np.zeros((8, 8), np.uint8), "SC", StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.7")
    made.PatientID, made.PatientName = "P 1", "Doe^Jane"
    for name, uid in (("web", "1.2.3.7.1"), ("dimse", "1.2.3.7.2")):
        made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = uid
        with wp.Archive(name) as opened:
            opened.store([content(made)])
    opened = access.opened(WEB)
    assert {each.uid for each in opened.instances("1.2.3", "1.2.3.7")} == {"1.2.3.7.1", "1.2.3.7.2"}


def test_what_is_said_of_wrong_titles_and_of_a_wrong_password() -> None:
    wrong = replace(DIMSE, title="NOBODY")
    with pytest.raises(PacsError) as caught:
        access.opened(wrong).check()
    assert str(caught.value) == SEEN["wrong AE title of the archive"]
    with pytest.raises(PacsError) as caught:
        access.opened(replace(DIMSE, own_title="STRANGER")).studies(Query())
    assert str(caught.value) == SEEN["unknown AE title of this program, refused later"]
    secret.remember(WEB, "wrong")
    with pytest.raises(SecretError) as caught:
        access.opened(WEB).check()
    assert str(caught.value) == SEEN["wrong password"]
    with pytest.raises(SecretError):
        secret.secret_of(WEB)  # it is asked for again


def test_the_address_of_the_server_itself_is_no_dicomweb() -> None:
    own = replace(WEB, name="own", address=f"http://127.0.0.1:{orthanc.HTTP_PORT}")
    secret.remember(own, orthanc.PASSWORD)
    with pytest.raises(PacsError) as caught:
        access.opened(own).studies(Query())
    assert str(caught.value) == SEEN["image that the archive has lost, or an address without DICOMweb"]


def test_an_identifier_that_is_stored_twice_is_one_image() -> None:
    opened = access.opened(WEB)
    before = len(opened.instances("1.2.3", "1.2.3.1"))
    opened.store([FILES["1.2.3"]["1.2.3.9.0"]])
    assert len(opened.instances("1.2.3", "1.2.3.1")) == before == 6
    opened.close()


KILLED = """
import sys, time
from napari_webipred.pacs import folder
(folder.make() / "image").write_bytes(b"Doe")
print(folder.parent(), flush=True)
time.sleep(60)
"""


def test_what_a_killed_program_has_left_is_deleted_at_the_next_start() -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    left = Path(process.stdout.readline().strip())
    assert list(left.glob("*/image"))
    folder.delete_leftovers()
    assert list(left.glob("*/image")), "it still runs"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    folder.delete_leftovers()
    assert not left.exists()
