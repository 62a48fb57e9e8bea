"""Which tensor of the file belongs to which layer, by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from napari_webipred.errors import ModelError
from napari_webipred.runtime.connections import listed
from napari_webipred.runtime.graph import Weight
from napari_webipred.runtime.topology import Layer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BROKEN = "Ask the publisher of the model for a new conversion."


def bind(
    file: str,
    needed: Iterable[Weight],
    optional_weights: Iterable[Weight],
    pruned_layers: Iterable[Layer],
    weights: Mapping[str, NDArray[np.float32]],
) -> dict[Weight, str]:
    """Find the name of each weight in the file.

    Tried in this order, each only as far as it leaves no doubt: the layer's name with those of the models around it;
    its name alone, as most files have it; the same behind names of models that the file puts before it; numbers in
    place of names, in Keras' order; the name of the layer with a number behind it, if the shape fits; the one tensor
    of that layer without a name of its own. The order of the tensors in the file says nothing.

    Parameters
    ----------
    file : str
        Name of the topology, for messages.
    needed : iterable of Weight
        In each layer in Keras' order. Every one must be found.
    optional_weights : iterable of Weight
        What may be in the file without being needed.
    pruned_layers : iterable of Layer
        Layers that are not computed; their tensors may be in the file.
    weights : mapping of str to ndarray of float32
        The tensors of the file.

    Returns
    -------
    dict of Weight to str

    Raises
    ------
    ModelError
        Weights are missing, left over, or of another shape; all of them are named.
    """
    needed = list(dict.fromkeys(needed))
    places = _places(needed)
    wanted = {weight: _forms(weight, places.get(weight)) for weight in [*needed, *optional_weights]}
    known = _Names(weights, {form for stages in wanted.values() for stage in stages for form in stage})
    bound: dict[Weight, str] = {}
    taken: set[str] = set()
    for stage in range(_STAGES):
        claims: dict[str, list[Weight]] = {}
        for weight, stages in wanted.items():
            if weight in bound:
                continue
            free = sorted(set(known.find(stage, stages[stage], weight.shape)) - taken)
            if len(free) == 1:
                claims.setdefault(free[0], []).append(weight)
        for name, claimants in claims.items():
            if len(claimants) == 1:
                bound[claimants[0]] = name
                taken.add(name)
    _check(file, needed, bound, pruned_layers, weights)
    return {weight: bound[weight] for weight in needed}


_STAGES = 6

# Keras 3 calls it so in DepthwiseConv2D.
_OTHER_ROLES = {"depthwise_kernel": ("kernel",)}


def _forms(weight: Weight, place: int | None) -> list[list[str]]:
    """Return, for each stage, what the tensor may be called, the likeliest first."""
    roles = (weight.role, *_OTHER_ROLES.get(weight.role, ()))
    alone = [f"{weight.layer}/{role}" for role in roles]
    below = [f"{weight.path}/{role}" for role in roles]
    numbered = [] if place is None else [f"{weight.layer}/{place}", f"{weight.layer}/vars/{place}"]
    # Stage 2 looks for the same among the endings of names, stage 4 among those with a number cut off, and stage 5
    # for a weight that Keras 3 calls so that its layer gives no name, as that of LayerScale.
    return [below, alone, [form for pair in zip(below, alone, strict=True) for form in pair], numbered, alone,
            [f"{weight.layer}/variable"]]  # fmt: skip


class _Names:
    """The tensors of a file by those endings of their names that are looked for; a file can have very many names."""

    def __init__(self, weights: Mapping[str, NDArray[np.float32]], wanted: set[str]) -> None:
        self._weights = weights
        self._ending: dict[str, list[str]] = {}
        self._cut: dict[str, list[str]] = {}
        for name in weights:
            for ending in _endings(name):
                if ending in wanted:
                    self._ending.setdefault(ending, []).append(name)
                cut = re.sub(r"_\d+(/[^/]*)$", r"\1", ending)
                if cut != ending and cut in wanted:
                    self._cut.setdefault(cut, []).append(name)
            layer, _, last = name.rpartition("/")
            unnamed = f"{layer.rpartition('/')[2]}/variable"
            if unnamed in wanted and re.fullmatch(r"variable(_\d+)?", last):
                self._cut.setdefault(unnamed, []).append(name)

    def find(self, stage: int, forms: list[str], shape: tuple[int, ...]) -> list[str]:
        """Return the tensors that have the first of these forms that any has."""
        for form in forms:
            if stage < 2:
                found = [form] if form in self._weights else []
            elif stage < 4:
                found = self._ending.get(form, [])
            else:
                found = self._cut.get(form, [])
            if stage == 4:
                found = [name for name in found if self._weights[name].shape == shape]
            if found:
                return found
        return []


def _endings(name: str) -> Iterator[str]:
    """Yield the name and what is left of it when leading parts are dropped, at most eight."""
    start = 0
    for _ in range(8):
        yield name[start:]
        start = name.find("/", start) + 1
        if start == 0:
            return


def _places(needed: Iterable[Weight]) -> dict[Weight, int]:
    """Count the weights of each layer."""
    places: dict[Weight, int] = {}
    seen: dict[str, int] = {}
    for weight in needed:
        places[weight] = seen.get(weight.path, 0)
        seen[weight.path] = places[weight] + 1
    return places


def _check(
    file: str,
    needed: list[Weight],
    bound: Mapping[Weight, str],
    pruned_layers: Iterable[Layer],
    weights: Mapping[str, NDArray[np.float32]],
) -> None:
    missing = [f"{weight.path}/{weight.role}" for weight in needed if weight not in bound]
    taken = set(bound.values())
    names = {layer.name for layer in pruned_layers}
    unused = [name for name in weights if name not in taken and not _is_idle(name, names)]
    faults = []
    if missing:
        faults.append(f"the weights {listed(missing)} are missing")
    if unused:
        faults.append(f"no layer uses {listed(unused)}")
    pairs = [(weight, bound[weight]) for weight in needed if weight in bound]
    misshapen = [
        f"{name} has the shape {list(weights[name].shape)} instead of {list(weight.shape)}"
        for weight, name in pairs
        if weights[name].shape != weight.shape
    ]
    if misshapen:
        faults.append(listed(misshapen))
    if faults:
        raise ModelError(f"The weights of {file} do not fit its layers: {'; '.join(faults)}.", _BROKEN)


# Of a name; models are nested less deeply.
_MOST_PARTS = 32


def _is_idle(name: str, layers: set[str]) -> bool:
    """Tell whether a tensor belongs to a layer that is not computed, or is the state of random numbers."""
    parts = name.split("/")[:_MOST_PARTS]
    if name.rpartition("/")[2] in {"seed_generator_state", "seed_generator"}:
        return True
    return any("/".join(parts[i:j]) in layers for i in range(len(parts)) for j in range(i + 1, len(parts)))
