"""A model in memory that is ready to predict."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_webipred import atomic_file, file_errors, optimiser, optimising
from napari_webipred.cache import graphs
from napari_webipred.card import ModelCard
from napari_webipred.errors import ActivationError, ModelError
from napari_webipred.hardware import USUAL, Hardware
from napari_webipred.limits import available_cores
from napari_webipred.model_overrides import Thresholds
from napari_webipred.references.reference import Reference
from napari_webipred.results.probabilities import class_probabilities, needs_activation
from napari_webipred.runtime import facts
from napari_webipred.runtime.outputs import outputs_in
from napari_webipred.runtime.session import Session

_log = logging.getLogger(__name__)


class Model:
    """A model in memory, with the card that says what its numbers mean. Made by `open_model`.

    Attributes
    ----------
    card : ModelCard
        What the model is for and how images are prepared for it. ``card.provenance.self_test`` says how the test of
        the card went, if it has one.
    checksum : str
        ``"sha256:<hex>"`` of the model's files.
    input_shape : tuple
        (height, width, channels) of an image in pixels; None where the model takes any size.
    output_size : int
        How many numbers it gives for an image.
    suggestion : tuple of (str, str), or None
        The family that the network looks like and the scaling that this family was published with, such as
        ``("MobileNetV2", "tf")``: a proposal for the user, which never counts by itself.
    outputs : tuple of ModelOutput
        The outputs that could give the classes, if there are several; ``card.output.tensor_name`` names the chosen
        one. Empty for most models.
    differences : dict
        What `napari_webipred.difference.difference` has measured, by hardware.
    needs_activation : bool
        Whether the model gives numbers that are no probabilities, and nobody has said what makes some of them. For
        most networks this is known at once, for others once they have computed something.
    path : Path or None
        Where its files lie; None if they are in memory.
    archive : bytes or None
        The zip archive that the files of a model made here go into; None of others.
    """

    def __init__(
        self, card: ModelCard, checksum: str, graph: Path | bytes, session: Session, *, allow_slow: bool = False
    ) -> None:
        self.card = card
        self.checksum = checksum
        self.input_shape = session.input_shape
        self.output_size = session.output_size
        self.suggestion = facts.suggestion(session.properties)
        self.outputs = tuple(output for output in outputs_in(session.properties)[0] if output.size is not None)
        self.needs_activation = needs_activation(card)
        self.path: Path | None = None
        self.archive: bytes | None = None
        self._graph = graph
        self._allow_slow = allow_slow
        self._sessions = {available_cores(): session}
        self._elsewhere: dict[tuple[int, Hardware], Session] = {}
        self.differences: dict[Hardware, Any] = {}
        self._feature_tensor = ""
        self._feature_sessions: dict[int, Session] = {}
        self._reference: Reference | None = None
        self._lock = Lock()

    @property
    def remarks(self) -> list[str]:
        """What the user should know before trusting a number, a sentence each."""
        return self.card.provenance.remarks

    @property
    def needs_settings(self) -> bool:
        """Whether nothing can be classified before the user gives settings that neither the files nor the card have."""
        return self.card.preprocessing is None or self.card.input is None or self.needs_activation

    @property
    def classes(self) -> list[str]:
        """Names of the classes in the order of the model's outputs.

        Examples
        --------
        >>> import napari_webipred as wp
        >>> wp.open_model("demo").classes[0]
        'sharp'
        """
        return self.card.class_names

    @property
    def image_size(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images that it gets; 224 pixels where neither network nor card say."""
        height, width, channels = self.input_shape
        if self.card.input is not None:
            height, width = self.card.input.height, self.card.input.width
        return height or 224, width or 224, channels

    def with_thresholds(self, chosen: Thresholds, options: Mapping[str, Any]) -> Model:
        """Return the same model, which assigns classes by thresholds that were chosen by own labels.

        Raises
        ------
        OptionError
            They do not go with the model, or with these options of a run; see `Options.as_dict`.
        """
        other = copy(self)
        other.card = chosen.applied_to(self.card, options)
        return other

    def predict(self, batch: ArrayLike) -> NDArray[np.float32]:
        """Run the model on images that are already resized and standardised.

        Parameters
        ----------
        batch : array_like, shape (n, height, width, channels)
            Taken as float32.

        Returns
        -------
        ndarray of float32, shape (n, n_outputs)
            The numbers that TensorFlow.js returns for this tensor: a single sigmoid gives one column; of several
            outputs it is the class output.

        Raises
        ------
        ModelError
            The batch does not have the shape that the model takes.

        Examples
        --------
        >>> import numpy as np
        >>> import napari_webipred as wp
        >>> model = wp.open_model("demo")
        >>> numbers = model.predict(np.zeros((2, 224, 224, 3)))
        >>> numbers.shape, numbers.dtype
        ((2, 5), dtype('float32'))
        """
        return self.session(available_cores()).predict(batch)

    def features(self, batch: ArrayLike, threads: int | None = None) -> NDArray[np.float32]:
        """Return what the network has found in images before its head makes classes of it.

        Parameters
        ----------
        batch : array_like, shape (n, height, width, channels)
            Images that are already resized and standardised, as `napari_webipred.prepare` returns them.
        threads : int, optional
            How many compute one image; by default one for each core.

        Returns
        -------
        ndarray of float32, shape (n, channels)
            The means of the last tensor with rows and columns, or else what goes into the last operation with weights.

        Raises
        ------
        ModelError
            The batch does not have the shape that the model takes, the network has no such tensor, or there is no
            memory for its weights a second time.

        Examples
        --------
        >>> import numpy as np
        >>> import napari_webipred as wp
        >>> model = wp.open_model("demo")
        >>> model.features(np.zeros((2, 224, 224, 3))).shape
        (2, 96)
        """
        from napari_webipred.runtime.features import FEATURES, pooled

        found = self.feature_session(threads or available_cores()).predict(batch, [FEATURES])
        return pooled(found[FEATURES])

    def feature_tensor(self) -> str:
        """Name the tensor of the compiled graph that holds the features; found when first asked for.

        Raises
        ------
        ModelError
            The network has no features, or the graph cannot be read.
        """
        from napari_webipred.runtime.features import feature_tensor

        with self._lock:
            if not self._feature_tensor:
                self._feature_tensor = feature_tensor(self.graph(), self.image_size)
            return self._feature_tensor

    def feature_session(self, threads: int) -> Session:
        """Return the session that gives the features as well; made when first asked for.

        Where there is no memory for a second one, the first is returned.

        Raises
        ------
        ModelError
            The network has no features, or there is no memory for its weights a second time.
        """
        from napari_webipred.runtime.features import FEATURES

        tensor = self.feature_tensor()
        with self._lock:
            if threads not in self._feature_sessions:
                try:
                    self._feature_sessions[threads] = self.session_with({FEATURES: tensor}, threads)
                except ModelError:
                    if not self._feature_sessions:
                        raise
                    self._feature_sessions[threads] = next(iter(self._feature_sessions.values()))
            return self._feature_sessions[threads]

    @property
    def reference(self) -> Reference | None:
        """Where the user's reference images lie, if some were given; see `napari_webipred.fit_reference`."""
        with self._lock:
            if self._reference is None:
                from napari_webipred.cache import references

                self._reference = references.load(self.checksum)
            return self._reference

    @reference.setter
    def reference(self, reference: Reference) -> None:
        from napari_webipred.cache import references

        references.save(self.checksum, reference)
        with self._lock:
            self._reference = reference

    def warm_up(self) -> None:
        """Run the model once on noise, so that the first real image does not wait, and look at what it gives.

        Examples
        --------
        >>> import napari_webipred as wp
        >>> model = wp.open_model("demo")
        >>> model.warm_up()
        >>> model.needs_activation
        False
        """
        height, width, channels = self.input_shape
        if self.card.input is not None:
            height, width = self.card.input.height, self.card.input.width
        noise = np.random.default_rng(0).standard_normal((1, height or 64, width or 64, channels), np.float32)
        numbers = self.predict(noise)[0]
        try:
            class_probabilities(numbers, self.card)
        except ActivationError:
            self.needs_activation = True
        except ModelError:  # the numbers are not finite, which for noise means nothing
            pass

    def session(self, threads: int, hardware: Hardware = USUAL) -> Session:
        """Return the session that computes one image on this many threads; made when first asked for.

        Sessions share the weights of a network that was optimised before, else each holds them. Where there is no
        memory for another one, or the graph has been removed from the disk since, the first is returned: its numbers
        are the same. Other hardware than the usual one gives other numbers, so there it is an error.

        Raises
        ------
        ModelError
            The network cannot be computed on the given hardware.
        """
        if hardware != USUAL:
            return self._session_elsewhere(threads, hardware)
        with self._lock:
            if threads not in self._sessions:
                first = next(iter(self._sessions.values()))
                if not first.has_room_beside():
                    return first
                try:
                    self._sessions[threads] = open_session(
                        self._graph, threads, allow_slow=self._allow_slow, beside=first
                    )
                except ModelError as error:
                    _log.info("A session for %d threads cannot be made: %s", threads, error.message)
                    self._sessions[threads] = first
            return self._sessions[threads]

    def _session_elsewhere(self, threads: int, hardware: Hardware) -> Session:
        with self._lock:
            place = (threads if hardware.device == "cpu" else 0, hardware)
            if place not in self._elsewhere:
                self._elsewhere[place] = open_session(
                    self._graph, threads, allow_slow=self._allow_slow, hardware=hardware
                )
            return self._elsewhere[place]

    def session_with(self, tensors: Mapping[str, str], threads: int | None = None) -> Session:
        """Open a session that gives tensors of the network besides the classes; `Session.predict` returns them by name.

        It holds the weights a second time.

        Parameters
        ----------
        tensors : mapping of str to str
            Names of the outputs, and for each the tensor of the compiled graph.
        threads : int, optional
            How many compute one image; by default one for each core.

        Raises
        ------
        ModelError
            There is no such tensor, or no memory for another session.
        """
        from napari_webipred.runtime.bounds import with_bounds
        from napari_webipred.runtime.extra_outputs import with_outputs

        return open_session(
            with_bounds(with_outputs(self.graph(), tensors)), threads or available_cores(), allow_slow=self._allow_slow
        )

    def graph(self) -> bytes:
        """Return the compiled graph, an ONNX model.

        Raises
        ------
        ModelError
            It was removed from the disk or is damaged.
        """
        if isinstance(self._graph, bytes):
            return self._graph
        with graphs.verified(self._graph):
            return self._graph.read_bytes()

    @property
    def kept(self) -> Path | None:
        """The file of the compiled graph; None if it could not be kept."""
        return self._graph if isinstance(self._graph, Path) else None

    @property
    def allow_slow(self) -> bool:
        """Whether the model may compute very long for an image."""
        return self._allow_slow

    def save(self, path: str | Path) -> Path:
        """Write a model that was made here, by `napari_webipred.fit_head`, as a zip archive.

        `open_model` opens it. A file that is there is replaced, once all is written.

        Raises
        ------
        ModelError
            The model was opened from files, or the archive cannot be written.
        """
        if self.archive is None:
            raise ModelError(
                f"The model {self.card.name} was not made here, so its files are where it came from.",
                "Copy those files, or write a bundle of it.",
            )
        try:
            atomic_file.write_whole(Path(path), self.archive)
        except OSError as error:
            reason, remedy = file_errors.writing(error)
            raise ModelError(f"The model cannot be written to {Path(path).name}: {reason}.", remedy) from error
        return Path(path)

    def in_archive(self, archive: bytes, card: ModelCard) -> Model:
        """Return the same model with another archive around it, which holds another card."""
        other = copy(self)
        other.card, other.archive = card, archive
        other.checksum = f"sha256:{hashlib.sha256(archive).hexdigest()}"
        other.needs_activation = needs_activation(card)
        return other

    def kept_at(self, path: Path) -> None:
        """Read the graph from a file from now on, instead of keeping it in memory."""
        self._graph = path
        optimising.later(path)


def open_session(
    graph: Path | bytes,
    threads: int,
    *,
    allow_slow: bool = False,
    beside: Session | None = None,
    hardware: Hardware = USUAL,
    optimise: bool = True,
) -> Session:
    """Open a compiled graph, a file of the cache only if it is what was written there.

    What was optimised of it for this processor is used if it is there, else made when the program ends, unless
    `optimise` is False. A session `beside` another of the same graph shares its weights.

    Raises
    ------
    ModelError
        The graph is damaged, cannot be opened, or needs too much memory or, unless that is allowed, time.
    """
    from napari_webipred.runtime.session import Session

    if isinstance(graph, bytes):
        return Session(graph, threads, allow_slow=allow_slow, hardware=hardware)
    if hardware != USUAL:
        return Session(graph, threads, allow_slow=allow_slow, guard=graphs.verified, hardware=hardware)
    optimised = optimiser.optimised(graph) if beside is None else beside.optimised
    guard = _verified if optimise else graphs.verified
    return Session(graph, threads, allow_slow=allow_slow, optimised=optimised, guard=guard)


@contextmanager
def _verified(graph: Path) -> Iterator[None]:
    with graphs.verified(graph):
        yield
    optimising.later(graph)
