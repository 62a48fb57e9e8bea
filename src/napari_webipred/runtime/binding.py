"""Match the tensors of the file to the weights of the layers, by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from napari_webipred.errors import ModelError
from napari_webipred.names import listed
from napari_webipred.runtime.connections import BROKEN
from napari_webipred.runtime.graph import Weight
from napari_webipred.runtime.topology import Layer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def bind(
    file: str,
    needed: Iterable[Weight],
    optional_weights: Iterable[Weight],
    pruned_layers: Iterable[Layer],
    weights: Mapping[str, NDArray[np.float32]],
) -> dict[Weight, str]:
    """Find the name of each weight in the file.

    These names are tried in order, and a match counts only if it is unique: the layer's name after the names of its
    models; its name alone, as in most files; one of the two after any prefix; numbers instead of names, in Keras'
    order; the layer's name with a number appended, if the shape fits; the one tensor of the layer that has no name; the
    name of the outermost model alone, as Keras 2 does for a Normalization in it that was adapted.
    The order of the tensors in the file does not matter.

    Parameters
    ----------
    file : str
        Name of the topology file, for messages.
    needed : iterable of Weight
        In Keras' order within each layer. All of them must be found.
    optional_weights : iterable of Weight
        Weights that may be in the file, but are not needed.
    pruned_layers : iterable of Layer
        Layers that are not computed, whose weights may be in the file.
    weights : mapping of str to ndarray of float32
        The tensors of the file.

    Returns
    -------
    dict of Weight to str

    Raises
    ------
    ModelError
        Weights are missing, unused or of the wrong shape. The message lists all of them.
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


_STAGES = 7

# The name in DepthwiseConv2D of Keras 3.
_OTHER_ROLES = {"depthwise_kernel": ("kernel",)}


def _forms(weight: Weight, place: int | None) -> list[list[str]]:
    """Return, for each stage, the possible names of the tensor, the likeliest first."""
    roles = (weight.role, *_OTHER_ROLES.get(weight.role, ()))
    alone = [f"{weight.layer}/{role}" for role in roles]
    below = [f"{weight.path}/{role}" for role in roles]
    numbered = [] if place is None else [f"{weight.layer}/{place}", f"{weight.layer}/vars/{place}"]
    # Stage 2 compares these with the ends of names, stage 4 with names without their number, and stage 5 finds a
    # weight that its Keras 3 layer does not name, such as that of LayerScale.
    outermost = weight.path.partition("/")[0]
    return [below, alone, [form for pair in zip(below, alone, strict=True) for form in pair], numbered, alone,
            [f"{weight.layer}/variable"], [f"{outermost}/{role}" for role in roles]]  # fmt: skip


class _Names:
    """The tensors of a file by the ends of their names. Only needed ends are kept: a file may have many names."""

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
        """Return the tensors that match the first of these names that any tensor matches."""
        for form in forms:
            if stage in {0, 1, 6}:
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
    """Yield the name and its ends without up to seven leading parts."""
    start = 0
    for _ in range(8):
        yield name[start:]
        start = name.find("/", start) + 1
        if start == 0:
            return


def _places(needed: Iterable[Weight]) -> dict[Weight, int]:
    """Return the index of each weight within its layer."""
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
    unused = [name for name in weights if name not in taken and not _is_pruned(name, names)]
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
        raise ModelError(f"The weights of {file} do not match its layers: {'; '.join(faults)}.", BROKEN)


# Parts of a name; models are nested less deeply.
_MOST_PARTS = 32


def _is_pruned(name: str, layers: set[str]) -> bool:
    """Tell whether a tensor belongs to a layer that is not computed, or is the state of a random generator."""
    parts = name.split("/")[:_MOST_PARTS]
    if name.rpartition("/")[2] in {"seed_generator_state", "seed_generator"}:
        return True
    return any("/".join(parts[i:j]) in layers for i in range(len(parts)) for j in range(i + 1, len(parts)))
