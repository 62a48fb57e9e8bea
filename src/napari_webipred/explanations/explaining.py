"""Explains what a model says of one plane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

import numpy as np

from napari_webipred.errors import ModelError, OptionError
from napari_webipred.execution.plane import prepared_plane
from napari_webipred.explanations.agreement import agreement
from napari_webipred.explanations.class_map import cam, hirescam, line_of
from napari_webipred.explanations.contrast import contrasts, log_odds, sums_for_contrast
from napari_webipred.explanations.explanation import Explanation
from napari_webipred.explanations.head import Head
from napari_webipred.explanations.occlusion import occluded
from napari_webipred.explanations.operations import UnknownOperationError
from napari_webipred.explanations.placing import Placing, affine_of
from napari_webipred.explanations.request import Request
from napari_webipred.limits import available_cores
from napari_webipred.results.probabilities import class_probabilities
from napari_webipred.runtime.cut import cut
from napari_webipred.runtime.graph import OUTPUT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.execution.plane import Plane, Prepared
    from napari_webipred.explanations.class_map import ClassMaps, Line
    from napari_webipred.explanations.explanation import Method, Target
    from napari_webipred.model import Model
    from napari_webipred.options import Options
    from napari_webipred.runtime.session import Session

    Progress = Callable[[int, int], None]
    Outputs = Mapping[str, NDArray[np.float32]]

FEATURES, LOGITS = "webipred.features", "webipred.logits"

_lock = Lock()
_explainers: WeakKeyDictionary[Model, Explainer] = WeakKeyDictionary()


class Explainer:
    """A model with the tensors that explain its classes; several threads may use it.

    Parameters
    ----------
    model : Model
        With input size and activation known. Its weights are held a second time.
    threads : int, optional
        How many compute one image; by default one for each core.

    Raises
    ------
    ModelError
        There is no memory for that.
    """

    def __init__(self, model: Model, threads: int | None = None) -> None:
        self._card = card = model.card
        assert card.input is not None
        channels = model.input_shape[2]
        assert channels is not None
        self._cut = found = cut(model.graph(), (card.input.height, card.input.width, channels))
        self._head: Head | None = None
        self._unknown = ""
        if found.features is not None:
            try:
                self._head = Head(found)
            except UnknownOperationError as error:
                self._unknown = str(error)
        self._tensors = {FEATURES: found.features} if self._head is not None and found.features is not None else {}
        if found.logits != OUTPUT:
            self._tensors[LOGITS] = found.logits
        self._line: Line | Literal[False] | None = None  # not known before there are features
        self._sessions: dict[int, Session] = {}
        self.open(model, threads or available_cores())

    def open(self, model: Model, threads: int) -> Session:
        """Return the session that computes one image on so many threads, and gives what explains it.

        It is opened when it is first asked for. Where there is no memory for a second one, the first is returned.
        """
        if threads not in self._sessions:
            try:
                session = model.session_with(self._tensors, threads) if self._tensors else model.session(threads)
            except ModelError:
                if not self._sessions:
                    raise
                return next(iter(self._sessions.values()))
            self._sessions[threads] = session
        return self._sessions[threads]

    def explain(
        self,
        plane: Plane,
        options: Options,
        classes: Sequence[str] | None = None,
        method: Literal["auto"] | Method = "auto",
        *,
        check: bool = False,
        progress: Progress = lambda done, total: None,
    ) -> list[Explanation]:
        """Explain some classes of a plane; see `napari_webipred.explain`.

        Parameters
        ----------
        progress : callable
            Is told how many parts of an occlusion are done, of how many.
        """
        request = Request(classes, method=method, check=check)
        request.check_classes(self._card)
        prepared = prepared_plane(plane, self._card, options)
        session = next(iter(self._sessions.values()))
        outputs = session.predict(prepared.tensor[None], session.outputs)
        return self.explained(plane, prepared, session, outputs, request, progress)

    def explained(
        self,
        plane: Plane,
        prepared: Prepared,
        session: Session,
        outputs: Outputs,
        request: Request,
        progress: Progress = lambda done, total: None,
    ) -> list[Explanation]:
        """Explain classes of a plane that is predicted already.

        Parameters
        ----------
        plane : Plane
        prepared : Prepared
            What the model has seen of it.
        session : Session
            That of `open` which has predicted it.
        outputs : mapping
            All outputs of this session for this plane alone.
        request, progress
            See `explain`.
        """
        probabilities = class_probabilities(outputs[OUTPUT][0], self._card)
        logits = outputs.get(LOGITS, outputs[OUTPUT])[0].ravel().astype(np.float64)
        chosen = request.numbers(self._card, probabilities)
        weights = self._weights(len(logits))[chosen]
        maps = self._maps(request.method, outputs.get(FEATURES), logits, weights)
        covered = None
        if maps is None or request.check:
            covered = self._covered(prepared, session, weights, chosen, progress)
        if maps is None:
            assert covered is not None
            grids, shown = covered
        else:
            grids = maps.grids[: len(chosen)]
            shown = contrasts(grids, maps.grids[len(chosen) :], logits, chosen) if self._is_softmax else grids
        scale = float(np.abs(shown).max()) or 1.0
        placing = Placing((prepared.pixels.shape[0], prepared.pixels.shape[1]), prepared.target, prepared.preprocessing)
        return [
            Explanation(
                class_name=self._card.classes[number].name,
                method="occlusion" if maps is None else maps.method,
                target=self._target,
                grid=grids[i].astype(np.float32),
                contrast=shown[i].astype(np.float32),
                logit=float(weights[i] @ logits),
                bias=None if maps is None else float(maps.biases[i]),
                completeness=None if maps is None else float(maps.completeness[i]),
                scale=scale,
                affine=affine_of(plane.region),
                probability=float(probabilities[number]),
                placing=placing,
                agreement=None if covered is None or maps is None else agreement(shown[i], covered[1][i]),
            )
            for i, number in enumerate(chosen)
        ]

    @property
    def _target(self) -> Target:
        ending = self._cut.activation or self._card.output.activation
        return "log-odds" if ending == "softmax" else "logit" if ending == "sigmoid" else "output"

    @property
    def _is_softmax(self) -> bool:
        return self._target == "log-odds"

    def _covered(
        self, prepared: Prepared, session: Session, weights: NDArray[np.float64], chosen: list[int], progress: Progress
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the maps of occlusion: of the logits, and of what is shown."""
        name = LOGITS if LOGITS in session.outputs else OUTPUT

        def scores(batch: NDArray[np.float32]) -> NDArray[np.float64]:
            logits = session.predict(batch, [name])[name].reshape(len(batch), -1).astype(np.float64)
            parts = [logits @ weights.T, *([log_odds(logits)[:, chosen]] if self._is_softmax else [])]
            return np.concatenate(parts, axis=1)

        maps, _ = occluded(scores, prepared.tensor, progress)
        return maps[: len(chosen)], maps[-len(chosen) :]

    def _weights(self, outputs: int) -> NDArray[np.float64]:
        """Return the logit of each class as a sum of outputs; a binary model may give one for both."""
        if outputs == 1 and len(self._card.classes) == 2:
            return np.array([[-1.0], [1.0]])
        return np.eye(outputs)

    def _maps(
        self,
        method: Literal["auto"] | Method,
        features: NDArray[np.float32] | None,
        logits: NDArray[np.float64],
        weights: NDArray[np.float64],
    ) -> ClassMaps | None:
        """Make maps of the features, of the classes and of what a contrast needs; None where occlusion has to do."""
        if method == "occlusion":
            return None
        sums = np.concatenate([weights, sums_for_contrast(logits)]) if self._is_softmax else weights
        try:
            if self._head is None or features is None:
                raise UnknownOperationError(self._unknown)
            if self._line is None:
                self._line = line_of(self._head, features[0]) or False
            if method == "cam" and not self._line:
                raise self._unfit("cam", "its head is not affine after pooling")
            if self._line and method != "hirescam":
                return cam(self._line, features[0], logits, sums)
            return hirescam(self._head, features[0], logits, sums)
        except UnknownOperationError as error:
            self._head = None
            if method == "auto":
                return None
            why = f"its head contains {error}" if str(error) else "its classes do not come from one tensor of places"
            raise self._unfit(method, why) from error

    def _unfit(self, method: str, why: str) -> OptionError:
        return OptionError(
            f"The method {method} does not fit the model {self._card.name}: {why}.", "Choose auto or occlusion."
        )


def explainer_of(model: Model, threads: int | None = None) -> Explainer:
    """Return the explainer of a model, which is made once and kept for as long as the model; see `Explainer`."""
    with _lock:
        if model not in _explainers:
            _explainers[model] = Explainer(model, threads)
        elif threads is not None:
            _explainers[model].open(model, threads)
        return _explainers[model]
