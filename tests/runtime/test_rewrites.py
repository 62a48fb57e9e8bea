"""Rewrites of a graph leave its numbers as they are, and are not made where they would change them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_webipred.runtime import rewrites
from napari_webipred.runtime.compiler import serialise
from napari_webipred.runtime.graph import INPUT, Graph
from napari_webipred.runtime.image_input import ImageInput
from napari_webipred.runtime.session import Session

SIDE, CHANNELS = 9, 4
IMAGES = np.random.default_rng(7).normal(size=(2, SIDE, SIDE, CHANNELS)).astype(np.float32) - 1  # mostly below zero

# Adds operations to a graph, from an image with channels first to another, with at least three rows and columns.
Body = Callable[[Graph, str], str]


def convolved(graph: Graph, x: str, *, size: int = 1, bias: bool = True, of: int = CHANNELS, **options: Any) -> str:
    random = np.random.default_rng(len(graph.nodes))
    kernel = graph.constant(random.normal(size=(CHANNELS, of, size, size)))
    biases = [graph.constant(random.normal(size=CHANNELS) + 3)] if bias else []
    attributes = {"kernel_shape": [size, size], "strides": [1, 1], "pads": [0, 0, 0, 0]} | options
    return graph.node("Conv", x, kernel, *biases, **attributes)


def averaged(graph: Graph, x: str, **options: Any) -> str:
    return graph.node("AveragePool", x, **{"kernel_shape": [2, 2], "strides": [2, 2]} | options)


def padded(graph: Graph, x: str, *, by: int = 1, value: float = 0.0) -> str:
    return graph.node("Pad", x, graph.constant([0, 0, by, by, 0, 0, by, by], np.int64), graph.constant(value))


def largest(graph: Graph, x: str, **options: Any) -> str:
    return graph.node("MaxPool", x, **{"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 0, 0]} | options)


def as_list_and_back(graph: Graph, pooled: str, *shape: int) -> str:
    listed = graph.node("Reshape", pooled, graph.constant([0, CHANNELS], np.int64))
    image = graph.node("Reshape", listed, graph.constant([0, *shape], np.int64))
    return graph.node("Transpose", image, perm=[0, 3, 1, 2])


def hard_sigmoid(graph: Graph, x: str, *, low: float = 0.0, high: float = 6.0, last: str = "Mul") -> str:
    sum_ = graph.node("Add", x, graph.constant(3))
    clipped = graph.node("Clip", sum_, graph.constant(low), graph.constant(high))
    return graph.node(last, clipped, graph.constant(1 / 6 if last == "Mul" else 6))


def compiled(body: Body, *, head: bool = True) -> Graph:
    """Finish a graph of an image, `body`, and a convolution of 1 x 1 pixels as the head, unless there is none."""
    graph = Graph()
    x = body(graph, graph.node("Transpose", INPUT, perm=[0, 3, 1, 2]))
    x = convolved(graph, x) if head else x
    output = graph.node("Reshape", graph.node("GlobalMaxPool", x), graph.constant([0, CHANNELS], np.int64))
    graph.finish(output, rewrites.rewritten)
    return graph


def numbers(graph: Graph) -> np.ndarray:
    written = serialise(graph, {}, ImageInput((SIDE, SIDE, CHANNELS)), CHANNELS)
    return Session(written, 1).predict(IMAGES)


def operations(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes if node.op not in {"Transpose", "Flatten"}][:-2]


def both(monkeypatch: pytest.MonkeyPatch, body: Body, *, head: bool = True) -> tuple[list[str], list[str]]:
    """Return the operations as written and as rewritten, once their numbers have been found equal."""
    with monkeypatch.context() as patched:
        patched.setattr(rewrites, "REWRITES", ())
        plain = compiled(body, head=head)
    made = compiled(body, head=head)
    np.testing.assert_allclose(numbers(made), numbers(plain), rtol=1e-5, atol=1e-6)
    return operations(plain), operations(made)


MADE: dict[str, tuple[Body, list[str]]] = {
    "a mean after a convolution": (lambda g, x: averaged(g, convolved(g, x)), ["AveragePool", "Conv", "Conv"]),
    "a mean after a convolution without bias": (
        lambda g, x: averaged(g, convolved(g, x, bias=False)),
        ["AveragePool", "Conv", "Conv"],
    ),
    "a mean that leaves out what lies around the image": (
        lambda g, x: averaged(g, convolved(g, x), pads=[1, 1, 1, 1], count_include_pad=0),
        ["AveragePool", "Conv", "Conv"],
    ),
    "two means": (
        lambda g, x: averaged(g, convolved(g, averaged(g, convolved(g, x)))),
        ["AveragePool", "Conv", "AveragePool", "Conv", "Conv"],
    ),
    "zeros and a maximum after a ReLU": (
        lambda g, x: largest(g, padded(g, g.node("Relu", x))),
        ["Relu", "MaxPool", "Conv"],
    ),
    "zeros and a maximum with padding of its own": (
        lambda g, x: largest(g, padded(g, g.node("Relu", x)), pads=[1, 0, 1, 0]),
        ["Relu", "MaxPool", "Conv"],
    ),
    "zeros and a maximum after a clip at zero": (
        lambda g, x: largest(g, padded(g, g.node("Clip", x, g.constant(0), g.constant(6)))),
        ["Clip", "MaxPool", "Conv"],
    ),
    "a mean as a list and as an image again": (
        lambda g, x: g.node("Mul", x, as_list_and_back(g, g.node("GlobalAveragePool", x), 1, 1, CHANNELS)),
        ["GlobalAveragePool", "Mul", "Conv"],
    ),
    "a clip that is a hard sigmoid": (hard_sigmoid, ["HardSigmoid", "Conv"]),
    "a clip that is divided": (lambda g, x: hard_sigmoid(g, x, last="Div"), ["HardSigmoid", "Conv"]),
}


@pytest.mark.parametrize("case", MADE)
def test_less_work_gives_the_same_numbers(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body, expected = MADE[case]
    plain, made = both(monkeypatch, body)
    assert made == expected != plain


def _summed(graph: Graph, a: str, b: str) -> str:
    return graph.node("Add", graph.node("GlobalMaxPool", a), graph.node("GlobalMaxPool", b))


def _used_twice(graph: Graph, x: str) -> str:
    between = convolved(graph, x)
    return _summed(graph, averaged(graph, between), between)


def _clip_used_twice(graph: Graph, x: str) -> str:
    clipped = graph.node("Clip", graph.node("Add", x, graph.constant(3)), graph.constant(0), graph.constant(6))
    return _summed(graph, graph.node("Mul", clipped, graph.constant(1 / 6)), clipped)


NOT_MADE: dict[str, Body] = {
    "a mean that counts zeros around the image": lambda g, x: averaged(
        g, convolved(g, x), pads=[1, 1, 1, 1], count_include_pad=1
    ),
    "a mean after an activation": lambda g, x: averaged(g, g.node("Relu", convolved(g, x))),
    "a mean after a convolution that something else needs": _used_twice,
    "a mean after a convolution of 3 x 3": lambda g, x: averaged(g, convolved(g, x, size=3)),
    "a mean after a convolution with strides": lambda g, x: averaged(g, convolved(g, x, strides=[2, 2])),
    "a mean after a convolution with padding": lambda g, x: averaged(g, convolved(g, x, pads=[1, 1, 1, 1])),
    "a mean of each place's neighbours": lambda g, x: averaged(g, convolved(g, x), strides=[1, 1]),
    "zeros and a maximum of negative numbers": lambda g, x: largest(g, padded(g, x)),
    "other numbers than zeros and a maximum": lambda g, x: largest(g, padded(g, g.node("Relu", x), value=0.5)),
    "so many zeros that a window misses the image": lambda g, x: largest(g, padded(g, g.node("Relu", x), by=3)),
    "zeros, together with the padding of the maximum, so many": lambda g, x: largest(
        g, padded(g, g.node("Relu", x), by=2), pads=[1, 1, 1, 1]
    ),
    "a mean as a list and as another image": lambda g, x: convolved(
        g, as_list_and_back(g, g.node("GlobalAveragePool", x), 1, 2, CHANNELS // 2), of=CHANNELS // 2
    ),
    "a clip at another number than zero": lambda g, x: hard_sigmoid(g, x, low=-1.0),
    "a clip that does not end at one": lambda g, x: hard_sigmoid(g, x, high=5.0),
    "a clip that something else needs": _clip_used_twice,
}


@pytest.mark.parametrize("case", NOT_MADE)
def test_what_would_change_numbers_is_left_as_it_is(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, made = both(monkeypatch, NOT_MADE[case])
    assert made == plain


def test_the_last_convolution_and_what_follows_it_stay_for_explanations(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, made = both(monkeypatch, lambda g, x: averaged(g, convolved(g, x)), head=False)
    assert made == plain == ["Conv", "AveragePool"]


def test_a_long_chain_takes_no_longer_than_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    class Counted(rewrites._Index):
        def maker(self, tensor: str, *ops: str) -> object:  # type: ignore[override]
            nonlocal looks
            looks += 1
            return super().maker(tensor, *ops)

    monkeypatch.setattr(rewrites, "_Index", Counted)

    def chain(graph: Graph, x: str) -> str:
        for _ in range(500):
            x = hard_sigmoid(graph, largest(graph, padded(graph, x), strides=[1, 1]))
        return x

    graph = compiled(chain)
    assert len(graph.nodes) > 500
    assert looks < 5 * 2500
