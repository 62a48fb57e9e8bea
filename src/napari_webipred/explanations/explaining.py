"""Explains what a model says of one plane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

import numpy as np

from napari_webipred.errors import OptionError
from napari_webipred.execution.plane import prepared_plane
from napari_webipred.explanations.class_map import class_maps, is_affine
from napari_webipred.explanations.cut import cut
from napari_webipred.explanations.explanation import Explanation
from napari_webipred.explanations.head import Head
from napari_webipred.explanations.occlusion import occluded
from napari_webipred.explanations.operations import UnknownOperationError
from napari_webipred.explanations.placing import placed
from napari_webipred.results.probabilities import class_probabilities
from napari_webipred.runtime.graph import OUTPUT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.execution.plane import Plane
    from napari_webipred.explanations.class_map import ClassMaps
    from napari_webipred.explanations.explanation import Method
    from napari_webipred.model import Model
    from napari_webipred.options import Options

    Progress = Callable[[int, int], None]

FEATURES, LOGITS = "webipred.features", "webipred.logits"


_lock = Lock()
_explainers: WeakKeyDictionary[Model, Explainer] = WeakKeyDictionary()


class Explainer:
    """A model with the tensors that explain its classes.

    Parameters
    ----------
    model : Model
        With input size and activation known. Its weights are held a second time.

    Raises
    ------
    ModelError
        There is no memory for that.
    """

    def __init__(self, model: Model) -> None:
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
        tensors = {FEATURES: found.features} if self._head is not None and found.features is not None else {}
        if found.logits != OUTPUT:
            tensors[LOGITS] = found.logits
        self._session = model.session_with(tensors) if tensors else model.session(1)
        self._flat: bool | None = None

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
        prepared = prepared_plane(plane, self._card, options)
        outputs = self._outputs(prepared.tensor[None])
        numbers, logits = outputs[OUTPUT][0], outputs.get(LOGITS, outputs[OUTPUT])[0].ravel().astype(np.float64)
        probabilities = class_probabilities(numbers, self._card)
        chosen = self._chosen(classes, probabilities)
        weights = self._weights(len(logits))[chosen]
        shares = _softmax(logits) if self._is_softmax else None
        maps = self._maps(method, outputs.get(FEATURES), logits, weights, shares)
        covered: NDArray[np.float64] | None = None
        if maps is None or check:
            covered, _ = occluded(self._scores, prepared.tensor, progress)
        if maps is None:
            assert covered is not None
            grids = np.einsum("no,oyx->nyx", weights, covered)
            contrasts = grids if shares is None else np.einsum("no,oyx->nyx", weights - shares, covered)
        else:
            grids, contrasts = maps.grids, maps.contrasts
        shape = (prepared.pixels.shape[0], prepared.pixels.shape[1])
        scale = float(np.abs(contrasts).max()) or 1.0
        return [
            Explanation(
                class_name=self._card.classes[number].name,
                method="occlusion" if maps is None else maps.method,
                grid=grids[i].astype(np.float32),
                map=placed(contrasts[i], shape, prepared.target, prepared.preprocessing),
                logit=float(weights[i] @ logits),
                bias=None if maps is None else float(maps.biases[i]),
                completeness=None if maps is None else float(maps.completeness[i]),
                scale=scale,
                affine=_affine(plane),
                probability=float(probabilities[number]),
                agreement=None if covered is None or maps is None else _agreement(grids[i], weights[i], covered),
            )
            for i, number in enumerate(chosen)
        ]

    @property
    def _is_softmax(self) -> bool:
        return self._cut.activation == "softmax" or (
            self._cut.logits == OUTPUT and self._card.output.activation == "softmax"
        )

    def _outputs(self, batch: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        return self._session.predict(batch, self._session.outputs)

    def _scores(self, batch: NDArray[np.float32]) -> NDArray[np.float64]:
        name = LOGITS if LOGITS in self._session.outputs else OUTPUT
        scores = self._session.predict(batch, [name])[name]
        return scores.reshape(len(batch), -1).astype(np.float64)

    def _chosen(self, classes: Sequence[str] | None, probabilities: NDArray[np.float32]) -> list[int]:
        """Return the numbers of the classes."""
        if classes is None:
            return [int(number) for number in np.argsort(-probabilities, kind="stable")]
        names = [entry.name for entry in self._card.classes]
        for name in classes:
            if name not in names:
                raise OptionError(
                    f"The model {self._card.name} has no class {name!r}.", f"Its classes are {', '.join(names[:20])}."
                )
        return [names.index(name) for name in classes]

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
        shares: NDArray[np.float64] | None,
    ) -> ClassMaps | None:
        """Make maps of the features; None where occlusion is asked for or all that is left."""
        if method == "occlusion":
            return None
        if method not in ("auto", "cam", "hirescam"):
            raise OptionError(f"{method!r} is no method.", "Choose one of auto, cam, hirescam, occlusion.")
        try:
            if self._head is None or features is None:
                raise UnknownOperationError(self._unknown)
            if self._flat is None:
                self._flat = is_affine(self._head, features[0])
            if method == "cam" and not self._flat:
                raise self._unfit("cam", "its head is not affine after pooling")
            return class_maps(
                self._head, features[0], logits, weights, shares, flat=self._flat and method != "hirescam"
            )
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


def explainer_of(model: Model) -> Explainer:
    """Return the explainer of a model, which is made once and kept for as long as the model.

    Raises
    ------
    ModelError
        There is no memory for a second copy of the weights.
    """
    with _lock:
        if model not in _explainers:
            _explainers[model] = Explainer(model)
        return _explainers[model]


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max())
    shares: NDArray[np.float64] = powers / powers.sum()
    return shares


def _affine(plane: Plane) -> NDArray[np.float64]:
    affine = np.eye(3)
    if plane.region is not None:
        affine[:2, 2] = max(plane.region.box[0], 0), max(plane.region.box[1], 0)
    return affine


def _agreement(grid: NDArray[np.float64], weights: NDArray[np.float64], covered: NDArray[np.float64]) -> float:
    """Correlate the ranks of a map with those of occlusion, averaged to the cells of the coarser one."""
    other = np.einsum("o,oyx->yx", weights, covered)
    rows, columns = (min(a, b) for a, b in zip(grid.shape, other.shape, strict=True))
    first, second = (_ranks(_coarse(each, rows, columns)) for each in (grid, other))
    deviation = first.std() * second.std()
    return float(((first - first.mean()) * (second - second.mean())).mean() / deviation) if deviation else 0.0


def _coarse(values: NDArray[np.float64], rows: int, columns: int) -> NDArray[np.float64]:
    down = np.array_split(np.arange(values.shape[0]), rows)
    across = np.array_split(np.arange(values.shape[1]), columns)
    return np.array([[values[np.ix_(y, x)].mean() for x in across] for y in down])


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank of each value, the mean of equal ones."""
    _, places, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray(ends - (counts - 1) / 2, np.float64)[places]
