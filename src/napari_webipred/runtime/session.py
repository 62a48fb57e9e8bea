"""A compiled model that predicts."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from napari_webipred import limits
from napari_webipred.cancellation import Cancellation, current
from napari_webipred.errors import ModelError
from napari_webipred.hardware import USUAL, Hardware
from napari_webipred.runtime.bounds import Bounds, bounds_of, first_bounds, known_bounds, read_network
from napari_webipred.runtime.facts import FORMAT
from napari_webipred.runtime.graph import INPUT, OUTPUT
from napari_webipred.runtime.inference import explained, mapped, open_graph, signature
from napari_webipred.runtime.onnx_graph import read_properties
from napari_webipred.runtime.optimised import Optimised, open_optimised
from napari_webipred.runtime.reservation import MEMORY
from napari_webipred.workers import Workers, wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_webipred.runtime.shapes import Shape

_KNOWN_BATCHES = 16
_log = logging.getLogger(__name__)


class Session:
    """A compiled model, ready to predict on this machine's processor.

    Before ONNX Runtime sees the network, it is told how much memory it needs, and one that needs too much is refused.

    Parameters
    ----------
    graph : Path or bytes
        What `napari_webipred.runtime.compiler.compile_model` returns, or a file with it.
    threads : int
        How many threads work on one call of `predict`.
    allow_slow : bool
        Whether it may compute very long for an image.
    optimised : Optimised, optional
        The same network, optimised for this processor before. ONNX Runtime opens it when something is first computed;
        if it cannot be used, the graph is opened instead.
    guard : callable, optional
        Makes the context within which a file is opened as graph, such as one that verifies it.
    hardware : Hardware
        What computes it; an optimised network is for the usual one.

    Attributes
    ----------
    input_shape : tuple
        (height, width, channels) of an image in pixels; height or width None if the model takes any.
    output_size : int
        How many numbers come out for each image.
    outputs : tuple of str
        Names of what `predict` can return; ``"classes"`` is the first, and for most the only one.
    properties : dict of str to str
        What the file says about itself beside the network; empty for most.
    optimised : Optimised or None
        What it computes with, and what other sessions of the same network can share.

    Raises
    ------
    ModelError
        The graph cannot be read, is not one of ours, or needs too much memory.
    SlowModelError
        It computes very long for an image, and that is not allowed.
    """

    input_shape: tuple[int | None, int | None, int]
    output_size: int
    outputs: tuple[str, ...]
    properties: dict[str, str]
    optimised: Optimised | None

    def __init__(
        self,
        graph: Path | bytes,
        threads: int,
        *,
        allow_slow: bool = False,
        optimised: Optimised | None = None,
        guard: Callable[[Path], AbstractContextManager[None]] | None = None,
        hardware: Hardware = USUAL,
    ) -> None:
        self._graph = graph
        self._threads = threads
        self._allow_slow = allow_slow
        self._guard = guard
        self._hardware = hardware
        # Not every device takes several images at the same time, and none is faster for it.
        self._turn = nullcontext() if hardware.device == "cpu" else threading.Lock()
        self.optimised = optimised
        self._known: dict[Shape, Bounds] = {}
        self._opening = threading.Lock()
        self._session: Any = None
        if optimised is None:
            with self._guarded():
                self._bounds = self._first_bounds(_content(graph))
                self._session = open_graph(graph, threads, self._bounds.folds, hardware=hardware)
            found = signature(self._session)
            self.properties = dict(self._session.get_modelmeta().custom_metadata_map)
        else:
            self._bounds = self._first_bounds(memoryview(optimised.graph))
            found = optimised.signature
            self.properties = optimised.properties()
        self.input_shape, self.output_size, self.outputs = found.input_shape, found.output_size, found.outputs
        # Whoever made the network of an ONNX file may have computed something from all images of a batch together, such
        # as a mean or the range for a quantisation; those of the other formats were compiled here.
        self._singly = found.single or self.properties.get(FORMAT) == "onnx"
        MEMORY.hold(optimised or self, self._bounds.weights)

    def _guarded(self) -> AbstractContextManager[None]:
        return nullcontext() if self._guard is None or isinstance(self._graph, bytes) else self._guard(self._graph)

    def _ready(self) -> Any:
        """Return the session of ONNX Runtime."""
        with self._opening:
            if self._session is None:
                self._session = self._of_optimised() or self._plain()
            return self._session

    def begin(self) -> None:
        """Open the network in a thread, so that an image can be read meanwhile; what goes wrong, `predict` says.

        A program does not end before the thread has, because ONNX Runtime must not be left in the middle of it.
        """
        if self._session is not None:
            return

        def open_ahead() -> None:
            with suppress(Exception):  # `predict` tries again
                self._ready()

        threading.Thread(target=open_ahead, name="open").start()

    def _of_optimised(self) -> Any:
        """Open the optimised network; None if there is none, it is not what was written, or cannot be opened."""
        if self.optimised is None:
            return None
        try:
            session = open_optimised(self.optimised, self._threads)
            if self.optimised.sound.result():
                return session
        except (ModelError, OSError, MemoryError) as error:
            _log.info("The optimised model cannot be opened: %s", error)
        self.optimised = None
        MEMORY.hold(self, self._bounds.weights)
        return None

    def _plain(self) -> Any:
        with self._guarded():
            return open_graph(self._graph, self._threads, self._bounds.folds, hardware=self._hardware)

    @overload
    def predict(self, batch: ArrayLike, outputs: None = None) -> NDArray[np.float32]: ...
    @overload
    def predict(self, batch: ArrayLike, outputs: Sequence[str]) -> dict[str, NDArray[np.float32]]: ...
    def predict(
        self, batch: ArrayLike, outputs: Sequence[str] | None = None
    ) -> NDArray[np.float32] | dict[str, NDArray[np.float32]]:
        """Run the model. Several threads may do so at the same time.

        Ctrl-C and the `napari_webipred.cancellation.Cancellation` that the calling thread works under interrupt it
        after the operation that is being computed. Runs that need more memory than is free wait for others.

        Parameters
        ----------
        batch : array_like, shape (n, height, width, channels)
            Images, resized and standardised; taken as float32.
        outputs : sequence of str, optional
            Which of `outputs` to return: ``"classes"``, and what `napari_webipred.runtime.extra_outputs.with_outputs`
            has added to the graph.

        Returns
        -------
        ndarray of float32, shape (n, output_size)
            The classes; or, where `outputs` is given, these arrays by name, each with n as its first axis.

        Raises
        ------
        ModelError
            The batch is not numeric or has another shape, needs too much memory, or the computation fails; or there is
            no such output.
        CancelledError
            The computation was cancelled.
        """
        images = self._images(batch)
        names = (OUTPUT,) if outputs is None else self._outputs_called(outputs)
        if len(images) > 1 and not self._fits_at_once(images.shape):
            parts = [self._predict(image[None], names) for image in images]
            arrays = [np.concatenate(each) for each in zip(*parts, strict=True)]
        else:
            arrays = self._predict(images, names)
        return arrays[0] if outputs is None else dict(zip(names, arrays, strict=True))

    def _images(self, batch: ArrayLike) -> NDArray[np.float32]:
        """Take a batch as numbers, and refuse one of another shape than the model takes."""
        try:
            images = np.ascontiguousarray(batch, np.float32)
        except (TypeError, ValueError) as error:
            raise ModelError(f"The batch does not hold numbers only: {error}.", "Give an array of numbers.") from error
        fits = images.ndim == 4 and all(
            wanted in (None, size) for wanted, size in zip(self.input_shape, images.shape[1:], strict=True)
        )
        if not fits:
            wanted = ", ".join("any" if size is None else str(size) for size in self.input_shape)
            raise ModelError(
                f"The batch has the shape {images.shape}; the model takes (n, {wanted}).",
                "Give a batch of images as (n, height, width, channels), each resized to the model's input.",
            )
        return images

    def _outputs_called(self, names: Sequence[str]) -> tuple[str, ...]:
        unknown = [name for name in names if name not in self.outputs]
        if unknown:
            raise ModelError(f"The model has no output {unknown[0][:80]!r}, but {', '.join(self.outputs)}.")
        return tuple(names)

    def _predict(self, images: NDArray[np.float32], names: Sequence[str]) -> list[NDArray[np.float32]]:
        """Run the model on images that fit into memory at once, in this thread or for it."""
        self._check(self.bounds(images.shape))
        cancellation = current()
        if threading.current_thread() is not threading.main_thread():
            return self._run(images, names, cancellation)
        try:
            result: list[NDArray[np.float32]] = wait_for(_other_thread().submit(self._run, images, names, cancellation))
            return result
        except KeyboardInterrupt:
            cancellation.cancel()
            _other_thread().close(limits.PATIENCE)
            _other_thread.cache_clear()
            raise

    def bounds(self, batch: Shape) -> Bounds:
        """Tell what a batch of (images, height, width, channels) needs in memory and work.

        Raises
        ------
        ModelError
            The network does not take images of this size.
        """
        shape = (max(batch[0], 1), *batch[1:])
        if shape == self._bounds.batch:
            return self._bounds
        if shape not in self._known:
            with self._guarded():
                found = bounds_of(read_network(_content(self._graph)), shape)
            if len(self._known) >= _KNOWN_BATCHES:
                self._known.clear()
            self._known[shape] = found
        return self._known[shape]

    def check_image(self, height: int, width: int) -> None:
        """Refuse images of a size for which the network needs too much memory, or computes very long.

        Raises
        ------
        ModelError
        SlowModelError
        """
        self._check(self.bounds((1, height, width, self.input_shape[2])))

    def has_room_beside(self) -> bool:
        """Tell whether another session of the same network would leave memory for two images."""
        weights = self._bounds.weights if self.optimised is None else 0
        return MEMORY.fits(weights, max(each.run for each in (self._bounds, *self._known.values())))

    def _fits_at_once(self, batch: Shape) -> bool:
        if self._singly:
            return False
        bounds = self.bounds(batch)
        return bounds.weights + bounds.run <= limits.memory_budget()

    def _first_bounds(self, content: memoryview) -> Bounds:
        """Return what the graph itself tells, or what follows from it, unless it needs too much."""
        bounds = known_bounds(read_properties(content)) or first_bounds(read_network(content))
        self._check(bounds)
        return bounds

    def _check(self, bounds: Bounds) -> None:
        bounds.check_memory()
        if not self._allow_slow:
            bounds.check_work()

    def _run(
        self, images: NDArray[np.float32], names: Sequence[str], cancellation: Cancellation
    ) -> list[NDArray[np.float32]]:
        import onnxruntime

        session = self._ready()
        options = onnxruntime.RunOptions()

        def end() -> None:
            options.terminate = True

        with MEMORY.running(self.bounds(images.shape).run, cancellation), cancellation.ending(end), self._turn:
            try:
                arrays: list[NDArray[np.float32]] = session.run([*names], {INPUT: images}, options)
            except Exception as error:  # ONNX Runtime has no common class for what it raises
                cancellation.check()
                raise explained(error) from error
        for name, array in zip(names, arrays, strict=True):
            self._check_numbers(name, array.shape, len(images))
        return arrays

    def _check_numbers(self, name: str, shape: tuple[int, ...], images: int) -> None:
        """Refuse an output that does not give something for each image."""
        if name == OUTPUT and shape != (images, self.output_size):
            raise ModelError(
                f"The model gives numbers of the shape {shape} for {images} images.",
                "Choose a model that gives one list of numbers for each image.",
            )
        if shape[:1] != (images,):
            raise ModelError(f"The output {name!r} of the model has the shape {shape} for {images} images.")


@cache
def _other_thread() -> Workers[Any]:
    """Return the thread that computes for the main thread, which waits: only so does Python hear of Ctrl-C at once."""
    return Workers(1, "predict")


if hasattr(os, "register_at_fork"):  # POSIX; no thread lives on in a copy of the process
    os.register_at_fork(after_in_child=_other_thread.cache_clear)


def _content(graph: Path | bytes) -> memoryview:
    return memoryview(graph) if isinstance(graph, bytes) else mapped(graph)
