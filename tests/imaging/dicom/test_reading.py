"""DICOM files through every door: files, folders, series, tables of contents; what is recorded and remarked."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_webipred as wp
from dicom_maker import RAMP, content, ct_slice, dataset, item, written
from napari_webipred.card import ModelCard
from napari_webipred.engine import find_sources
from napari_webipred.errors import ImageError
from napari_webipred.execution.plane import Plane, prepared_plane
from napari_webipred.imaging.dicom import pixels as decoding
from napari_webipred.imaging.dicom import syntax
from napari_webipred.imaging.readers import file_source, header_of, read
from napari_webipred.imaging.source import Source
from napari_webipred.options import Options

LITTLE = np.arange(6 * 7, dtype=np.uint8).reshape(6, 7)


def only(path: Path) -> Source:
    (source,) = find_sources(path)[0]
    return source


def remarks(source: Source, *index: int) -> tuple[str, ...]:
    header = header_of(source, index)
    assert header is not None
    return header.remarks


def test_a_file_is_known_by_its_content_whatever_it_is_called(tmp_path: Path) -> None:
    for name in ("IM0001", "1.2.840.113.7", "scan.dat", "photo.png"):
        path = written(tmp_path / name, dataset(RAMP))
        assert file_source(path).reader == "dicom"
    sources, left_out = find_sources(tmp_path)
    assert len(sources) == 1  # one series of four slices
    assert len(sources[0]) == 4
    assert left_out == ()


def test_a_file_gives_the_probabilities_of_what_is_displayed(tmp_path: Path) -> None:
    path = written(tmp_path / "x.dcm", dataset(RAMP, "CR", PhotometricInterpretation="MONOCHROME1"))
    as_shown = 255 - np.floor((RAMP + 1024.0) / 2047 * 255 + 0.5)
    tables = [wp.classify(each, "demo") for each in (path, as_shown.astype(np.uint8))]
    columns = slice("sharp", "underexposed")
    np.testing.assert_allclose(tables[0].loc[:, columns], tables[1].loc[:, columns], atol=2e-3)
    np.testing.assert_allclose(wp.prepare(path, "demo"), wp.prepare(as_shown.astype(np.uint8), "demo"), atol=1 / 128)


def test_rows_are_named_by_their_identifiers_only_if_asked(tmp_path: Path) -> None:
    made = dataset(RAMP)
    path = written(tmp_path / "x.dcm", made)
    assert "study" not in wp.classify([path, LITTLE], "demo").columns
    table = wp.classify([path, LITTLE], "demo", identify=True)
    assert list(table.columns[:4]) == ["image", "study", "series", "instance"]
    assert table.loc[0, ["study", "series", "instance"]].tolist() == ["1.2.3", "1.2.3.4", str(made.SOPInstanceUID)]
    assert table.loc[1, ["study", "series", "instance"]].tolist() == ["", "", ""]


# Series


def test_slices_of_a_series_are_a_stack_in_the_order_in_which_they_lie(tmp_path: Path) -> None:
    for name, place in (("c", 0.0), ("a", 10.0), ("b", 5.0)):
        written(tmp_path / name, ct_slice(place, pixels=np.full_like(RAMP, place)))
    source = only(tmp_path)
    assert source.axes == ("z",)
    assert source.name == str(tmp_path / "CT series 3")
    assert [int(read(source, (place,))[0, 0]) for place in range(3)] == [0, 5, 10]
    assert [remarks(source, place) for place in range(3)] == [(), (), ()]


def test_gaps_and_slices_at_the_same_place_are_remarked(tmp_path: Path) -> None:
    for number, place in enumerate((0.0, 2.5, 2.5, 5.0, 12.5)):
        written(tmp_path / str(number), ct_slice(place, number))
    source = only(tmp_path)
    assert remarks(source, 1) == ()
    assert "same place" in remarks(source, 2)[0]
    assert "distance is 7.5 mm, elsewhere 2.5 mm" in remarks(source, 4)[0]


@pytest.mark.parametrize(("counted", "axis"), [("TemporalPositionIdentifier", "t"), ("EchoNumbers", "repeat")])
def test_places_that_repeat_equally_often_have_an_axis_of_their_own(tmp_path: Path, counted: str, axis: str) -> None:
    for number in range(6):  # named and numbered place by place
        time, place = number % 2, number // 2
        pixels = np.full_like(RAMP, 10 * time + place)
        written(tmp_path / str(9 - number), ct_slice(2.5 * place, number, pixels, **{counted: time + 1}))
    source = only(tmp_path)
    assert (source.axes, source.shape) == ((axis, "z"), (2, 3))
    assert [int(read(source, index)[0, 0]) for index in source.indices()] == [0, 1, 2, 10, 11, 12]
    assert {remarks(source, *index) for index in source.indices()} == {()}


def test_places_that_differ_by_less_than_a_micrometre_do_not_mix_times(tmp_path: Path) -> None:
    for number in range(6):
        time, place = number % 2, number // 2
        pixels = np.full_like(RAMP, 10 * time + place)
        shift = 0.0004 if (time + place) % 2 else 0.0006  # which would be rounded down and up
        made = ct_slice(2.5 * place + shift, number, pixels, TemporalPositionIdentifier=time + 1)
        written(tmp_path / str(number), made)
    source = only(tmp_path)
    assert (source.axes, source.shape) == (("t", "z"), (2, 3))
    assert [int(read(source, index)[0, 0]) for index in source.indices()] == [0, 1, 2, 10, 11, 12]


def test_directions_that_differ_by_rounding_are_one(tmp_path: Path) -> None:
    """Far from the origin, the direction of each slice by itself would move it beyond the next one."""
    for number in range(4):
        tilt = 0.005 + (1e-5 if number % 2 else -1e-5)  # which would be rounded up and down
        made = ct_slice(0, number, np.full_like(RAMP, number))
        made.ImageOrientationPatient = [1, 0, tilt, 0, 1, 0]
        made.ImagePositionPatient = [-500, 0, 0.003 * number]
        written(tmp_path / str(number), made)
    source = only(tmp_path)
    assert [int(read(source, index)[0, 0]) for index in source.indices()] == [0, 1, 2, 3]


def test_copies_of_all_files_are_no_time_series(tmp_path: Path) -> None:
    for place in range(2):
        made = ct_slice(place)
        for name in ("a", "b"):
            written(tmp_path / f"{name}{place}", made)
    source = only(tmp_path)
    assert (source.axes, source.shape) == (("z",), (4,))
    assert "same place" in remarks(source, 1)[0]


def test_scouts_and_other_series_and_captures_stay_apart(tmp_path: Path) -> None:
    for number in range(3):
        written(tmp_path / f"slice{number}", ct_slice(number, number))
    written(tmp_path / "scout", ct_slice(7, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    written(tmp_path / "other", ct_slice(8, SeriesInstanceUID="1.2.3.5"))
    written(tmp_path / "capture", dataset(LITTLE, "SC"))
    written(tmp_path / "size", ct_slice(9, pixels=RAMP[:16]))
    sources, _ = find_sources(tmp_path)
    assert sorted(map(len, sources)) == [1, 1, 1, 1, 3]
    (scout,) = (source for source in sources if source.name.endswith("scout"))
    header = header_of(scout, ())
    assert header is not None
    assert "localizer" in header.remarks[0]


def test_views_of_an_examination_are_no_stack(tmp_path: Path) -> None:
    for number in range(2):
        written(tmp_path / str(number), dataset(RAMP, "CR", InstanceNumber=number))
    assert [len(source) for source in find_sources(tmp_path)[0]] == [1, 1]


def test_a_file_without_an_image_is_left_out_of_a_folder_and_refused_by_itself(tmp_path: Path) -> None:
    written(tmp_path / "slice", ct_slice(0))
    report = dataset(RAMP, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11")
    del report.PixelData
    path = written(tmp_path / "report", report)
    sources, left_out = find_sources(tmp_path)
    assert len(sources) == 1
    assert left_out == (str(path),)
    with pytest.raises(ImageError, match="holds no image"):
        read(file_source(path), ())


def test_a_presentation_state_that_is_not_applied_is_remarked(tmp_path: Path) -> None:
    written(tmp_path / "slice", ct_slice(0))
    state = dataset(RAMP, SOPClassUID="1.2.840.10008.5.1.4.1.1.11.1")
    del state.PixelData
    state.ReferencedSeriesSequence = item(SeriesInstanceUID="1.2.3.4")
    written(tmp_path / "state", state)
    header = header_of(only(tmp_path), ())
    assert header is not None
    assert "presentation state" in header.remarks[0]


def test_a_table_of_contents_stands_for_the_files_below_its_folder(tmp_path: Path) -> None:
    disc = tmp_path / "disc"
    (disc / "IMAGES").mkdir(parents=True)
    written(disc / "IMAGES" / "A", ct_slice(0))
    written(disc / "IMAGES" / "NOT", ct_slice(1))
    outside = written(tmp_path / "SECRET", ct_slice(2))
    listed = dataset(RAMP, SOPClassUID="1.2.840.10008.1.3.10")
    del listed.PixelData
    # Backslashes part the folders of a name.
    records = [["IMAGES", "A"], ["..", "SECRET"], [outside.as_posix()], ["MISSING"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydicom: such names are not allowed
        listed.DirectoryRecordSequence = [
            item(DirectoryRecordType="IMAGE", ReferencedFileID=parts)[0] for parts in records
        ]
        path = written(disc / "DICOMDIR", listed)
    sources, left_out = find_sources(path)
    assert [Path(source.name).name for source in sources] == ["A", "MISSING"]
    assert len(left_out) == 2
    assert {Path(source.name).name for source in find_sources(disc)[0]} == {"CT series 3"}


# Frames


def test_frames_are_read_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = np.arange(5 * 64 * 64, dtype=np.uint16).reshape(5, 64, 64)
    source = file_source(written(tmp_path / "x.dcm", dataset(frames, "US")))
    assert (source.axes, source.shape) == (("frame",), (5,))
    taken: list[int] = []
    before = decoding._decoded
    monkeypatch.setattr(decoding, "_decoded", lambda data, *rest: taken.append(len(data)) or before(data, *rest))
    for place in (4, 0, 2):
        np.testing.assert_array_equal(read(source, (place,)), frames[place])
    assert taken == [2 * 64 * 64] * 3


@pytest.mark.parametrize("fragments", [1, 3])
@pytest.mark.parametrize("has_offsets", [True, False])
def test_compressed_frames_are_found_in_their_pieces(tmp_path: Path, fragments: int, has_offsets: bool) -> None:
    from PIL import Image
    from pydicom.encaps import encapsulate

    frames = [np.full((16, 16), 40 * number, np.uint8) for number in range(4)]
    packed = []
    for number, frame in enumerate(frames):
        path = tmp_path / f"{number}.jpg"
        Image.fromarray(frame).save(path, quality=95)
        packed.append(path.read_bytes())
    made = dataset(np.stack(frames), "US", "1.2.840.10008.1.2.4.50")
    made.PixelData = encapsulate(packed, fragments_per_frame=fragments, has_bot=has_offsets)
    made["PixelData"].is_undefined_length = True
    source = file_source(written(tmp_path / "x.dcm", made))
    assert [int(read(source, (place,))[0, 0]) for place in range(4)] == [0, 40, 80, 120]


def test_bits_of_frames_that_do_not_end_with_a_byte_are_told_apart(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 2, (3, 3, 3), dtype=np.uint8)
    made = dataset(frames, "SC", BitsAllocated=1, BitsStored=1, HighBit=0)
    packed = np.packbits(frames.ravel(), bitorder="little").tobytes()
    made.PixelData = packed + bytes(len(packed) % 2)
    source = file_source(written(tmp_path / "x.dcm", made))
    for place in range(3):
        np.testing.assert_array_equal(read(source, (place,)), frames[place])


# Decoders


def test_a_missing_decoder_is_named_with_the_command_that_adds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syntax, "_is_there", lambda uid, decoder: False)
    made = dataset(RAMP, syntax="1.2.840.10008.1.2.4.70")
    table = wp.classify(written(tmp_path / "x.dcm", encapsulated(made)), "demo")
    assert "JPEG Lossless SV1 (1.2.840.10008.1.2.4.70)" in table["error"][0]
    assert 'pip install "napari-webipred[dicom]"' in table["error"][0]


def encapsulated(made: Any) -> Any:
    from pydicom.encaps import encapsulate

    made.PixelData = encapsulate([bytes(2000)])
    made["PixelData"].is_undefined_length = True
    return made


def test_the_first_decoder_that_is_there_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {syntax.GDCM, syntax.PILLOW}
    monkeypatch.setattr(syntax, "_is_there", lambda uid, decoder: decoder in there)
    assert syntax.decoder_of("1.2.840.10008.1.2.4.90", 16) == syntax.GDCM
    assert syntax.decoder_of("1.2.840.10008.1.2.4.50", 8) == syntax.PILLOW
    assert syntax.decoder_of("1.2.840.10008.1.2.1", 16) is None
    with pytest.raises(ImageError, match="12 bits"):
        syntax.decoder_of("1.2.840.10008.1.2.4.51", 12)


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.107", "1.2.840.10008.1.2.4.94"])
def test_video_and_other_ways_are_refused_by_name(tmp_path: Path, uid: str) -> None:
    source = file_source(written(tmp_path / "x.dcm", encapsulated(dataset(RAMP, "US", uid))))
    with pytest.raises(ImageError, match=r"MPEG-4 video|HEVC video|JPIP"):
        read(source, ())


# Records and remarks


def test_what_was_done_is_in_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_webipred.cli import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "study").mkdir()
    for number in range(3):
        written(tmp_path / "study" / str(number), ct_slice(number, number))
    narrow = ct_slice(3, 3)
    narrow.WindowWidth = 100
    written(tmp_path / "study" / "3", narrow)
    assert main(["classify", "study", "--model", "demo", "--output", "out.csv"]) == 0
    (entry,) = json.loads((tmp_path / "out.csv.json").read_text())["inputs"]
    assert entry["reading"] == "window 40/400 (LINEAR) of the file"
    assert entry["readings"] == [[3, "window 40/100 (LINEAR) of the file"]]
    assert (
        main(["classify", "study", "--model", "demo", "--range", "window 50/101", "--overwrite", "-o", "out.csv"]) == 0
    )
    (entry,) = json.loads((tmp_path / "out.csv.json").read_text())["inputs"]
    assert entry["reading"] == "black -0.5, white 99.5"


def test_what_speaks_against_an_image_is_remarked(tmp_path: Path) -> None:
    from napari_webipred.imaging.remarks import remarks_on_header

    made = dataset(RAMP, "MR", BodyPartExamined="BRAIN", BurnedInAnnotation="YES", LossyImageCompression="01")
    header = header_of(file_source(written(tmp_path / "x.dcm", made)), ())
    card = wp.open_model("demo").card
    chest = ModelCard.model_validate({**card.model_dump(), "procedure": "X-ray", "name": "Pneumonia in chest X-rays"})
    found = " ".join(remarks_on_header(header, chest))
    for word in ("burned into", "losses", "modality MR", "BRAIN"):
        assert word in found
    brain = ModelCard.model_validate(
        {**card.model_dump(), "procedure": "Magnetic Resonance Imaging", "name": "Brain tumours"}
    )
    assert "modality" not in " ".join(remarks_on_header(header, brain))


def test_an_image_that_is_stored_inverted_is_remarked_and_compared_as_displayed(tmp_path: Path) -> None:
    card = wp.open_model("demo").card
    dark = ModelCard.model_validate({**card.model_dump(), "expected_images": {"background": "dark"}})
    disc = np.hypot(*np.mgrid[-32:32, -32:32]) < 26
    found = []
    for name, pixels in (("bright", disc), ("dark", ~disc)):  # as stored, so that the edge is displayed bright, or dark
        made = dataset(255 * pixels.astype(np.uint8), "CR", PhotometricInterpretation="MONOCHROME1")
        source = file_source(written(tmp_path / name, made))
        found.append(prepared_plane(Plane(0, source, ()), dark, Options()).remark)
    for remark in found:
        assert "stored inverted (MONOCHROME1)" in remark
    assert ["looks inverted" in remark for remark in found] == [True, False]


def test_a_file_is_closed_after_it_was_read(tmp_path: Path) -> None:
    path = written(tmp_path / "x.dcm", dataset(RAMP))
    read(file_source(path), ())
    shutil.move(path, tmp_path / "moved")  # Windows refuses it otherwise
    path.write_bytes(content(dataset(RAMP))[:-100])
    with pytest.raises(ImageError, match="cut short"):
        read(file_source(path), ())


def test_messages_of_python_get_through_while_native_ones_are_dropped_and_all_do_afterwards() -> None:
    work = """
import io, os, sys
from napari_webipred.imaging.dicom.silence import native_silence
before = sys.stderr
for number in range(2):
    with native_silence():
        os.write(2, b"native")
        with native_silence():
            print("python", number, file=sys.stderr)
        kept = sys.stderr
    assert sys.stderr is before
    os.write(2, b"after")
print("kept", file=kept)
with native_silence():
    sys.stderr = other = io.StringIO()  # somebody else's, which stays
assert sys.stderr is other
with native_silence():
    assert sys.stderr is other
"""
    done = subprocess.run([sys.executable, "-c", work], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "python 0\nafterpython 1\nafterkept\n")
