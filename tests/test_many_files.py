"""Of very many files only the first are looked into before the first row; what comes out is the same."""

from __future__ import annotations

import json
import os
import signal
import tracemalloc
from collections.abc import Generator, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from dicom_maker import dataset, written
from napari_webipred import cli, engine
from napari_webipred.imaging import finding, unopened
from napari_webipred.imaging.files import Found
from napari_webipred.imaging.finding import FIRST, ListedFile
from napari_webipred.imaging.selection import Selection
from napari_webipred.imaging.source import Source
from napari_webipred.imaging.unopened import Sources
from napari_webipred.options import Options
from napari_webipred.runtime.session import Session
from napari_webipred.steps import result_of
from test_engine import MeanModel

COUNT = FIRST + 24
FIELDS = ("source", "image", "position", "prediction", "assigned", "error", "intensity_range", "remark", "region")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many small images, late among them stacks with two kinds of axes, a damaged file and text."""
    path = tmp_path_factory.mktemp("many")
    random = np.random.default_rng(5)
    for number in range(COUNT):
        pixels = random.integers(0, 256, (20, 24), np.uint8)
        if number == FIRST + 6:
            tifffile.imwrite(path / f"{number}.tif", random.integers(0, 900, (5, 20, 24), np.uint16))
        elif number == FIRST + 8:
            frames = [Image.fromarray(np.roll(pixels, i, 1)) for i in range(3)]
            frames[0].save(path / f"{number}.gif", save_all=True, append_images=frames[1:])
        elif number == FIRST + 10:
            (path / f"{number}.png").write_bytes(b"nonsense")
        else:
            Image.fromarray(pixels).save(path / f"{number}.{'jpg' if number % 2 else 'png'}")
    (path / "notes.txt").write_text("no image")
    return path


def events(images: Any, selection: Selection = engine.WHOLE, **options: Any) -> list[Any]:
    return list(engine.classify(MeanModel(), images, Options(**options), selection))


def rows(found: list[Any]) -> list[Any]:
    return [event.row for event in found if isinstance(event, engine.RowDone)]


def same(some: list[Any], others: list[Any]) -> None:
    assert len(some) == len(others)
    for row, other in zip(some, others, strict=True):
        assert [getattr(row, name) for name in FIELDS] == [getattr(other, name) for name in FIELDS]
        np.testing.assert_array_equal(row.probabilities, other.probabilities)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("intensity", ["auto", "stack"])
def test_rows_are_those_of_files_that_were_all_described_before(folder: Path, workers: int, intensity: str) -> None:
    found = events(folder, workers=workers, intensity=intensity)
    before, left_out = engine.find_sources(folder)
    expected = events(before, intensity=intensity)
    same(rows(found), rows(expected))
    assert len(rows(found)) == COUNT + 4 + 2
    started, whole = found[0], expected[0]
    assert (started.total, started.estimated, started.axes, started.left_out) == (COUNT, True, (), left_out)
    assert (whole.total, whole.estimated, whole.axes) == (COUNT + 6, False, ("page", "frame"))
    recounted = [event for event in found if isinstance(event, engine.Recounted)]
    assert recounted == [engine.Recounted(COUNT + 4, ("page",)), engine.Recounted(COUNT + 6, ("page", "frame"))]
    totals = [event.total for event in found if isinstance(event, engine.RowDone)]
    assert (totals[0], totals[-1], totals == sorted(totals)) == (COUNT, COUNT + 6, True)


def test_a_list_of_files_is_no_different(folder: Path) -> None:
    files = sorted(folder.glob("*.*g*"), key=lambda path: int(path.stem))
    found = events(files)
    assert found[0].estimated
    same(rows(found), rows(events(engine.find_sources(files)[0])))


def test_what_is_chosen_of_each_image_is_chosen_when_its_turn_comes(folder: Path) -> None:
    chosen = Selection(planes={"page": 1})
    found = rows(events(folder, chosen))
    expected = rows(events(engine.find_sources(folder)[0], chosen))
    same(found, expected)
    assert sum(not row.failed for row in found) == 1
    regions = Selection(regions={"left": (0, 0, 20, 12), "right": (0, 12, 20, 24)})
    found = events(folder, regions)
    assert (found[0].estimated, found[0].regions) == (False, True)
    same(rows(found), rows(events(engine.find_sources(folder)[0], regions)))


def test_only_a_few_files_are_looked_into_before_the_first_row(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described: list[Path] = []
    describe = unopened.file_source
    monkeypatch.setattr(unopened, "file_source", lambda path: described.append(path) or describe(path))
    found = engine.classify(MeanModel(), folder, Options(workers=2))
    assert isinstance(next(found), engine.Started)
    assert described == []  # but for the first ones, which are described together
    assert isinstance(next(found), engine.RowDone)
    assert described == []
    list(found)
    assert len(described) == len(set(described)) == COUNT - FIRST


def test_each_file_is_opened_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    open_file = Path.open

    def noted(path: Path, *how: Any, **more: Any) -> Any:
        opened.append(path.name)
        return open_file(path, *how, **more)

    files = [path for path in folder.iterdir() if path.suffix in {".png", ".jpg"}]
    monkeypatch.setattr(Path, "open", noted)
    events(files)
    once = [path.name for path in files[FIRST:]]
    assert len(once) > 10
    assert {name: opened.count(name) for name in once} == dict.fromkeys(once, 1)


def test_slices_of_a_series_become_one_stack_however_many_files_there_are(tmp_path: Path) -> None:
    for number in range(FIRST + 3):
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(tmp_path / f"{number}.png")
    for number in range(3):
        made = dataset(np.full((8, 8), number, np.int16), "CT")
        made.ImagePositionPatient = [0, 0, number]
        made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        made.SOPInstanceUID = f"1.2.3.{number}"
        written(tmp_path / f"z{number}.dcm", made)
    Image.fromarray(np.full((8, 8), 1, np.uint8)).save(tmp_path / "z3.png")
    found = events(tmp_path)
    assert (found[0].estimated, found[0].total, found[0].axes) == (True, FIRST + 7, ("z",))
    names = [Path(row.image).name for row in rows(found)]
    assert names == [*(f"{number}.png" for number in range(FIRST + 3)), *["CT series 3"] * 3, "z3.png"]


def test_paths_before_a_file_that_is_looked_at_are_not_all_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{tmp_path}/{'folder' * 10}/{number:06}.png" for number in range(40_000)]
    parts = [Found(names[start : start + 1000]) for start in range(0, len(names), 1000)]
    monkeypatch.setattr(finding, "walked", lambda folder: [*parts, Found([f"{tmp_path}/z.dcm"])])
    tracemalloc.start()
    found = engine.found(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [source.name for source in found] == [*names, f"{tmp_path}/z.dcm"]
    assert peak < sum(map(len, names)) / 2


def test_a_slice_that_is_called_like_another_image_is_found_among_the_first_files(tmp_path: Path) -> None:
    for number in range(FIRST + 3):
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(tmp_path / f"{number}.png")
    for number in (0, 1, FIRST + 5):
        made = dataset(np.full((8, 8), number, np.int16), "CT")
        made.ImagePositionPatient = [0, 0, number]
        made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        made.SOPInstanceUID = f"1.2.3.{number}"
        written(tmp_path / f"{number}.jpg", made)
    found = events(tmp_path)
    assert (found[0].estimated, found[0].axes) == (False, ("z",))
    assert sum(row.image.endswith("series 3") for row in rows(found)) == 3


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_a_pipe_is_a_failed_row_or_left_out_and_nobody_waits_for_it(tmp_path: Path) -> None:
    for number in range(FIRST + 3):
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(tmp_path / f"{number}.png")
    for name in ("0.jpg", "40.png", "DICOMDIR", "pipe"):  # among the first, later, and by names that are looked into
        os.mkfifo(tmp_path / name)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    given = [tmp_path, tmp_path / "pipe", tmp_path / "DICOMDIR"]
    found = events(given)
    failed = [(Path(row.image).name, row.error) for row in rows(found) if row.failed]
    assert [name for name, _ in failed] == ["0.jpg", "40.png", "pipe", "DICOMDIR"]
    assert all("is not a file" in error for _, error in failed)
    assert sorted(Path(name).name for name in found[0].left_out) == ["DICOMDIR", "gone", "pipe"]
    assert len(rows(found)) == FIRST + 3 + 4
    same(rows(events(result_of(engine.found(given).looking_for_stacks()))), rows(found))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
@pytest.mark.parametrize("listed", [False, True], ids=["of a folder", "of a list"])
def test_a_pipe_is_not_opened_to_look_at_it_because_its_writer_would_believe_in_a_reader(
    tmp_path: Path, listed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "z.png"
    os.mkfifo(pipe)
    for number in range(FIRST):
        (tmp_path / f"{number}.png").write_bytes(frames(1, "PNG"))
    found = engine.found([ListedFile(path) for path in sorted(tmp_path.iterdir())] if listed else tmp_path)
    assert not found.is_counted
    opening = os.open

    def opened(path: str, *flags: Any) -> int:
        assert Path(path) != pipe
        return opening(path, *flags)

    monkeypatch.setattr(os, "open", opened)
    assert result_of(found.looking_for_stacks()).described[-1].name == str(pipe)


def test_what_a_folder_says_of_its_files_is_not_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(FIRST + 2):
        (tmp_path / f"{number}.png").write_bytes(frames(1, "PNG"))
    monkeypatch.setattr(unopened, "is_file", lambda path: pytest.fail(f"{path} was asked for"))
    found = engine.found(tmp_path)
    assert not found.is_counted
    assert result_of(found.looking_for_stacks()).rows == FIRST + 2


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_table_and_record_are_those_of_files_that_were_all_described_before(
    folder: Path, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    told, early, late = ["classify", folder.name, "--model", "demo", "-o"], tmp_path / "early", tmp_path / "late"
    assert cli.main([*told, str(late.with_suffix(f".{suffix}"))]) == 1
    monkeypatch.setattr(engine, "found", lambda images, found=engine.found: found(images).opened())
    assert cli.main([*told, str(early.with_suffix(f".{suffix}"))]) == 1
    tables = [path.with_suffix(f".{suffix}") for path in (early, late)]
    assert tables[0].read_bytes() == tables[1].read_bytes()
    assert tables[0].read_text().count("\n") == COUNT + 7
    records = [json.loads(Path(f"{table}.json").read_text()) for table in tables]
    assert records[0] | {"made": ""} == records[1] | {"made": ""}
    assert records[0]["planes"] == {"asked": COUNT + 6, "done": COUNT + 6, "failed": 1}
    assert records[0]["complete"]


def frames(count: int, kind: str) -> bytes:
    """An animation, or a plain image of a format that can have some."""
    first, *others = (Image.fromarray(np.full((20, 24, 3), 40 * i, np.uint8)) for i in range(count))
    stream = BytesIO()
    first.save(stream, kind, **({"save_all": True, "append_images": others} if others else {}))
    return stream.getvalue()


def stack_of_pages(count: int) -> bytes:
    stream = BytesIO()
    tifffile.imwrite(stream, np.zeros((count, 20, 24), np.uint8), photometric="minisblack")
    return stream.getvalue()


@pytest.fixture
def misnamed(tmp_path: Path) -> Path:
    """Many small images, after them files whose names say nothing of what is in them; two of them have axes."""
    path = tmp_path / "misnamed"
    path.mkdir()
    for number in range(FIRST):
        (path / f"a{number:02}.png").write_bytes(frames(1, "PNG"))
    late = {
        "b.jpg": frames(1, "PNG"),
        "c.png": stack_of_pages(3),
        "d.bmp": frames(1, "JPEG"),
        "e.jpg": frames(4, "PNG"),
        "f.png": frames(1, "WEBP"),
        "g.png": b"",
        "h.jpg": b"nonsense",
        "i.png": frames(1, "PNG")[:30],
        "j.png": frames(1, "BMP"),
        "k.png": stack_of_pages(1),
        "l.png": frames(1, "GIF"),
    }
    for name, content in late.items():
        (path / name).write_bytes(content)
    return path


def printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What a run writes to standard output."""
    capsys.readouterr()
    assert cli.main(["classify", str(folder), "--model", "demo"]) == 1
    return capsys.readouterr().out


@pytest.mark.parametrize("kind", ["folder", "misnamed"])
def test_standard_output_is_that_of_files_that_were_all_described_before(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    images: Path = request.getfixturevalue(kind)
    late = printed(images, capsys)
    monkeypatch.setattr(engine, "searching", lambda images, searching=engine.searching: opening(searching(images)))
    assert late == printed(images, capsys)
    assert late.startswith("image,page,frame,")
    if kind == "misnamed":
        assert late.count("\n") == 1 + FIRST + 3 + 4 + 9


def opening(steps: Generator[int, None, Sources]) -> Generator[int, None, Sources]:
    """Describe all that is found."""
    return (yield from steps).opened()


def test_before_the_table_has_columns_only_files_are_described_that_may_be_stacks(
    misnamed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described: list[str] = []
    describe = unopened.file_source
    monkeypatch.setattr(unopened, "file_source", lambda path: described.append(Path(path).name) or describe(path))
    sources = result_of(engine.found(misnamed).looking_for_stacks())
    assert described == ["c.png", "e.jpg", "g.png", "h.jpg", "i.png", "k.png", "l.png"]
    assert sources.rows == FIRST + 3 + 4 + 9
    found = events(sources)
    assert (found[0].total, found[0].estimated, found[0].axes) == (FIRST + 16, False, ("page", "frame"))
    assert {event.total for event in found if isinstance(event, engine.RowDone)} == {FIRST + 16}
    same(rows(found), rows(events(engine.found(misnamed).opened())))


def test_plain_images_are_counted_as_such_behind_many_stacks(tmp_path: Path) -> None:
    for number in range(FIRST):
        (tmp_path / f"a{number:02}.tif").write_bytes(stack_of_pages(3))
    for number in range(2):
        (tmp_path / f"b{number}.png").write_bytes(frames(1, "PNG"))
    assert result_of(engine.found(tmp_path).looking_for_stacks()).rows == 3 * FIRST + 2


def test_axes_are_in_the_order_of_the_images_whenever_they_were_described(tmp_path: Path) -> None:
    for number in range(FIRST):
        (tmp_path / f"a{number:02}.png").write_bytes(frames(1, "PNG"))
    (tmp_path / "b.gif").write_bytes(frames(2, "GIF"))
    made = dataset(np.zeros((2, 8, 8), np.int16), "CT")
    written(tmp_path / "c.dcm", made)  # described when it is found
    (tmp_path / "d.tif").write_bytes(stack_of_pages(2))
    sources = engine.found([tmp_path, Source("array", "array", None, ("z",), (2,))])
    expected = ["frame", "frame", "page", "z"]
    for known in (sources.opened(), result_of(sources.looking_for_stacks())):
        assert [axis for source in known.described for axis in source.axes] == expected


def test_the_network_is_opened_while_files_are_looked_into(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[object] = []
    look, begin, run = Sources.looking_for_stacks, Session.begin, Session.predict

    def looking(sources: Sources) -> Generator[tuple[int, int], None, Sources]:
        done.append("look")
        return (yield from look(sources))

    def beginning(session: Session) -> None:
        done.append(session)
        begin(session)

    def predict(session: Session, *given: object) -> object:
        done.append(session)
        return run(session, *given)

    monkeypatch.setattr(Sources, "looking_for_stacks", looking)
    monkeypatch.setattr(Session, "begin", beginning)
    monkeypatch.setattr(Session, "predict", predict)
    assert cli.main(["classify", str(folder), "--model", "demo"]) == 1  # some are damaged
    looked = done.index("look")
    assert set(done[looked + 1 :]) == {done[looked - 1]}
    capsys.readouterr()


@pytest.fixture
def signals_heard() -> Iterator[None]:
    """Take Ctrl-C, which a program that is started in the background ignores."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("signals_heard")
def test_a_signal_ends_the_look_for_stacks(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(unopened, "is_single", lambda path, formats: signal.raise_signal(signal.SIGINT))
    assert cli.main(["classify", str(folder), "--model", "demo"]) == 130
    told = capsys.readouterr()
    assert told.out == ""
    assert "stopped by Ctrl-C" in told.err


def test_a_file_that_becomes_a_stack_after_the_columns_are_written_ends_the_run(
    misnamed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("c.png", "e.jpg", "k.png"):
        (misnamed / name).write_bytes(frames(1, "PNG"))
    look = Sources.looking_for_stacks

    def looking(sources: Sources) -> Generator[tuple[int, int], None, Sources]:
        known = yield from look(sources)
        (misnamed / "c.png").write_bytes(stack_of_pages(3))
        return known

    monkeypatch.setattr(Sources, "looking_for_stacks", looking)
    assert cli.main(["classify", str(misnamed), "--model", "demo"]) == 2
    told = capsys.readouterr()
    assert "c.png has become a stack since the run began" in told.err
    assert "--output" in told.err
    header, *lines = told.out.splitlines()
    assert header.startswith("image,sharp,")
    assert [Path(line.split(",")[0]).name for line in lines][-1] == "b.jpg"


def test_the_total_is_estimated_by_the_first_files_and_corrected_by_each_row(tmp_path: Path) -> None:
    for number in range(FIRST + 5):
        planes = 1 if number == FIRST + 2 else 2 if number == FIRST + 4 else 3
        tifffile.imwrite(tmp_path / f"{number}.tif", np.zeros((planes, 8, 8), np.uint8), photometric="minisblack")
    found = events(tmp_path)
    assert found[0].total == 3 * (FIRST + 5)
    totals = [event.total for event in found if isinstance(event, engine.RowDone)]
    assert totals[: 3 * FIRST + 6] == [3 * (FIRST + 5)] * (3 * FIRST + 6)
    assert totals[-1] == len(totals) == 3 * FIRST + 3 + 3 + 1 + 3 + 2
