"""Optimised networks in the cache: used only if they are what was written, for this processor and this runtime."""

from __future__ import annotations

import errno
import logging
import random
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

import napari_webipred as wp
from napari_webipred import atomic_file, cli, optimiser, optimising, settings
from napari_webipred.cache import eviction, store
from napari_webipred.cache import optimised as kept
from napari_webipred.errors import ModelError
from napari_webipred.limits import available_cores
from napari_webipred.model import Model
from napari_webipred.runtime import optimised as network
from napari_webipred.runtime import session
from zenodo_server import model_zip

IMAGES = np.random.default_rng(0).standard_normal((1, 8, 8, 3)).astype(np.float32)
CLASSES = 2000  # its weights are large enough to lie beside the graph


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "m.zip").write_bytes(model_zip(CLASSES, 8))
    return tmp_path / "m.zip"


@pytest.fixture
def expected(path: Path) -> np.ndarray:
    """What the compiled graph gives."""
    model = wp.open_model(path)
    assert optimised_in(model) is None
    return model.predict(IMAGES)


@pytest.fixture
def file(expected: np.ndarray) -> Path:
    """The optimised network, made at the end of a program that has used the model."""
    optimising.optimise_all()
    (found,) = files()
    return found


def files() -> list[Path]:
    return sorted(settings.current().cache_folder.rglob("*.optimised"))


def left_over() -> list[Path]:
    return [each for each in settings.current().cache_folder.rglob("*.tmp") if each.is_file()]


def optimised_in(model: Model) -> network.Optimised | None:
    return next(iter(model._sessions.values())).optimised


def numbers_of(path: Path) -> np.ndarray:
    return wp.open_model(path).predict(IMAGES)


def is_used(path: Path) -> bool:
    """Tell whether the optimised network is used for a prediction."""
    model = wp.open_model(path)
    model.predict(IMAGES)
    return optimised_in(model) is not None


def test_the_next_program_uses_it_and_gets_the_same_numbers(path: Path, file: Path, expected: np.ndarray) -> None:
    assert is_used(path)
    np.testing.assert_allclose(numbers_of(path), expected, rtol=0, atol=1e-6)
    assert not left_over()


def test_all_sessions_share_its_weights(path: Path, file: Path, expected: np.ndarray) -> None:
    model = wp.open_model(path)
    first, second = model.session(1), model.session(2)
    np.testing.assert_array_equal(first.predict(IMAGES), second.predict(IMAGES))
    assert first.optimised is second.optimised is not None
    assert first._session is not second._session
    model = wp.open_model(path)
    others = [model.session(threads) for threads in (1, 2)]
    others[0].predict(IMAGES)
    assert others[1]._session is None, "a session that computes nothing is not made"


def opened_ahead() -> None:
    for thread in threading.enumerate():
        if thread.name == "open":
            thread.join()


def test_a_network_that_is_opened_ahead_is_the_one_that_predicts(path: Path, file: Path, expected: np.ndarray) -> None:
    ahead = wp.open_model(path).session(1)
    ahead.begin()
    opened_ahead()
    opened = ahead._session
    assert opened is not None
    np.testing.assert_allclose(ahead.predict(IMAGES), expected, rtol=0, atol=1e-6)
    assert ahead._session is opened


def test_what_is_wrong_with_a_network_that_is_opened_ahead_is_said_by_the_prediction(
    path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = wp.open_model(path).session(1)
    for name in ("open_optimised", "open_graph"):
        monkeypatch.setattr(session, name, broken)
    ahead.begin()
    opened_ahead()
    with pytest.raises(ModelError, match="It is broken"):
        ahead.predict(IMAGES)


def broken(*_: object, **__: object) -> None:
    raise ModelError("It is broken.")


def test_the_only_file_opens_the_network_ahead_and_many_do_not(
    path: Path, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[object] = []
    monkeypatch.setattr(session.Session, "begin", lambda each: begun.append(each))
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    model = wp.open_model(path, standardize="none")
    wp.classify([tmp_path / "a.png"] * 9, model)
    wp.classify(tmp_path / "no such file.png", model)
    assert not begun
    wp.classify(tmp_path / "a.png", model)
    assert begun == [model.session(available_cores())]
    assert cli.main(["classify", str(tmp_path / "a.png"), "--model", str(path), "--standardize", "none"]) == 0
    assert len(begun) == 2


def test_a_model_is_not_optimised_twice(path: Path, file: Path) -> None:
    before = file.stat()
    wp.open_model(path).predict(IMAGES)
    assert not optimising._waiting
    assert not optimiser.optimise(next(file.parent.glob("*.onnx")))
    assert file.stat().st_mtime_ns == before.st_mtime_ns


def test_a_program_optimises_no_more_than_a_few_and_nothing_that_it_was_told_to_forget(tmp_path: Path) -> None:
    for number in range(optimising.MOST + 3):
        optimising.later(tmp_path / str(number))
    optimising.later(tmp_path / "3")
    assert [each.name for each in optimising._waiting] == ["4", "5", "6", "3"]
    optimising.forget()
    assert not optimising._waiting


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("napari_webipred.runtime.optimised.processor", lambda: "another processor"),
        ("onnxruntime.__version__", "0.0.1"),
        ("onnxruntime.get_build_info", lambda: "another build"),
        ("napari_webipred.runtime.optimised.disabled_optimizers", lambda folds: ("Other",)),
    ],
)
def test_that_of_another_processor_runtime_or_option_is_not_used(
    path: Path, file: Path, expected: np.ndarray, what: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(what, value)
    network._circumstances.cache_clear()
    try:
        assert not is_used(path)
        # Nor if somebody gives it the name that would be right here.
        (graph,) = file.parent.glob("*.onnx")
        file.rename(kept.paths(graph, network.circumstances())[-1])
        assert not is_used(path)
        assert not files()
        np.testing.assert_array_equal(numbers_of(path), expected)
    finally:
        network._circumstances.cache_clear()


def test_that_of_another_model_is_not_used(path: Path, file: Path, tmp_path: Path) -> None:
    (tmp_path / "other.zip").write_bytes(model_zip(CLASSES, 8, activation="sigmoid"))
    other = numbers_of(tmp_path / "other.zip")
    (graph,) = (each for each in file.parent.glob("*.onnx") if each.stem not in file.name)
    file.rename(kept.paths(graph, network.circumstances())[-1])
    np.testing.assert_array_equal(numbers_of(tmp_path / "other.zip"), other)
    assert not files()


def test_any_bit_that_flips_is_noticed(
    path: Path, file: Path, expected: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    sound = file.read_bytes()
    size = len(sound)
    weights = kept._SIZES.unpack_from(sound, size - kept._END + len(kept._MAGIC))[0]
    chosen = random.Random(0)
    places = [0, weights - 1, weights, size - 1, size - 33, size - kept._END]
    for place in [*places, *(chosen.randrange(weights) for _ in range(4)), *(chosen.randrange(size) for _ in range(4))]:
        data = bytearray(sound)
        data[place] ^= 1 << chosen.randrange(8)
        file.write_bytes(data)
        caplog.clear()
        assert not is_used(path)
        assert "damaged and is made again" in caplog.text
        assert not file.exists()
    file.write_bytes(sound)
    assert is_used(path)


@pytest.mark.parametrize(
    "cut",
    [
        lambda data: data[:-1],
        lambda data: data[4096:],
        lambda data: b"",
        lambda data: data[:4096],
        lambda data: data + b"x",
    ],
)
def test_one_that_is_cut_off_is_not_used(path: Path, file: Path, expected: np.ndarray, cut: object) -> None:
    file.write_bytes(cut(file.read_bytes()))  # type: ignore[operator]
    np.testing.assert_array_equal(numbers_of(path), expected)
    assert not files()
    optimising.optimise_all()
    assert files() == [file], "it is made again"


def test_a_file_that_changes_while_a_model_is_open_changes_nothing(path: Path, file: Path) -> None:
    model = wp.open_model(path)
    before = model.predict(IMAGES)
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.write(b"\xff" * size)
    np.testing.assert_array_equal(model.predict(IMAGES), before)
    with file.open("r+b") as opened:
        opened.truncate(0)
    np.testing.assert_array_equal(model.session(7).predict(IMAGES), before)
    file.unlink()
    np.testing.assert_allclose(model.session(8).predict(IMAGES), before, rtol=0, atol=1e-6)


def test_a_compiled_model_that_rots_beside_it_is_found_when_it_is_read(path: Path, file: Path) -> None:
    (graph,) = file.parent.glob("*.onnx")
    sound = graph.read_bytes()
    graph.write_bytes(sound[:200] + bytes([sound[200] ^ 1]) + sound[201:])
    model = wp.open_model(path)
    model.predict(IMAGES)
    with pytest.raises(wp.WebIPredError, match="damaged"):  # what two images need is computed of the graph
        model.predict(np.concatenate([IMAGES, IMAGES]))
    assert not graph.exists()
    assert wp.open_model(path).predict(np.concatenate([IMAGES, IMAGES])).shape == (2, CLASSES)
    assert graph.read_bytes() == sound


def test_a_file_that_is_cut_off_while_its_weights_are_read_is_not_used(
    path: Path, file: Path, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(size: int) -> memoryview:
        with file.open("r+b") as opened:
            opened.truncate(100)
        return memoryview(bytearray(size))

    monkeypatch.setattr(kept, "_memory", cut)
    np.testing.assert_array_equal(numbers_of(path), expected)


def test_what_the_runtime_does_not_open_is_not_used(
    path: Path, file: Path, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise session.ModelError("no")

    monkeypatch.setattr(session, "open_optimised", refuse)
    np.testing.assert_array_equal(numbers_of(path), expected)


def test_one_that_gives_other_numbers_is_not_kept(
    path: Path, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slightly:
        def run(self, names: None, images: dict[str, np.ndarray]) -> list[np.ndarray]:
            return [expected * np.float32(1 + wrong)]

    monkeypatch.setattr(optimiser, "open_optimised", lambda *arguments: Slightly())
    monkeypatch.setattr(optimiser, "_noise", lambda session: IMAGES)
    (graph,) = settings.current().cache_folder.rglob("*.onnx")
    wrong = 0.01
    assert not optimiser.optimise(graph)
    assert not files()
    wrong = 1e-7
    assert optimiser.optimise(graph)


def test_programs_that_write_at_the_same_time_do_not_disturb_each_other(path: Path, expected: np.ndarray) -> None:
    (graph,) = settings.current().cache_folder.rglob("*.onnx")
    threads = [threading.Thread(target=optimiser.optimise, args=(graph,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(files()) == 1
    assert not left_over()
    assert is_used(path)


def test_a_full_disk_harms_nothing(
    path: Path, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(change: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (graph,) = settings.current().cache_folder.rglob("*.onnx")
    with monkeypatch.context() as patched, caplog.at_level(logging.INFO):
        patched.setattr(atomic_file, "patiently", full)
        assert not optimiser.optimise(graph)
        assert "No space left on device" in caplog.text
    with monkeypatch.context() as patched:
        patched.setattr(optimiser.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1000}))
        assert not optimiser.optimise(graph)
    assert not files()
    assert not left_over()
    np.testing.assert_array_equal(numbers_of(path), expected)


def test_weights_that_the_runtime_did_not_write_to_their_end_are_not_kept(
    path: Path, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped = optimiser.mapped
    monkeypatch.setattr(
        optimiser, "mapped", lambda file: mapped(file)[:-1] if file.name.endswith(".weights.tmp") else mapped(file)
    )
    optimising.optimise_all()
    assert not files()
    assert not left_over()


@pytest.fixture
def read_only(expected: np.ndarray) -> Iterator[Path]:
    """A folder that nothing can be written into; for root, whom modes do not stop, one that is a file."""
    folder = settings.current().cache_folder / "compiled"
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


def test_a_cache_that_is_read_only_harms_nothing(
    path: Path, read_only: Path, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **others: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(kept, "write_whole", refuse)
    optimising.optimise_all()
    assert not files()
    assert not left_over()
    np.testing.assert_array_equal(numbers_of(path), expected)


def test_nothing_is_kept_over_the_limit_of_the_cache(
    path: Path, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE_LIMIT", f"{eviction.usage() + 100}")
    optimising.optimise_all()
    assert not files()


def test_a_private_session_keeps_none_and_uses_that_of_before(
    path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NAPARI_WEBIPRED_PRIVATE", "1")
    settings.use_private(tmp_path / "cache" / "private" / "a")
    assert is_used(path)
    (tmp_path / "n.zip").write_bytes(model_zip(CLASSES + 1, 8))
    assert not is_used(tmp_path / "n.zip")
    optimising.optimise_all()
    assert list(tmp_path.rglob("*.optimised")) == [file]


def test_that_of_the_cache_of_all_users_is_used_and_never_changed(
    path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cache").rename(tmp_path / "shared")
    monkeypatch.setenv("NAPARI_WEBIPRED_SHARED_CACHE", str(tmp_path / "shared"))
    assert is_used(path)
    there = tmp_path / "shared" / "compiled" / file.name
    there.write_bytes(b"damaged")
    assert not is_used(path)
    assert there.read_bytes() == b"damaged"
    optimising.optimise_all()
    assert file.exists(), "the user's own cache has one now"
    assert is_used(path)


def test_it_counts_as_part_of_the_cache_and_goes_with_its_model(path: Path, file: Path) -> None:
    with_it = eviction.usage()
    size = file.stat().st_size
    assert {each for piece in eviction._pieces() for each in piece.files} >= {file}
    file.rename(file.with_suffix(".kept"))
    assert eviction.usage() == with_it - size
    file.with_suffix(".kept").rename(file)
    (graph,) = file.parent.glob("*.onnx")
    assert set(eviction._compiled_of(graph.name[:64])) == {graph, file}
    store.wipe()
    assert not files()


def test_the_least_used_is_evicted(path: Path, file: Path) -> None:
    store.limit(0)
    assert not files()


def test_a_link_is_not_followed(path: Path, file: Path, tmp_path: Path) -> None:
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert not is_used(path)


def test_a_network_for_which_there_is_no_memory_twice_is_not_optimised(
    path: Path, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimiser.MEMORY, "fits", lambda weights, run: False)
    optimising.optimise_all()
    assert not files()


def test_a_program_that_ends_optimises_after_its_results_are_out(path: Path) -> None:
    code = """
        import atexit, sys
        import numpy as np
        atexit.register(lambda: print("ended", flush=True))  # functions are called in the reverse order
        import napari_webipred as wp
        numbers = wp.open_model(sys.argv[1]).predict(np.zeros((1, 8, 8, 3)))
        from napari_webipred.cache import optimised
        from napari_webipred import settings
        print(len(list(settings.current().cache_folder.rglob("*.optimised"))), numbers.shape, flush=True)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), path], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["0 (1, 2000)", "ended"]
    assert done.stderr == ""
    assert len(files()) == 1
    assert is_used(path)


def test_the_processor_is_described_without_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_webipred.runtime import processor

    monkeypatch.setattr(subprocess, "Popen", None)
    here = processor.processor.__wrapped__()
    assert here == processor.processor()
    monkeypatch.setattr(processor, "_linux", dict)
    assert len(processor.processor.__wrapped__()) > len(sys.platform)


def test_an_older_runtime_has_other_circumstances(monkeypatch: pytest.MonkeyPatch) -> None:
    (now,) = {network._circumstances.__wrapped__()}
    monkeypatch.setattr(onnxruntime, "__version__", "1.20.0")
    assert network._circumstances.__wrapped__() != now
