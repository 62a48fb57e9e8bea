from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from napari_webipred import engine
from napari_webipred.cancellation import Cancellation, current
from napari_webipred.card import ModelCard
from napari_webipred.cli import terminal
from napari_webipred.errors import ActivationError, CancelledError, ImageError, OptionError
from napari_webipred.imaging.source import Source
from napari_webipred.workers import Workers
from sources import source_of


class MeanModel:
    """Stands in for a model: the probability of the second class is the mean of the image."""

    card = ModelCard.model_validate(
        {
            "id": "mean",
            "name": "Mean",
            "classes": [{"index": 0, "name": "dark"}, {"index": 1, "name": "bright"}],
            "input": {"width": 4, "height": 4, "channels": 3},
            "preprocessing": {"standardize_mode": "none"},
        }
    )
    classes = ("dark", "bright")
    suggestion = None
    needs_activation = False

    def session(self, threads: int) -> MeanModel:
        return self

    def predict(self, batch: np.ndarray) -> np.ndarray:
        mean = batch.mean(axis=(1, 2, 3)) / 255
        return np.stack([1 - mean, mean], axis=1).astype(np.float32)


def flat(value: int) -> np.ndarray:
    return np.full((40, 40, 3), value, np.uint8)


def rows(images, model=None, **options):
    events = list(engine.classify(model or MeanModel(), images, engine.Options(**options)))
    assert isinstance(events[0], engine.Started)
    assert isinstance(events[-1], engine.Finished)
    assert events[0].total == events[-1].done == len(events) - 2
    assert [event.done for event in events[1:-1]] == list(range(1, len(events) - 1))
    return [event.row for event in events[1:-1]]


class UndecidedModel(MeanModel):
    """Gives both of its classes the same probability, whatever the image."""

    card = MeanModel.card.model_copy(
        update={
            "classes": ModelCard.model_validate(
                {"id": "u", "name": "u", "classes": [{"index": 0, "name": "a; b"}, {"index": 1, "name": "b"}]}
            ).classes
        }
    )
    classes = ("a; b", "b")

    def predict(self, batch: np.ndarray) -> np.ndarray:
        return np.full((len(batch), 2), 0.5, np.float32)


def test_of_equal_classes_the_first_is_assigned_in_table_and_terminal():
    (row,) = rows([flat(0)], UndecidedModel())
    assert (row.assigned, row.prediction) == ((0,), "a; b")
    stream = io.StringIO()
    terminal.show_row(row, UndecidedModel.card, stream)
    assert [line[2] for line in stream.getvalue().splitlines()[1:3]] == ["*", " "]


def test_rows_come_in_the_order_of_the_images():
    done = rows([flat(value) for value in range(0, 250, 5)], workers=4)
    np.testing.assert_allclose([row.probabilities[1] for row in done], np.arange(0, 250, 5) / 255, atol=1e-6)
    assert [row.source for row in done] == list(range(50))
    assert done[0].prediction == "dark"
    assert done[-1].prediction == "bright"


def test_a_single_array_need_not_be_in_a_list():
    assert [row.image for row in rows(flat(9))] == ["array 0"]


def failing(error: BaseException) -> Source:
    def read(index):
        raise error

    return source_of("bad", read)


@pytest.mark.parametrize("error", [ImageError("It is broken."), MemoryError(), RuntimeError("lazy array failed")])
def test_one_image_that_cannot_be_read_costs_no_other_its_result(error):
    done = rows([flat(10), failing(error), flat(20)])
    assert [row.failed for row in done] == [False, True, False]
    assert done[1].error
    assert done[1].image == "bad"


def test_an_array_that_is_no_image_costs_no_other_its_result():
    done = rows([flat(10), np.zeros(5), flat(20)])
    assert [row.failed for row in done] == [False, True, False]
    assert "(5,)" in done[1].error


def test_a_stack_gives_a_row_for_each_plane():
    stack = np.stack([flat(value) for value in (0, 100, 200)])
    source = source_of("stack", lambda index: stack[index], ("z",), (3,))
    done = rows([source])
    assert [row.position for row in done] == [{"z": 0}, {"z": 1}, {"z": 2}]
    assert done[2].probabilities[1] == pytest.approx(200 / 255)


def test_one_plane_of_a_stack_can_be_chosen():
    stack = np.stack([flat(value) for value in (0, 100, 200)])
    done = rows([source_of("stack", lambda index: stack[index], ("z",), (3,), planes=(range(1, 2),))])
    assert [row.position for row in done] == [{"z": 1}]


def test_the_axes_of_all_stacks_are_named_once():
    def read(index):
        return flat(0)

    sources = [source_of("a", read, ("t", "z"), (1, 2)), source_of("b", read, ("z",), (2,)), source_of("c", read)]
    started = next(engine.classify(MeanModel(), sources))
    assert started.axes == ("t", "z")
    assert started.total == 5


def test_closing_cancels_what_has_not_begun():
    read = []
    sources = [source_of(str(i), lambda index, i=i: read.append(i) or flat(0)) for i in range(1000)]
    events = engine.classify(MeanModel(), sources, engine.Options(workers=2))
    next(events)
    next(events)
    events.close()
    at_close = len(read)
    assert at_close < 20
    assert not [t for t in threading.enumerate() if t.name.startswith("napari-webipred")]
    assert len(read) == at_close


class EndlessModel(MeanModel):
    """Predicts until it is told to stop."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.ended: list[str] = []

    def predict(self, batch: np.ndarray) -> np.ndarray:
        stop = threading.Event()
        with current().ending(stop.set):
            self.begun.set()
            stop.wait()
        self.ended.append(threading.current_thread().name)
        raise CancelledError("It was cancelled.")


def test_closing_ends_predictions_that_are_under_way():
    model = EndlessModel()
    events = engine.classify(model, [failing(ImageError("It is broken.")), flat(0)], engine.Options(workers=2))
    assert [type(next(events)) for _ in range(2)] == [engine.Started, engine.RowDone]
    assert model.begun.wait(20)
    events.close()
    assert len(model.ended) == 1
    assert not [t for t in threading.enumerate() if t.name.startswith("napari-webipred")]


def test_a_run_ends_when_the_thread_that_waits_for_it_is_cancelled():
    model, cancellation = EndlessModel(), Cancellation()

    def classify() -> list[object]:
        with cancellation.active():
            return list(engine.classify(model, [flat(0)] * 3))

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(classify)
        assert model.begun.wait(20)
        cancellation.cancel()
        with pytest.raises(CancelledError):
            running.result()


def test_only_a_few_images_are_in_memory_however_many_there_are():
    alive, most, lock = set(), 0, threading.Lock()

    def read_one(i):
        def read(index):
            nonlocal most
            with lock:
                alive.add(i)
                most = max(most, len(alive))
            return flat(0)

        return read

    for event in engine.classify(
        MeanModel(), [source_of(str(i), read_one(i)) for i in range(200)], engine.Options(workers=2)
    ):
        if isinstance(event, engine.RowDone):
            with lock:
                alive.discard(event.row.source)
    assert most <= 8


class Counted:
    """Sources that know how many of them are being read at the same time; each waits a little for a second one."""

    def __init__(self, size: int, patience: float) -> None:
        self.size, self.patience, self.now, self.most = size, patience, 0, 0
        self.lock, self.together = threading.Lock(), threading.Barrier(2)

    def source(self, number: int) -> Source:
        return source_of(str(number), self.read, memory=self.size)

    def read(self, index):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            self.together.wait(self.patience)
        except threading.BrokenBarrierError:
            self.together.reset()
        with self.lock:
            self.now -= 1
        return flat(7)


def test_images_wait_for_one_another_where_memory_is_short(monkeypatch):
    monkeypatch.setenv("NAPARI_WEBIPRED_MEMORY_LIMIT", "1MB")
    large, small = Counted(600_000, patience=0.02), Counted(400_000, patience=60)
    assert not any(row.failed for row in rows([large.source(i) for i in range(8)], workers=4))
    assert large.most == 1
    assert not any(row.failed for row in rows([small.source(i) for i in range(8)], workers=4))
    assert small.most == 2


def test_an_image_that_is_larger_than_the_budget_costs_no_other_its_result(monkeypatch):
    monkeypatch.setenv("NAPARI_WEBIPRED_MEMORY_LIMIT", "1MB")
    huge = source_of("huge", lambda index: pytest.fail("it was read"), memory=2_000_000)
    done = rows([flat(10), huge, flat(20)])
    (alone,) = rows([huge], memory="1.5MB")
    assert alone.error.endswith("or allow this run 2MB.")  # whose own limit counts, and not the setting
    assert [row.failed for row in done] == [False, True, False]
    assert "takes 2 MB of memory, more than the 1 MB" in done[1].error
    assert "allow more with the setting NAPARI_WEBIPRED_MEMORY_LIMIT=2MB" in done[1].error


def test_two_runs_share_the_memory(monkeypatch):
    monkeypatch.setenv("NAPARI_WEBIPRED_MEMORY_LIMIT", "1MB")
    images = Counted(600_000, patience=0.02)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: rows([images.source(i) for i in range(4)]), range(2)))
    assert images.most == 1


def test_a_setting_of_memory_that_is_no_amount_is_told_before_anything_is_read(monkeypatch):
    monkeypatch.setenv("NAPARI_WEBIPRED_MEMORY_LIMIT", "a lot")
    with pytest.raises(OptionError, match="NAPARI_WEBIPRED_MEMORY_LIMIT"):
        next(engine.classify(MeanModel(), [flat(0)]))


def test_what_waits_for_memory_is_not_read_after_closing(monkeypatch):
    reading, may_end, read = threading.Event(), threading.Event(), []

    close = Workers.close

    def close_late(workers, patience):
        may_end.set()
        return close(workers, 60)

    def read_long(index):
        reading.set()
        assert may_end.wait(60)
        return flat(0)

    monkeypatch.setenv("NAPARI_WEBIPRED_MEMORY_LIMIT", "1MB")
    monkeypatch.setattr(Workers, "close", close_late)
    long = source_of("long", read_long, memory=900_000)
    next_one = source_of("next", lambda index: (reading.is_set() and read.append(1)) or flat(0), memory=900_000)
    events = engine.classify(MeanModel(), [flat(0), long, *[next_one] * 3], engine.Options(workers=2))
    next(events)
    next(events)
    assert reading.wait(60)
    events.close()
    assert read == []


def test_a_model_whose_scaling_is_unknown_asks_for_it():
    model = MeanModel()
    model.card = model.card.model_copy(update={"preprocessing": None})
    with pytest.raises(OptionError, match="pixel values"):
        next(engine.classify(model, [flat(0)]))


def test_a_profile_that_says_all_leaves_nothing_to_ask():
    model = MeanModel()
    model.card = model.card.model_copy(update={"preprocessing": None})
    (row,) = rows(flat(254), model, profile="teachable-machine")
    assert row.probabilities[1] == pytest.approx(1 / 255)
    with pytest.raises(OptionError, match="pixel values"):
        rows(flat(0), model, profile="aucmedi")


def test_the_profile_of_the_options_stands_before_that_of_the_card():
    pixels = np.random.default_rng(0).integers(0, 255, (9, 7, 3), np.uint8)
    as_trained, in_browser = MeanModel(), MeanModel()
    card = MeanModel.card
    preprocessing = card.preprocessing.model_copy(update={"profile": "aucmedi"})
    as_trained.card = card.model_copy(update={"preprocessing": preprocessing})
    (trained,), (browser,) = rows(pixels, as_trained), rows(pixels, in_browser)
    assert trained.probabilities[1] != browser.probabilities[1]
    assert rows(pixels, in_browser, profile="aucmedi")[0].probabilities[1] == trained.probabilities[1]
    assert rows(pixels, as_trained, profile="webipred")[0].probabilities[1] == browser.probabilities[1]


def test_a_model_of_any_size_asks_for_one():
    model = MeanModel()
    model.card = model.card.model_copy(update={"input": None})
    with pytest.raises(OptionError, match="any size"):
        next(engine.classify(model, [flat(0)]))


@pytest.mark.parametrize(
    "options", [{"threshold": 1.5}, {"threshold": -0.1}, {"workers": 0}, {"intensity": (9, 2)}, {"profile": "x"}]
)
def test_options_that_mean_nothing_are_refused(options):
    with pytest.raises(OptionError):
        engine.Options(**options)


def test_no_images_give_no_rows():
    assert rows([]) == []


def test_numbers_that_are_no_probabilities_end_the_run_in_the_order_of_the_images():
    """They are the model's fault: no row after that could be trusted, and none before is taken back."""

    class Doubtful(MeanModel):
        def predict(self, batch):
            return super().predict(batch) * (3 if batch.max() > 200 else 1)

    model, done = Doubtful(), []
    images = [flat(value) for value in (0, 10, 20, 250, 30)]
    with pytest.raises(ActivationError, match="not probabilities"):  # noqa: PT012
        for event in engine.classify(model, images, engine.Options(workers=3)):
            done.append(event)
    assert [event.row.prediction for event in done[1:]] == ["dark"] * 3
    assert model.needs_activation
    with pytest.raises(ActivationError, match="Mean"):
        next(engine.classify(model, images))
