"""Images on the workers of a cluster: the same rows, and what is done when a worker lacks something or dies."""

from __future__ import annotations

import json
import logging
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

import cluster_work
import dicom_maker
import napari_webipred as wp
from napari_webipred import cli, engine
from napari_webipred.cancellation import Cancellation
from napari_webipred.errors import CancelledError, OptionError
from napari_webipred.execution.cluster import batch, connection, executor, run, worker
from napari_webipred.execution.cluster.executor import Cluster
from napari_webipred.execution.cluster.network import Networks, content_of, network_of
from napari_webipred.imaging.dicom.reader import slice_of
from napari_webipred.imaging.readers import read
from napari_webipred.options import Options
from napari_webipred.results.row import Row
from pictures import levels_of, spotted, stored

distributed = pytest.importorskip("distributed")
RANDOM = np.random.default_rng(4)
FIELDS = ("source", "image", "position", "prediction", "assigned", "error", "intensity_range", "region", "remark")


def cluster_here(workers: int) -> Any:
    """Start a cluster in this process."""
    return distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=False,
        protocol="inproc",
        dashboard_address=None,
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0", "dashboard": False},
    )


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with cluster_here(2) as cluster, distributed.Client(cluster, set_as_default=False) as connected:
        yield connected


@pytest.fixture(autouse=True)
def _fresh_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "networks", Networks())


def rows(model: Any, images: Any, **how: Any) -> list[Row]:
    return [event.row for event in engine.classify(model, images, **how) if isinstance(event, engine.RowDone)]


def assert_same(ours: list[Row], others: list[Row]) -> None:
    assert len(ours) == len(others)
    for row, other in zip(ours, others, strict=True):
        assert [getattr(row, name) for name in FIELDS] == [getattr(other, name) for name in FIELDS]
        np.testing.assert_array_equal(row.probabilities, other.probabilities)


def picture(side: int = 40) -> np.ndarray:
    return RANDOM.integers(0, 256, (side, side, 3), np.uint8)


def test_images_of_all_kinds_give_the_same_rows_as_in_threads(client: Any, tmp_path: Path) -> None:
    Image.fromarray(picture()).save(tmp_path / "a.png")
    frames = [Image.fromarray(picture()) for _ in range(3)]
    frames[0].save(tmp_path / "b.gif", save_all=True, append_images=frames[1:])
    tifffile.imwrite(tmp_path / "c.tif", RANDOM.integers(0, 4000, (2, 50, 60), np.uint16), photometric="minisblack")
    (tmp_path / "d.png").write_bytes(b"nonsense")
    masked = np.ma.masked_less(RANDOM.integers(0, 99, (30, 30)), 9)
    images = [tmp_path, picture(), np.zeros((2, 50, 60)), np.full((9, 9), np.nan), frames[0], masked, 7, "missing.png"]
    model, options = wp.open_model("demo"), Options(profile="aucmedi")
    there = rows(model, images, options=options, executor=Cluster(client))
    assert_same(rows(model, images, options=options), there)
    failed = [row.image for row in there if row.failed]
    assert failed == [str(tmp_path / "d.png"), "array 6", "array 8", "array 9", "missing.png"]


def test_many_files_are_found_by_relative_paths_and_stacks_take_their_place(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(60):
        Image.fromarray(picture(12)).save(tmp_path / f"{number:02}.png")
    tifffile.imwrite(tmp_path / "45.tif", RANDOM.integers(0, 4000, (9, 20, 20), np.uint16), photometric="minisblack")
    monkeypatch.chdir(tmp_path.parent)
    model = wp.open_model("demo")
    folder = tmp_path.name
    events = list(engine.classify(model, folder, executor=Cluster(client)))
    there = [event.row for event in events if isinstance(event, engine.RowDone)]
    assert_same(rows(model, folder), there)
    assert [event.total for event in events if isinstance(event, engine.Recounted)] == [69]
    assert there[0].image == str(Path(folder, "00.png"))


def test_the_range_of_a_stack_and_regions_are_those_of_threads(client: Any) -> None:
    model, stack = wp.open_model("demo"), RANDOM.integers(0, 4000, (3, 50, 60), np.uint16)
    regions = {"left": (0, 0, 50, 20), "corner": np.array([[0, 0], [0, 30], [30, 0]])}
    for how in ({"options": Options(intensity="stack")}, {"selection": engine.Selection(regions=regions)}):
        assert_same(rows(model, stack, **how), rows(model, stack, executor=Cluster(client), **how))


def test_python_takes_a_client(client: Any) -> None:
    images = [picture() for _ in range(12)]
    here, there = wp.classify(images, "demo"), wp.classify(images, "demo", client=client)
    assert here.equals(there)
    assert there.attrs == here.attrs


def test_paths_travel_absolute_and_of_a_stack_of_dicom_files_only_the_slice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(picture()).save("a.png")
    Path("series").mkdir()
    for number in range(5):
        dicom_maker.written(Path("series", f"{number}.dcm"), dicom_maker.ct_slice(number, number + 1))
    planes = [*engine.planes_of(engine.found(["a.png", "series", "missing.png"]))]
    for plane, there in zip(planes, executor.moved(planes), strict=True):
        assert there.source.location is None or there.source.location.is_absolute()
        assert there.source.name == plane.source.name
        if plane.source.reader == "dicom":
            (found,) = there.source.details.values()
            assert found.instance.path == slice_of(plane.source, plane.index).instance.path.absolute()
            np.testing.assert_array_equal(read(there.source, there.index), read(plane.source, plane.index))
    assert [plane.source.reader for plane in planes].count("dicom") == 5


def test_files_travel_as_paths_and_arrays_plane_by_plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(picture(300)).save(tmp_path / "a.png")
    stack = RANDOM.integers(0, 255, (30, 100, 100), np.uint8)
    planes = [*engine.planes_of(engine.found([tmp_path / "a.png", stack]))]
    file, first = (pickle.dumps(executor.moved([plane])) for plane in planes[:2])
    assert len(file) < 2000
    assert 10_000 < len(first) < 12_000
    assert stack[0].tobytes() in first


@pytest.mark.parametrize("kind", ["arrays", "zarr", "tiff"])
def test_a_heat_map_is_that_of_threads_and_of_files_only_paths_travel(client: Any, tmp_path: Path, kind: str) -> None:
    levels = levels_of(spotted((700, 900), at=(300, 400)), 3)
    image = stored(kind, tmp_path, levels)
    watched = Watched(client)
    here = wp.heatmap(image, "demo", tile=160, stride=100)
    there = wp.heatmap(image, "demo", tile=160, stride=100, client=watched)
    np.testing.assert_array_equal(here.tiles, there.tiles)
    assert np.isfinite(there.tiles).any()
    sizes = [len(task.things.content) for task in watched.tasks]
    assert (max(sizes) > 100_000) == (kind == "arrays")
    assert max(sizes) < 5000 or kind == "arrays"


class TaskReader(pickle.Unpickler):
    """Reads a task without doing it."""

    def find_class(self, module: str, name: str) -> Any:
        return (lambda versions, packed: pickle.loads(packed)) if name == "answer" else super().find_class(module, name)


def task_in(sealed: BytesIO) -> worker.Task:
    task: worker.Task = TaskReader(BytesIO(sealed.getvalue())).load()
    return task


class Watched:
    """Notes what is asked of a client."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.tasks: list[worker.Task] = []
        self.sent: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def submit(self, function: Any, sealed: BytesIO, **how: Any) -> Any:
        self.tasks.append(task_in(sealed))
        return self.client.submit(function, sealed, **how)

    def run(self, *given: Any, workers: list[str], **how: Any) -> Any:
        self.sent += workers
        return self.client.run(*given, workers=workers, **how)


def test_a_worker_that_has_the_model_in_its_cache_gets_no_copy(client: Any) -> None:
    watched = Watched(client)
    rows(wp.open_model("demo"), [picture()] * 9, executor=Cluster(watched))
    assert watched.sent == []


@pytest.mark.parametrize("private", [False, True])
def test_a_worker_that_lacks_the_model_gets_a_copy_and_keeps_it_unless_the_session_is_private(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private: bool
) -> None:
    model = wp.open_model("demo")
    images = [picture() for _ in range(20)]
    here, watched = rows(model, images), Watched(client)
    monkeypatch.setattr(
        run, "pieces", lambda content: ((at, content[at : at + 9999]) for at in range(0, len(content), 9999))
    )
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(tmp_path / "of the worker"))
    monkeypatch.setenv("NAPARI_WEBIPRED_PRIVATE", str(int(private)))
    assert_same(here, rows(model, images, executor=Cluster(watched)))
    assert len(set(watched.sent)) >= 1
    kept = [path.name for path in (tmp_path / "of the worker").rglob("*.onnx")]
    assert kept == ([] if private else [model.kept.name])


def test_a_copy_that_was_changed_on_its_way_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = wp.open_model("demo")
    which, content = network_of(model), content_of(model)
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(tmp_path / "of the worker"))
    there = Networks()
    changed = bytearray(content)
    changed[len(content) // 2] ^= 1
    assert not there.receive(which, 0, bytes(changed), len(content))
    assert not there.receive(which, 5, content[5:], len(content))  # the beginning has not arrived
    assert there.session(which) is None
    assert there.receive(which, 0, content, len(content))
    session = there.session(which)
    assert session is not None
    assert session is there.session(which)


def test_a_worker_whose_file_of_the_model_is_damaged_takes_a_copy() -> None:
    model = wp.open_model("demo")
    which, content, there = network_of(model), content_of(model), Networks()
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 1
    model.kept.write_bytes(damaged)
    assert there.session(which) is None
    assert there.receive(which, 0, content, len(content))
    assert there.session(which) is not None
    assert model.kept.read_bytes() == content


def test_a_worker_with_other_versions_is_refused_and_both_are_named(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = worker.versions()
    monkeypatch.setattr(run, "versions", lambda: ours | {"onnxruntime": "0.99.1"})
    with pytest.raises(
        OptionError, match=rf"has onnxruntime {ours['onnxruntime']}, and this computer onnxruntime 0.99.1"
    ):
        rows(wp.open_model("demo"), [picture()] * 9, executor=Cluster(client))


def test_only_a_few_batches_are_under_way(client: Any) -> None:
    watched, taken = Watched(client), 0

    def images() -> Iterator[Any]:
        nonlocal taken
        for plane in engine.planes_of(engine.found([RANDOM.integers(0, 255, (5000, 8, 8), np.uint8)])):
            taken += 1
            yield plane

    found = Cluster(watched)(wp.open_model("demo"), images(), 5000, Options())
    next(found)
    assert taken <= (run.BATCHES_PER_THREAD * 2 + 2) * batch.MOST
    assert taken < 5000
    found.close()


@pytest.fixture
def work() -> Iterator[Any]:
    for event in (cluster_work.begun, cluster_work.go_on):
        event.clear()
    cluster_work.done.clear()
    yield cluster_work
    cluster_work.go_on.set()


def each(client: Any, function: Any, items: Any, lost: Any = str) -> Iterator[Any]:
    return Cluster(client).each(wp.open_model("demo"), function, items, len(items), Options(), list, lost)


def states(dask_worker: Any) -> list[str]:
    return [each.state for each in dask_worker.state.tasks.values()]


def wait_until(condition: Any, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end


def test_results_come_in_order_whichever_is_ready_first(client: Any, work: Any) -> None:
    assert list(each(client, work.first_last, range(40))) == list(range(40))
    assert work.done != list(range(40))


def test_cancelling_ends_what_the_workers_do(client: Any, work: Any) -> None:
    cancellation = Cancellation()

    def run_it() -> list[Any]:
        with cancellation.active():
            return list(each(client, work.until_told, range(100)))

    with ThreadPoolExecutor(1) as pool:
        results = pool.submit(run_it)
        assert work.begun.wait(30)
        cancellation.cancel()
        with pytest.raises(CancelledError):
            results.result(30)
        wait_until(lambda: set(chain(*client.run(states).values())) == {"cancelled"})
        work.go_on.set()
    addresses = client.nthreads()
    client.gather([client.submit(str, 1, pure=False, workers=[address], priority=-9) for address in addresses])
    assert len(work.done) <= len(addresses)  # what each was in the middle of


def test_closing_leaves_nothing_on_the_cluster(client: Any, work: Any) -> None:
    found = each(client, work.nothing, range(5000))
    assert next(found) == 0
    found.close()
    client.gather([client.submit(str, 1, pure=False, workers=[each], priority=-9) for each in client.nthreads()])
    assert not [key for key in client.futures if key.startswith("napari-webipred")]


class Dying(Watched):
    """As if every worker died that gets one of these things."""

    deadly = (13, 14, 70)

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self.tried: list[Any] = []
        self.futures: list[Any] = []
        self.disturbed = False  # whether something else was under way when a thing was tried alone

    def submit(self, function: Any, sealed: BytesIO, **how: Any) -> Any:
        things = task_in(sealed).things.opened()
        self.tried.append(things)
        dies = any(thing in self.deadly for thing in things)
        again = any(things[0] in earlier for earlier in self.tried[:-1])
        self.disturbed |= again and not all(future.done() for future in self.futures)
        self.futures.append(self.client.submit(cluster_work.as_if_all_died if dies else function, sealed, **how))
        return self.futures[-1]


def test_only_what_ends_every_worker_fails_and_it_is_tried_alone(client: Any, work: Any) -> None:
    dying = Dying(client)
    found = list(each(dying, work.nothing, range(100), lambda item: f"{item} is lost"))
    assert found == [f"{item} is lost" if item in dying.deadly else item for item in range(100)]
    assert not dying.disturbed
    tried = [things for things in dying.tried if dying.deadly[0] in things]
    assert (len(tried), tried[-1]) == (2, [13])


class Losing(Watched):
    """As if the first worker had died after it had computed its result."""

    def submit(self, function: Any, sealed: BytesIO, **how: Any) -> Any:
        future = super().submit(function, sealed, **how)
        return future if len(self.tasks) > 1 else Lost(future)


class Lost:
    status = "lost"

    def __init__(self, future: Any) -> None:
        self.future = future

    def add_done_callback(self, function: Any) -> None:
        self.future.add_done_callback(lambda _: function(self))


def test_a_result_that_is_lost_with_its_worker_is_computed_again(client: Any, work: Any) -> None:
    losing = Losing(client)
    assert list(each(losing, work.nothing, range(30))) == list(range(30))
    first = losing.tasks[0].things
    assert [task.things for task in losing.tasks].count(first) == 2


def test_the_row_of_an_image_that_ends_every_worker_says_so(client: Any) -> None:
    class AllDying(Watched):
        def submit(self, function: Any, sealed: BytesIO, **how: Any) -> Any:
            return super().submit(cluster_work.as_if_all_died, sealed, **how)

    (row,) = rows(wp.open_model("demo"), picture(), executor=Cluster(AllDying(client)))
    assert (row.image, row.failed) == ("array 0", True)
    assert row.error.startswith("The workers of the cluster that read the image ended unexpectedly")


def test_large_arrays_travel_a_few_at_a_time(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "SECONDS", 1e9)  # so that time bounds nothing
    monkeypatch.setattr(batch, "BYTES", 40_000)
    watched = Watched(client)
    found = rows(wp.open_model("demo"), np.zeros((200, 80, 100), np.uint8), executor=Cluster(watched))
    assert len(found) == 200
    assert max(len(task.things.content) for task in watched.tasks) <= batch.BYTES


def test_a_fault_that_cannot_be_pickled_ends_the_run_too(client: Any, work: Any) -> None:
    with pytest.raises(RuntimeError, match="UnsendableError: it holds a lock"):
        list(each(client, work.wrong_and_unsendable, range(9)))


def test_a_fault_of_ours_ends_the_run(client: Any, work: Any) -> None:
    with pytest.raises(ArithmeticError, match="a mistake of ours"):
        list(each(client, work.wrong, range(9)))


def test_a_worker_can_take_a_task_without_this_program(tmp_path: Path) -> None:
    """Else Dask would end it, and log the whole task."""

    class Elsewhere(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            assert not module.startswith("napari_webipred")
            return super().find_class(module, name)

    order = worker.Order(worker.versions(), worker.Packed.of("a task"))
    sent = pickle.dumps((pickle.load, order.sealed()))
    function, sealed = Elsewhere(BytesIO(sent)).load()
    (tmp_path / "task").write_bytes(sealed.getvalue())
    code = """if True:
        import pickle, sys
        sys.modules["napari_webipred"] = None
        try:
            pickle.load(open(sys.argv[1], "rb"))
        except ModuleNotFoundError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "task"], capture_output=True, text=True, timeout=60)
    assert "napari_webipred" in done.stdout
    assert function is pickle.load


def test_no_log_of_dask_tells_of_a_file(tmp_path: Path, client: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    Image.fromarray(picture()).save(tmp_path / "Jane Doe.png")
    (tmp_path / "Jane Roe.png").write_bytes(b"nonsense")

    class Failing(Watched):
        """The first task fails on its worker, the others are done."""

        def submit(self, function: Any, sealed: BytesIO, **how: Any) -> Any:
            first = not self.tasks
            return super().submit(cluster_work.as_if_all_died if first else function, sealed, **how)

    watched = Failing(client)
    found = rows(wp.open_model("demo"), tmp_path, executor=Cluster(watched))
    assert [row.failed for row in found] == [False, True]
    assert "Jane" in repr(watched.tasks[0].things.opened())
    assert "napari-webipred-" in caplog.text  # the key of the task that has failed
    assert "Jane" not in caplog.text


def test_a_run_without_workers_says_that_it_waits(caplog: pytest.LogCaptureFixture, monkeypatch: Any) -> None:
    monkeypatch.setattr(run, "COUNT_AGAIN", 0)
    cluster = cluster_here(0)
    with cluster, distributed.Client(cluster, set_as_default=False) as empty, ThreadPoolExecutor(1) as pool:
        found = pool.submit(list, each(empty, cluster_work.nothing, range(5)))
        wait_until(lambda: "has no workers" in caplog.text)
        cluster.scale(1)
        assert found.result(30) == [0, 1, 2, 3, 4]
    assert caplog.text.count("has no workers") == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [(Options(precision="bf16"), "float32 on the processor"), (Options(reference=True), "reference")],
)
def test_what_is_done_on_this_computer_only_is_refused(client: Any, options: Options, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        rows(wp.open_model("demo"), picture(), options=options, executor=Cluster(client))


@pytest.mark.parametrize("given", ["tcp://127.0.0.1:8786", SimpleNamespace(submit=1, nthreads=1, asynchronous=True)])
def test_something_else_than_a_client_is_refused(given: Any) -> None:
    with pytest.raises(OptionError, match="client of Dask Distributed"):
        wp.classify(picture(), "demo", client=given)


def test_the_command_line_takes_the_address_of_a_cluster_or_a_scheduler_file(
    client: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(picture()).save(tmp_path / "a.png")
    (tmp_path / "cluster.json").write_text(json.dumps({"address": client.scheduler.address}))
    outputs = []
    for where in ([], ["--dask", client.scheduler.address], ["--dask", str(tmp_path / "cluster.json")]):
        assert cli.main(["classify", str(tmp_path / "a.png"), "--model", "demo", *where]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1] == outputs[2]
    assert "a.png" in outputs[0]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("nowhere.json", "nowhere.json is no address of a cluster"),
        ("tcp://127.0.0.1:9", "no answer from the cluster tcp://127.0.0.1:9"),
        ("xyz://host", "xyz://host is no address of a cluster"),
        ("tls://127.0.0.1:9", "The cluster tls://127.0.0.1:9 uses TLS, and Dask is told of no certificates"),
        ("no.json", "no.json is no scheduler file"),
    ],
)
def test_a_cluster_that_is_not_there_is_named(
    where: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("no.json").write_text("[")
    monkeypatch.setattr(connection, "SECONDS", 0.5)
    assert cli.main(["classify", "a.png", "--model", "demo", "--dask", where]) == 2
    assert said in capsys.readouterr().err


def test_without_dask_the_command_that_installs_it_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(connection, "find_spec", lambda name: None)
    assert cli.main(["classify", "a.png", "--model", "demo", "--dask", "local"]) == 2
    assert 'pip install "napari-webipred[dask]"' in capsys.readouterr().err


def test_maps_and_a_cluster_are_refused_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "maps")
    assert cli.main(["classify", "a.png", "--model", "demo", "--dask", "local", "--explain", folder]) == 2
    assert "Use --explain without --dask." in capsys.readouterr().err
