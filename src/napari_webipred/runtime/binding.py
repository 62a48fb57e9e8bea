"""Which tensor of the file belongs to which layer, by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from napari_webipred.errors import ModelError
from napari_webipred.runtime.graph import Weight
from napari_webipred.runtime.topology import Layer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BROKEN = "Ask the publisher of the model for a new conversion."


def bind(
    file: str,
    needed: Iterable[Weight],
    spare: Iterable[Weight],
    idle: Iterable[Layer],
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
    spare : iterable of Weight
        What may be in the file without being needed.
    idle : iterable of Layer
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
    by_ending: dict[str, list[str]] = {}
    for name in weights:
        for ending in _endings(name):
            by_ending.setdefault(ending, []).append(name)
    places = _places(needed)
    bound: dict[Weight, str] = {}
    taken: set[str] = set()
    for stage in range(_STAGES):
        claims: dict[str, list[Weight]] = {}
        for weight in [*needed, *spare]:
            if weight in bound:
                continue
            found = _candidates(weight, places.get(weight), stage, weights, by_ending)
            free = sorted(set(found) - taken)
            if len(free) == 1:
                claims.setdefault(free[0], []).append(weight)
        for name, claimants in claims.items():
            if len(claimants) == 1:
                bound[claimants[0]] = name
                taken.add(name)
    _check(file, needed, bound, idle, weights)
    return {weight: bound[weight] for weight in needed}


_STAGES = 6


def _candidates(
    weight: Weight,
    place: int | None,
    stage: int,
    weights: Mapping[str, NDArray[np.float32]],
    by_ending: Mapping[str, list[str]],
) -> list[str]:
    """Return the tensors that may be the weight, by Keras' word for it, or else by a word of another version."""
    for role in (weight.role, *_OTHER_ROLES.get(weight.role, ())):
        found = list(_named(weight, role, place, stage, weights, by_ending))
        if found:
            return found
    return []


# Keras 3 calls it so in DepthwiseConv2D.
_OTHER_ROLES = {"depthwise_kernel": ("kernel",)}


def _named(
    weight: Weight,
    role: str,
    place: int | None,
    stage: int,
    weights: Mapping[str, NDArray[np.float32]],
    by_ending: Mapping[str, list[str]],
) -> Iterator[str]:
    if stage == 0:
        exact = f"{weight.path}/{role}"
        yield from [exact] if exact in weights else []
    elif stage == 1:
        plain = f"{weight.layer}/{role}"
        yield from [plain] if plain in weights else []
    elif stage == 2:
        yield from by_ending.get(f"{weight.path}/{role}") or by_ending.get(f"{weight.layer}/{role}", [])
    elif stage == 3 and place is not None:
        for numbered in (f"{weight.layer}/{place}", f"{weight.layer}/vars/{place}"):
            yield from by_ending.get(numbered, [])
    elif stage == 4:
        for name in by_ending.get(role, []):
            parts = name.split("/")
            suffixed = "/".join(parts[:-1][-weight.layer.count("/") - 1 :])
            if re.fullmatch(re.escape(weight.layer) + r"_\d+", suffixed) and weights[name].shape == weight.shape:
                yield name
    elif stage == 5:
        # Keras 3 calls a weight so that its layer gives no name, as that of LayerScale.
        for name in weights:
            parts = name.split("/")
            if parts[-2:-1] == [weight.layer] and re.fullmatch(r"variable(_\d+)?", parts[-1]):
                yield name


def _endings(name: str) -> Iterator[str]:
    """Yield the name and what is left of it when leading parts are dropped, at most eight."""
    parts = name.split("/")
    for start in range(min(len(parts), 8)):
        yield "/".join(parts[start:])


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
    idle: Iterable[Layer],
    weights: Mapping[str, NDArray[np.float32]],
) -> None:
    missing = [f"{weight.path}/{weight.role}" for weight in needed if weight not in bound]
    taken = set(bound.values())
    names = {layer.name for layer in idle}
    unused = [name for name in weights if name not in taken and not _is_idle(name, names)]
    faults = []
    if missing:
        faults.append(f"the weights {', '.join(missing)} are missing")
    if unused:
        faults.append(f"no layer uses {', '.join(unused)}")
    pairs = [(weight, bound[weight]) for weight in needed if weight in bound]
    faults += [
        f"{name} has the shape {list(weights[name].shape)} instead of {list(weight.shape)}"
        for weight, name in pairs
        if weights[name].shape != weight.shape
    ]
    if faults:
        raise ModelError(f"The weights of {file} do not fit its layers: {'; '.join(faults)}.", _BROKEN)


def _is_idle(name: str, layers: set[str]) -> bool:
    """Tell whether a tensor belongs to a layer that is not computed, or is the state of random numbers."""
    parts = name.split("/")
    if parts[-1] in {"seed_generator_state", "seed_generator"}:
        return True
    return any("/".join(parts[i:j]) in layers for i in range(len(parts)) for j in range(i + 1, len(parts)))
